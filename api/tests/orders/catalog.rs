use insta::assert_json_snapshot;
use serde_json::Value;
use sqlx::PgPool;

use testkit::http::{Answer, redacted};

use crate::Shop;

async fn read(shop: &Shop, path: &str) -> Answer {
    shop.nobody().get(path).await
}

fn slugs(answer: &Answer) -> Vec<&str> {
    answer.body["data"].as_array().unwrap().iter().map(|entry| entry["slug"].as_str().unwrap()).collect()
}

#[sqlx::test(migrations = "../migrations")]
async fn everybody_may_look_at_the_catalog(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let providers = read(&shop, "/providers").await;
    assert_eq!(slugs(&providers), ["digitalocean"]);
    assert_json_snapshot!("providers", redacted(&providers.body));
    assert_eq!(read(&shop, "/providers/digitalocean").await.body["name"], "DigitalOcean");

    let plans = read(&shop, "/plans").await;
    assert_eq!(plans.body["data"].as_array().unwrap().len(), 8);
    let plan = &plans.body["data"][0];
    assert_json_snapshot!("a_plan", redacted(plan));
    assert_eq!(read(&shop, "/plans/do-basic-1gb").await.body, *plan);

    assert_eq!(slugs(&read(&shop, "/regions").await)[0], "sgp1");
    assert_eq!(
        slugs(&read(&shop, "/images?provider=digitalocean").await),
        ["ubuntu-24-04", "ubuntu-22-04", "debian-12", "rocky-9", "almalinux-9"]
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn a_filter_by_what_is_not_there_finds_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    for list in ["plans", "regions", "images"] {
        for provider in ["vultr", "hetzner"] {
            let nothing = read(&shop, &format!("/{list}?provider={provider}")).await;
            assert_eq!((nothing.status.as_u16(), slugs(&nothing).len()), (200, 0), "{list}");
        }
    }
    shop.run("UPDATE plans SET is_active = false WHERE slug = 'do-basic-1gb'").await;
    for absent in ["/plans/do-basic-1gb", "/plans/none", "/providers/vultr", "/providers/none"] {
        let answer = read(&shop, absent).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "not_found"), "{absent}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_provider_off_sale_is_not_shown(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.run("UPDATE providers SET is_active = false WHERE slug = 'digitalocean'").await;
    for list in ["providers", "plans", "regions", "images"] {
        assert!(slugs(&read(&shop, &format!("/{list}")).await).is_empty(), "{list}");
    }
    for absent in ["/plans/do-basic-1gb", "/providers/digitalocean"] {
        assert_eq!(read(&shop, absent).await.status.as_u16(), 404, "{absent}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn who_has_the_answer_is_not_sent_it_again(pool: PgPool) {
    let shop = Shop::open(pool).await;
    for path in
        ["/providers", "/providers/digitalocean", "/plans", "/plans/do-basic-1gb", "/regions", "/images"]
    {
        let first = read(&shop, path).await;
        let tag = first.headers["etag"].to_str().unwrap();
        assert!(first.headers["cache-control"].to_str().unwrap().starts_with("public"), "{path}");
        let again = shop.nobody().get(path).header("if-none-match", tag).await;
        assert_eq!((again.status.as_u16(), again.body), (304, Value::Null), "{path}");
        assert_eq!(again.headers["etag"], tag);
    }
    let before = read(&shop, "/plans").await.headers["etag"].clone();
    shop.run("UPDATE plans SET price_monthly = price_monthly + 1000").await;
    assert_ne!(read(&shop, "/plans").await.headers["etag"], before);
}
