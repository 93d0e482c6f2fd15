use sqlx::PgPool;
use store::{StoreError, orders::Refusal};
use uuid::Uuid;

use crate::{OrderError, Shop};

/// Slugs of providers, as the API hands them in.
fn configured(slugs: &[&str]) -> Vec<String> {
    slugs.iter().map(|slug| (*slug).to_owned()).collect()
}

fn all() -> Vec<String> {
    configured(&["digitalocean", "linode", "vultr"])
}

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
    shop.run("UPDATE providers SET is_active = false, name = 'V' WHERE slug = 'vultr'").await;
    shop.run("UPDATE providers SET synced_at = now(), capabilities = '{reboot}' WHERE slug = 'linode'").await;
    shop.store.seed().await.unwrap();
    assert_eq!(ids(&shop.pool).await, before);
    let plan = shop.store.plans(&all(), None, Some("do-basic-1gb")).await.unwrap().remove(0);
    assert_eq!((plan.price_monthly.get(), plan.vcpu), (99_000, 1));
    let vultr = shop.store.providers_for_staff(Some("vultr")).await.unwrap().remove(0);
    assert_eq!((vultr.name.as_str(), vultr.is_active, vultr.plan_count), ("Vultr", false, 6));
    let linode = shop.store.providers(&all(), Some("linode")).await.unwrap().remove(0);
    assert_eq!(linode.capabilities, ["reboot"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_seed_is_complete(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let counts: Vec<(String, i64)> = sqlx::query_as(
        "SELECT p.slug, count(*) FROM plans l JOIN providers p ON p.id = l.provider_id WHERE p.is_active
         GROUP BY 1 ORDER BY 1",
    )
    .fetch_all(&shop.pool)
    .await
    .unwrap();
    for known in [("digitalocean", 8), ("linode", 5), ("vultr", 6)] {
        assert!(counts.contains(&(known.0.into(), known.1)), "{known:?} in {counts:?}");
    }
    let providers = shop.count("SELECT count(*) FROM providers").await;
    assert_eq!(counts.len() as i64, providers, "each sells something");
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
    // Every image is there at every provider.
    assert_eq!(shop.count("SELECT count(*) FROM image_sources").await, providers * 5);
}

#[sqlx::test(migrations = "../migrations")]
async fn only_what_is_on_sale_is_shown(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let store = &shop.store;
    let here = configured(&["digitalocean"]);
    let providers = store.providers(&here, None).await.unwrap();
    assert_eq!(
        providers.iter().map(|p| (p.slug.as_str(), p.plan_count)).collect::<Vec<_>>(),
        [("digitalocean", 8)]
    );
    assert_eq!(store.plans(&here, None, None).await.unwrap().len(), 8);
    assert!(store.plans(&here, Some("vultr"), None).await.unwrap().is_empty());
    assert!(
        store
            .regions(&here, None, None)
            .await
            .unwrap()
            .iter()
            .all(|region| region.provider == "digitalocean")
    );
    assert_eq!(store.images(&here, Some("digitalocean"), None).await.unwrap().len(), 5);
    assert!(store.images(&here, Some("linode"), None).await.unwrap().is_empty());
    assert_eq!(store.images(&here, None, None).await.unwrap()[0].providers, ["digitalocean"]);

    shop.run("UPDATE providers SET is_active = false WHERE slug = 'vultr'").await;
    shop.run("UPDATE plans SET is_active = false WHERE slug = 'do-basic-1gb'").await;
    assert_eq!(store.plans(&all(), Some("digitalocean"), None).await.unwrap().len(), 7);
    assert!(store.plans(&all(), Some("vultr"), None).await.unwrap().is_empty());
    assert!(store.plans(&all(), None, Some("do-basic-1gb")).await.unwrap().is_empty());
    assert_eq!(
        store.images(&all(), Some("linode"), None).await.unwrap()[0].providers,
        ["digitalocean", "linode"]
    );
    let plan = store.plans(&all(), None, Some("linode-nanode-1gb")).await.unwrap().remove(0);
    assert_eq!(plan.regions, ["linode-id-cgk", "linode-ap-south", "linode-ap-southeast", "linode-jp-osa"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_a_provider_lacks_is_neither_shown_nor_sold(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let store = &shop.store;
    for table in ["plan_regions", "image_sources"] {
        let (thing, slug) =
            if table == "plan_regions" { ("region", "sgp1") } else { ("image", "ubuntu-24-04") };
        let flag = format!(
            "UPDATE {table} SET unavailable_since = now(), unavailable_reason = 'gone'
             WHERE {thing}_id = (SELECT id FROM {thing}s WHERE slug = '{slug}')"
        );
        sqlx::query(sqlx::AssertSqlSafe(flag)).execute(&shop.pool).await.unwrap();
        let refused = store.quote_order(&shop.basket().await.selection).await.unwrap_err();
        let expected =
            if thing == "region" { Refusal::RegionWithoutPlan } else { Refusal::ImageNotForProvider };
        assert!(matches!(refused, OrderError::Refused(refusal) if refusal == expected), "{refused}");
        let heal = format!("UPDATE {table} SET unavailable_since = NULL, unavailable_reason = NULL");
        sqlx::query(sqlx::AssertSqlSafe(heal)).execute(&shop.pool).await.unwrap();
    }
    shop.run(
        "UPDATE plans SET unavailable_since = now(), unavailable_reason = 'gone' WHERE slug = 'do-basic-1gb'",
    )
    .await;
    assert!(store.plans(&all(), None, Some("do-basic-1gb")).await.unwrap().is_empty());
    let providers = store.providers(&all(), Some("digitalocean")).await.unwrap();
    assert_eq!(providers[0].plan_count, 7);
    let refused = shop.place(&shop.basket().await, "k").await.unwrap_err();
    assert!(matches!(refused, OrderError::Refused(Refusal::PlanUnavailable)), "{refused}");
}

#[sqlx::test(migrations = "../migrations")]
async fn nothing_of_a_disabled_provider_is_sold(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let mut elsewhere = shop.basket().await;
    elsewhere.selection.configured = configured(&["vultr"]);
    let refused = shop.place(&elsewhere, "k").await.unwrap_err();
    assert!(matches!(refused, OrderError::Refused(Refusal::ProviderDisabled)), "{refused}");
    shop.run("UPDATE providers SET is_active = false").await;
    let refused = shop.place(&shop.basket().await, "k").await.unwrap_err();
    assert!(matches!(refused, OrderError::Refused(Refusal::ProviderDisabled)), "{refused}");
    assert_eq!(shop.count("SELECT count(*) FROM orders").await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_provider_that_sells_nothing_yet_still_exists(pool: PgPool) {
    let store = Shop::open(pool).await.store.clone();
    store.provider_exists("vultr").await.unwrap();
    assert!(matches!(store.provider_exists("hetzner").await, Err(StoreError::NotFound("provider"))));
}
