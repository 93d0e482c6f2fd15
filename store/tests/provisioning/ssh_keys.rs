//! People's SSH keys.

use domain::ids::SshKeyId;
use sqlx::PgPool;
use store::{
    StoreError,
    audit::Origin,
    orders::{OrderError, Refusal},
    page::PageRequest,
    ssh_keys::{MAX_PER_USER, NewSshKey, SshKeyError},
};

use crate::Shop;

fn key(number: i64) -> NewSshKey {
    NewSshKey {
        name: format!("key {number}"),
        public_key: format!("ssh-ed25519 {number}"),
        fingerprint: format!("SHA256:{number}"),
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_key_is_its_owners_alone(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let stranger = shop.customer().await;
    let mine = shop.store.add_ssh_key(shop.customer, &key(1), &Origin::system()).await.unwrap();
    assert!(
        shop.store.add_ssh_key(stranger, &key(1), &Origin::system()).await.is_ok(),
        "others may have the same"
    );
    let not_found =
        |result: Result<(), StoreError>| assert!(matches!(result, Err(StoreError::NotFound("SSH key"))));
    not_found(shop.store.ssh_key(stranger, mine.id).await.map(drop));
    not_found(shop.store.remove_ssh_key(stranger, mine.id, &Origin::system()).await);
    let refused = shop.store.check_ssh_keys(stranger, &[mine.id], None, "linode").await.unwrap_err();
    assert!(matches!(refused, OrderError::Refused(Refusal::SshKeyUnknown)), "{refused}");
    shop.store.check_ssh_keys(shop.customer, &[mine.id], None, "linode").await.unwrap();
    shop.store.remove_ssh_key(shop.customer, mine.id, &Origin::system()).await.unwrap();
    not_found(shop.store.remove_ssh_key(shop.customer, mine.id, &Origin::system()).await);
    let logged: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_log WHERE object_id = $1")
        .bind(mine.id.0)
        .fetch_one(&shop.pool)
        .await
        .unwrap();
    assert_eq!(logged, 2, "added and removed");
}

#[sqlx::test(migrations = "../migrations")]
async fn no_key_twice_and_not_too_many_also_at_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let adding = (0..5).map(|_| {
        let (store, user) = (shop.store.clone(), shop.customer);
        tokio::spawn(async move { store.add_ssh_key(user, &key(1), &Origin::system()).await })
    });
    let mut added = 0;
    for one in adding.collect::<Vec<_>>() {
        match one.await.unwrap() {
            Ok(_) => added += 1,
            Err(SshKeyError::Exists) => {}
            Err(other) => panic!("unexpected: {other}"),
        }
    }
    assert_eq!(added, 1);
    for number in 2..=MAX_PER_USER {
        shop.store.add_ssh_key(shop.customer, &key(number), &Origin::system()).await.unwrap();
    }
    let refused = shop.store.add_ssh_key(shop.customer, &key(0), &Origin::system()).await.unwrap_err();
    assert!(matches!(refused, SshKeyError::TooMany));
}

#[sqlx::test(migrations = "../migrations")]
async fn keys_are_listed_newest_first_page_by_page(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let mut ids: Vec<SshKeyId> = Vec::new();
    for number in 0..3 {
        ids.push(shop.store.add_ssh_key(shop.customer, &key(number), &Origin::system()).await.unwrap().id);
    }
    let first = shop.store.ssh_keys(shop.customer, PageRequest { before: None, limit: 2 }).await.unwrap();
    assert_eq!(first.data.iter().map(|k| k.id).collect::<Vec<_>>(), [ids[2], ids[1]]);
    let rest =
        shop.store.ssh_keys(shop.customer, PageRequest { before: first.next, limit: 2 }).await.unwrap();
    assert_eq!((rest.data.len(), rest.data[0].id, rest.next), (1, ids[0], None));
}

#[sqlx::test(migrations = "../migrations")]
async fn keys_that_no_server_can_be_told_together_are_refused_before_anything_is_paid(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let mut ids: Vec<SshKeyId> = Vec::new();
    for number in 0..10 {
        let huge = NewSshKey { public_key: format!("ssh-rsa {}", "A".repeat(8_000)), ..key(number) };
        ids.push(shop.store.add_ssh_key(shop.customer, &huge, &Origin::system()).await.unwrap().id);
    }
    shop.store.check_ssh_keys(shop.customer, &ids[..5], None, "linode").await.unwrap();
    let refused = shop.store.check_ssh_keys(shop.customer, &ids, None, "linode").await.unwrap_err();
    assert!(matches!(refused, OrderError::Refused(Refusal::SshKeysTooLong(_))), "{refused}");
}
