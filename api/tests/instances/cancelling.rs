//! Calling a server off: what is answered, and what is refused with nothing changed.

use domain::role::Role;
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::http::{Expect, Method};

use crate::{World, assert_problem};

#[sqlx::test(migrations = "../migrations")]
async fn a_server_is_called_off_for_the_end_of_its_term_and_stays_after_all(pool: PgPool) {
    let world = World::open(pool).await;
    let path = format!("/instances/{}", world.server);
    let end = world.me.get(&path).await.expect(200)["expires_at"].clone();
    let body = json!({ "when": "period_end" });
    let done = world.mine(Method::POST, "/cancel", &body).key("end").await.expect(202);
    assert_eq!(
        (&done["when"], &done["effective_at"], &done["credited"]),
        (&json!("period_end"), &end, &json!(0))
    );
    assert_eq!(world.me.get(&path).await.expect(200)["cancels_at_period_end"], true);
    let renew = json!({ "term_months": 1, "payment_method": "WALLET" });
    let refused = world.mine(Method::POST, "/renew", &renew).key("renew").await;
    assert_problem(&refused, 409, "instance_conflict");

    let stays = world.mine(Method::DELETE, "/cancel", &Value::Null).await.expect(200);
    assert_eq!(stays["cancels_at_period_end"], false);
    world.mine(Method::DELETE, "/cancel", &Value::Null).await.expect(200);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_server_is_called_off_at_once(pool: PgPool) {
    let world = World::open(pool).await;
    let body = json!({ "when": "now" });
    let done = world.mine(Method::POST, "/cancel", &body).key("off").await.expect(202);
    let again = world.mine(Method::POST, "/cancel", &body).key("off").await.expect(202);
    assert_eq!(done, again);
    assert!(done["credited"].as_i64().unwrap() > 100_000, "{done}");
    let action = format!("/actions/{}", done["action_id"].as_str().unwrap());
    let action = world.mine(Method::GET, &action, &Value::Null).await.expect(200);
    assert_eq!((&action["action"], &action["status"]), (&json!("delete"), &json!("pending")));
    let refunds = world.me.get("/refunds").await.expect(200);
    assert_eq!(refunds["data"][0]["reason"], "web-1 was called off: what was not served of it");
    assert_eq!(refunds["data"][0]["amount"], done["credited"]);
    assert_problem(&world.mine(Method::POST, "/cancel", &body).key("other").await, 409, "instance_conflict");
    assert_problem(&world.mine(Method::DELETE, "/cancel", &Value::Null).await, 409, "instance_conflict");
}

#[sqlx::test(migrations = "../migrations")]
async fn what_makes_no_sense_changes_nothing(pool: PgPool) {
    let world = World::open(pool).await;
    for (body, code) in [
        (json!({}), "invalid_body"),
        (json!({ "when": "tomorrow" }), "invalid_body"),
        (json!({ "when": "now", "refund": true }), "invalid_body"),
    ] {
        assert_problem(&world.mine(Method::POST, "/cancel", &body).key("bad").await, 422, code);
    }
    let body = json!({ "when": "now" });
    let refused = world.mine(Method::POST, "/cancel", &body).await;
    assert_problem(&refused, 400, "idempotency_key_required");
    let stranger = world.user(Role::Customer).await;
    let path = format!("/instances/{}/cancel", world.server);
    let theirs = stranger.request(Method::POST, &path).json(&body).key("theirs").await;
    assert_problem(&theirs, 404, "not_found");
    world.mine(Method::POST, "/cancel", &json!({ "when": "period_end" })).key("k").await.expect(202);
    assert_problem(&world.mine(Method::POST, "/cancel", &body).key("k").await, 422, "idempotency_key_reused");
    let asked = "SELECT count(*) FROM instance_actions";
    assert_eq!(world.count(asked).await, 0);
}
