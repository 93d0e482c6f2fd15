//! Servers that are not as our record says.

use super::*;

#[sqlx::test(migrations = "../migrations")]
async fn our_record_is_corrected_and_the_rest_told(pool: PgPool) {
    let fleet = Fleet::new(pool).await;
    let (order, server) = fleet.active().await;
    fleet.cloud.perform_action(&server.id, &ProviderAction::PowerOff).await.unwrap();
    sqlx::query(
        "UPDATE instances SET ipv4 = '192.0.2.9', plan_id = (SELECT id FROM plans WHERE slug = 'do-basic-2gb')
         WHERE order_id = $1",
    )
    .bind(order.0)
    .execute(&fleet.pool)
    .await
    .unwrap();
    let found = fleet.compare(ACT).await;
    assert_eq!(verdict(&found, &server).unwrap().2, FindingAction::Corrected);
    let (power, ipv4): (String, String) =
        sqlx::query_as("SELECT power_state, ipv4 FROM instances").fetch_one(&fleet.pool).await.unwrap();
    assert_eq!((power.as_str(), ipv4), ("OFF", server.ipv4.unwrap().to_string()));
    let left = fleet.compare(ACT).await;
    assert_eq!(left[0].action, FindingAction::None);
    assert_eq!(
        left[0].detail,
        json!({ "differences": [{ "field": "size", "ours": "s-1vcpu-2gb", "theirs": "s-1vcpu-1gb" }] })
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn a_server_that_is_worked_on_does_not_differ(pool: PgPool) {
    let fleet = Fleet::new(pool).await;
    let (order, server) = fleet.active().await;
    fleet.cloud.perform_action(&server.id, &ProviderAction::PowerOff).await.unwrap();
    fleet.request(order, InstanceAction::PowerOff).await;
    assert!(fleet.compare(ACT).await.is_empty());
}
