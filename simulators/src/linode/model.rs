//! The things an account holds, and what they are at a moment. Nothing ticks: every state follows from the moments
//! written down when something began, so a restart needs no catching up.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(super) use crate::kit::provider::after;

/// What a Linode goes through before it rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Provisioning,
    Booting,
    Rebooting,
    ShuttingDown,
    Migrating,
    Rebuilding,
    Restoring,
    Cloning,
}

impl Status {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Booting => "booting",
            Self::Rebooting => "rebooting",
            Self::ShuttingDown => "shutting_down",
            Self::Migrating => "migrating",
            Self::Rebuilding => "rebuilding",
            Self::Restoring => "restoring",
            Self::Cloning => "cloning",
        }
    }
}

/// A status that lasts until a moment.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Step {
    pub(super) status: Status,
    pub(super) until: DateTime<Utc>,
}

/// A Linode, as made and with what is under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Linode {
    pub(super) id: u64,
    pub(super) label: String,
    pub(super) group: String,
    pub(super) region: String,
    pub(super) r#type: String,
    /// The type it still shows until a resize is done.
    pub(super) resized_from: Option<(String, DateTime<Utc>)>,
    pub(super) image: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) user_data: Option<String>,
    pub(super) authorized_keys: Vec<String>,
    pub(super) watchdog_enabled: bool,
    pub(super) alerts: Value,
    pub(super) maintenance_policy: String,
    pub(super) disk_encryption: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    /// What is under way, in order.
    pub(super) steps: Vec<Step>,
    /// Whether it is on once the steps are done.
    pub(super) on: bool,
    /// Whether it was on before the steps.
    pub(super) was_on: bool,
    /// Shows its addresses.
    pub(super) addressed_at: DateTime<Utc>,
    /// Shows up in lists.
    pub(super) listed_at: DateTime<Utc>,
    /// Is found by its id.
    pub(super) readable_at: DateTime<Utc>,
    pub(super) addresses: Vec<Address>,
    pub(super) disks: Vec<Disk>,
    pub(super) configs: Vec<Config>,
    pub(super) backups: Option<Backups>,
}

/// An IPv4 address of a Linode.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Address {
    pub(super) address: String,
    pub(super) public: bool,
    pub(super) rdns: Option<String>,
}

/// A disk; its size is in MiB.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Disk {
    pub(super) id: u64,
    pub(super) label: String,
    pub(super) filesystem: String,
    pub(super) size: u64,
    pub(super) created_at: DateTime<Utc>,
    pub(super) ready_at: DateTime<Utc>,
}

/// A configuration profile, as the vendor shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Config {
    pub(super) id: u64,
    pub(super) body: Value,
}

/// The backup service of a Linode: its manual snapshot, and the one before until the newer is done.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Backups {
    pub(super) latest: Option<Backup>,
    pub(super) before: Option<Backup>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Backup {
    pub(super) id: u64,
    pub(super) label: String,
    pub(super) region: String,
    pub(super) image: Option<String>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) finished_at: DateTime<Utc>,
    pub(super) disks: Vec<Disk>,
    pub(super) configs: Vec<Config>,
}

/// A private image; its size is in MiB.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Image {
    pub(super) id: u64,
    pub(super) label: String,
    pub(super) description: String,
    pub(super) tags: Vec<String>,
    pub(super) regions: Vec<String>,
    pub(super) size: u64,
    pub(super) cloud_init: bool,
    pub(super) created_at: DateTime<Utc>,
    /// Without it, the image waits for an upload.
    pub(super) available_at: Option<DateTime<Utc>>,
}

/// Something that happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) id: u64,
    pub(super) action: String,
    pub(super) linode: u64,
    pub(super) label: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) finished_at: DateTime<Utc>,
    /// The other thing involved, as the vendor shows it.
    pub(super) secondary: Value,
    pub(super) seen: bool,
    pub(super) read: bool,
}

/// An SSH key of the profile.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) id: u64,
    pub(super) label: String,
    pub(super) ssh_key: String,
    pub(super) created_at: DateTime<Utc>,
}

impl Linode {
    fn step(&self, now: DateTime<Utc>) -> Option<Status> {
        self.steps.iter().find(|step| step.until > now).map(|step| step.status)
    }

    pub(super) fn status(&self, now: DateTime<Utc>) -> &'static str {
        match self.step(now) {
            Some(status) => status.word(),
            None if self.on => "running",
            None => "offline",
        }
    }

    /// Whether it runs or will, once what is under way is done.
    pub(super) fn is_on(&self, now: DateTime<Utc>) -> bool {
        if self.step(now).is_some() { self.was_on } else { self.on }
    }

    /// Whether something is under way that other actions must wait for.
    pub(super) fn is_busy(&self, now: DateTime<Utc>) -> bool {
        let backup = self.backups.as_ref().and_then(|backups| backups.latest.as_ref());
        self.step(now).is_some() || backup.is_some_and(|backup| backup.finished_at > now)
    }

    /// Whether it can't be deleted now.
    pub(super) fn is_pinned(&self, now: DateTime<Utc>) -> bool {
        matches!(self.step(now), Some(Status::Cloning | Status::Restoring))
    }

    /// Begins steps that follow each other, each for so many seconds, after which it is on or off. Gives when they
    /// are all done.
    pub(super) fn begin(&mut self, steps: &[(Status, f64)], on: bool, now: DateTime<Utc>) -> DateTime<Utc> {
        self.was_on = self.is_on(now);
        self.on = on;
        self.updated_at = now;
        let mut until = now;
        self.steps.clear();
        for (status, seconds) in steps {
            until = after(until, *seconds);
            self.steps.push(Step { status: *status, until });
        }
        until
    }

    /// The type it shows at a moment.
    pub(super) fn type_at(&self, now: DateTime<Utc>) -> &str {
        match &self.resized_from {
            Some((from, until)) if *until > now => from,
            _ => &self.r#type,
        }
    }
}

impl Backups {
    /// The newest that is done.
    pub(super) fn current(&self, now: DateTime<Utc>) -> Option<&Backup> {
        [&self.latest, &self.before].into_iter().flatten().find(|backup| backup.finished_at <= now)
    }

    /// The one being made.
    pub(super) fn in_progress(&self, now: DateTime<Utc>) -> Option<&Backup> {
        self.latest.as_ref().filter(|backup| backup.finished_at > now)
    }
}

impl Image {
    pub(super) fn slug(&self) -> String {
        format!("private/{}", self.id)
    }

    pub(super) fn is_available(&self, now: DateTime<Utc>) -> bool {
        self.available_at.is_some_and(|at| at <= now)
    }
}
