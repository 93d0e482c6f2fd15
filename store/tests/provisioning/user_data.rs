//! What a server is told at its first boot: kept sealed, told to its provider only, gone with the server.

use domain::{
    failover::FailoverPolicy, instance::InstanceAction, provisioning::FailureClass,
    user_data::FirstBootLimits,
};
use sqlx::PgPool;
use store::{
    audit::Origin,
    credentials::CredentialsKeys,
    instance_actions::{NewAction, RequestedBy},
    orders::{OrderError, Refusal},
    placements::{Elsewhere, ElsewhereRefusal, RetryError},
    provisioning::ProvisioningFailure,
};
use testkit::TestApp;

const SCRIPT: &str = "#!/bin/sh\necho secret-of-the-shop > /root/token\n";

async fn shop(pool: PgPool) -> TestApp {
    let keys = CredentialsKeys::parse(&format!("{}=", "A".repeat(43)).into()).unwrap();
    TestApp::with(pool, |store| store.with_credentials_keys(keys)).await
}

#[sqlx::test(migrations = "../migrations")]
async fn it_is_told_to_the_provider_and_to_nobody_else(pool: PgPool) {
    let app = shop(pool).await;
    let order = app.order().user_data(SCRIPT).provisioning().await;
    let job = app.store.provisioning_job(order.id).await.unwrap();
    assert_eq!(job.user_data.as_ref().map(|data| data.expose()), Some(SCRIPT));
    assert!(!format!("{job:?}").contains("secret-of-the-shop"));
    let kept = "SELECT count(*) FROM order_user_data WHERE position('secret-of-the-shop' IN encode(sealed, 'escape')) = 0";
    assert_eq!(app.count(kept).await, 1);
    let told = "SELECT count(*) FROM outbox WHERE payload::text LIKE '%secret-of-the-shop%'";
    assert_eq!(app.count(told).await, 0);

    // Once the server is known, nothing is to be told; a rebuild asks for it.
    app.activate(order.id).await;
    assert!(app.store.provisioning_job(order.id).await.unwrap().user_data.is_none());
    assert!(app.store.user_data_of(order.id).await.unwrap().is_some());
    let delete = NewAction {
        instance: order.server(),
        by: RequestedBy::Program,
        action: &InstanceAction::Delete,
        origin: &Origin::system(),
        idempotency_key: None,
    };
    let delete = app.store.request_action(&delete).await.unwrap();
    app.store.next_action(order.server()).await.unwrap();
    app.store.terminate_instance(delete.id).await.unwrap();
    assert!(app.store.user_data_of(order.id).await.unwrap().is_none());
}

#[sqlx::test(migrations = "../migrations")]
async fn what_can_not_be_told_is_refused_before_anything_is_written(pool: PgPool) {
    let app = shop(pool).await;
    for (text, is_long) in
        [("apt-get install nginx".to_owned(), false), (format!("#!{}", "x".repeat(50_000)), true)]
    {
        let refused = app.order().user_data(text).try_place().await.unwrap_err();
        match refused {
            OrderError::Refused(Refusal::UserDataInvalid(_)) => assert!(!is_long),
            OrderError::Refused(Refusal::UserDataTooLong(_)) => assert!(is_long),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(app.count("SELECT count(*) FROM orders").await, 0);
    let plain = app.order().place().await;
    assert!(app.store.user_data_of(plain.id).await.unwrap().is_none());
}

#[sqlx::test(migrations = "../migrations")]
async fn an_order_moves_only_to_providers_that_take_its_user_data(pool: PgPool) {
    let keys = CredentialsKeys::parse(&format!("{}=", "A".repeat(43)).into()).unwrap();
    let limits = FirstBootLimits::from_iter([("digitalocean", 65_536), ("linode", 65_535)]);
    let app =
        TestApp::with(pool, |store| store.with_credentials_keys(keys).with_first_boot_limits(limits)).await;
    let long = format!("#!{}", "x".repeat(60_000));
    let configured = ["digitalocean", "linode", "vultr"].map(str::to_owned);
    let failure = ProvisioningFailure { class: FailureClass::Capacity, message: "no room".to_owned() };
    let policy = FailoverPolicy { enabled: true, margin_bp: 1_000 };
    // Vultr would be the nearest, and takes 48 KiB.
    let order = app.order().failover(policy).user_data(&*long).provisioning().await;
    let moved = app.store.fail_provisioning(order.id, 1, &failure, &configured).await.unwrap();
    assert_eq!(app.store.provider_of_order(order.id).await.unwrap(), "linode", "{moved:?}");

    let order = app.order().user_data(&*long).failed(FailureClass::Capacity).await;
    let wish = Elsewhere {
        plan_id: Some(app.plan("vultr-regular-1gb").await),
        configured: configured.to_vec(),
        ..Elsewhere::default()
    };
    let refused = app.store.retry_provisioning_elsewhere(order.id, &wish, &Origin::system()).await;
    assert!(matches!(refused, Err(RetryError::Refused(ElsewhereRefusal::UserDataTooLong))), "{refused:?}");
    assert_eq!(app.store.provider_of_order(order.id).await.unwrap(), "digitalocean");
}
