//! Actions and how they go, and snapshots, which are private images here: unlike the vendor's backups there can be
//! several, each can be deleted, and they outlive their server.

use domain::{
    instance::Capability,
    provisioning::{FLEET_TAG, FailureClass},
};
use secrecy::SecretString;

use super::{
    super::types::{CreateImage, Deploy, Disk, Image, Instance},
    error::failure,
    server::{deploy, to_id},
};
use crate::providers::{ActionProgress, ProviderError, Snapshot, linode::SLUG};

/// The longest label the vendor gives an image.
const MAX_IMAGE_LABEL: usize = 50;

/// What this vendor has no way to do.
pub(in super::super) fn unsupported(capability: Capability) -> ProviderError {
    ProviderError::unsupported(SLUG, capability, why_not(capability))
}

pub(in super::super) const fn why_not(capability: Capability) -> &'static str {
    match capability {
        Capability::PowerCycle => "Linode restarts servers in order only",
        Capability::Rename => "the label at Linode tells which order a server belongs to",
        Capability::MetricsMemory => "Linode does not see into a server's memory",
        Capability::Console => "Linode has no public console API",
        _ => "Linode does not offer it",
    }
}

/// Whether a Linode's password can be set: only while it is off.
///
/// # Errors
/// `Conflict` while it is not.
pub(in super::super) fn check_password_reset(linode: &Instance) -> Result<(), ProviderError> {
    match linode.status.as_str() {
        "offline" | "stopped" => Ok(()),
        status => Err(failure(FailureClass::Conflict, format!("the Linode is {status}, and has to be off"))),
    }
}

/// Body of a rebuild.
pub(in super::super) fn to_rebuild<'a>(
    image: &'a str,
    ssh_public_keys: &'a [String],
    root_password: Option<&SecretString>,
) -> Deploy<'a> {
    deploy(image, ssh_public_keys, root_password)
}

/// The disk that a snapshot is taken of: the largest that is not for swap.
///
/// # Errors
/// `Permanent` when there is none.
pub(in super::super) fn main_disk(disks: Vec<Disk>) -> Result<Disk, ProviderError> {
    let data = disks.into_iter().filter(|disk| disk.filesystem != "swap");
    let missing =
        || failure(FailureClass::Permanent, "the server has no disk to take a snapshot of".to_owned());
    data.max_by_key(|disk| disk.size).ok_or_else(missing)
}

/// Body of `POST /v4/images`. Labels are short, so the whole name goes into the description.
pub(in super::super) fn to_image_request(linode: &str, disk: &Disk, name: &str) -> CreateImage {
    CreateImage {
        disk_id: disk.id,
        label: name.chars().take(MAX_IMAGE_LABEL).collect(),
        description: name.to_owned(),
        tags: [FLEET_TAG.to_owned(), snapshot_tag(linode)],
    }
}

/// The tag that a Linode's snapshots carry.
pub(in super::super) fn snapshot_tag(linode: &str) -> String {
    format!("linode-{linode}")
}

/// A snapshot's id is the number of its private image: `private/123` is snapshot `123`.
pub(in super::super) fn snapshot_path(snapshot_id: &str) -> Result<String, ProviderError> {
    Ok(format!("private/{}", to_id(snapshot_id, "snapshot")?))
}

/// Nothing for images that are not the account's own.
pub(in super::super) fn to_snapshot(image: Image) -> Option<Snapshot> {
    let id = image.id.strip_prefix("private/")?.to_owned();
    let size_gb = if image.status == "available" { image.size.div_ceil(1024).max(1) } else { 0 };
    let name = image.description.filter(|text| !text.is_empty()).unwrap_or(image.label);
    Some(Snapshot { id, name, size_gb, created_at: image.created.and_utc() })
}

/// Only an explicit end is one.
pub(in super::super) fn to_snapshot_progress(image: Image) -> ActionProgress {
    match (image.status.as_str(), image.id.strip_prefix("private/")) {
        ("available", Some(id)) => ActionProgress::Completed { resource_id: Some(id.to_owned()) },
        _ => ActionProgress::InProgress,
    }
}

