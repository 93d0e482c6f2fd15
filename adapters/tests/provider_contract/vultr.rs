//! Vultr.

use std::collections::BTreeSet;

use adapters::providers::{ActionProgress, CreateServer, ProviderAction};
use base64::{Engine, prelude::BASE64_STANDARD};
use domain::provisioning::FailureClass;
use serde_json::{Value, json};

use crate::vendor::{Lab, Offer, TAG, TOKEN, Vendor, create, request, tag, until};

pub struct Vultr;

impl Vendor for Vultr {
    const SLUG: &'static str = "vultr";
    const OFFER: Offer =
        Offer { region: "sgp", size: "vc2-1c-1gb", larger: "vc2-1c-2gb", image: "2284", other_image: "2136" };
    const PAGE: usize = 500;
    const UNIQUE_NAMES: bool = false;
    // Only what changes the disk locks a server: halts and starts may follow each other as they like.
    const TAKES_TURNS: bool = false;
    fn networks(server: &Value) -> BTreeSet<String> {
        let server = &server["instance"];
        assert_eq!(server["internal_ip"], "");
        let attached = server["vpcs"].as_array().expect("its networks");
        attached.iter().map(|vpc| vpc["id"].to_string()).collect()
    }

    fn impossible() -> Vec<(CreateServer, FailureClass)> {
        let but = |change: fn(&mut CreateServer)| {
            let mut request = request::<Self>(TAG);
            change(&mut request);
            request
        };
        vec![
            (but(|r| r.image = "templeos".to_owned()), FailureClass::Configuration),
            (but(|r| r.image = "1".to_owned()), FailureClass::Configuration),
            (but(|r| r.size = "huge".to_owned()), FailureClass::Configuration),
            (but(|r| r.region = "mars".to_owned()), FailureClass::Configuration),
            // A plan that other regions have.
            (but(|r| r.size = "vc2-1c-0.5gb".to_owned()), FailureClass::Capacity),
            (but(|r| r.hostname = "no_host".to_owned()), FailureClass::Permanent),
        ]
    }
}

contract!(Vultr);

impl Lab<Vultr> {
    /// What a server is told at its first boot.
    async fn user_data(&self, id: &str) -> String {
        let url = format!("{}/v2/instances/{id}/user-data", self.simulator.url());
        let asked = reqwest::Client::new().get(url).bearer_auth(TOKEN).send().await.unwrap();
        let body: Value = asked.json().await.unwrap();
        let told = BASE64_STANDARD.decode(body["user_data"]["data"].as_str().unwrap()).unwrap();
        String::from_utf8(told).unwrap()
    }

    /// Does something to a server and waits until it is done.
    async fn carry_out(&self, id: &str, action: ProviderAction) {
        let receipt = self.provider.perform_action(id, &action).await.unwrap();
        let progress = async || self.provider.action_progress(id, &receipt).await.unwrap();
        let end = until(progress, |progress| *progress != ActionProgress::InProgress).await;
        assert!(matches!(end, ActionProgress::Completed { .. }), "{end:?}");
    }
}

#[tokio::test]
async fn a_pending_server_is_deleted_later() {
    let lab = Lab::<Vultr>::open().await;
    lab.configure(json!({ "boot_seconds": 60 })).await;
    let id = lab.make(TAG).await.id;
    let error = lab.provider.delete_server(&id).await.unwrap_err();
    assert_eq!(
        (error.class, error.is_ambiguous(), error.status),
        (FailureClass::Retryable, false, Some(500))
    );
    assert!(error.message.contains("This subscription is not currently active"), "{error}");
}

#[tokio::test]
async fn the_image_it_has_can_be_installed_again_for_other_keys() {
    let lab = Lab::<Vultr>::open().await;
    let before = lab.make_ready(TAG).await;
    let rebuild = ProviderAction::Rebuild {
        image: Vultr::OFFER.image.to_owned(),
        ssh_public_keys: vec!["ssh-ed25519 AAAA other".to_owned()],
        root_password: None,
        user_data: None,
    };
    lab.carry_out(&before.id, rebuild).await;
    assert_eq!(lab.simulator.calls("POST /v2/instances/{id}/reinstall"), 1);
    assert_eq!(lab.simulator.calls("PATCH /v2/instances/{id}"), 1, "the keys");
    assert_eq!(lab.read(&before.id).await, before);
}

#[tokio::test]
async fn servers_do_not_see_each_others_snapshots() {
    let lab = Lab::<Vultr>::open().await;
    let (one, two) = (lab.make_ready(&tag(1)).await.id, lab.make_ready(&tag(2)).await.id);
    lab.carry_out(&one, ProviderAction::Snapshot { name: "of one".to_owned() }).await;
    lab.carry_out(&two, ProviderAction::Snapshot { name: "of two".to_owned() }).await;
    for (id, name) in [(one, "of one"), (two, "of two")] {
        let snapshots = lab.provider.list_snapshots(&id).await.unwrap();
        assert_eq!(snapshots.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), [name]);
    }
}

#[tokio::test]
async fn a_password_is_told_as_its_hash_also_to_a_rebuild() {
    let lab = Lab::<Vultr>::open().await;
    let password = || Some("correct horse".to_owned().into());
    let wanted = CreateServer { root_password: password(), ..request::<Vultr>(TAG) };
    let id = create(&lab.provider, &wanted).await.unwrap().id;
    until(async || lab.read(&id).await, |i| i.ready).await;
    let before = lab.user_data(&id).await;
    let rebuild = ProviderAction::Rebuild {
        image: Vultr::OFFER.other_image.to_owned(),
        ssh_public_keys: Vec::new(),
        root_password: password(),
        user_data: None,
    };
    lab.carry_out(&id, rebuild).await;
    let after = lab.user_data(&id).await;
    assert_ne!(before, after);
    for told in [before, after] {
        assert!(told.contains("\"$6$") && !told.contains("correct horse"), "{told}");
    }
}
