//! Against the simulators and a database of the test's own.

use domain::{policy::StepPolicy, sorting::AgeSort};
use simulators::provider::Settings;
use sqlx::PgPool;
use store::page::SortedRequest;
use testkit::{SimulatedCloud, TestApp};

use super::*;

/// Accounts at all providers; the simulators run for as long as they live.
async fn accounts() -> (Registry, Vec<SimulatedCloud>) {
    let clouds = SimulatedCloud::every(&Settings::default()).await;
    (Registry::new(clouds.iter().map(SimulatedCloud::adapter).collect()), clouds)
}

#[sqlx::test(migrations = "../migrations")]
async fn every_provider_has_what_the_seed_offers(pool: PgPool) {
    let (registry, _simulators) = accounts().await;
    let app = TestApp::new(pool).await;
    let store = app.store.clone();
    let slugs: Vec<&str> = registry.slugs().collect();
    let activities = CatalogSyncActivities { store: store.clone(), providers: Arc::new(registry) };
    for slug in slugs {
        let start =
            CatalogSyncStart { provider: slug.to_owned(), sync_id: None, policy: StepPolicy::OF_UPKEEP };
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
    let page = SortedRequest::first(100);
    let runs = 2 * adapters::providers::ALL.len();
    assert_eq!(store.catalog_syncs(None, AgeSort::Newest, page.clone()).await.unwrap().data.len(), runs);
}

#[sqlx::test(migrations = "../migrations")]
async fn trouble_is_kept_with_the_run_that_was_asked_for(pool: PgPool) {
    let (registry, mut clouds) = accounts().await;
    let app = TestApp::new(pool).await;
    let store = app.store.clone();
    let activities = CatalogSyncActivities { store: store.clone(), providers: Arc::new(registry) };
    let cloud = clouds.remove(0);
    let slug = cloud.vendor.slug;
    cloud.simulator.stop().await.unwrap();
    let start = CatalogSyncStart { provider: slug.to_owned(), sync_id: None, policy: StepPolicy::OF_UPKEEP };
    let error = activities.sync(&start, "a run").await.unwrap_err();
    assert!(error.class().is_retryable(), "{error}");
    let page = SortedRequest::first(100);
    let run = store.catalog_syncs(Some(slug), AgeSort::Newest, page.clone()).await.unwrap().data.remove(0);
    assert_eq!(run.status, domain::upkeep::RunStatus::Failed);
    assert!(run.error.is_some());
    let unknown = CatalogSyncStart { provider: "hetzner".to_owned(), ..start };
    assert!(!activities.sync(&unknown, "another").await.unwrap_err().class().is_retryable());
}
