//! How customers get into their servers: SSH keys they keep, and credentials they are shown.

use domain::role::Role;
use serde_json::{Value, json};
use sqlx::PgPool;
use store::provisioning::ProvisioningJob;

use secrecy::ExposeSecret;
use testkit::http::{Method, StatusCode};

use crate::Shop;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK7TPi7rWMd5azZCiSUy9WIDks1vL0nkzTmiaCB16KLg";
const FINGERPRINT: &str = "SHA256:aRpwpyjEGeputf8ZWA1Lo0yXIf0IK2zwm3vmk0QDOrI";

impl Shop {
    async fn add_key(&self) -> String {
        let body = json!({ "name": " laptop ", "public_key": format!("{KEY} sari@laptop\n") });
        let added = self.me.post("/auth/me/ssh-keys", &body).await;
        assert_eq!(added.status, StatusCode::CREATED, "{:?}", added.body);
        added.body["id"].as_str().unwrap().to_owned()
    }

    /// Lets an order's provisioning begin; answers with its server's id and what the provider is told.
    async fn begin(&self, order: &Value) -> (String, ProvisioningJob) {
        let order = self.pay_for(order).await;
        let begun = self.store.start_provisioning(order).await.unwrap();
        (begun.instance_id.unwrap().to_string(), self.store.provisioning_job(order).await.unwrap())
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn keys_are_added_read_listed_and_removed_by_their_owner(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let stranger = shop.user(Role::Customer).await;
    let id = shop.add_key().await;
    let path = format!("/auth/me/ssh-keys/{id}");
    let read = shop.me.get(&path).await;
    assert_eq!(read.body["name"], "laptop");
    assert_eq!(read.body["public_key"], format!("{KEY} sari@laptop"));
    assert_eq!(read.body["fingerprint"], FINGERPRINT);
    let list = shop.me.get("/auth/me/ssh-keys").await;
    assert_eq!(list.body["data"], json!([read.body]));

    let again = shop.me.post("/auth/me/ssh-keys", &json!({ "name": "b", "public_key": KEY })).await;
    assert_eq!((again.status, again.code()), (StatusCode::CONFLICT, "ssh_key_exists"));
    for method in [Method::GET, Method::DELETE] {
        let theirs = stranger.request(method, &path).await;
        assert_eq!((theirs.status, theirs.code()), (StatusCode::NOT_FOUND, "not_found"));
    }
    assert_eq!(stranger.get("/auth/me/ssh-keys").await.body["data"], json!([]));
    let removed = shop.me.delete(&path).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    assert_eq!(shop.me.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[sqlx::test(migrations = "../migrations")]
async fn bad_keys_are_refused_with_the_field_and_the_reason(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let cases = [
        (json!({ "name": "a", "public_key": "no key" }), "invalid_ssh_key"),
        (json!({ "name": "a", "public_key": "-----BEGIN OPENSSH PRIVATE KEY-----\nx" }), "invalid_ssh_key"),
        (json!({ "name": "a", "public_key": format!("{KEY}\n{KEY}") }), "invalid_ssh_key"),
        (json!({ "name": "a", "public_key": format!("command=\"id\" {KEY}") }), "invalid_ssh_key"),
        (json!({ "name": " ", "public_key": KEY }), "validation_failed"),
        (json!({ "name": "x".repeat(101), "public_key": KEY }), "validation_failed"),
        (json!({ "name": "a", "public_key": "x".repeat(9000) }), "validation_failed"),
        (json!({ "name": "a" }), "invalid_body"),
        (json!({ "name": "a", "public_key": KEY, "fingerprint": "mine" }), "invalid_body"),
    ];
    for (body, code) in cases {
        let refused = shop.me.post("/auth/me/ssh-keys", &body).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, code), "{body}");
    }
    assert_eq!(shop.count("SELECT count(*) FROM ssh_keys").await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_order_with_keys_has_them_and_no_password(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let id = shop.add_key().await;
    let body = shop.basket_with(json!({ "ssh_key_ids": [id, id] })).await;
    let quoted = shop.me.post("/orders/quote", &body).await;
    assert_eq!(quoted.status, StatusCode::OK, "{:?}", quoted.body);
    let placed = shop.place(&body, "k1").await;
    assert_eq!(placed.status, StatusCode::CREATED, "{:?}", placed.body);
    // Also when the key is gone, the same request has the same answer.
    shop.me.delete(&format!("/auth/me/ssh-keys/{id}")).await;
    assert_eq!(shop.place(&body, "k1").await.body["id"], placed.body["id"]);

    let (server, job) = shop.begin(&placed.body["id"]).await;
    assert_eq!(job.ssh_keys, [format!("{KEY} sari@laptop")]);
    assert!(job.root_password.is_none());
    let shown = shop.me.get(&format!("/instances/{server}/credentials")).await;
    assert_eq!(shown.body, json!({ "username": "root", "password": null, "ssh_keys": [FINGERPRINT] }));
}

#[sqlx::test(migrations = "../migrations")]
async fn keys_of_others_too_many_and_none_such_are_refused(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let stranger = shop.user(Role::Customer).await;
    let body = json!({ "name": "theirs", "public_key": KEY });
    let theirs = stranger.post("/auth/me/ssh-keys", &body).await.body["id"].clone();
    let nobodys = json!("0193e7d0-4362-7709-b262-4de1f9ad2f5e");
    for key in [theirs, nobodys] {
        let body = shop.basket_with(json!({ "ssh_key_ids": [key] })).await;
        let quoted = shop.me.post("/orders/quote", &body).await;
        let placed = shop.place(&body, "k1").await;
        for refused in [quoted, placed] {
            assert_eq!((refused.status.as_u16(), refused.code()), (422, "ssh_key_unknown"));
            assert_eq!(refused.body["errors"][0]["field"], "ssh_key_ids");
        }
    }
    let many = vec![json!("0193e7d0-4362-7709-b262-4de1f9ad2f5e"); 11];
    let refused = shop.place(&shop.basket_with(json!({ "ssh_key_ids": many })).await, "k2").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "validation_failed"));
    assert_eq!(shop.count("SELECT count(*) FROM orders").await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_root_password_is_shown_to_its_owner_only_and_never_cached(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let placed = shop.place(&shop.basket().await, "k1").await;
    let (server, job) = shop.begin(&placed.body["id"]).await;
    let password = job.root_password.unwrap().expose_secret().to_owned();
    let path = format!("/instances/{server}/credentials");
    let shown = shop.me.get(&path).await;
    assert_eq!(shown.status, StatusCode::OK, "{:?}", shown.body);
    assert_eq!(shown.body, json!({ "username": "root", "password": password, "ssh_keys": [] }));
    assert_eq!(shown.headers["cache-control"], "no-store");

    for role in [Role::Customer, Role::Superadmin] {
        let other = shop.user(role).await;
        let refused = other.get(&path).await;
        assert_eq!((refused.status, refused.code()), (StatusCode::NOT_FOUND, "not_found"), "{role}");
    }
    assert_eq!(
        shop.count("SELECT count(*) FROM audit_log WHERE action = 'instance.credentials_shown'").await,
        1
    );
    let seen = [format!("/instances/{server}"), format!("/orders/{}", placed.body["id"].as_str().unwrap())];
    for path in seen.iter().map(String::as_str).chain(["/instances", "/notifications"]) {
        let body = shop.me.get(path).await.body.to_string();
        assert!(!body.contains(&password), "{path}");
    }
    let sql = "SELECT count(*) FROM outbox o, audit_log l, order_timeline t WHERE strpos(o::text || l::text || t::text, $1) > 0";
    let leaked: i64 = sqlx::query_scalar(sql).bind(&password).fetch_one(&shop.pool).await.unwrap();
    assert_eq!(leaked, 0);
}
