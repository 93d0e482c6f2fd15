//! Actions and snapshots. The vendor numbers no actions: the server itself shows how they go.

use domain::instance::Capability;

use crate::providers::{
    ActionProgress, ActionReceipt, Snapshot,
    vultr::types::{self, Server},
};

const GIB: u64 = 1024 * 1024 * 1024;

/// How an action goes, by what the server shows. Where a receipt names what must come about (a plan, an operating
/// system), the server must show that too: a look may be quicker than the vendor.
pub(in super::super) fn progress(receipt: &ActionReceipt, server: &Server) -> ActionProgress {
    if server.status == "suspended" {
        return ActionProgress::Failed("the provider has suspended the server".to_owned());
    }
    let settled = super::is_settled(server);
    let running = settled && server.power_status == "running";
    let shows = |shown: &str| receipt.action_id.as_ref().is_none_or(|wanted| wanted == shown);
    let backups = server.features.iter().any(|feature| feature == "auto_backups");
    let done = match receipt.action {
        Capability::PowerOn | Capability::Reboot | Capability::Restore => running,
        Capability::PowerOff => server.power_status == "stopped",
        Capability::Rebuild => running && shows(&server.os_id.to_string()),
        Capability::Resize => settled && shows(&server.plan),
        Capability::EnableBackups => backups,
        Capability::DisableBackups => !backups,
        _ => settled,
    };
    if done { ActionProgress::Completed { resource_id: None } } else { ActionProgress::InProgress }
}

/// How the making of a snapshot goes.
pub(in super::super) fn snapshot_progress(snapshot: types::Snapshot) -> ActionProgress {
    match snapshot.status.as_str() {
        "complete" => ActionProgress::Completed { resource_id: Some(snapshot.id) },
        "pending" => ActionProgress::InProgress,
        other => ActionProgress::Failed(format!("the snapshot is {other}")),
    }
}

/// A snapshot's description at the vendor. Snapshots belong to the account and do not tell what they were taken of,
/// so that goes before the name.
pub(in super::super) fn description(server: &str, name: &str) -> String {
    format!("{server} {name}")
}

/// A snapshot, if it is one of this server's.
pub(in super::super) fn to_snapshot(server: &str, snapshot: types::Snapshot) -> Option<Snapshot> {
    let name = snapshot.description.strip_prefix(server)?.strip_prefix(' ')?.to_owned();
    (snapshot.status != "deleted").then(|| Snapshot {
        id: snapshot.id,
        name,
        size_gb: snapshot.size.div_ceil(GIB),
        created_at: snapshot.date_created,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn look(action: Capability, wanted: Option<&str>, change: Value) -> ActionProgress {
        let mut body = json!({
            "id": "4f0f12e5-1f84-404f-aa84-85f431ea5ec2", "region": "sgp", "plan": "vc2-1c-2gb", "os_id": 2136,
            "date_created": "2026-01-02T03:04:05+00:00", "status": "active", "power_status": "running",
            "server_status": "ok", "features": ["auto_backups"],
        });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let receipt = ActionReceipt { action, action_id: wanted.map(str::to_owned), resource_id: None };
        progress(&receipt, &serde_json::from_value(body).unwrap())
    }

    fn snapshot(status: &str, description: &str, size: u64) -> types::Snapshot {
        let body = json!({
            "id": "cb676a46-66fd-4dfb-b839-443f2e6c0b60", "date_created": "2026-01-02T03:04:05+00:00",
            "description": description, "size": size, "status": status,
        });
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn the_server_shows_how_an_action_goes() {
        use Capability::*;
        let done = ActionProgress::Completed { resource_id: None };
        let stopped = json!({ "power_status": "stopped" });
        let locked = json!({ "server_status": "locked" });
        let resizing = json!({ "status": "resizing", "plan": "vc2-1c-1gb" });
        for (action, wanted, change, is_done) in [
            (PowerOn, None, json!({}), true),
            (PowerOn, None, stopped.clone(), false),
            (PowerOff, None, json!({}), false),
            (PowerOff, None, stopped.clone(), true),
            (Reboot, None, stopped.clone(), false),
            (Restore, None, locked.clone(), false),
            (Restore, None, json!({}), true),
            (Rebuild, Some("2136"), json!({ "server_status": "installingbooting" }), false),
            (Rebuild, Some("2284"), json!({}), false),
            (Rebuild, Some("2136"), json!({}), true),
            (Resize, Some("vc2-1c-2gb"), resizing, false),
            (Resize, Some("vc2-2c-4gb"), json!({}), false),
            (Resize, Some("vc2-1c-2gb"), stopped, true),
            (EnableBackups, None, json!({}), true),
            (DisableBackups, None, json!({}), false),
            (Rename, None, json!({}), true),
        ] {
            let seen = look(action, wanted, change.clone());
            assert_eq!(seen == done, is_done, "{action} {wanted:?} {change}");
        }
        let suspended = look(PowerOn, None, json!({ "status": "suspended" }));
        assert!(matches!(suspended, ActionProgress::Failed(_)));
    }

    #[test]
    fn snapshots_belong_to_who_is_named_before_them() {
        let (one, two) = ("4f0f12e5-1f84-404f-aa84-85f431ea5ec2", "5f0f12e5-1f84-404f-aa84-85f431ea5ec2");
        let mine = to_snapshot(one, snapshot("complete", &description(one, "before upgrade"), GIB * 24 + 1));
        let mine = mine.unwrap();
        assert_eq!((mine.name.as_str(), mine.size_gb), ("before upgrade", 25));
        assert_eq!(to_snapshot(two, snapshot("complete", &description(one, "x"), 1)), None);
        assert_eq!(to_snapshot(one, snapshot("complete", "by hand", 1)), None);
        assert_eq!(to_snapshot(one, snapshot("deleted", &description(one, "x"), 1)), None);
    }

    #[test]
    fn a_snapshot_is_done_when_it_is_complete() {
        assert_eq!(snapshot_progress(snapshot("pending", "", 0)), ActionProgress::InProgress);
        let id = "cb676a46-66fd-4dfb-b839-443f2e6c0b60".to_owned();
        assert_eq!(
            snapshot_progress(snapshot("complete", "", 1)),
            ActionProgress::Completed { resource_id: Some(id) }
        );
        assert!(matches!(snapshot_progress(snapshot("deleted", "", 1)), ActionProgress::Failed(_)));
    }
}
