//! What staff do while a server is made or waited for.

use std::pin::pin;

use testkit::new_money_act;

use super::*;

/// Does `act` as soon as the order has a server, while its step waits for that.
async fn while_it_boots(shop: &Shop, order: OrderId, act: impl AsyncFn(&str)) -> Result<(), StepError> {
    let mut acted = pin!(async {
        loop {
            if let Some(server) = shop.job(order).await.provider_instance_id {
                return act(&server).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let mut step = pin!(shop.activities.provision(order));
    tokio::select! {
        ended = &mut step => panic!("the step ended before its server was acted on: {ended:?}"),
        () = &mut acted => step.await,
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_server_that_does_not_come_up_is_told_of_and_replaced_while_it_is_waited_for(pool: PgPool) {
    let (simulator, cloud) = ocean(0.0, Duration::ZERO).await;
    let shop = Shop::new(pool, cloud).await;
    shop.admin().await;
    let order = shop.order("do-basic-1gb", "sgp1").await;
    shop.run("UPDATE orders SET policy = '{\"ready_patience_ms\": 0}'").await;
    let fault = json!({ "route": DROPLETS, "kind": "active_without_ip", "seconds": 3600, "times": 1 });
    sim(reqwest::Method::POST, &simulator.url(), "/__sim/faults", fault).await;
    let store = &shop.activities.store;
    let done = while_it_boots(&shop, order, async |stuck| {
        // Also while the old one is told of.
        store.replace_server(order, "it has no address", &Origin::system()).await.unwrap();
        assert!(!stuck.is_empty());
    });
    done.await.unwrap();
    assert_eq!((simulator.calls(DROPLETS), simulator.calls("DELETE /v2/droplets/{id}")), (2, 1));
    let job = shop.job(order).await;
    let server = job.provider_instance_id.unwrap();
    let provider = shop.activities.providers.get("digitalocean", Caller::Servers).unwrap();
    let left = provider.find_by_tag(&order_tag(order)).await.unwrap();
    assert_eq!(left.iter().map(|server| &server.id).collect::<Vec<_>>(), [&server]);
    let told = "SELECT count(*) FROM in_app_notifications WHERE type = 'SERVER_NOT_READY'";
    assert!(shop.count(told).await >= 1);
}

/// It costs money until it is gone, so its provider's refusal ends nothing.
#[sqlx::test(migrations = "../migrations")]
async fn a_server_that_is_to_be_replaced_is_deleted_however_often_its_provider_refuses(pool: PgPool) {
    let (simulator, cloud) = ocean(0.0, Duration::ZERO).await;
    let shop = Shop::new(pool, cloud).await;
    let order = shop.order("do-basic-1gb", "sgp1").await;
    shop.activities.provision(order).await.unwrap();
    let stuck = shop.job(order).await.provider_instance_id.unwrap();
    shop.activities.store.replace_server(order, "it is slow", &Origin::system()).await.unwrap();
    let fault = json!({ "route": "DELETE /v2/droplets/{id}", "kind": "status", "status": 422, "times": 1 });
    sim(reqwest::Method::POST, &simulator.url(), "/__sim/faults", fault).await;
    let refused = shop.activities.provision(order).await.unwrap_err();
    assert!(matches!(refused, StepError::NotDeleted(_)) && refused.is_passing(), "{refused}");
    shop.activities.provision(order).await.unwrap();
    assert_ne!(shop.job(order).await.provider_instance_id.unwrap(), stuck);
    assert_eq!((simulator.calls(DROPLETS), simulator.calls("DELETE /v2/droplets/{id}")), (2, 2));
}

#[sqlx::test(migrations = "../migrations")]
async fn an_order_that_is_called_off_while_its_server_boots_is_not_waited_for(pool: PgPool) {
    let (simulator, cloud) = ocean(3600.0, Duration::ZERO).await;
    let shop = Shop::new(pool, cloud).await;
    let order = shop.order("do-basic-1gb", "sgp1").await;
    let ended = while_it_boots(&shop, order, async |_| {
        let act = new_money_act(shop.admin().await);
        shop.store.cancel_order_for_staff(order, "called off", &act).await.unwrap();
    });
    let ended = ended.await.unwrap_err();
    assert!(
        matches!(&ended, StepError::Store(StoreError::Conflict { state, .. }) if state == "CANCELLED"),
        "{ended}"
    );
    assert_eq!(simulator.calls(DROPLETS), 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn in_a_pause_nothing_is_made_and_what_is_made_comes_up(pool: PgPool) {
    let (simulator, cloud) = ocean(1.0, Duration::ZERO).await;
    let shop = Shop::new(pool, cloud).await;
    let staff = shop.admin().await;
    let (made, waiting) =
        (shop.order("do-basic-1gb", "sgp1").await, shop.order("do-basic-1gb", "sgp1").await);
    let store = &shop.activities.store;
    while_it_boots(&shop, made, async |_| {
        store
            .pause_provisioning(
                "digitalocean",
                "an incident",
                staff,
                &store::versions::IfMatch::Anyhow,
                &Origin::system(),
            )
            .await
            .unwrap();
    })
    .await
    .unwrap();
    let paused = shop.activities.provision(waiting).await.unwrap_err();
    assert!(matches!(paused, StepError::Paused(_)), "{paused}");
    assert_eq!(simulator.calls(DROPLETS), 1);
    store.resume_provisioning("digitalocean", &Origin::system()).await.unwrap();
    shop.activities.provision(waiting).await.unwrap();
    assert_eq!(simulator.calls(DROPLETS), 2);
}
