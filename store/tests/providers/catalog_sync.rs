//! Taking over what providers tell of their catalogs, on a real Postgres.

use std::ops::Deref;

use domain::{
    catalog::{ProviderCatalog, ProviderImage, ProviderRegion, ProviderSize},
    ids::UserId,
    instance::Capability,
    upkeep::RunStatus,
};
use sqlx::{PgPool, types::Decimal};
use store::{StoreError, catalog_sync::OfferChange, page::PageRequest};
use testkit::{TestApp, by_user};

const PAGE: PageRequest = PageRequest { before: None, limit: 100 };

struct Shop {
    app: TestApp,
    admin: UserId,
    runs: std::cell::Cell<u32>,
}

impl Deref for Shop {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.app
    }
}

impl Shop {
    async fn open(pool: PgPool) -> Self {
        let app = TestApp::new(pool).await;
        let admin = app.admin().await;
        Self { app, admin, runs: Default::default() }
    }

    /// What we sell of Vultr, as Vultr would tell it.
    async fn told(&self) -> ProviderCatalog {
        let regions: Vec<String> = self.column("SELECT r.provider_slug FROM regions r").await;
        let images: Vec<String> = self.column("SELECT r.provider_slug FROM image_sources r").await;
        let sizes: Vec<(String, i32, Decimal)> = sqlx::query_as(
            "SELECT r.provider_slug, vcpu, cost_monthly_usd FROM plans r JOIN providers p ON p.id = r.provider_id
             WHERE p.slug = 'vultr'",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap();
        ProviderCatalog {
            sizes: sizes
                .into_iter()
                .map(|(slug, vcpu, price_monthly_usd)| ProviderSize {
                    slug,
                    vcpu: vcpu.unsigned_abs(),
                    memory_mb: 1024,
                    disk_gb: 25,
                    transfer_gb: 1000,
                    price_monthly_usd,
                    regions: regions.clone(),
                    available: true,
                })
                .collect(),
            regions: regions
                .into_iter()
                .map(|slug| ProviderRegion { name: slug.clone(), slug, country: None, available: true })
                .collect(),
            images: images
                .into_iter()
                .map(|slug| ProviderImage {
                    name: slug.clone(),
                    slug,
                    distribution: "Ubuntu".to_owned(),
                    available: true,
                })
                .collect(),
            capabilities: vec![Capability::Reboot, Capability::Console],
        }
    }

    async fn column(&self, select: &str) -> Vec<String> {
        let of_vultr =
            format!("{select} JOIN providers p ON p.id = r.provider_id WHERE p.slug = 'vultr' ORDER BY 1");
        sqlx::query_scalar(sqlx::AssertSqlSafe(of_vultr)).fetch_all(&self.pool).await.unwrap()
    }

    async fn sync(&self, told: &ProviderCatalog) -> store::catalog_sync::SyncReport {
        self.runs.set(self.runs.get() + 1);
        let key = format!("run {}", self.runs.get());
        let id = self.store.begin_catalog_sync("vultr", None, &key).await.unwrap();
        self.store.complete_catalog_sync(id, told).await.unwrap();
        self.store.catalog_sync(id).await.unwrap().1
    }

    async fn on_sale(&self, plan: &str) -> Option<Vec<String>> {
        let plans = self.store.plans(&["vultr".to_owned()], None, Some(plan)).await.unwrap();
        plans.into_iter().next().map(|plan| plan.regions)
    }
}

fn offer(kind: &str, slug: &str, region: Option<&str>, reason: Option<&str>) -> OfferChange {
    OfferChange {
        kind: kind.to_owned(),
        slug: slug.to_owned(),
        region: region.map(str::to_owned),
        reason: reason.map(str::to_owned),
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_vanishes_is_flagged_and_comes_back(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let usual = shop.told().await;
    let first = shop.sync(&usual).await;
    assert_eq!((first.sizes.added.len(), first.regions.added.len(), first.offers.len()), (6, 4, 0));

    let mut less = usual.clone();
    less.sizes.retain(|size| size.slug != "vc2-1c-1gb");
    less.sizes.iter_mut().find(|size| size.slug == "vc2-1c-2gb").unwrap().regions.retain(|r| r != "sgp");
    less.sizes.iter_mut().find(|size| size.slug == "vc2-2c-4gb").unwrap().available = false;
    less.images.retain(|image| image.slug != "2136");
    let report = shop.sync(&less).await;
    assert_eq!(report.sizes.removed, ["vc2-1c-1gb"]);
    assert_eq!(report.sizes.changed.len(), 2);
    let mut offers = report.offers;
    offers.sort_by(|a, b| (&a.kind, &a.slug).cmp(&(&b.kind, &b.slug)));
    let expected = [
        offer("image", "debian-12", None, Some("the provider has no image 2136 any more")),
        offer("plan", "vultr-regular-1gb", None, Some("the provider has no size vc2-1c-1gb any more")),
        offer("plan", "vultr-regular-4gb", None, Some("the size vc2-2c-4gb is sold out everywhere")),
        offer("plan_region", "vultr-regular-2gb", Some("vultr-sgp"), Some("there is no vc2-1c-2gb in sgp")),
    ];
    assert_eq!(offers, expected);
    assert_eq!(
        (shop.on_sale("vultr-regular-1gb").await, shop.on_sale("vultr-regular-4gb").await),
        (None, None)
    );
    assert_eq!(shop.on_sale("vultr-regular-2gb").await.unwrap(), ["vultr-syd", "vultr-bom", "vultr-nrt"]);
    let detail = shop.store.providers_for_staff(Some("vultr")).await.unwrap().remove(0);
    assert_eq!((detail.plan_count, detail.unavailable_plan_count), (6, 2));
    assert_eq!(detail.capabilities, ["reboot", "console"]);

    let back = shop.sync(&usual).await;
    assert_eq!(back.offers.iter().filter(|offer| offer.reason.is_none()).count(), 4);
    assert!(shop.on_sale("vultr-regular-1gb").await.is_some());
    let told = shop.store.notifications(shop.admin, false, PAGE).await.unwrap().data;
    assert_eq!(told.iter().map(|notice| notice.kind.as_str()).collect::<Vec<_>>(), ["CATALOG_CHANGED"; 2]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_region_that_closes_takes_its_plans_with_it(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let usual = shop.told().await;
    shop.sync(&usual).await;
    let mut closed = usual.clone();
    closed.regions.iter_mut().find(|region| region.slug == "syd").unwrap().available = false;
    closed.regions.retain(|region| region.slug != "bom");
    let report = shop.sync(&closed).await;
    assert_eq!(report.offers.len(), 2 * 6);
    assert_eq!(shop.on_sale("vultr-regular-1gb").await.unwrap(), ["vultr-sgp", "vultr-nrt"]);
    // A provider that does not tell where a size is to be had does not say that it is nowhere.
    let mut silent = usual;
    silent.sizes.iter_mut().for_each(|size| size.regions.clear());
    shop.sync(&silent).await;
    assert_eq!(shop.on_sale("vultr-regular-1gb").await.unwrap().len(), 4);
}

#[sqlx::test(migrations = "../migrations")]
async fn prices_are_told_and_an_empty_catalog_is_not_believed(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let mut dearer = shop.told().await;
    dearer.sizes.iter_mut().find(|size| size.slug == "vc2-1c-1gb").unwrap().price_monthly_usd =
        Decimal::new(65, 1);
    let report = shop.sync(&dearer).await;
    assert_eq!(report.costs.len(), 1);
    assert_eq!((report.costs[0].ours, report.costs[0].theirs), (Decimal::new(5, 0), Decimal::new(65, 1)));

    let id = shop.store.begin_catalog_sync("vultr", None, "another").await.unwrap();
    let empty = ProviderCatalog { sizes: Vec::new(), ..dearer };
    let refused = shop.store.complete_catalog_sync(id, &empty).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict { .. }));
    shop.store.fail_catalog_sync(id, &refused.to_string()).await.unwrap();
    let run = shop.store.catalog_sync(id).await.unwrap().0;
    assert_eq!(
        (run.status, run.error.as_deref()),
        (RunStatus::Failed, Some("the provider's catalog is empty"))
    );
    assert!(shop.on_sale("vultr-regular-1gb").await.is_some());
}

#[sqlx::test(migrations = "../migrations")]
async fn a_run_that_was_asked_for_is_audited_and_sent_on(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let origin = by_user(shop.admin);
    let run = shop.store.request_catalog_sync("vultr", shop.admin, &origin).await.unwrap();
    assert_eq!((run.status, run.requested_by), (RunStatus::Requested, Some(shop.admin)));
    let workflow: String =
        sqlx::query_scalar("SELECT workflow_id FROM outbox").fetch_one(&shop.pool).await.unwrap();
    assert_eq!(workflow, format!("catalog-sync/vultr/{}", run.id));
    let action: String = sqlx::query_scalar("SELECT action FROM audit_log ORDER BY id DESC LIMIT 1")
        .fetch_one(&shop.pool)
        .await
        .unwrap();
    assert_eq!(action, "provider.sync_catalog");
    let begun = shop.store.begin_catalog_sync("vultr", Some(run.id), "a run").await.unwrap();
    assert_eq!(begun, run.id);
    let done = shop.store.complete_catalog_sync(begun, &shop.told().await).await.unwrap();
    assert_eq!(done.status, RunStatus::Completed);
    let unknown = shop.store.request_catalog_sync("hetzner", shop.admin, &origin).await.unwrap_err();
    assert!(matches!(unknown, StoreError::NotFound("provider")));
}
