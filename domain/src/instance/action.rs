//! What can be asked for a server, and how it goes.

use super::Capability;
use crate::{
    ids::{ActionId, PlanId},
    label::{InvalidLabel, Label},
    text_enum::text_enum,
};

text_enum! {
    /// The kinds of [`InstanceAction`].
    ActionKind {
        /// Start a stopped server.
        PowerOn = "power_on",
        /// Cut its power.
        PowerOff = "power_off",
        /// Ask its operating system to stop.
        Shutdown = "shutdown",
        /// Restart it.
        Reboot = "reboot",
        /// Cut its power and start it.
        PowerCycle = "power_cycle",
        /// Install an image afresh.
        Rebuild = "rebuild",
        /// Change its plan.
        Resize = "resize",
        /// Keep a copy of its disk.
        Snapshot = "snapshot",
        /// Put a snapshot back.
        Restore = "restore",
        /// Delete a snapshot.
        DeleteSnapshot = "delete_snapshot",
        /// Change our display name.
        Rename = "rename",
        /// Turn the provider's regular backups on.
        EnableBackups = "enable_backups",
        /// Turn them off.
        DisableBackups = "disable_backups",
        /// Give root a new password.
        ResetPassword = "reset_password",
        /// Delete it at the provider.
        Delete = "delete",
        /// Switch it off for want of money: shut down, and power off what does not heed that.
        Suspend = "suspend",
        /// Switch it on again, now that it is paid.
        Resume = "resume",
    }
}

text_enum! {
    /// How an action goes.
    ActionStatus {
        /// Waits for its turn.
        Pending = "pending",
        /// Being done.
        InProgress = "in_progress",
        /// Done.
        Completed = "completed",
        /// Not done; the failure says why.
        Failed = "failed",
    }
}

/// Something to do to a server, in our words.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "action", content = "params", rename_all = "snake_case", deny_unknown_fields)]
pub enum InstanceAction {
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
    /// Install an image afresh, keeping the addresses; everything on the disk is lost.
    Rebuild {
        /// Slug of the image in our catalog.
        image: String,
    },
    /// Change its plan, within its provider.
    Resize {
        /// The plan.
        plan_id: PlanId,
    },
    /// Keep a copy of its disk.
    Snapshot {
        /// What to call it.
        name: String,
    },
    /// Put a snapshot back; everything newer is lost.
    Restore {
        /// The provider's id of one of this server's snapshots.
        snapshot_id: String,
    },
    /// Delete a snapshot, for good.
    DeleteSnapshot {
        /// The provider's id of one of this server's snapshots.
        snapshot_id: String,
    },
    /// Change our display name. The provider's label stays: it is how an order's server is recognised.
    Rename {
        /// The new name.
        name: String,
    },
    /// Turn the provider's regular backups on.
    EnableBackups,
    /// Turn them off.
    DisableBackups,
    /// Give root a new password, which we make. It is no part of the action.
    ResetPassword,
    /// Delete it at the provider, for good.
    Delete,
    /// Switch it off for want of money: shut down, and power off what does not heed that.
    Suspend,
    /// Switch it on again, now that it is paid.
    Resume,
}

/// Whose turn it is at a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ActionTurn {
    /// The server is gone for good: nothing will ever be done to it again.
    pub is_terminated: bool,
    /// What is to be done now; none when nothing waits.
    pub work: Option<ActionWork>,
    /// When the paid term ends, milliseconds since the Unix epoch; it may have become later. What steps recorded before
    /// there were renewals leave out is as it was.
    #[serde(default)]
    pub expires_at_ms: Option<u64>,
}

/// An action whose turn has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ActionWork {
    /// The action.
    pub action_id: ActionId,
    /// What is to be done.
    pub kind: ActionKind,
}

/// A parameter of an action that can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidParam {
    /// The parameter.
    pub field: &'static str,
    /// What is wrong with it.
    pub message: &'static str,
}

impl InstanceAction {
    /// Which kind of action it is.
    #[must_use]
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::PowerOn => ActionKind::PowerOn,
            Self::PowerOff => ActionKind::PowerOff,
            Self::Shutdown => ActionKind::Shutdown,
            Self::Reboot => ActionKind::Reboot,
            Self::PowerCycle => ActionKind::PowerCycle,
            Self::Rebuild { .. } => ActionKind::Rebuild,
            Self::Resize { .. } => ActionKind::Resize,
            Self::Snapshot { .. } => ActionKind::Snapshot,
            Self::Restore { .. } => ActionKind::Restore,
            Self::DeleteSnapshot { .. } => ActionKind::DeleteSnapshot,
            Self::Rename { .. } => ActionKind::Rename,
            Self::EnableBackups => ActionKind::EnableBackups,
            Self::DisableBackups => ActionKind::DisableBackups,
            Self::ResetPassword => ActionKind::ResetPassword,
            Self::Delete => ActionKind::Delete,
            Self::Suspend => ActionKind::Suspend,
            Self::Resume => ActionKind::Resume,
        }
    }

    /// Checks what can be known without looking anything up.
    ///
    /// # Errors
    /// [`InvalidParam`] names the parameter at fault.
    pub fn check(&self) -> Result<(), InvalidParam> {
        match self {
            Self::Snapshot { name } | Self::Rename { name } => check_name(name),
            Self::Restore { snapshot_id } | Self::DeleteSnapshot { snapshot_id } if !is_id(snapshot_id) => {
                Err(InvalidParam {
                    field: "snapshot_id",
                    message: "a snapshot's id has 1 to 64 letters, digits, dashes and underscores",
                })
            }
            _ => Ok(()),
        }
    }
}

