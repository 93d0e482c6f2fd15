//! An instance and its three axes: `status`, `power_status`, `server_status`. Nothing ticks: what it is at any moment
//! follows from the moments written down when it was made and when something was last done to it, so a restart
//! needs no catching up.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    catalog::{self, Plan},
    error::Error,
    state::stamp,
};

/// An instance, as made and with what is under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Instance {
    pub(super) id: Uuid,
    pub(super) rank: u64,
    pub(super) label: String,
    pub(super) hostname: String,
    pub(super) region: String,
    pub(super) plan: String,
    pub(super) source: Source,
    pub(super) tags: Vec<String>,
    /// Base64, as it came.
    pub(super) user_data: String,
    pub(super) ssh_keys: Vec<Uuid>,
    pub(super) user_scheme: String,
    pub(super) ipv6: bool,
    pub(super) public_ipv4: bool,
    pub(super) ddos_protection: bool,
    pub(super) backups: Option<Schedule>,
    pub(super) more_ipv4: Vec<Ipv4Addr>,
    /// Reverse DNS names by address.
    pub(super) reverse: BTreeMap<String, String>,
    pub(super) created_at: DateTime<Utc>,
    /// Turns from `pending` to `active`.
    pub(super) active_at: DateTime<Utc>,
    /// Turns from `installingbooting` to `ok`.
    pub(super) booted_at: DateTime<Utc>,
    /// Shows its addresses.
    pub(super) addressed_at: DateTime<Utc>,
    /// Shows up in lists.
    pub(super) listed_at: DateTime<Utc>,
    /// Is found by its id.
    pub(super) readable_at: DateTime<Utc>,
    /// Whether it was on before [`Self::event`].
    pub(super) on: bool,
    pub(super) event: Option<Event>,
}

/// What is on its disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    pub(super) os_id: u64,
    pub(super) app_id: u64,
    pub(super) image_id: String,
    pub(super) snapshot_id: String,
}

/// When backups are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Schedule {
    pub(super) r#type: String,
    pub(super) hour: u32,
    pub(super) dow: u32,
    pub(super) dom: u32,
}

/// The last thing done to an instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) kind: EventKind,
    pub(super) done_at: DateTime<Utc>,
}

/// Things done to instances that take a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum EventKind {
    Start,
    Halt,
    Reboot,
    Reinstall,
    Restore,
    Snapshot,
    Resize { plan: String },
}

impl Instance {
    /// Takes note of an event that is over.
    pub(super) fn settle(&mut self, now: DateTime<Utc>) {
        self.on = self.is_on(now);
        if let Some(event) = self.event.take_if(|event| event.done_at <= now)
            && let EventKind::Resize { plan } = event.kind
        {
            self.plan = plan;
        }
    }

    pub(super) fn begin(&mut self, kind: EventKind, done_at: DateTime<Utc>) {
        self.event = Some(Event { kind, done_at });
    }

    /// Refuses what an instance can't do while it is pending or locked.
    pub(super) fn is_free(&self, verb: &str, now: DateTime<Utc>) -> Result<(), Error> {
        if self.is_pending(now) {
            return Err(Error::not_active(verb));
        }
        if self.is_locked(now) { Err(Error::locked(verb)) } else { Ok(()) }
    }

    fn is_pending(&self, now: DateTime<Utc>) -> bool {
        now < self.active_at
    }

    fn under_way(&self, now: DateTime<Utc>) -> Option<&EventKind> {
        self.event.as_ref().filter(|event| event.done_at > now).map(|event| &event.kind)
    }

    fn is_locked(&self, now: DateTime<Utc>) -> bool {
        use EventKind::{Halt, Reboot, Start};
        self.under_way(now).is_some_and(|kind| !matches!(kind, Start | Halt | Reboot))
    }

    pub(super) fn is_on(&self, now: DateTime<Utc>) -> bool {
        match self.event.as_ref().filter(|event| event.done_at <= now).map(|event| &event.kind) {
            None | Some(EventKind::Snapshot) => self.on,
            Some(EventKind::Halt) => false,
            Some(_) => true,
        }
    }

