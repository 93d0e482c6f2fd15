//! What every cloud provider's adapter must do, asked through `&dyn CloudProvider` of each adapter against its
//! vendor's simulator, and against the vendor itself where credentials for that are set (`real`). A vendor joins with
//! a file like `digitalocean.rs`: a [`vendor::Vendor`] and a `contract!` line.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

#[macro_use]
mod contract;

mod actions;
mod catalog;
mod errors;
mod life;
mod real;
mod vendor;

mod digitalocean;
mod linode;
mod vultr;

use std::{collections::BTreeSet, time::Duration};

use adapters::providers::{self, Account, Paced, Registry, UnknownProvider};
use domain::rate_limit::Caller;
use vendor::Vendor;

/// A vendor that stands in the registry and is not asked is found here.
#[test]
fn every_provider_keeps_the_contract() {
    let asked = [digitalocean::DigitalOcean::SLUG, linode::Linode::SLUG, vultr::Vultr::SLUG];
    let registered: BTreeSet<_> = providers::ALL.iter().map(|vendor| vendor.slug).collect();
    assert_eq!(registered, BTreeSet::from(asked));
}

#[test]
fn providers_are_found_by_their_slug() {
    let account = Account {
        base_url: "http://127.0.0.1:1".parse().unwrap(),
        credential: "token".into(),
        request_timeout: Duration::from_secs(5),
        listing_lag: Duration::from_secs(1),
        pacer: Paced::unpaced(),
    };
    let provider = (digitalocean::DigitalOcean::descriptor().connect)(account).unwrap();
    let registry = Registry::new(vec![provider]);
    assert_eq!(registry.get("digitalocean", Caller::Records).unwrap().slug(), "digitalocean");
    assert_eq!(
        registry.get("clouds-r-us", Caller::Records).unwrap_err(),
        UnknownProvider { slug: "clouds-r-us".to_owned() }
    );
    assert_eq!(registry.slugs().collect::<Vec<_>>(), ["digitalocean"]);
}