impl ActionKind {
    /// What a provider must be capable of; `None` for what we do ourselves, and for what all can: to delete a server, and
    /// to switch it off and on.
    #[must_use]
    pub const fn capability(self) -> Option<Capability> {
        match self {
            Self::PowerOn => Some(Capability::PowerOn),
            Self::PowerOff => Some(Capability::PowerOff),
            Self::Shutdown => Some(Capability::Shutdown),
            Self::Reboot => Some(Capability::Reboot),
            Self::PowerCycle => Some(Capability::PowerCycle),
            Self::Rebuild => Some(Capability::Rebuild),
            Self::Resize => Some(Capability::Resize),
            // Whoever takes snapshots deletes them.
            Self::Snapshot | Self::DeleteSnapshot => Some(Capability::Snapshot),
            Self::Restore => Some(Capability::Restore),
            Self::EnableBackups => Some(Capability::EnableBackups),
            Self::DisableBackups => Some(Capability::DisableBackups),
            Self::ResetPassword => Some(Capability::ResetPassword),
            Self::Rename | Self::Delete | Self::Suspend | Self::Resume => None,
        }
    }

    /// Whether a customer may ask for it. A resize changes what the server costs, and a delete ends what was paid
    /// for: neither is sold to customers yet.
    #[must_use]
    pub const fn is_for_customers(self) -> bool {
        !matches!(self, Self::Resize | Self::Delete | Self::Suspend | Self::Resume)
    }

    /// Whether it is gone on with until it is done: the server costs money, or its owner paid for it.
    #[must_use]
    pub const fn is_never_given_up(self) -> bool {
        matches!(self, Self::Delete | Self::Suspend | Self::Resume)
    }
}

fn check_name(name: &str) -> Result<(), InvalidParam> {
    let message = match Label::parse(name, 64) {
        Ok(label) if label.as_str() == name => return Ok(()),
        Ok(_) => "a name does not begin or end with a space",
        Err(InvalidLabel::Length(_)) => "a name has 1 to 64 characters",
        Err(InvalidLabel::Invisible) => "a name has at least one visible character",
        Err(InvalidLabel::Control) => "a name has no control characters",
        Err(InvalidLabel::Direction) => "a name has no characters that override the direction of text",
    };
    Err(InvalidParam { field: "name", message })
}

/// Ids go into the vendors' paths.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ids_keep_to_their_characters() {
        let rename = |name: &str| InstanceAction::Rename { name: name.to_owned() }.check().is_ok();
        assert!(rename("Toko Bu Siti") && rename("é".repeat(64).as_str()));
        for bad in ["", " web", "web ", "a\nb", "\u{202e}bew", "\u{200b}", "x".repeat(65).as_str()] {
            assert!(!rename(bad), "{bad:?}");
        }
        let restore = |id: &str| InstanceAction::Restore { snapshot_id: id.to_owned() }.check().is_ok();
        assert!(restore("7555620") && restore("cb676a46-66fd-4dfb-b839-443f2e6c0b60"));
        for bad in ["", "..", "7/actions", "a b"] {
            assert!(!restore(bad), "{bad:?}");
        }
    }

    #[test]
    fn what_needs_the_provider_names_the_capability_of_the_same_word() {
        for kind in ActionKind::ALL {
            match kind.capability() {
                Some(Capability::Snapshot) => {
                    assert!(matches!(kind, ActionKind::Snapshot | ActionKind::DeleteSnapshot), "{kind}");
                }
                Some(capability) => assert_eq!(capability.as_str(), kind.as_str()),
                None => assert!(*kind == ActionKind::Rename || kind.is_never_given_up(), "{kind}"),
            }
        }
    }

    #[test]
    fn customers_may_not_change_what_they_pay_for() {
        let kept: Vec<_> = ActionKind::ALL.iter().filter(|kind| !kind.is_for_customers()).collect();
        let ours = [&ActionKind::Resize, &ActionKind::Delete, &ActionKind::Suspend, &ActionKind::Resume];
        assert_eq!(kept, ours);
    }
}