    pub(super) fn status(&self, now: DateTime<Utc>) -> &'static str {
        match self.under_way(now) {
            _ if self.is_pending(now) => "pending",
            Some(EventKind::Resize { .. }) => "resizing",
            _ => "active",
        }
    }

    fn server_status(&self, now: DateTime<Utc>) -> &'static str {
        match self.under_way(now) {
            _ if self.is_pending(now) => "none",
            _ if now < self.booted_at => "installingbooting",
            Some(EventKind::Reinstall) => "installingbooting",
            _ if self.is_locked(now) => "locked",
            _ => "ok",
        }
    }

    /// The plan it has at `now`.
    pub(super) fn plan(&self, now: DateTime<Utc>) -> &'static Plan {
        let id = match &self.event {
            Some(Event { kind: EventKind::Resize { plan }, done_at }) if *done_at <= now => plan,
            _ => &self.plan,
        };
        // Plans are checked when they are ordered, and none is ever dropped from the catalog.
        Plan::find(id).unwrap_or(&catalog::PLANS[0])
    }

    pub(super) fn is_addressed(&self, now: DateTime<Utc>) -> bool {
        now >= self.addressed_at
    }

    /// An address that follows from the rank, out of a range that leads nowhere (RFC 2544).
    pub(super) fn ipv4(&self) -> Ipv4Addr {
        let [.., b, c, d] = (self.rank % 0x2_0000).to_be_bytes();
        Ipv4Addr::new(198, 18 + b, c, d)
    }

    fn ipv4_gateway(&self) -> Ipv4Addr {
        let [a, b, c, _] = self.ipv4().octets();
        Ipv4Addr::new(a, b, c & 0xfe, 1)
    }

    /// The first address of its network.
    pub(super) fn ipv6_network(&self) -> Ipv6Addr {
        // Documentation only (RFC 3849).
        let [.., high, low] = self.rank.to_be_bytes().map(u16::from);
        let middle = u16::try_from(self.rank >> 16 & 0xffff).unwrap_or_default();
        Ipv6Addr::new(0x2001, 0xdb8, middle, high << 8 | low, 0, 0, 0, 0)
    }

    pub(super) fn ipv6(&self) -> Ipv6Addr {
        let [a, b, c, d, ..] = self.ipv6_network().segments();
        Ipv6Addr::new(a, b, c, d, 0x5400, 0x02ff, 0xfe00, 1)
    }

    pub(super) fn shows_ipv4(&self, now: DateTime<Utc>) -> bool {
        self.public_ipv4 && self.is_addressed(now)
    }

    pub(super) fn shows_ipv6(&self, now: DateTime<Utc>) -> bool {
        self.ipv6 && self.is_addressed(now)
    }

    /// What it has cost since it was made, in dollars and cents.
    fn pending_charges(&self, now: DateTime<Utc>) -> f64 {
        let plan = self.plan(now);
        let hours = (now - self.created_at).num_hours() + 1;
        #[allow(clippy::cast_precision_loss, reason = "hours of a month")]
        let charges = (plan.hourly * hours as f64).min(plan.monthly);
        (charges * 100.0).round() / 100.0
    }

    /// The vendor's instance object at `now`.
    pub(super) fn body(&self, now: DateTime<Utc>) -> Value {
        self.show(now, self.is_addressed(now))
    }

    /// The same without its addresses.
    pub(super) fn body_without_ip(&self, now: DateTime<Utc>) -> Value {
        self.show(now, false)
    }

    /// The same with what it has cost.
    pub(super) fn body_with_charges(&self, now: DateTime<Utc>) -> Value {
        let mut body = self.body(now);
        body["pending_charges"] = json!(self.pending_charges(now));
        body
    }

    /// As the answer to its create shows it, however short its boot.
    pub(super) fn body_at_birth(&self) -> Value {
        let mut body = self.show(self.created_at, false);
        for (field, value) in [("status", "pending"), ("server_status", "none"), ("kvm", "")] {
            body[field] = json!(value);
        }
        body["disk"] = json!(0);
        body
    }

    fn show(&self, now: DateTime<Utc>, addressed: bool) -> Value {
        let plan = self.plan(now);
        let ipv4 = addressed && self.public_ipv4;
        let ipv6 = addressed && self.ipv6;
        let text = |address: String, shown: bool| if shown { address } else { String::new() };
        let network = text(self.ipv6_network().to_string(), ipv6);
        let v6_main_ip = text(self.ipv6().to_string(), ipv6);
        let v6_size = if ipv6 { 64 } else { 0 };
        let v6 = json!({ "network": network, "main_ip": v6_main_ip, "network_size": v6_size });
        let nowhere = Ipv4Addr::UNSPECIFIED;
        let kvm = format!("https://my.vultr.com/subs/vps/novnc/api.php?data={}", self.id.simple());
        json!({
            "id": self.id,
            "os": self.os_name(),
            "ram": plan.ram,
            "disk": plan.disk,
            "main_ip": if ipv4 { self.ipv4() } else { nowhere },
            "vcpu_count": plan.vcpus,
            "region": self.region,
            "plan": plan.id,
            "date_created": stamp(self.created_at),
            "status": self.status(now),
            "power_status": if self.is_on(now) { "running" } else { "stopped" },
            "server_status": self.server_status(now),
            "allowed_bandwidth": plan.bandwidth,
            "netmask_v4": text("255.255.254.0".to_owned(), ipv4),
            "gateway_v4": if ipv4 { self.ipv4_gateway() } else { nowhere },
            "v6_networks": if ipv6 { json!([v6]) } else { json!([]) },
            "v6_network": network,
            "v6_main_ip": v6_main_ip,
            "v6_network_size": v6_size,
            "hostname": self.hostname,
            "label": self.label,
            "tag": self.tags.first().map_or("", String::as_str),
            "tags": self.tags,
            "internal_ip": "",
            "vpc_only": false,
            "vpcs": [],
            "kvm": text(kvm, !self.is_pending(now)),
            "os_id": self.source.os_id,
            "app_id": self.source.app_id,
            "image_id": self.source.image_id,
            "snapshot_id": self.source.snapshot_id,
            "firewall_group_id": "",
            "features": self.features(),
            "user_scheme": self.user_scheme,
        })
    }

    fn features(&self) -> Vec<&'static str> {
        let features = [
            (self.ipv6, "ipv6"),
            (self.backups.is_some(), "auto_backups"),
            (self.ddos_protection, "ddos_protection"),
        ];
        features.into_iter().filter(|(on, _)| *on).map(|(_, feature)| feature).collect()
    }

    fn os_name(&self) -> &'static str {
        let application = catalog::APPLICATIONS.iter().find(|app| {
            app.id == self.source.app_id || !app.image_id.is_empty() && app.image_id == self.source.image_id
        });
        application.map_or_else(|| catalog::Os::name_of(self.source.os_id), |app| app.deploy_name)
    }
}
