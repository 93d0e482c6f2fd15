//! A code's bonus on a deposit: credited with the money, once, or not at all.

use domain::{
    Rupiah,
    billing::PaymentStatus as P,
    event::Event,
    gateway::Outcome,
    language::Language,
    ledger::MovementKind as M,
    promo::{PromoKind as K, PromoRefusal, RedemptionState as S},
};
use sqlx::PgPool;
use store::{page::PageRequest, payments::ChargeResult, wallet::StatementFilter};
use tokio::task::JoinSet;

use crate::{CODE, Shop, deposit_refusal, webhook_event};

impl Shop {
    async fn statement(&self) -> Vec<(M, i64, i64)> {
        let page = PageRequest { before: None, limit: 100 };
        let filter = StatementFilter::default();
        let lines = self.store.wallet_statement(self.customer, &filter, page).await.unwrap().data;
        lines.iter().map(|line| (line.kind, line.amount.get(), line.balance.get())).collect()
    }

    async fn messages(&self) -> Vec<String> {
        let page = PageRequest { before: None, limit: 100 };
        let told = self.store.notifications(self.customer, false, page).await.unwrap().data;
        let message =
            |event: Option<Event>| messages::in_app(&event.unwrap(), Language::English).unwrap().message;
        told.into_iter().rev().map(|notification| message(notification.event)).collect()
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_bonus_is_credited_once_however_often_the_gateway_tells(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.promo(K::DepositPercent, 10, |terms| terms.max_amount = Some(Rupiah::new(40_000))).await;
    let deposit = shop.deposit(500_000, "deposit").await;
    let bonus = deposit.bonus.clone().unwrap();
    assert_eq!((bonus.code.as_str(), bonus.amount, bonus.state), (CODE, Rupiah::new(40_000), S::Reserved));
    assert_eq!(shop.wallet().await, 0);
    let mut copies = JoinSet::new();
    for n in 0..50 {
        let (store, payment) = (shop.store.clone(), deposit.payment.clone());
        copies.spawn(async move {
            // Half of them under another name, as if the gateway had told of two events.
            store
                .apply_webhook_event(&webhook_event(&payment, P::Paid, &format!("t:{}", n % 2)))
                .await
                .unwrap()
        });
    }
    let applied =
        copies.join_all().await.into_iter().filter(|i| matches!(i, Outcome::Applied { .. })).count();
    assert_eq!(applied, 1);
    // And once more, one after the other.
    for key in ["t:0", "t:2"] {
        shop.store.apply_webhook_event(&webhook_event(&deposit.payment, P::Paid, key)).await.unwrap();
    }
    assert_eq!(shop.wallet().await, 540_000);
    assert_eq!(shop.statement().await, [(M::PromoBonus, 40_000, 540_000), (M::Deposit, 500_000, 500_000)]);
    assert_eq!(shop.state_of_deposit(deposit.id).await, "REDEEMED");
    assert_eq!(
        shop.messages().await,
        ["Your deposit of Rp500.000 is on your balance, with Rp40.000 on top by the code HEMAT10."]
    );
    let report = shop.store.check_ledger().await.unwrap();
    assert!(report.sound, "{:#?}", report.findings);
    let expense = report.accounts.iter().find(|total| total.account.as_str() == "PROMO_EXPENSE").unwrap();
    assert_eq!(expense.balance, Rupiah::new(-40_000));
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_promised_is_kept(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.promo(K::DepositPercent, 10, |_| ()).await;
    let deposit = shop.deposit(200_000, "deposit").await;
    shop.run("UPDATE promos SET max_amount = 5, min_amount = 900000, is_active = false, ends_at = now()")
        .await;
    shop.receive(&deposit.payment, P::Paid).await;
    assert_eq!(shop.wallet().await, 220_000);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_deposit_without_money_gives_its_code_back(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.promo(K::DepositFixed, 10_000, |terms| {
        (terms.global_limit, terms.per_user_limit) = (Some(1), Some(1));
    })
    .await;
    for status in [P::Expired, P::Denied, P::Cancelled] {
        let deposit = shop.deposit(50_000, status.as_str()).await;
        shop.receive(&deposit.payment, P::Pending).await;
        assert_eq!(shop.uses().await, 1);
        shop.receive(&deposit.payment, status).await;
        let deposit = shop.store.deposit(deposit.id, shop.customer).await.unwrap();
        assert_eq!((deposit.bonus.unwrap().state, shop.uses().await), (S::Released, 0), "{status}");
    }
    let refused = shop.deposit(50_000, "refused").await;
    let answer = ChargeResult::Refused("no such merchant".into());
    shop.store.record_charge(refused.payment.id, &answer).await.unwrap();
    assert_eq!((shop.state_of_deposit(refused.id).await.as_str(), shop.uses().await), ("RELEASED", 0));
    // A charge of which nothing is known keeps it.
    let unknown = shop.deposit(50_000, "unknown").await;
    shop.store.record_charge(unknown.payment.id, &ChargeResult::Unknown("no answer".into())).await.unwrap();
    assert_eq!((shop.state_of_deposit(unknown.id).await.as_str(), shop.uses().await), ("RESERVED", 1));
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn late_money_brings_the_bonus_only_within_the_limits(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.promo(K::DepositFixed, 10_000, |terms| terms.global_limit = Some(1)).await;
    let budi = shop.visited_by("budi").await;
    let lucky = shop.deposit(50_000, "lucky").await;
    shop.receive(&lucky.payment, P::Expired).await;
    shop.receive(&lucky.payment, P::Paid).await;
    assert_eq!((shop.wallet().await, shop.uses().await), (60_000, 1));

    shop.run("UPDATE promos SET global_limit = 2").await;
    let late = budi.deposit(50_000, "late").await;
    budi.receive(&late.payment, P::Expired).await;
    let quicker = shop.deposit(50_000, "quicker").await;
    budi.receive(&late.payment, P::Paid).await;
    assert_eq!((budi.wallet().await, budi.uses().await), (50_000, 2));
    assert_eq!(budi.state_of_deposit(late.id).await, "RELEASED");
    assert_eq!(
        budi.messages().await,
        [
            "Your deposit of Rp50.000 is on your balance. It came too late for the bonus of the code HEMAT10, which can't \
          be had any more."
        ]
    );
    shop.receive(&quicker.payment, P::Paid).await;
    assert_eq!(shop.wallet().await, 120_000);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_code_that_was_switched_off_is_not_taken_again(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.promo(K::DepositFixed, 10_000, |_| ()).await;
    let deposit = shop.deposit(50_000, "deposit").await;
    shop.receive(&deposit.payment, P::Expired).await;
    shop.run("UPDATE promos SET is_active = false").await;
    shop.receive(&deposit.payment, P::Paid).await;
    assert_eq!((shop.wallet().await, shop.uses().await), (50_000, 0));
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_deposit_that_nobody_heard_of_does_not_hold_a_code_for_ever(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.promo(K::DepositFixed, 10_000, |terms| terms.global_limit = Some(1)).await;
    let budi = shop.visited_by("budi").await;
    let forgotten = shop.deposit(50_000, "forgotten").await;
    let just_over = "UPDATE payments SET expires_at = now() - interval '59 minutes'";
    shop.run(just_over).await;
    assert_eq!(deposit_refusal(budi.try_deposit(50_000, "deposit").await), PromoRefusal::UsedUp);
    shop.run("UPDATE payments SET expires_at = now() - interval '61 minutes'").await;
    let wanted =
        store::promos::PromoUse { user: budi.customer, code: domain::promo::PromoCode::parse(CODE).unwrap() };
    let checked = shop.store.check_deposit_promo(Some(&wanted), Rupiah::new(50_000)).await.unwrap();
    assert_eq!((checked.gives, checked.total), (Ok(Rupiah::new(10_000)), Rupiah::new(60_000)));
    budi.deposit(50_000, "deposit").await;
    assert_eq!((shop.state_of_deposit(forgotten.id).await.as_str(), shop.uses().await), ("RELEASED", 1));
    // Its money comes nevertheless, and finds the code used up.
    shop.receive(&forgotten.payment, P::Paid).await;
    assert_eq!(shop.wallet().await, 50_000);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_code_that_does_not_apply_opens_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    assert_eq!(deposit_refusal(shop.try_deposit(50_000, "k").await), PromoRefusal::Unknown);
    shop.promo(K::DepositPercent, 10, |terms| terms.min_amount = Some(Rupiah::new(50_001))).await;
    let least = Rupiah::new(50_001);
    assert_eq!(deposit_refusal(shop.try_deposit(50_000, "k").await), PromoRefusal::Minimum { least });
    shop.run("UPDATE promos SET kind = 'ORDER_PERCENT'").await;
    assert_eq!(deposit_refusal(shop.try_deposit(50_001, "k").await), PromoRefusal::NotForDeposits);
    for sql in ["SELECT count(*) FROM deposits", "SELECT count(*) FROM payments"] {
        assert_eq!(shop.count(sql).await, 0, "{sql}");
    }
    // The key of what was refused is free.
    shop.run("UPDATE promos SET kind = 'DEPOSIT_PERCENT'").await;
    shop.deposit(50_001, "k").await;
}
