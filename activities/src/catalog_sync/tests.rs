//! Against the simulators and a database of the test's own.

use std::time::Duration;

use adapters::providers::{
    Paced,
    digitalocean::{DigitalOcean, DigitalOceanConfig},
    linode::{Linode, LinodeConfig},
    vultr::{Vultr, VultrConfig},
};
use domain::policy::StepPolicy;
use simulators::{digitalocean, linode, vultr};
use sqlx::PgPool;
use store::page::PageRequest;

use super::*;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const LISTING_LAG: Duration = Duration::from_secs(1);

/// All three accounts; the simulators run for as long as the handles live.
async fn accounts() -> (Registry, (digitalocean::Handle, vultr::Handle, linode::Handle)) {
    let config = digitalocean::Config::default();
    let token = config.token.clone();
    let at_digitalocean = digitalocean::Handle::start(config).await.unwrap();
    let digitalocean = DigitalOcean::new(DigitalOceanConfig {
        base_url: at_digitalocean.url().parse().unwrap(),
        token: token.into(),
        request_timeout: REQUEST_TIMEOUT,
        listing_lag: LISTING_LAG,
        pacer: Paced::unpaced(),
    });
    let config = vultr::Config::default();
    let api_key = config.token.clone();
    let at_vultr = vultr::Handle::start(config).await.unwrap();
    let vultr = Vultr::new(VultrConfig {
        base_url: at_vultr.url().parse().unwrap(),
        api_key: api_key.into(),
        request_timeout: REQUEST_TIMEOUT,
        listing_lag: LISTING_LAG,
        pacer: Paced::unpaced(),
    });
    let config = linode::Config::default();
    let token = config.token.clone();
    let at_linode = linode::Handle::start(config).await.unwrap();
    let linode = Linode::new(LinodeConfig {
        base_url: at_linode.url().parse().unwrap(),
        token: token.into(),
        request_timeout: REQUEST_TIMEOUT,
        listing_lag: LISTING_LAG,
        pacer: Paced::unpaced(),
    });
    let registry = Registry::new(vec![
        Arc::new(digitalocean.unwrap()),
        Arc::new(vultr.unwrap()),
        Arc::new(linode.unwrap()),
    ]);
    (registry, (at_digitalocean, at_vultr, at_linode))
}

#[sqlx::test(migrations = "../migrations")]
async fn every_provider_has_what_the_seed_offers(pool: PgPool) {
    let (registry, _simulators) = accounts().await;
    let store = Store::new(pool);
    store.seed().await.unwrap();
    let slugs: Vec<&str> = registry.slugs().collect();
    let activities = CatalogSyncActivities { store: store.clone(), providers: Arc::new(registry) };
    for slug in slugs {
        let start = CatalogSyncStart { provider: slug.to_owned(), sync_id: None, policy: StepPolicy::OF_UPKEEP };
        let seeded = store.providers_for_staff(Some(slug)).await.unwrap().remove(0);
        let synced = activities.sync(&start, slug).await.unwrap();
        let (run, report) = store.catalog_sync(synced.sync_id).await.unwrap();
        assert!(run.added > 20 && run.removed + run.changed == 0, "{slug}: {run:?}");
        assert_eq!((report.offers, report.costs), (Vec::new(), Vec::new()), "{slug}");
        let known = store.providers_for_staff(Some(slug)).await.unwrap().remove(0);
        let sorted = |mut words: Vec<String>| {
            words.sort_unstable();
            words
        };
        assert_eq!(sorted(seeded.capabilities), sorted(known.capabilities), "{slug}");
        assert!(known.synced_at.is_some());

        let again = activities.sync(&start, &format!("{slug} again")).await.unwrap();
        assert_eq!((again.changes, again.flagged, again.restored), (0, 0, 0), "{slug}");
        let repeated = activities.sync(&start, slug).await.unwrap();
        assert_eq!(repeated.sync_id, synced.sync_id);
    }
    let page = PageRequest { before: None, limit: 100 };
    assert_eq!(store.catalog_syncs(None, page).await.unwrap().data.len(), 6);
}

#[sqlx::test(migrations = "../migrations")]
async fn trouble_is_kept_with_the_run_that_was_asked_for(pool: PgPool) {
    let (registry, simulators) = accounts().await;
    let store = Store::new(pool);
    store.seed().await.unwrap();
    let activities = CatalogSyncActivities { store: store.clone(), providers: Arc::new(registry) };
    simulators.1.stop().await.unwrap();
    let start = CatalogSyncStart { provider: "vultr".to_owned(), sync_id: None, policy: StepPolicy::OF_UPKEEP };
    let error = activities.sync(&start, "a run").await.unwrap_err();
    assert!(error.class().is_retryable(), "{error}");
    let page = PageRequest { before: None, limit: 100 };
    let run = store.catalog_syncs(Some("vultr"), page).await.unwrap().data.remove(0);
    assert_eq!(run.status, domain::upkeep::RunStatus::Failed);
    assert!(run.error.is_some());
    let unknown = CatalogSyncStart { provider: "hetzner".to_owned(), ..start };
    assert!(!activities.sync(&unknown, "another").await.unwrap_err().class().is_retryable());
}
