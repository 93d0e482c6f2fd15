//! What is done to a server, as far as the provider says it can.

use adapters::providers::{ActionProgress, ActionReceipt, ProviderAction, ProviderError};
use domain::{
    instance::{Capability, PowerState},
    provisioning::FailureClass,
    server::ProviderServer,
};
use serde_json::json;

use crate::vendor::{Lab, TAG, Vendor, until};

const PASSWORD: &str = "Correct-horse-9-battery";

impl<V: Vendor> Lab<V> {
    pub fn can(&self, capability: Capability) -> bool {
        self.provider.capabilities().contains(&capability)
    }

    /// Begins an action.
    async fn begin(&self, id: &str, action: &ProviderAction) -> Result<ActionReceipt, ProviderError> {
        self.provider.perform_action(id, action).await
    }

    /// Does something to a server, if the provider can, and waits until it is done.
    async fn act(&self, id: &str, action: ProviderAction) -> Option<Done> {
        if !self.can(action.capability()) {
            return None;
        }
        let receipt = self.begin(id, &action).await.unwrap();
        assert_eq!(receipt.action, action.capability());
        // Whoever asks later may be another process.
        let receipt = serde_json::from_str(&serde_json::to_string(&receipt).unwrap()).unwrap();
        let progress = async || self.provider.action_progress(id, &receipt).await.unwrap();
        match until(progress, |progress| *progress != ActionProgress::InProgress).await {
            ActionProgress::Completed { resource_id } => {
                Some(Done { resource_id, instance: self.read(id).await })
            }
            other => panic!("{action:?} ended as {other:?}"),
        }
    }

    async fn power_on(&self, id: &str) {
        if self.read(id).await.power != PowerState::On {
            self.act(id, ProviderAction::PowerOn).await;
        }
        until(async || self.read(id).await, |i| i.ready).await;
    }
}

/// What came of an action.
struct Done {
    resource_id: Option<String>,
    instance: ProviderServer,
}

pub async fn power_goes_off_and_on<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let id = lab.make_ready(TAG).await.id;
    for off in [ProviderAction::PowerOff, ProviderAction::Shutdown] {
        let Some(done) = lab.act(&id, off).await else { continue };
        assert_eq!((done.instance.power, done.instance.ready), (PowerState::Off, false));
        let on = lab.act(&id, ProviderAction::PowerOn).await.expect("what goes off goes on again");
        assert_eq!((on.instance.power, on.instance.ready), (PowerState::On, true));
    }
}

pub async fn a_restart_leaves_it_running<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let before = lab.make_ready(TAG).await;
    for restart in [ProviderAction::Reboot, ProviderAction::PowerCycle] {
        let Some(done) = lab.act(&before.id, restart).await else { continue };
        assert_eq!(done.instance, before);
    }
}

pub async fn a_rebuild_keeps_the_server<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let before = lab.make_ready(TAG).await;
    let rebuild = |image: &str| ProviderAction::Rebuild {
        image: image.to_owned(),
        ssh_public_keys: vec![
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl b".to_owned(),
        ],
        root_password: Some("Correct-horse-9-battery".into()),
        user_data: None,
    };
    if !lab.can(Capability::Rebuild) {
        return;
    }
    let unknown = lab.begin(&before.id, &rebuild("templeos")).await.unwrap_err();
    assert_eq!((unknown.class, unknown.is_ambiguous()), (FailureClass::Configuration, false), "{unknown}");
    assert!(!format!("{unknown:?}").contains("Correct-horse"));
    lab.act(&before.id, rebuild(V::OFFER.other_image)).await;
    let after = until(async || lab.read(&before.id).await, |i| i.ready).await;
    assert_eq!(after, before, "addresses, tags and size stay");
}

pub async fn a_resize_gives_the_new_size<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let before = lab.make_ready(TAG).await;
    let resize = |size: &str| ProviderAction::Resize { size: size.to_owned(), grow_disk: true };
    if !lab.can(Capability::Resize) {
        return;
    }
    lab.act(&before.id, ProviderAction::PowerOff).await;
    let unknown = lab.begin(&before.id, &resize("huge")).await.unwrap_err();
    assert_eq!((unknown.class, unknown.is_ambiguous()), (FailureClass::Configuration, false), "{unknown}");
    let done = lab.act(&before.id, resize(V::OFFER.larger)).await.unwrap();
    assert_eq!(done.instance.size, V::OFFER.larger);
    lab.power_on(&before.id).await;
    let after = lab.read(&before.id).await;
    assert_eq!((after.size.as_str(), after.ipv4, after.tags), (V::OFFER.larger, before.ipv4, before.tags));
}

pub async fn a_snapshot_is_taken_put_back_and_deleted<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let id = lab.make_ready(TAG).await.id;
    // Where snapshots need backups to be on.
    lab.act(&id, ProviderAction::EnableBackups).await;
    let Some(done) = lab.act(&id, ProviderAction::Snapshot { name: "before".to_owned() }).await else {
        return;
    };
    let snapshots = lab.provider.list_snapshots(&id).await.unwrap();
    assert_eq!(snapshots.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["before"]);
    let snapshot_id = snapshots[0].id.clone();
    assert_eq!(done.resource_id.as_ref(), Some(&snapshot_id));
    assert!(snapshots[0].size_gb > 0);

    let back = restore(snapshot_id.clone());
    if lab.act(&id, back).await.is_some() {
        lab.power_on(&id).await;
        let nowhere = restore("1".to_owned());
        let error = lab.begin(&id, &nowhere).await.unwrap_err();
        assert!(!error.class.is_retryable(), "{error:?}");
    }
    match lab.provider.delete_snapshot(&snapshot_id).await {
        Ok(()) => {
            assert_eq!(lab.provider.list_snapshots(&id).await.unwrap(), []);
            lab.provider.delete_snapshot(&snapshot_id).await.expect("gone already counts as deleted");
        }
        Err(error) => assert_eq!(error.class, FailureClass::Unsupported, "{error}"),
    }
}

