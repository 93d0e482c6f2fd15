use sqlx::PgPool;
use store::{Store, StoreError};
use uuid::Uuid;

use crate::Shop;

async fn ids(pool: &PgPool) -> Vec<Uuid> {
    sqlx::query_scalar(
        "SELECT id FROM plans UNION SELECT id FROM providers UNION SELECT id FROM regions UNION SELECT id FROM images
         ORDER BY id",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn seeding_again_changes_nothing_but_facts(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let before = ids(&shop.pool).await;
    shop.run("UPDATE plans SET price_monthly = 99000, vcpu = 7 WHERE slug = 'do-basic-1gb'").await;
    shop.run("UPDATE providers SET is_active = true, name = 'V' WHERE slug = 'vultr'").await;
    shop.store.seed().await.unwrap();
    assert_eq!(ids(&shop.pool).await, before);
    let plan = shop.store.plans(None, Some("do-basic-1gb")).await.unwrap().remove(0);
    assert_eq!((plan.price_monthly.get(), plan.vcpu), (99_000, 1));
    let vultr = shop.store.providers(Some("vultr")).await.unwrap().remove(0);
    assert_eq!((vultr.name.as_str(), vultr.plan_count), ("Vultr", 6));
}

#[sqlx::test(migrations = "../migrations")]
async fn the_seed_is_complete(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let counts: Vec<(String, i64)> = sqlx::query_as(
        "SELECT p.slug, count(*) FROM plans l JOIN providers p ON p.id = l.provider_id GROUP BY 1 ORDER BY 1",
    )
    .fetch_all(&shop.pool)
    .await
    .unwrap();
    assert_eq!(counts, [("digitalocean".into(), 8), ("linode".into(), 5), ("vultr".into(), 6)]);
    let terms: Vec<(u32, u32)> =
        shop.store.terms().await.unwrap().iter().map(|term| (term.months, term.discount_bp)).collect();
    assert_eq!(terms, [(1, 0), (3, 500), (6, 1_000), (12, 1_500)]);
    assert_eq!(terms.iter().map(|term| term.0).collect::<Vec<_>>(), domain::order::TERMS);
    // Nothing is sold below cost: at 20.000 rupiah to the dollar there is still a margin.
    assert_eq!(
        shop.count("SELECT count(*) FROM plans WHERE price_monthly < cost_monthly_usd * 20000").await,
        0
    );
    let unsellable =
        "SELECT count(*) FROM plans l WHERE NOT EXISTS (SELECT FROM plan_regions WHERE plan_id = l.id)";
    assert_eq!(shop.count(unsellable).await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn only_what_is_on_sale_is_shown(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let store = &shop.store;
    let providers = store.providers(None).await.unwrap();
    assert_eq!(
        providers.iter().map(|p| (p.slug.as_str(), p.plan_count)).collect::<Vec<_>>(),
        [("digitalocean", 8)]
    );
    assert_eq!(store.plans(None, None).await.unwrap().len(), 8);
    assert!(store.plans(Some("vultr"), None).await.unwrap().is_empty());
    assert!(store.regions(None).await.unwrap().iter().all(|region| region.provider == "digitalocean"));
    assert_eq!(store.images(Some("digitalocean")).await.unwrap().len(), 5);
    assert!(store.images(Some("linode")).await.unwrap().is_empty());

    shop.run("UPDATE providers SET is_active = true").await;
    shop.run("UPDATE plans SET is_active = false WHERE slug = 'do-basic-1gb'").await;
    assert_eq!(store.plans(Some("digitalocean"), None).await.unwrap().len(), 7);
    assert!(store.plans(None, Some("do-basic-1gb")).await.unwrap().is_empty());
    assert_eq!(store.images(Some("linode")).await.unwrap()[0].providers, ["digitalocean", "linode", "vultr"]);
    let plan = store.plans(None, Some("linode-nanode-1gb")).await.unwrap().remove(0);
    assert_eq!(plan.regions, ["linode-id-cgk", "linode-ap-south", "linode-ap-southeast", "linode-jp-osa"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_provider_that_sells_nothing_yet_still_exists(pool: PgPool) {
    let store = Store::new(pool);
    store.seed().await.unwrap();
    store.provider_exists("vultr").await.unwrap();
    assert!(matches!(store.provider_exists("hetzner").await, Err(StoreError::NotFound("provider"))));
}