/// Actions have no ids at this vendor; the Linode's status changes as soon as one is accepted, and rests when it is
/// done.
pub(in super::super) fn to_progress(action: Capability, linode: &Instance) -> ActionProgress {
    let (on, off) = (linode.status == "running", matches!(linode.status.as_str(), "offline" | "stopped"));
    let done = match action {
        Capability::PowerOff | Capability::Shutdown => off,
        Capability::Resize | Capability::ResetPassword => on || off,
        Capability::EnableBackups => linode.backups.enabled,
        Capability::DisableBackups => !linode.backups.enabled,
        _ => on,
    };
    if done { ActionProgress::Completed { resource_id: None } } else { ActionProgress::InProgress }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn image(change: serde_json::Value) -> Image {
        let mut body = json!({
            "id": "private/160700", "label": "before", "description": "before", "created": "2026-01-02T03:04:05",
            "size": 1_800, "is_public": false, "vendor": null, "status": "available", "tags": ["linode-7"],
        });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    }

    fn linode(status: &str, backups: bool) -> Instance {
        serde_json::from_value(json!({
            "id": 7, "label": "wb-1", "status": status, "created": "2026-01-02T03:04:05", "type": "g6-nanode-1",
            "region": "id-cgk", "ipv6": null, "backups": { "enabled": backups },
        }))
        .unwrap()
    }

    #[test]
    fn a_snapshot_is_a_private_image() {
        let snapshot = to_snapshot(image(json!({}))).unwrap();
        assert_eq!((snapshot.id.as_str(), snapshot.name.as_str(), snapshot.size_gb), ("160700", "before", 2));
        assert_eq!(snapshot_path(&snapshot.id).unwrap(), "private/160700");
        let long = to_snapshot(image(json!({ "description": "the whole of a long name" }))).unwrap();
        assert_eq!(long.name, "the whole of a long name");
        let begun = to_snapshot(image(json!({ "status": "creating", "description": null }))).unwrap();
        assert_eq!((begun.size_gb, begun.name.as_str()), (0, "before"));
        assert_eq!(to_snapshot(image(json!({ "id": "linode/debian12" }))), None);
        for bad in ["", "../regions", "private/1", "x"] {
            assert_eq!(snapshot_path(bad).unwrap_err().class, FailureClass::NotFound, "{bad}");
        }
    }

    #[test]
    fn snapshots_are_done_once_available() {
        let done = ActionProgress::Completed { resource_id: Some("160700".to_owned()) };
        assert_eq!(to_snapshot_progress(image(json!({}))), done);
        for status in ["creating", "pending_upload"] {
            let progress = to_snapshot_progress(image(json!({ "status": status })));
            assert_eq!(progress, ActionProgress::InProgress, "{status}");
        }
    }

    #[test]
    fn the_status_tells_how_an_action_goes() {
        use Capability::{
            DisableBackups, EnableBackups, PowerOff, PowerOn, Reboot, Rebuild, Resize, Shutdown,
        };
        for (action, status, backups, done) in [
            (PowerOn, "booting", false, false),
            (PowerOn, "running", false, true),
            (PowerOff, "shutting_down", false, false),
            (PowerOff, "offline", false, true),
            (Shutdown, "running", false, false),
            (Reboot, "rebooting", false, false),
            (Reboot, "running", false, true),
            (Rebuild, "rebuilding", false, false),
            (Rebuild, "offline", false, false),
            (Resize, "migrating", false, false),
            (Resize, "offline", false, true),
            (EnableBackups, "running", false, false),
            (EnableBackups, "offline", true, true),
            (DisableBackups, "running", true, false),
        ] {
            let completed = ActionProgress::Completed { resource_id: None };
            let wanted = if done { completed } else { ActionProgress::InProgress };
            assert_eq!(to_progress(action, &linode(status, backups)), wanted, "{action} {status}");
        }
    }

    #[test]
    fn the_snapshot_is_of_the_largest_disk_that_is_not_for_swap() {
        let disk = |id, size, filesystem: &str| Disk { id, size, filesystem: filesystem.to_owned() };
        let disks = vec![disk(1, 512, "swap"), disk(2, 2_000, "ext4"), disk(3, 20_000, "ext4")];
        let main = main_disk(disks).unwrap();
        assert_eq!(main.id, 3);
        assert_eq!(main_disk(vec![disk(1, 512, "swap")]).unwrap_err().class, FailureClass::Permanent);
        let body = serde_json::to_value(to_image_request("7", &main, &"n".repeat(60))).unwrap();
        assert_eq!(body["label"].as_str().unwrap().len(), 50);
        assert_eq!(body["description"].as_str().unwrap().len(), 60);
        assert_eq!(body["tags"], json!(["webrana", "linode-7"]));
    }
}