pub async fn a_name_changes<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let before = lab.make_ready(TAG).await;
    if let Some(done) = lab.act(&before.id, ProviderAction::Rename { name: "db-1".to_owned() }).await {
        assert_eq!(done.instance, ProviderServer { name: "db-1".to_owned(), ..before });
        assert_eq!(lab.provider.find_by_tag(TAG).await.unwrap(), [done.instance], "it is found as before");
    }
}

pub async fn backups_go_on_and_off<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let id = lab.make_ready(TAG).await.id;
    lab.act(&id, ProviderAction::EnableBackups).await;
    lab.act(&id, ProviderAction::DisableBackups).await;
    assert!(lab.read(&id).await.ready);
}

pub async fn a_password_is_set_and_told_to_nobody<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let before = lab.make_ready(TAG).await;
    let reset = |password: &str| ProviderAction::ResetPassword { root_password: password.into() };
    if !lab.can(Capability::ResetPassword) {
        return;
    }
    if let Err(on) = lab.begin(&before.id, &reset(PASSWORD)).await {
        assert_eq!((on.class, on.is_ambiguous()), (FailureClass::Conflict, false), "{on}");
        lab.act(&before.id, ProviderAction::PowerOff).await;
    }
    let weak = lab.begin(&before.id, &reset("aaaaaaaaaaaa")).await.unwrap_err();
    assert_eq!((weak.class, weak.is_ambiguous()), (FailureClass::Permanent, false), "{weak}");
    assert!(!format!("{weak:?} {:?}", reset(PASSWORD)).contains(PASSWORD));
    for _ in 0..2 {
        lab.act(&before.id, reset(PASSWORD)).await.expect("it can");
    }
    lab.power_on(&before.id).await;
    assert_eq!(lab.read(&before.id).await, before);
}

pub async fn what_it_is_not_capable_of_is_refused_without_a_call<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let id = lab.make_ready(TAG).await.id;
    let before = lab.calls().await;
    for action in [
        ProviderAction::PowerOn,
        ProviderAction::PowerOff,
        ProviderAction::Shutdown,
        ProviderAction::Reboot,
        ProviderAction::PowerCycle,
        ProviderAction::Rebuild {
            image: V::OFFER.image.to_owned(),
            ssh_public_keys: vec![],
            root_password: None,
            user_data: None,
        },
        ProviderAction::Resize { size: V::OFFER.larger.to_owned(), grow_disk: true },
        ProviderAction::Snapshot { name: "s".to_owned() },
        restore("1".to_owned()),
        ProviderAction::Rename { name: "n".to_owned() },
        ProviderAction::EnableBackups,
        ProviderAction::DisableBackups,
        ProviderAction::ResetPassword { root_password: PASSWORD.into() },
    ] {
        if lab.can(action.capability()) {
            continue;
        }
        let refused = lab.begin(&id, &action).await.unwrap_err();
        assert_eq!((refused.class, refused.status), (FailureClass::Unsupported, None), "{action:?}");
        assert!(refused.message.contains(action.capability().as_str()), "{refused}");
        assert!(refused.message.ends_with(lab.provider.why_not(action.capability())), "{refused}");
    }
    assert_eq!(lab.calls().await, before);
}

pub async fn an_action_on_a_server_that_is_gone_is_not_found<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let id = lab.make_ready(TAG).await.id;
    lab.vanish(&id).await;
    for id in [id.as_str(), "not-an-id"] {
        let error = lab.begin(id, &ProviderAction::Reboot).await.unwrap_err();
        assert_eq!((error.class, error.is_ambiguous()), (FailureClass::NotFound, false), "{id}");
    }
}

pub async fn a_busy_server_refuses_as_a_conflict<V: Vendor>() {
    if !V::TAKES_TURNS {
        return;
    }
    let lab = Lab::<V>::open().await;
    lab.configure(json!({ "action_seconds": 60 })).await;
    let id = lab.make_ready(TAG).await.id;
    lab.begin(&id, &ProviderAction::Reboot).await.unwrap();
    let error = lab.begin(&id, &ProviderAction::PowerOff).await.unwrap_err();
    assert_eq!((error.class, error.is_ambiguous()), (FailureClass::Conflict, false), "{error}");
}

pub async fn a_lost_answer_to_an_action_is_ambiguous<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let id = lab.make_ready(TAG).await.id;
    lab.fault(V::routes().reboot, "drop_after_create", json!({})).await;
    let error = lab.begin(&id, &ProviderAction::Reboot).await.unwrap_err();
    assert_eq!((error.class, error.is_ambiguous()), (FailureClass::Retryable, true));
    assert_eq!(lab.simulator.calls(V::routes().reboot), 1, "nothing below us tried again");
}

fn restore(snapshot_id: String) -> ProviderAction {
    ProviderAction::Restore { snapshot_id, ssh_public_keys: Vec::new(), root_password: None }
}
