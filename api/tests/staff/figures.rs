//! What the business comes to.

use domain::{Rupiah, billing::PaymentMethod, provisioning::FailureClass, role::Role};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::http::{Expect, TestApi};

#[sqlx::test(migrations = "../migrations")]
async fn the_figures_are_those_of_the_books(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let support = app.user(Role::Support).await;
    let dashboard = async || support.get("/admin/dashboard").await.expect(200);
    let provider = |figures: &Value, slug: &str| {
        let all = figures["providers"].as_array().unwrap().clone();
        all.into_iter().find(|one| one["provider"] == slug).unwrap()
    };
    let empty = dashboard().await;
    assert_eq!((&empty["mrr"], &empty["churn"]["rate_bp"]), (&json!(0), &Value::Null));
    assert_eq!(empty["liabilities"]["total"], 0);
    assert_eq!(empty["orders"].as_array().unwrap().len(), 8);

    let sari = app.customer().await;
    app.deposit(sari, Rupiah::new(100_000)).await;
    let monthly = app.order().by(sari).active().await;
    app.order().by(sari).months(12).active().await;
    app.order().by(sari).failed(FailureClass::Capacity).await;
    let waiting = app.order().by(sari).paid_by(PaymentMethod::ManualTransfer).place().await;
    let figures = dashboard().await;
    let orders = figures["orders"].as_array().unwrap();
    let of = |status: &str| orders.iter().find(|one| one["status"] == status).unwrap()["orders"].clone();
    assert_eq!(
        (of("ACTIVE"), of("PROVISIONING_FAILED"), of("PENDING_PAYMENT")),
        (json!(2), json!(1), json!(1))
    );
    assert_eq!(figures["failures"], json!([{ "class": "CAPACITY", "orders": 1 }]));
    assert_eq!(figures["payments_pending"]["payments"], 1);
    assert_eq!(figures["payments_pending"]["amount"], json!(waiting.payment.amount));
    assert_eq!(figures["payments_pending"]["transfers"], 1);

    // The year's discount is taken off the month's price.
    let mrr = app
        .count(
            "SELECT sum(p.price_monthly - round(p.price_monthly * t.discount_bp / 10000.0))::bigint
             FROM instances i JOIN plans p ON p.id = i.plan_id JOIN orders o ON o.id = i.order_id
             JOIN terms t ON t.months = o.term_months WHERE i.status = 'ACTIVE'",
        )
        .await;
    let cost = app
        .count(
            "SELECT round(sum(p.cost_monthly_usd) * 16500)::bigint FROM instances i JOIN plans p ON p.id = i.plan_id
             WHERE i.status = 'ACTIVE'",
        )
        .await;
    let here = provider(&figures, "digitalocean");
    assert_eq!((&here["active_servers"], &here["idle_servers"]), (&json!(2), &json!(0)));
    assert_eq!(
        (&here["mrr"], &here["cost"], &here["margin"]),
        (&json!(mrr), &json!(cost), &json!(mrr - cost))
    );
    assert_eq!((&figures["mrr"], &figures["margin"]), (&json!(mrr), &json!(mrr - cost)));
    assert_eq!(provider(&figures, "vultr")["active_servers"], 0);

    let wallet = app.balance(sari).await;
    assert_eq!(figures["liabilities"]["wallets"], json!(wallet));
    let deferred = app
        .count(
            "SELECT sum(e.amount)::bigint FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id
             WHERE a.kind = 'DEFERRED_REVENUE'",
        )
        .await;
    assert!(deferred > 0);
    assert_eq!(figures["liabilities"]["deferred_revenue"], json!(deferred));

    // A third of the month and of the year is served, and one of the servers leaves.
    app.run("UPDATE instances SET starts_at = starts_at - interval '40 days'").await;
    app.store.recognise_revenue(None, 100).await.unwrap();
    app.run_of("UPDATE instances SET status = 'SUSPENDED' WHERE order_id = $1", monthly.id).await;
    let later = dashboard().await;
    let earned = later["revenue"]["this_month"]["recognised"].as_i64().unwrap();
    assert!(earned > 0);
    assert_eq!(later["revenue"]["this_month"]["net"], json!(earned));
    assert_eq!(later["revenue"]["last_month"]["recognised"], 0);
    assert_eq!(later["liabilities"]["deferred_revenue"], json!(deferred - earned));
    let idle = provider(&later, "digitalocean");
    assert_eq!((&idle["active_servers"], &idle["idle_servers"]), (&json!(1), &json!(1)));
    assert_eq!(idle["cost"], json!(cost), "it costs us all the same");
    app.run_of("UPDATE instances SET status = 'TERMINATED' WHERE order_id = $1", monthly.id).await;
    let churn = dashboard().await["churn"].clone();
    assert_eq!(churn, json!({ "servers": 2, "lost": 1, "rate_bp": 5_000 }));
}

