//! DigitalOcean.

use std::collections::BTreeSet;

use adapters::providers::CreateServer;
use domain::provisioning::FailureClass;
use serde_json::{Value, json};

use crate::vendor::{Lab, Offer, TAG, TOKEN, Vendor, create, request};

pub struct DigitalOcean;

impl Vendor for DigitalOcean {
    const SLUG: &'static str = "digitalocean";
    const OFFER: Offer = Offer {
        region: "sgp1",
        size: "s-1vcpu-1gb",
        larger: "s-1vcpu-2gb",
        image: "ubuntu-24-04-x64",
        other_image: "debian-12-x64",
    };
    const PAGE: usize = 200;
    const UNIQUE_NAMES: bool = false;
    const TAKES_TURNS: bool = true;
    fn networks(server: &Value) -> BTreeSet<String> {
        BTreeSet::from([server["droplet"]["vpc_uuid"].as_str().expect("every droplet is in one").to_owned()])
    }

    fn impossible() -> Vec<(CreateServer, FailureClass)> {
        let but = |change: fn(&mut CreateServer)| {
            let mut request = request::<Self>(TAG);
            change(&mut request);
            request
        };
        vec![
            (but(|r| r.image = "templeos".to_owned()), FailureClass::Configuration),
            (but(|r| r.size = "huge".to_owned()), FailureClass::Configuration),
            (
                but(|r| (r.region, r.size) = ("syd1".to_owned(), "g-2vcpu-8gb".to_owned())),
                FailureClass::Capacity,
            ),
            (but(|r| r.region = "ams2".to_owned()), FailureClass::Capacity),
            (but(|r| r.hostname = "no_host".to_owned()), FailureClass::Permanent),
        ]
    }
}

contract!(DigitalOcean);

const NETWORKS: &str = "POST /v2/vpcs";

impl Lab<DigitalOcean> {
    async fn network(&self, name: &str) -> String {
        self.provider.ensure_network(name, DigitalOcean::OFFER.region).await.unwrap().unwrap()
    }

    async fn make_default(&self, network: &str) {
        let url = format!("{}/v2/vpcs/{network}", self.simulator.url());
        let call = reqwest::Client::new().patch(url).bearer_auth(TOKEN).json(&json!({ "default": true }));
        assert_eq!(call.send().await.unwrap().status(), 200);
    }

    async fn networks(&self) -> u64 {
        let url = format!("{}/__sim/counters", self.simulator.url());
        let counters: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        counters["resources"]["vpcs"].as_u64().unwrap()
    }
}

#[tokio::test]
async fn a_network_is_made_once_however_often_and_by_how_many_it_is_wanted() {
    let lab = Lab::<DigitalOcean>::open().await;
    lab.fault(NETWORKS, "drop_after_create", json!({})).await;
    let lost = lab.provider.ensure_network("wb-1-sgp1", "sgp1").await.unwrap_err();
    assert!(lost.is_ambiguous(), "{lost}");
    let found = lab.network("wb-1-sgp1").await;
    let (one, two, three) =
        tokio::join!(lab.network("wb-2-sgp1"), lab.network("wb-2-sgp1"), lab.network("wb-1-sgp1"));
    assert_eq!((&one, &three), (&two, &found));
    assert_ne!(one, found);
    // These two and the one that stands for the region's default.
    assert_eq!(lab.networks().await, 3);
}

#[tokio::test]
async fn a_network_is_deleted_once_it_is_empty_also_the_first_of_a_region() {
    let lab = Lab::<DigitalOcean>::open().await;
    let first = lab.network("wb-1-sgp1").await;
    let wanted = CreateServer { network: Some(first.clone()), ..request::<DigitalOcean>(TAG) };
    let made = create(&lab.provider, &wanted).await.unwrap();
    let refused = lab.provider.delete_network(&first).await.unwrap_err();
    assert_eq!(refused.class, FailureClass::Conflict, "{refused}");
    lab.provider.delete_server(&made.id).await.unwrap();
    lab.provider.delete_network(&first).await.unwrap();
    lab.provider.delete_network(&first).await.expect("gone already counts as deleted");
    let late = lab.refusal(&wanted).await;
    assert_eq!((late.class, late.is_ambiguous()), (FailureClass::NotFound, false), "{late}");
    // Somebody made one of ours the default.
    let second = lab.network("wb-2-sgp1").await;
    lab.make_default(&second).await;
    lab.provider.delete_network(&second).await.unwrap();
    assert_eq!(lab.networks().await, 1);
}
