//! Lists of everybody's servers, orders, payments and invoices: filters, sorting, cursors.

use domain::{billing::PaymentMethod, promo::PromoKind, provisioning::FailureClass, role::Role};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::http::{Expect, TestApi, User};
use uuid::Uuid;

fn ids(page: &Value) -> Vec<Value> {
    page["data"].as_array().unwrap().iter().map(|entry| entry["id"].clone()).collect()
}

/// A list, one entry at a time.
async fn walked(staff: &User, path: &str, query: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = staff.get(&format!("{path}?limit=1&{query}{cursor}")).await.expect(200);
        all.extend(ids(&page));
        let Some(next) = page["next_cursor"].as_str() else { return all };
        cursor = format!("&cursor={next}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn servers_are_found_by_what_is_due(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let support = app.user(Role::Support).await;
    let (sari, budi) = (app.customer().name("Sari").await, app.customer().await);
    let first = app.order().by(sari).hostname("one.example").months(3).active().await;
    let second = app.order().by(sari).hostname("two.example").active().await;
    let third = app.order().by(budi).hostname("three.example").provisioning().await;
    let (one, two) = (first.server(), second.server());
    let three = app.text_of("SELECT id::text FROM instances WHERE order_id = $1", third.id).await;
    let due = "UPDATE instances SET next_due_at = now() + interval '1 hour', held_step = 'suspend', held_since = now(),
               held_why = 'the breaker' WHERE order_id = $1";
    app.run_of(due, second.id).await;
    app.run_of("UPDATE instances SET next_due_at = NULL WHERE order_id = $1", first.id).await;

    let path = "/admin/instances";
    let all = [json!(one), json!(two), json!(three)];
    let [one, two, three] = &all;
    assert_eq!(walked(&support, path, "sort=created_at").await, all);
    assert_eq!(walked(&support, path, "").await, [three.clone(), two.clone(), one.clone()]);
    // What has no term comes last, and first the other way round.
    assert_eq!(walked(&support, path, "sort=expires_at").await, [two.clone(), one.clone(), three.clone()]);
    assert_eq!(walked(&support, path, "sort=-expires_at").await, [three.clone(), one.clone(), two.clone()]);
    assert_eq!(walked(&support, path, "sort=next_due_at").await[0], *two);
    assert_eq!(walked(&support, path, "sort=-next_due_at").await.len(), 3);

    let found = async |query: &str| ids(&support.get(&format!("{path}?{query}")).await.expect(200));
    assert_eq!(found("held=true").await, std::slice::from_ref(two));
    assert_eq!(found("held=false").await.len(), 2);
    assert_eq!(found("status=PROVISIONING").await, std::slice::from_ref(three));
    assert_eq!(found(&format!("customer_id={budi}")).await, std::slice::from_ref(three));
    assert_eq!(found("due_before=2999-01-01T00:00:00Z").await, std::slice::from_ref(two));
    assert_eq!(found("due_before=2020-01-01T00:00:00Z").await.len(), 0);
    assert_eq!(found("provider=digitalocean").await.len(), 3);
    assert_eq!(found("provider=vultr").await.len(), 0);
    assert_eq!(found("plan=nothing").await.len(), 0);
    assert_eq!(found("region=nowhere").await.len(), 0);
    for query in
        ["sort=name", "held=maybe", "status=GONE", "due_before=tomorrow", "customer_id=me", "cursor=x"]
    {
        assert_eq!(
            support.get(&format!("{path}?{query}")).await.problem(),
            (400, "invalid_query"),
            "{query}"
        );
    }

    let shown = support.get(&format!("{path}/{}", two.as_str().unwrap())).await.expect(200);
    assert_eq!(shown["customer"]["full_name"], "Sari");
    assert_eq!(shown["order"], json!({ "id": second.id, "status": "ACTIVE" }));
    assert_eq!(shown["held"]["why"], "the breaker");
    assert_eq!((&shown["term_months"], &shown["policy_version"]), (&json!(1), &json!(1)));
    assert_eq!(shown["workflow"]["id"], format!("instance/{}", two.as_str().unwrap()));
    assert!(shown["provider_instance_id"].is_string() && shown["actions"].is_array());
    assert_eq!(support.get(&format!("{path}/{}", Uuid::now_v7())).await.problem(), (404, "not_found"));
}

#[sqlx::test(migrations = "../migrations")]
async fn money_is_sorted_by_amount(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let support = app.user(Role::Support).await;
    let place =
        async |months| app.order().months(months).paid_by(PaymentMethod::ManualTransfer).place().await.id;
    let (dear, cheap, alike) = (place(12).await, place(1).await, place(1).await);
    let orders = "/admin/orders";
    let (dear, cheap, alike) = (json!(dear), json!(cheap), json!(alike));
    let up = [cheap.clone(), alike.clone(), dear.clone()];
    let down = [dear.clone(), alike.clone(), cheap.clone()];
    assert_eq!(walked(&support, orders, "sort=total").await, up);
    assert_eq!(walked(&support, orders, "sort=-total").await, down);
    assert_eq!(
        walked(&support, orders, "sort=placed_at").await,
        [dear.clone(), cheap.clone(), alike.clone()]
    );
    assert_eq!(walked(&support, orders, "").await, [alike.clone(), cheap.clone(), dear.clone()]);
    assert_eq!(walked(&support, orders, "plan=nothing").await, [] as [Value; 0]);
    assert_eq!(walked(&support, orders, "failure_class=CAPACITY").await, [] as [Value; 0]);

    for (path, sorts) in [
        ("/admin/payments", ["amount", "-amount", "created_at", "-created_at"].as_slice()),
        ("/admin/invoices", &["total", "-total", "due_at", "-due_at", "created_at", "-created_at"]),
    ] {
        for sort in sorts {
            let one_by_one = walked(&support, path, &format!("sort={sort}")).await;
            let page = support.get(&format!("{path}?sort={sort}")).await.expect(200);
            assert_eq!((one_by_one.len(), &one_by_one), (3, &ids(&page)), "{path} {sort}");
            let amounts: Vec<i64> = page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| entry["amount"].as_i64().or(entry["total"].as_i64()).unwrap())
                .collect();
            match *sort {
                "amount" | "total" => assert!(amounts.is_sorted(), "{path} {sort}: {amounts:?}"),
                "-amount" | "-total" => {
                    assert!(amounts.is_sorted_by(|a, b| a >= b), "{path} {sort}: {amounts:?}")
                }
                _ => {}
            }
        }
    }
    assert_eq!(walked(&support, "/admin/payments", "awaiting_approval=true").await.len(), 3);
    assert_eq!(walked(&support, "/admin/payments", "method=QRIS").await.len(), 0);
    assert_eq!(walked(&support, "/admin/payments", "gateway=midtrans").await.len(), 0);
    for query in ["awaiting_approval=true&sort=amount", "sort=total", "method=CASH"] {
        let refused = support.get(&format!("/admin/payments?{query}")).await;
        assert_eq!(refused.problem(), (400, "invalid_query"), "{query}");
    }
}

