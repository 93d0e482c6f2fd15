//! Servers: created, found, ready, deleted.

use std::collections::BTreeSet;

use adapters::providers::CreateServer;
use domain::{instance::PowerState, provisioning::FailureClass, server::ProviderServer};
use serde_json::json;

use crate::vendor::{COHORT, FLEET, Lab, TAG, Vendor, create, request, tag, until};

pub async fn a_server_is_created_found_ready_deleted_and_gone<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let provider = &lab.provider;
    assert_eq!(provider.slug(), V::SLUG);
    assert_eq!(provider.find_by_tag(TAG).await.unwrap(), []);

    let made = lab.make(TAG).await;
    assert!(!made.ready);
    assert_eq!((made.size.as_str(), made.region.as_str()), (V::OFFER.size, V::OFFER.region));
    let tags: BTreeSet<_> = made.tags.iter().map(String::as_str).collect();
    assert!(tags.is_superset(&[FLEET, COHORT, TAG].into()), "{tags:?}");

    for tag in [TAG, COHORT, FLEET] {
        let found = provider.find_by_tag(tag).await.unwrap();
        assert_eq!(ids(&found), [made.id.as_str()], "{tag}");
    }
    let ready = until(async || lab.read(&made.id).await, |i| i.ready).await;
    assert_eq!((ready.power, &ready.id, &ready.tags), (PowerState::On, &made.id, &made.tags));
    assert!(ready.ipv4.is_some());
    assert!(ready.ipv6.is_some());
    assert_eq!(provider.find_by_tag(COHORT).await.unwrap(), [ready], "lists tell as much as reads");

    provider.delete_server(&made.id).await.unwrap();
    let gone = until(async || provider.get_server(&made.id).await, Result::is_err).await;
    assert_eq!(gone.unwrap_err().class, FailureClass::NotFound);
    assert_eq!(provider.find_by_tag(TAG).await.unwrap(), []);
    provider.delete_server(&made.id).await.expect("gone already counts as deleted");
}

fn ids(found: &[ProviderServer]) -> Vec<&str> {
    found.iter().map(|instance| instance.id.as_str()).collect()
}

pub async fn every_server_of_a_tag_is_found_oldest_first_and_no_other<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let mut made = Vec::new();
    for number in 0..3 {
        made.push(lab.make(&tag(number)).await.id);
        let mut other = request::<V>(&tag(100 + number));
        other.cohort = "wbc-2026010204".to_owned();
        crate::vendor::create(&lab.provider, &other).await.unwrap();
    }
    let found = lab.provider.find_by_tag(COHORT).await.unwrap();
    // Vendors tell the second: of those made within one, any may come first.
    assert!(found.is_sorted_by_key(|instance| instance.created_at));
    assert_eq!(ids(&found).into_iter().collect::<BTreeSet<_>>(), made.iter().map(String::as_str).collect());
    assert_eq!(ids(&lab.provider.find_by_tag(&tag(1)).await.unwrap()), [made[1].as_str()]);
    assert_eq!(lab.provider.find_by_tag(FLEET).await.unwrap().len(), 6);
    assert_eq!(lab.provider.find_by_tag("wb-").await.unwrap(), [], "a part of a tag is none");
}

pub async fn one_order_has_one_name_where_names_are_unique<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    lab.make(TAG).await;
    if V::UNIQUE_NAMES {
        let second = lab.refusal(&request::<V>(TAG)).await;
        assert_eq!((second.class, second.is_ambiguous()), (FailureClass::Conflict, false));
        assert_eq!(lab.provider.find_by_tag(TAG).await.unwrap().len(), 1);
    } else {
        lab.make(TAG).await;
        assert_eq!(lab.provider.find_by_tag(TAG).await.unwrap().len(), 2, "both are shown");
    }
}

pub async fn a_tag_that_nobody_carries_is_forgotten<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let (made, kept) = (lab.make_ready(TAG).await, lab.make_ready(&tag(2)).await);
    lab.provider.delete_server(&made.id).await.unwrap();
    until(async || lab.provider.find_by_tag(TAG).await.unwrap(), Vec::is_empty).await;
    for _ in 0..2 {
        lab.provider.forget_tag(TAG).await.unwrap();
    }
    let left: BTreeSet<_> = lab.read(&kept.id).await.tags.into_iter().collect();
    assert_eq!(left, [FLEET, COHORT, &tag(2)].map(str::to_owned).into());
}

pub async fn a_long_list_is_read_to_its_end_with_as_few_calls_as_can_be<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    for number in 0..V::PAGE + 5 {
        lab.make(&tag(number)).await;
    }
    assert_eq!(lab.provider.find_by_tag(COHORT).await.unwrap().len(), V::PAGE + 5);
    assert_eq!(lab.simulator.calls(V::routes().list), 2);

    let first = lab.provider.list_servers(COHORT, None).await.unwrap();
    assert_eq!(first.servers.len(), V::PAGE);
    let second = lab.provider.list_servers(COHORT, first.next.as_deref()).await.unwrap();
    assert_eq!((second.servers.len(), second.next), (5, None));
}

pub async fn a_new_server_shows_up_within_the_listing_lag<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let lag = lab.provider.listing_lag();
    lab.configure(json!({ "listing_lag_seconds": lag.as_secs_f64() })).await;
    let made = lab.make(TAG).await;
    assert_eq!(lab.provider.find_by_tag(TAG).await.unwrap(), []);
    assert_eq!(lab.read(&made.id).await.id, made.id);
    let found = until(async || lab.provider.find_by_tag(TAG).await.unwrap(), |found| !found.is_empty()).await;
    assert_eq!(found[0].id, made.id);
}

pub async fn a_server_without_an_address_is_not_ready<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    lab.configure(json!({ "boot_seconds": 0 })).await;
    lab.fault(V::routes().create, "active_without_ip", json!({ "seconds": 1 })).await;
    let made = lab.make(TAG).await;
    let bare = lab.read(&made.id).await;
    assert_eq!((bare.power, bare.ready, bare.ipv4), (PowerState::On, false, None));
    until(async || lab.read(&made.id).await, |i| i.ready).await;
}

pub async fn a_server_that_vanished_is_not_found<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let made = lab.make(TAG).await;
    lab.vanish(&made.id).await;
    let error = lab.provider.get_server(&made.id).await.unwrap_err();
    assert_eq!((error.class, error.is_ambiguous()), (FailureClass::NotFound, false));
    for nonsense in ["not-an-id", "", "..", "../account"] {
        let error = lab.provider.get_server(nonsense).await.unwrap_err();
        assert_eq!(error.class, FailureClass::NotFound, "`{nonsense}`");
    }
    lab.provider.delete_server(&made.id).await.unwrap();
}

pub async fn servers_of_two_customers_share_no_network<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let mut networks = Vec::new();
    for (number, customer) in [(1, "one"), (2, "one"), (3, "two")] {
        let name = format!("wb-{customer}-{}", V::OFFER.region);
        let network = lab.provider.ensure_network(&name, V::OFFER.region).await.unwrap();
        let wanted = CreateServer { network, ..request::<V>(&tag(number)) };
        let made = create(&lab.provider, &wanted).await.unwrap();
        until(async || lab.read(&made.id).await, |i| i.ready).await;
        networks.push(V::networks(&lab.raw(&made.id).await));
    }
    assert_eq!(networks[0], networks[1], "a customer's servers may see each other where they can");
    assert!(networks[0].is_disjoint(&networks[2]), "{networks:?}");
}
