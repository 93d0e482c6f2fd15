//! A promo code's bonus, from the deposit to the balance, through a gateway that tells more than once.

use domain::{
    Rupiah,
    promo::{PromoKind, PromoTerms},
};
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use sqlx::PgPool;

use testkit::http::{Answer, redacted};

use crate::{Shop, text};

impl Shop {
    /// Makes `BONUS10`: ten percent on top, at most 40,000, once for each.
    async fn bonus10(&self) {
        let terms = |terms: &mut PromoTerms| {
            terms.min_amount = Some(Rupiah::new(50_000));
            terms.max_amount = Some(Rupiah::new(40_000));
            terms.per_user_limit = Some(1);
        };
        self.promo("BONUS10", PromoKind::DepositPercent, 10).terms(terms).await;
    }

    async fn open_with(&self, code: &str, amount: i64, key: &str) -> Answer {
        let body = json!({ "amount": amount, "payment_method": "QRIS", "promo_code": code });
        self.me.post("/wallet/deposits", &body).key(key).await
    }

    async fn read_deposit(&self, deposit: &Value) -> Value {
        self.me.get(&format!("/wallet/deposits/{}", text(deposit, "id"))).await.body
    }

    async fn balance(&self) -> i64 {
        self.me.get("/wallet").await.body["balance"].as_i64().unwrap()
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_deposit_brings_its_bonus_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.bonus10().await;
    let deposit = shop.open_with("bonus10", 500_000, "deposit").await;
    assert_eq!(deposit.status, 201, "{:?}", deposit.body);
    let deposit = deposit.body;
    assert_json_snapshot!("a_deposit_with_a_bonus", redacted(&deposit));
    assert_eq!(shop.open_with("BONUS10", 500_000, "deposit").await.body, deposit);

    let pay = json!({ "order_id": deposit["payment"]["gateway_order_id"], "duplicates": 3 });
    let (first, second) = tokio::join!(shop.pay(&pay), shop.pay(&pay));
    assert!(first.iter().chain(&second).all(|status| *status == 200), "{first:?} {second:?}");
    assert_eq!(shop.balance().await, 540_000);
    let read = shop.read_deposit(&deposit).await;
    assert_eq!((text(&read, "status"), text(&read, "bonus_status")), ("PAID", "REDEEMED"));
    let lines = shop.me.get("/wallet/transactions").await.body;
    assert_json_snapshot!("its_lines_of_the_statement", redacted(&lines));
    let report = shop.store.check_ledger().await.unwrap();
    assert!(report.sound, "{:#?}", report.findings);
    let refused = shop.open_with("BONUS10", 500_000, "more").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "promo_already_used"));
    assert_eq!(refused.body["errors"][0]["field"], "promo_code");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_deposit_that_expires_gives_the_code_back(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.bonus10().await;
    let refused = shop.open_with("BONUS10", 49_999, "small").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "promo_minimum"));
    let first = shop.open_with("BONUS10", 50_000, "first").await.body;
    let expire = json!({ "order_id": first["payment"]["gateway_order_id"], "outcome": "expire" });
    assert_eq!(shop.pay(&expire).await, [200]);
    assert_eq!(text(&shop.read_deposit(&first).await, "bonus_status"), "RELEASED");
    let second = shop.open_with("BONUS10", 100_000, "second").await.body;
    assert_eq!(shop.pay(&json!({ "order_id": second["payment"]["gateway_order_id"] })).await, [200]);
    assert_eq!(shop.balance().await, 110_000);
    let listed = shop.me.get("/wallet/deposits").await.body;
    let bonuses: Vec<_> = listed["data"].as_array().unwrap().iter().map(|d| d["bonus"].clone()).collect();
    assert_eq!(bonuses, [json!(10_000), json!(5_000)]);
}
