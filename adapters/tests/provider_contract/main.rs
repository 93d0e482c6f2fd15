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

use std::sync::Arc;

use adapters::providers::{CloudProvider, Registry, UnknownProvider};
use domain::rate_limit::Caller;
use vendor::{Account, Vendor};

#[test]
fn providers_are_found_by_their_slug() {
    let account = Account::of("http://127.0.0.1:1", "token");
    let provider: Arc<dyn CloudProvider> = digitalocean::DigitalOcean::adapter(account);
    let registry = Registry::new(vec![provider]);
    assert_eq!(registry.get("digitalocean", Caller::Records).unwrap().slug(), "digitalocean");
    assert_eq!(
        registry.get("clouds-r-us", Caller::Records).unwrap_err(),
        UnknownProvider { slug: "clouds-r-us".to_owned() }
    );
    assert_eq!(registry.slugs().collect::<Vec<_>>(), ["digitalocean"]);
}