/// Every figure of a small shop, reckoned by hand: a plan of Rp129.000 that costs 6 dollars of Rp16.500, PPN of 11 %.
#[sqlx::test(migrations = "../migrations")]
async fn the_figures_of_a_small_shop_are_those_reckoned_by_hand(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let support = app.user(Role::Support).await;
    let sari = app.customer().await;
    app.deposit(sari, Rupiah::new(500_000)).await;
    let plan = "SELECT price_monthly || ' ' || cost_monthly_usd FROM plans WHERE slug = 'do-basic-1gb'";
    assert_eq!(app.text(plan).await, "129000 6.0000");
    let first = app.order().by(sari).active().await;
    app.order().by(sari).active().await;
    let left = app.order().by(sari).active().await;
    app.order().by(sari).failed(FailureClass::Configuration).await;
    app.order().by(sari).failed(FailureClass::Capacity).await;
    app.order().by(sari).failed(FailureClass::Capacity).await;
    app.order().by(sari).expired().await;
    app.order().by(sari).cancelled().await;
    app.order().paid_by(PaymentMethod::ManualTransfer).place().await;
    // All of the first month is served, and it began 40 days ago; one of the servers is gone since.
    app.run("UPDATE instances SET starts_at = starts_at - interval '40 days', expires_at = expires_at - interval '40 days'").await;
    app.run_of("UPDATE instances SET status = 'SUSPENDED' WHERE order_id = $1", first.id).await;
    app.run_of("UPDATE instances SET status = 'TERMINATED' WHERE order_id = $1", left.id).await;
    app.store.recognise_revenue(None, 100).await.unwrap();

    let figures = support.get("/admin/dashboard").await.expect(200);
    let orders: Value = figures["orders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["status"].as_str().unwrap().to_owned(), one["orders"].clone()))
        .collect();
    assert_eq!(
        orders,
        json!({
            "PENDING_PAYMENT": 1, "PAID": 0, "PROVISIONING": 0, "PROVISIONING_FAILED": 3, "ACTIVE": 3, "EXPIRED": 1,
            "CANCELLED": 1, "REFUNDED": 0,
        })
    );
    let failures = json!([{ "class": "CAPACITY", "orders": 2 }, { "class": "CONFIGURATION", "orders": 1 }]);
    assert_eq!(figures["failures"], failures);
    // One server is active, one is suspended; both cost Rp99.000.
    assert_eq!((&figures["mrr"], &figures["margin"]), (&json!(129_000), &json!(129_000 - 198_000)));
    let here = figures["providers"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["provider"] == "digitalocean")
        .unwrap();
    assert_eq!(
        (&here["active_servers"], &here["idle_servers"], &here["cost"]),
        (&json!(1), &json!(1), &json!(198_000))
    );
    // Three months of Rp129.000 are served in full.
    let earned = json!({ "recognised": 387_000, "refunded": 0, "net": 387_000 });
    assert_eq!(figures["revenue"]["this_month"], earned);
    assert_eq!(figures["churn"], json!({ "servers": 3, "lost": 1, "rate_bp": 3_333 }));
    // A transfer is awaited, and who was late may still pay: the gateway takes the money, and it revives the order.
    assert_eq!(figures["payments_pending"], json!({ "payments": 2, "amount": 286_380, "transfers": 1 }));
    // What three failed orders paid for is not served yet.
    let owed = &figures["liabilities"];
    assert_eq!((&owed["deferred_revenue"], &owed["refunds_payable"]), (&json!(387_000), &json!(0)));
    assert_eq!((&owed["wallets"], &owed["held"]), (&json!(500_000), &json!(0)));
    assert_eq!(owed["total"], 887_000);
}
