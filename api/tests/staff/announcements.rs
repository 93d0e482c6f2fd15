//! News to customers: whom they reach, when, and that they do so once.

use domain::{ids::UserId, role::Role};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::http::{Expect, TestApi, User};
use uuid::Uuid;

const PATH: &str = "/admin/announcements";

fn news(change: Value) -> Value {
    let mut news = json!({ "title": "Kabar <b>baru</b>", "body": "Baris satu.\n\n{{ two }} & three" });
    for (field, value) in change.as_object().unwrap() {
        news[field] = value.clone();
    }
    news
}

/// Who was told of announcements.
async fn told(app: &TestApi) -> Vec<UserId> {
    sqlx::query_scalar::<_, Uuid>(
        "SELECT user_id FROM in_app_notifications WHERE type = 'SYSTEM_ANNOUNCEMENT' ORDER BY user_id",
    )
    .fetch_all(&app.pool)
    .await
    .unwrap()
    .into_iter()
    .map(UserId)
    .collect()
}

async fn publish(admin: &User, change: Value) -> Value {
    admin.post(PATH, &news(change)).await.expect(201)
}

#[sqlx::test(migrations = "../migrations")]
async fn customers_are_told_once_in_our_own_words(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let (admin, support) = (app.user(Role::Admin).await, app.user(Role::Support).await);
    let (sari, budi) = (app.user(Role::Customer).await, app.user(Role::Customer).await);
    let suspended = app.customer().await;
    let reason = json!({ "reason": "spam from two servers" });
    admin.post(&format!("/admin/users/{suspended}/suspend"), &reason).await.expect(200);

    let request = news(json!({}));
    let made = admin.post(PATH, &request).key("news-1").await.expect(201);
    assert_eq!(
        (&made["status"], &made["recipients"], &made["delivered"]),
        (&json!("DELIVERED"), &json!(2), &json!(2))
    );
    let again = admin.post(PATH, &request).key("news-1").await.expect(201);
    assert_eq!(again["id"], made["id"]);
    let other = admin.post(PATH, &news(json!({ "title": "Lain" }))).key("news-1").await;
    other.expect_problem(422, "idempotency_key_reused");
    app.store.tell_announcements(10).await.unwrap();
    let mut readers = [sari.id, budi.id];
    readers.sort();
    assert_eq!(told(&app).await, readers, "neither staff nor who is suspended, and nobody twice");

    let inbox = sari.get("/notifications").await.expect(200);
    let read = &inbox["data"][0];
    assert_eq!((&read["type"], &read["title"]), (&json!("SYSTEM_ANNOUNCEMENT"), &json!("Kabar <b>baru</b>")));
    assert_eq!(read["message"], "Baris satu.\n\n{{ two }} & three");
    // Who comes later has not missed anything.
    app.user(Role::Customer).await;
    app.store.tell_announcements(10).await.unwrap();
    assert_eq!(told(&app).await.len(), 2);
    let shown = support.get(&format!("{PATH}/{}", made["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(shown["delivered"], 2);
    let acts = app.count("SELECT count(*) FROM audit_log WHERE action = 'announcement.create'").await;
    assert_eq!(acts, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_audience_is_whom_all_of_it_applies_to(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let admin = app.user(Role::Admin).await;
    let (with, gone, without) = (app.customer().await, app.customer().await, app.customer().await);
    app.order().by(with).active().await;
    let ended = app.order().by(gone).active().await;
    app.run_of("UPDATE instances SET status = 'TERMINATING' WHERE order_id = $1", ended.id).await;
    sqlx::query("UPDATE users SET language = 'en' WHERE id = $1")
        .bind(without.0)
        .execute(&app.pool)
        .await
        .unwrap();
    for (audience, number) in [
        (json!({ "provider": "digitalocean" }), 1),
        (json!({ "provider": "digitalocean", "region": "sgp1" }), 1),
        (json!({ "region": "blr1" }), 0),
        (json!({ "provider": "vultr" }), 0),
        (json!({ "language": "en" }), 1),
        (json!({ "language": "id", "region": "sgp1" }), 1),
        (json!({ "language": "en", "region": "sgp1" }), 0),
        (json!({}), 3),
    ] {
        let made = publish(&admin, json!({ "audience": audience })).await;
        assert_eq!(
            (&made["delivered"], &made["status"]),
            (&json!(number), &json!("DELIVERED")),
            "{audience}"
        );
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_for_later_waits_and_can_be_called_off(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let admin = app.user(Role::Admin).await;
    app.customer().await;
    let later = json!({ "publish_at": app.text("SELECT to_char(now() + interval '1 hour', 'YYYY-MM-DD\"T\"HH24:MI:SSOF:00')").await });
    let (kept, dropped) = (publish(&admin, later.clone()).await, publish(&admin, later).await);
    assert_eq!((&kept["status"], &kept["recipients"]), (&json!("SCHEDULED"), &Value::Null));
    let of = |one: &Value| format!("{PATH}/{}", one["id"].as_str().unwrap());
    let cancelled = admin.post(&format!("{}/cancel", of(&dropped)), &Value::Null).await.expect(200);
    assert_eq!(cancelled["status"], "CANCELLED");
    let twice = admin.post(&format!("{}/cancel", of(&dropped)), &Value::Null).await;
    let twice = twice.expect_problem(409, "announcement_conflict");
    assert_eq!(twice["detail"], "the announcement is CANCELLED");
    assert_eq!(app.store.tell_announcements(10).await.unwrap(), 0);

    // An hour later; what was written stays, so the clock is moved past the trigger.
    app.run("ALTER TABLE announcements DISABLE TRIGGER announcements_stay").await;
    app.run("UPDATE announcements SET publish_at = now()").await;
    app.run("ALTER TABLE announcements ENABLE TRIGGER announcements_stay").await;
    assert_eq!(app.store.tell_announcements(10).await.unwrap(), 1);
    assert_eq!(told(&app).await.len(), 1);
    let late = admin.post(&format!("{}/cancel", of(&kept)), &Value::Null).await;
    assert_eq!(late.expect_problem(409, "announcement_conflict")["detail"], "the announcement is DELIVERED");

    let list = admin.get(&format!("{PATH}?sort=publish_at&limit=1")).await.expect(200);
    let next = list["next_cursor"].as_str().unwrap();
    let rest = admin.get(&format!("{PATH}?sort=publish_at&limit=1&cursor={next}")).await.expect(200);
    assert_eq!(
        (list["data"][0]["id"].clone(), rest["data"][0]["id"].clone()),
        (kept["id"].clone(), dropped["id"].clone())
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn nothing_is_told_of_what_makes_no_sense(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let admin = app.user(Role::Admin).await;
    app.customer().await;
    for (change, code) in [
        (json!({ "title": " " }), "validation_failed"),
        (json!({ "title": "two\nlines" }), "validation_failed"),
        (json!({ "title": "x".repeat(201) }), "validation_failed"),
        (json!({ "body": "" }), "validation_failed"),
        (json!({ "publish_at": "2020-01-01T00:00:00Z" }), "validation_failed"),
        (json!({ "publish_at": "2999-01-01T00:00:00Z" }), "validation_failed"),
        (json!({ "publish_at": "tomorrow" }), "invalid_body"),
        (json!({ "audience": { "language": "fr" } }), "invalid_body"),
        (json!({ "audience": { "plan": "x" } }), "invalid_body"),
        (json!({ "audience": { "provider": "hetzner" } }), "provider_unknown"),
        (json!({ "audience": { "region": "nowhere" } }), "region_unknown"),
        (json!({ "audience": { "provider": "vultr", "region": "sgp1" } }), "region_unknown"),
    ] {
        let refused = admin.post(PATH, &news(change.clone())).await;
        assert_eq!(refused.problem(), (422, code), "{change}");
    }
    assert_eq!(app.count("SELECT count(*) FROM announcements").await, 0);
    assert_eq!(told(&app).await, []);
    let nothing = format!("{PATH}/{}", Uuid::now_v7());
    assert_eq!(admin.get(&nothing).await.problem(), (404, "not_found"));
    assert_eq!(admin.post(&format!("{nothing}/cancel"), &Value::Null).await.problem(), (404, "not_found"));
}

#[sqlx::test(migrations = "../migrations")]
async fn telling_goes_on_where_it_was_killed_and_two_at_once_tell_nobody_twice(pool: PgPool) {
    let app = TestApi::new(pool.clone()).await;
    let admin = app.user(Role::Admin).await;
    let people: Vec<Uuid> = (0..1_700).map(|_| Uuid::now_v7()).collect();
    testkit::bulk::people(&pool, &people).await;
    let made = publish(&admin, json!({})).await;
    assert_eq!(
        (&made["status"], &made["recipients"], &made["delivered"]),
        (&json!("DELIVERING"), &json!(1_700), &json!(500))
    );
    // A worker is killed within its part: nothing of the part stays.
    app.run(
        "CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''killed''; END'",
    )
    .await;
    app.run("CREATE TRIGGER crash BEFORE UPDATE ON announcements FOR EACH ROW EXECUTE FUNCTION crash()")
        .await;
    assert!(app.store.tell_announcements(1).await.is_err());
    app.run("DROP TRIGGER crash ON announcements").await;
    assert_eq!(told(&app).await.len(), 500);

    let workers = [(); 3].map(|()| {
        let store = app.store.clone();
        tokio::spawn(async move { store.tell_announcements(10).await.unwrap() })
    });
    let mut number = 0;
    for worker in workers {
        number += worker.await.unwrap();
    }
    while app.count("SELECT count(*) FROM announcements WHERE delivered_at IS NULL").await > 0 {
        number += app.store.tell_announcements(10).await.unwrap();
    }
    assert_eq!(number, 1_200);
    let mut all: Vec<UserId> = people.into_iter().map(UserId).collect();
    all.sort();
    assert_eq!(told(&app).await, all);
    let shown = admin.get(&format!("{PATH}/{}", made["id"].as_str().unwrap())).await.expect(200);
    assert_eq!((&shown["status"], &shown["delivered"]), (&json!("DELIVERED"), &json!(1_700)));
    assert_eq!(app.count("SELECT count(*) FROM events WHERE kind = 'announcement'").await, 4);
}
