//! Actions and how they go.

use domain::{instance::Capability, provisioning::FailureClass};
use serde_json::{Value, json};

use super::{
    super::types::{Action, ImageRef},
    error::{failure, not_an_id},
};
use crate::providers::{
    ActionProgress, ActionReceipt, ProviderAction, ProviderError, digitalocean::descriptor::SLUG,
};

/// Body of `POST /v2/droplets/{id}/actions`. A rebuild takes no user data: the droplet boots with that of its create,
/// and so with the keys and the password it was made with.
///
/// # Errors
/// `NotFound` when the snapshot's id is not one of the vendor's, `Unsupported` for what it has no use of for us.
pub(in super::super) fn to_action(action: &ProviderAction) -> Result<Value, ProviderError> {
    Ok(match action {
        ProviderAction::PowerOn => json!({ "type": "power_on" }),
        ProviderAction::PowerOff => json!({ "type": "power_off" }),
        ProviderAction::Shutdown => json!({ "type": "shutdown" }),
        ProviderAction::Reboot => json!({ "type": "reboot" }),
        ProviderAction::PowerCycle => json!({ "type": "power_cycle" }),
        ProviderAction::Rebuild { image, .. } => json!({ "type": "rebuild", "image": ImageRef::of(image) }),
        ProviderAction::Resize { size, grow_disk } => {
            json!({ "type": "resize", "size": size, "disk": grow_disk })
        }
        ProviderAction::Snapshot { name } => json!({ "type": "snapshot", "name": name }),
        ProviderAction::Restore { snapshot_id, .. } => match snapshot_id.parse::<u64>() {
            Ok(id) => json!({ "type": "restore", "image": id }),
            Err(_) => return Err(not_an_id(snapshot_id, "snapshot")),
        },
        ProviderAction::Rename { name } => json!({ "type": "rename", "name": name }),
        ProviderAction::EnableBackups => json!({ "type": "enable_backups" }),
        ProviderAction::DisableBackups => json!({ "type": "disable_backups" }),
        ProviderAction::ResetPassword { .. } => return Err(unsupported(Capability::ResetPassword)),
    })
}

pub(in super::super) fn unsupported(capability: Capability) -> ProviderError {
    ProviderError::unsupported(SLUG, capability, why_not(capability))
}

pub(in super::super) const fn why_not(capability: Capability) -> &'static str {
    match capability {
        Capability::ResetPassword => {
            "DigitalOcean mails new passwords to the owner of the account and tells them to nobody else"
        }
        Capability::MetricsDisk => "DigitalOcean does not tell how busy a disk is",
        Capability::Console => "DigitalOcean has no public console API",
        _ => "DigitalOcean does not offer it",
    }
}

pub(in super::super) fn to_receipt(kind: Capability, action: &Action) -> ActionReceipt {
    ActionReceipt { action: kind, action_id: Some(action.id.to_string()), resource_id: None }
}

/// Only an explicit end is one.
pub(in super::super) fn to_progress(action: &Action) -> ActionProgress {
    match action.status.as_str() {
        "completed" => ActionProgress::Completed { resource_id: None },
        "errored" => ActionProgress::Failed(format!("action {} ended with an error", action.id)),
        _ => ActionProgress::InProgress,
    }
}

/// The vendor's id of an action that a receipt names.
///
/// # Errors
/// `Permanent` when it is not a receipt of this vendor.
pub(in super::super) fn action_id(receipt: &ActionReceipt) -> Result<String, ProviderError> {
    let id = receipt.action_id.as_deref().and_then(|id| id.parse::<u64>().ok());
    let message = || format!("the receipt of this {} names no action", receipt.action);
    id.map(|id| id.to_string()).ok_or_else(|| failure(FailureClass::Permanent, message()))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    #[test]
    fn every_action_has_its_body() {
        let rebuild = |image: &str| ProviderAction::Rebuild {
            image: image.to_owned(),
            ssh_public_keys: vec!["ssh-ed25519 AAAA".to_owned()],
            root_password: Some(SecretString::from("correct horse")),
            user_data: None,
        };
        for (action, body) in [
            (ProviderAction::PowerOn, json!({ "type": "power_on" })),
            (ProviderAction::PowerOff, json!({ "type": "power_off" })),
            (ProviderAction::Shutdown, json!({ "type": "shutdown" })),
            (ProviderAction::Reboot, json!({ "type": "reboot" })),
            (ProviderAction::PowerCycle, json!({ "type": "power_cycle" })),
            (rebuild("debian-12-x64"), json!({ "type": "rebuild", "image": "debian-12-x64" })),
            (rebuild("7555620"), json!({ "type": "rebuild", "image": 7_555_620 })),
            (
                ProviderAction::Resize { size: "s-2vcpu-2gb".to_owned(), grow_disk: true },
                json!({ "type": "resize", "size": "s-2vcpu-2gb", "disk": true }),
            ),
            (ProviderAction::Snapshot { name: "s".to_owned() }, json!({ "type": "snapshot", "name": "s" })),
            (restore("12389723"), json!({ "type": "restore", "image": 12_389_723 })),
            (ProviderAction::Rename { name: "n".to_owned() }, json!({ "type": "rename", "name": "n" })),
            (ProviderAction::EnableBackups, json!({ "type": "enable_backups" })),
            (ProviderAction::DisableBackups, json!({ "type": "disable_backups" })),
        ] {
            assert_eq!(to_action(&action).unwrap(), body);
        }
        assert_eq!(to_action(&restore("latest")).unwrap_err().class, FailureClass::NotFound);
    }

    fn restore(snapshot: &str) -> ProviderAction {
        ProviderAction::Restore {
            snapshot_id: snapshot.to_owned(),
            ssh_public_keys: Vec::new(),
            root_password: None,
        }
    }

    fn action(status: &str) -> Action {
        let body = json!({
            "id": 36_804_636, "status": status, "type": "reboot", "started_at": "2026-01-02T03:04:05Z",
            "completed_at": null, "resource_id": 7, "resource_type": "droplet", "region_slug": "sgp1",
        });
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn only_an_explicit_end_is_one() {
        assert_eq!(to_progress(&action("in-progress")), ActionProgress::InProgress);
        assert_eq!(to_progress(&action("on-its-way")), ActionProgress::InProgress);
        assert_eq!(to_progress(&action("completed")), ActionProgress::Completed { resource_id: None });
        assert!(
            matches!(to_progress(&action("errored")), ActionProgress::Failed(words) if words.contains("36804636"))
        );
    }

    #[test]
    fn a_receipt_leads_back_to_its_action() {
        let receipt = to_receipt(Capability::Reboot, &action("in-progress"));
        assert_eq!(action_id(&receipt).unwrap(), "36804636");
        let foreign = ActionReceipt { action_id: Some("../droplets".to_owned()), ..receipt };
        assert_eq!(action_id(&foreign).unwrap_err().class, FailureClass::Permanent);
    }
}
