//! What can be done to a server, and how it goes.

use chrono::{DateTime, Utc};
use domain::{instance::Capability, user_data::UserData};
use secrecy::SecretString;

/// Something to do to a server. Sizes, images and snapshots are the provider's own slugs and ids.
#[derive(Debug, Clone)]
pub enum ProviderAction {
    /// Start a stopped server.
    PowerOn,
    /// Cut its power.
    PowerOff,
    /// Ask its operating system to stop.
    Shutdown,
    /// Restart it.
    Reboot,
    /// Cut its power and start it.
    PowerCycle,
    /// Install an image afresh; everything on its disk is lost.
    Rebuild {
        /// The provider's slug of the image.
        image: String,
        /// SSH public keys for root.
        ssh_public_keys: Vec<String>,
        /// Root's password.
        root_password: Option<SecretString>,
        /// What its owner wants it told at its first boot. Vendors that remember what a server was told at first ignore it.
        user_data: Option<UserData>,
    },
    /// Change its size.
    Resize {
        /// The provider's slug of the new size.
        size: String,
        /// Whether the disk grows too, which can't be undone. Providers that always grow it ignore this.
        grow_disk: bool,
    },
    /// Keep a copy of its disk.
    Snapshot {
        /// What to call it.
        name: String,
    },
    /// Put a snapshot back; everything newer is lost. Where that is a rebuild to the vendor, root is let in anew.
    Restore {
        /// The provider's id of the snapshot.
        snapshot_id: String,
        /// SSH public keys for root.
        ssh_public_keys: Vec<String>,
        /// Root's password.
        root_password: Option<SecretString>,
    },
    /// Change the name the provider shows.
    Rename {
        /// The new name.
        name: String,
    },
    /// Turn the provider's regular backups on.
    EnableBackups,
    /// Turn them off.
    DisableBackups,
    /// Give root a new password.
    ResetPassword {
        /// The password.
        root_password: SecretString,
    },
}

impl ProviderAction {
    /// What a provider must be capable of to do it.
    #[must_use]
    pub const fn capability(&self) -> Capability {
        match self {
            Self::PowerOn => Capability::PowerOn,
            Self::PowerOff => Capability::PowerOff,
            Self::Shutdown => Capability::Shutdown,
            Self::Reboot => Capability::Reboot,
            Self::PowerCycle => Capability::PowerCycle,
            Self::Rebuild { .. } => Capability::Rebuild,
            Self::Resize { .. } => Capability::Resize,
            Self::Snapshot { .. } => Capability::Snapshot,
            Self::Restore { .. } => Capability::Restore,
            Self::Rename { .. } => Capability::Rename,
            Self::EnableBackups => Capability::EnableBackups,
            Self::DisableBackups => Capability::DisableBackups,
            Self::ResetPassword { .. } => Capability::ResetPassword,
        }
    }
}

/// What the provider gave for an accepted action: enough to ask about it later, also from another process.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ActionReceipt {
    /// What was asked for.
    pub action: Capability,
    /// The provider's id of the action, where it has such; otherwise the server itself shows when it is done.
    pub action_id: Option<String>,
    /// The thing being made, such as a snapshot's id, where the provider tells it at once.
    pub resource_id: Option<String>,
}

/// How an action goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionProgress {
    /// Not done yet.
    InProgress,
    /// Done.
    Completed {
        /// What it made, such as a snapshot's id.
        resource_id: Option<String>,
    },
    /// It ended without having its effect; in the provider's words, for admins.
    Failed(String),
}

/// A copy of a server's disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The provider's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its size in GiB, rounded up; 0 while it is being made.
    pub size_gb: u64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}