/// Every list of staff that is sorted, with the words it is sorted by.
fn sorted_lists() -> Vec<(String, Vec<String>)> {
    let document = serde_json::to_value(api::document()).unwrap();
    let mut lists = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let parameters = item["get"]["parameters"].as_array().cloned().unwrap_or_default();
        let Some(sort) = parameters.iter().find(|one| one["name"] == "sort") else { continue };
        let words = serde_json::from_value(sort["schema"]["enum"].clone()).unwrap();
        lists.push((path.strip_prefix("/api/v1").unwrap().to_owned(), words));
    }
    lists
}

#[sqlx::test(migrations = "../migrations")]
async fn every_list_is_walked_in_every_order(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let (admin, sari) = (app.user(Role::Admin).await, app.customer().await);
    for code in ["SATU", "DUA"] {
        app.promo(code, PromoKind::OrderFixed, 10_000).await;
        app.order().by(sari).promo(code).active().await;
        let note = json!({ "text": format!("about {code}") });
        admin.post(&format!("/admin/users/{sari}/notes"), &note).await.expect(201);
        let news = json!({ "title": code, "body": "news" });
        admin.post("/admin/announcements", &news).await.expect(201);
        app.order().failed(FailureClass::Capacity).await;
        admin.post("/admin/bulk-retries", &json!({ "failure_class": "CAPACITY" })).await.expect(202);
        admin.post("/admin/ledger/checks", &Value::Null).await.expect_success();
    }
    app.leave_undelivered();
    let held = "UPDATE instances SET held_step = 'suspend', held_since = now(), held_why = 'test'";
    app.run(held).await;
    let promo = app.text("SELECT id::text FROM promos ORDER BY id LIMIT 1").await;
    let mut filled = Vec::new();
    for (template, words) in sorted_lists() {
        let of = if template.contains("/users/") { sari.to_string() } else { promo.clone() };
        let path = template.replace("{id}", &of);
        for word in &words {
            let whole = admin.get(&format!("{path}?sort={word}&limit=100")).await.expect(200);
            let key = if template.ends_with("/held") { "instance_id" } else { "id" };
            let ids: Vec<Value> =
                whole["data"].as_array().unwrap().iter().map(|entry| entry[key].clone()).collect();
            let (mut one_by_one, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = admin.get(&format!("{path}?sort={word}&limit=1{cursor}")).await.expect(200);
                one_by_one.extend(page["data"].as_array().unwrap().iter().map(|entry| entry[key].clone()));
                let Some(next) = page["next_cursor"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            assert_eq!(one_by_one, ids, "{path} by {word}");
            let backwards = word.strip_prefix('-').map_or_else(|| format!("-{word}"), str::to_owned);
            let turned = admin.get(&format!("{path}?sort={backwards}&limit=100")).await.expect(200);
            let mut turned: Vec<Value> =
                turned["data"].as_array().unwrap().iter().map(|entry| entry[key].clone()).collect();
            turned.reverse();
            assert_eq!(turned, ids, "{path} by {word} is {backwards} the other way round");
            if ids.len() > 1 {
                filled.push(template.clone());
            }
        }
        let usual = admin.get(&format!("{path}?limit=100")).await.expect(200);
        let first = admin.get(&format!("{path}?sort={}&limit=100", words[0])).await.expect(200);
        assert_eq!(usual, first, "{path}");
        let wrong = admin.get(&format!("{path}?sort=password")).await;
        assert_eq!(wrong.problem(), (400, "invalid_query"), "{path}");
    }
    filled.dedup();
    assert!(filled.len() >= 13, "{filled:?}");
}
