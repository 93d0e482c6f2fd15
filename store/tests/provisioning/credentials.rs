//! Root passwords: made once, sealed, shown to their owner.

use domain::{failover::FailoverPolicy, provisioning::FailureClass};
use secrecy::ExposeSecret;
use sqlx::PgPool;
use store::{Store, StoreError, audit::Origin, credentials::SealError, ssh_keys::NewSshKey};

use crate::{Shop, configured, failure, keys};

const OFF: FailoverPolicy = FailoverPolicy::OFF;

#[sqlx::test(migrations = "../migrations")]
async fn every_try_tells_the_same_password_and_the_database_has_none(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order(OFF).await;
    let tries = (0..8).map(|_| {
        let store = shop.store.clone();
        tokio::spawn(async move { store.provisioning_job(order).await.unwrap().root_password.unwrap() })
    });
    let mut told = Vec::new();
    for one in tries.collect::<Vec<_>>() {
        told.push(one.await.unwrap().expose_secret().to_owned());
    }
    told.dedup();
    assert_eq!(told.len(), 1, "several at once agree");
    assert!(told[0].len() >= 24);
    let sql = "SELECT count(*) FROM instance_credentials c JOIN instances i ON i.id = c.instance_id
               WHERE i.order_id = $1 AND position($2::bytea IN c.sealed_password) > 0";
    let open: i64 =
        sqlx::query_scalar(sql).bind(order.0).bind(told[0].as_bytes()).fetch_one(&shop.pool).await.unwrap();
    assert_eq!(open, 0);

    let other = shop.order(OFF).await;
    let password = shop.store.provisioning_job(other).await.unwrap().root_password.unwrap();
    assert_ne!(password.expose_secret(), told[0]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_failover_keeps_the_password(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order(FailoverPolicy { enabled: true, margin_bp: 0 }).await;
    let before = shop.store.provisioning_job(order).await.unwrap().root_password.unwrap();
    let capacity = failure(FailureClass::Capacity);
    shop.store.fail_provisioning(order, 1, &capacity, &configured()).await.unwrap().unwrap();
    let after = shop.store.provisioning_job(order).await.unwrap().root_password.unwrap();
    assert_eq!(before.expose_secret(), after.expose_secret());
}

#[sqlx::test(migrations = "../migrations")]
async fn keys_make_a_password_needless(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let new = NewSshKey {
        name: "laptop".into(),
        public_key: "ssh-ed25519 AAAA".into(),
        fingerprint: "SHA256:x".into(),
    };
    let key = shop.store.add_ssh_key(shop.customer, &new, &Origin::system()).await.unwrap();
    let order = shop.order_with_keys(OFF, vec![key.id, key.id]).await;
    shop.store.remove_ssh_key(shop.customer, key.id, &Origin::system()).await.unwrap();
    let job = shop.store.provisioning_job(order).await.unwrap();
    assert_eq!(job.ssh_keys, ["ssh-ed25519 AAAA"], "once, and kept by the order");
    assert!(job.root_password.is_none());
    let server = shop.store.start_provisioning(order).await.unwrap().instance_id.unwrap();
    let shown = shop.store.server_credentials(server, shop.customer, &Origin::system()).await.unwrap();
    assert!(shown.password.is_none());
    assert_eq!(shown.ssh_keys, ["ssh-ed25519 AAAA"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_owner_sees_it_and_the_log_knows(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order(OFF).await;
    let server = shop.store.start_provisioning(order).await.unwrap().instance_id.unwrap();
    let password = shop.store.provisioning_job(order).await.unwrap().root_password.unwrap();
    let shown = shop.store.server_credentials(server, shop.customer, &Origin::system()).await.unwrap();
    assert_eq!(shown.password.unwrap().expose_secret(), password.expose_secret());
    let logged = "SELECT count(*) FROM audit_log l JOIN instances i ON i.id = l.object_id
                  WHERE i.order_id = $1 AND l.action = 'instance.credentials_shown'";
    assert_eq!(shop.count_of(logged, order).await, 1);

    let stranger = shop.customer().await;
    let refused = shop.store.server_credentials(server, stranger, &Origin::system()).await.unwrap_err();
    assert!(matches!(refused, StoreError::NotFound("instance")));
    shop.run_of("UPDATE instances SET status = 'TERMINATED' WHERE order_id = $1", order).await;
    let gone = shop.store.server_credentials(server, shop.customer, &Origin::system()).await.unwrap_err();
    assert!(matches!(gone, StoreError::Conflict { object: store::Object::Instance, .. }));
    assert_eq!(shop.count_of(logged, order).await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn without_the_right_key_nothing_is_made_or_shown(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order(OFF).await;
    let keyless = Store::new(shop.pool.clone());
    let refused = keyless.provisioning_job(order).await.unwrap_err();
    assert!(matches!(refused, StoreError::Credentials(SealError::NoKeys)));
    shop.store.provisioning_job(order).await.unwrap();
    let stranger = Store::new(shop.pool.clone()).with_credentials_keys(keys(2));
    let refused = stranger.provisioning_job(order).await.unwrap_err();
    assert!(matches!(refused, StoreError::Credentials(SealError::UnknownKey(_))));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_server_that_is_known_needs_no_password_any_more(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order(OFF).await;
    shop.store.save_server(order, "4711").await.unwrap();
    assert!(shop.store.provisioning_job(order).await.unwrap().root_password.is_none());
}
