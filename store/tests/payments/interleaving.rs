//! Customers, gateways, the bank and administrators at random, three at a time: whatever they do, the books stay sound, nobody
//! waits for ever, and in the end the books say what really happened outside ([`reality`]).
//!
//! A run is told by its seed, which `INTERLEAVING_SEED` sets; what happens at once is not.

mod act;
mod acts;
mod gateway;
mod reality;
mod transfers;

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    Rupiah,
    ids::{PaymentId, UserId},
    ledger::AccountKind,
    promo::{PromoCode, PromoKind, PromoTerms},
};
use rand::{SeedableRng, rngs::StdRng, seq::IndexedRandom};
use sqlx::PgPool;
use store::{StoreError, disputes::Decision, promos::NewPromo};
use tokio::task::JoinSet;
use uuid::Uuid;

use self::reality::Reality;
use crate::Shop;

const CUSTOMERS: usize = 12;
const STEPS: usize = 60;
const AT_ONCE: usize = 3;

/// Codes and how often they may be used: by all, by one customer. Few enough that they are fought for.
const ORDER_CODE: &str = "HEMAT10";
const DEPOSIT_CODE: &str = "BONUS10";
const LIMITS: [(&str, PromoKind, i64, i64); 2] =
    [(ORDER_CODE, PromoKind::OrderPercent, 15, 2), (DEPOSIT_CODE, PromoKind::DepositPercent, 10, 1)];

#[sqlx::test(migrations = "../migrations")]
async fn whatever_happens_at_once_the_books_say_what_really_happened(pool: PgPool) {
    let seed: u64 =
        std::env::var("INTERLEAVING_SEED").map_or_else(|_| rand::random(), |s| s.parse().unwrap());
    let shop = Shop::open(pool).await;
    make_codes(&shop).await;
    let reality = Arc::new(Reality::default());
    let mut lives = JoinSet::new();
    let mut shops = Vec::new();
    for n in 0..CUSTOMERS {
        let customer = shop.customer().email(format!("customer-{n}@example.com")).await;
        let (own, reality) = (Shop { customer, ..shop.clone() }, Arc::clone(&reality));
        shops.push(own.clone());
        lives.spawn(async move { live(&own, &reality, StdRng::seed_from_u64(seed ^ n as u64)).await });
    }
    while let Some(lived) = lives.join_next().await {
        lived.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    assert_sound(&shop, seed, "before the dust settles").await;
    settle_down(&shops, &reality).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    assert_at_rest(&shop, seed).await;
    assert_gateways_hold_what_the_books_say(&shop, &reality, seed).await;
    let mut arrived = 0;
    let mut corrected = 0;
    for own in &shops {
        let (by_bank, by_hand) = reality.of(own.customer);
        (arrived, corrected) = (arrived + by_bank, corrected + by_hand);
        assert_has_what_was_brought(own, by_bank, by_hand, seed).await;
    }
    let books = balances(&shop).await;
    assert_eq!(books[&AccountKind::Bank], -arrived, "seed {seed}: bank");
    assert_eq!(books[&AccountKind::Adjustments], -corrected, "seed {seed}: corrections by hand");
    assert_limits_hold(&shop, seed).await;
    assert_much_happened(&shop, seed).await;
}

async fn make_codes(shop: &Shop) {
    for (code, kind, in_all, by_customer) in LIMITS {
        let terms = PromoTerms {
            kind,
            value: 10,
            min_amount: None,
            max_amount: Some(Rupiah::new(20_000)),
            per_user_limit: Some(by_customer),
            global_limit: Some(in_all),
            starts_at: None,
            ends_at: None,
        };
        let new = NewPromo { code: PromoCode::parse(code).unwrap(), terms };
        shop.store.create_promo(&new, shop.admin, &shop.admins_origin()).await.unwrap();
    }
}

/// A customer's life, with several things going on at once.
async fn live(shop: &Shop, reality: &Reality, mut random: StdRng) {
    for step in 0..STEPS {
        let acts: Vec<_> = (0..AT_ONCE)
            .map(|lane| {
                let act = match act::OPENING.get(step) {
                    Some(together) => together[lane],
                    None => *act::ACTS.choose(&mut random).unwrap(),
                };
                acts::one(shop, reality, act, format!("{step}/{lane}"), StdRng::from_rng(&mut random))
            })
            .collect();
        futures::future::join_all(acts).await;
    }
}

/// Nobody pays any more. What is on its way arrives, the janitor asks until there is nothing to ask, gateways answer to
/// refunds, and staff accept what was taken back.
async fn settle_down(shops: &[Shop], reality: &Reality) -> Result<(), StoreError> {
    reality.close();
    for letter in reality.last_letters().into_iter().filter(|letter| letter.is_stubborn) {
        assert!(gateway::take_in(&shops[0], reality, &letter, true).await?);
    }
    ask_until_nothing_is_open(shops, reality).await?;
    for shop in shops {
        for refund in acts::refunds_through_gateways(shop).await {
            acts::ask_for_refund(shop, reality, &refund).await?;
        }
    }
    // Of payments whose refund failed there may be more to be told.
    ask_until_nothing_is_open(shops, reality).await?;
    for shop in shops {
        for dispute in acts::disputes_of(shop).await {
            let accept = Decision::Accept { suspend_server: false, note: None };
            match shop.store.decide_dispute(dispute.id, &accept, &shop.anew()).await {
                // It was dismissed, and all of the payment was taken back in another dispute since.
                Ok(_) | Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// The janitor's work of some days.
async fn ask_until_nothing_is_open(shops: &[Shop], reality: &Reality) -> Result<(), StoreError> {
    for _ in 0..5 {
        for shop in shops {
            gateway::time_passes(shop, 24 * 60).await?;
        }
        while let Some(due) = gateway::due(&shops[0], 1).await?.first() {
            gateway::ask(&shops[0], reality, due, true).await?;
        }
    }
    Ok(())
}

async fn assert_sound(shop: &Shop, seed: u64, when: &str) {
    let report = shop.store.check_ledger().await.unwrap();
    let broken: Vec<_> = report.findings.iter().filter(|finding| finding.count > 0).collect();
    assert!(broken.is_empty(), "seed {seed}, {when}: {broken:#?}");
}

/// The books are sound, each payment moved its order or the balance once, closed orders keep nothing, and no attempt waits at
/// a gateway that has ended it.
async fn assert_at_rest(shop: &Shop, seed: u64) {
    assert_sound(shop, seed, "in the end").await;
    for (what, sql) in [
        (
            "payments that came in twice",
            "SELECT count(*) FROM (SELECT payment_id FROM ledger_movements
             WHERE kind IN ('DEPOSIT', 'PAYMENT', 'LATE_PAYMENT') GROUP BY payment_id HAVING count(*) > 1) t",
        ),
        (
            "closed orders that keep something",
            "SELECT count(*) FROM (
                 SELECT m.order_id FROM ledger_movements m JOIN ledger_entries e ON e.movement_id = m.id
                 JOIN ledger_accounts a ON a.id = e.account_id JOIN orders o ON o.id = m.order_id
                 WHERE o.status IN ('CANCELLED', 'REFUNDED', 'EXPIRED')
                   AND a.kind IN ('CUSTOMER_HOLDS', 'DEFERRED_REVENUE', 'TAX_PAYABLE')
                 GROUP BY m.order_id HAVING sum(e.amount) <> 0) t",
        ),
        (
            "attempts that wait for ended ones",
            "SELECT count(*) FROM payments WHERE gateway IS NOT NULL AND status IN ('PENDING', 'UNKNOWN')",
        ),
        ("refunds that have not ended", "SELECT count(*) FROM refunds WHERE status IN ('REQUESTED', 'SENT')"),
    ] {
        assert_eq!(shop.count(sql).await, 0, "seed {seed}: {what}");
    }
}

/// Of every payment the gateway holds what the books say: what it took in, less what went back.
async fn assert_gateways_hold_what_the_books_say(shop: &Shop, reality: &Reality, seed: u64) {
    let booked: Vec<(Uuid, i64)> = sqlx::query_as(
        "SELECT p.id, (CASE p.status WHEN 'PAID' THEN p.amount + p.payer_fee ELSE 0 END
                - (SELECT coalesce(sum(d.amount + d.payer_fee), 0) FROM disputes d
                   WHERE d.payment_id = p.id AND d.status = 'ACCEPTED')
                - (SELECT coalesce(sum(r.amount), 0) FROM refunds r
                   WHERE r.payment_id = p.id AND r.status = 'COMPLETED'))::bigint
         FROM payments p WHERE p.gateway IS NOT NULL",
    )
    .fetch_all(&shop.pool)
    .await
    .unwrap();
    let booked: BTreeMap<PaymentId, i64> =
        booked.into_iter().filter(|(_, left)| *left != 0).map(|(id, left)| (PaymentId(id), left)).collect();
    assert_eq!(booked, reality.at_gateways(), "seed {seed}: what gateways hold, by payment (books, reality)");
    let held: i64 = booked.values().sum();
    assert_eq!(balances(shop).await[&AccountKind::GatewayClearing], -held, "seed {seed}: gateway clearing");
}

/// What a customer has (on the balance, in paid bills less credit notes, set aside for bills that wait) is what was brought:
/// through gateways less what went back, by transfers, by hand, given by us, and owed to us.
async fn assert_has_what_was_brought(shop: &Shop, by_bank: i64, by_hand: i64, seed: u64) {
    let UserId(customer) = shop.customer;
    let (has, brought): (i64, i64) = sqlx::query_as(
        "SELECT ((SELECT coalesce(sum(balance), 0) FROM ledger_accounts WHERE owner_id = $1 AND kind = 'CUSTOMER_WALLET')
                 + (SELECT coalesce(sum(i.total - (SELECT coalesce(sum(c.total), 0) FROM credit_notes c WHERE c.invoice_id = i.id)), 0)
                    FROM invoices i WHERE i.user_id = $1 AND i.status IN ('PAID', 'REFUNDED'))
                 + (SELECT coalesce(sum(e.amount), 0)
                    FROM ledger_entries e JOIN ledger_movements m ON m.id = e.movement_id
                    JOIN ledger_accounts a ON a.id = e.account_id JOIN orders o ON o.id = m.order_id
                    WHERE a.kind = 'CUSTOMER_HOLDS' AND o.user_id = $1 AND o.status = 'PENDING_PAYMENT'))::bigint,
                ((SELECT coalesce(sum(amount), 0) FROM payments
                  WHERE user_id = $1 AND gateway IS NOT NULL AND status = 'PAID')
                 - (SELECT coalesce(sum(amount - receivable), 0) FROM disputes WHERE user_id = $1 AND status = 'ACCEPTED')
                 - (SELECT coalesce(sum(amount), 0) FROM refunds
                    WHERE user_id = $1 AND destination = 'GATEWAY' AND status = 'COMPLETED')
                 - (SELECT coalesce(sum(e.amount), 0)
                    FROM ledger_entries e JOIN ledger_movements m ON m.id = e.movement_id
                    JOIN ledger_accounts a ON a.id = e.account_id
                    WHERE a.kind = 'PROMO_EXPENSE' AND m.customer_id = $1))::bigint",
    )
    .bind(customer)
    .fetch_one(&shop.pool)
    .await
    .unwrap();
    assert_eq!(has, brought + by_bank + by_hand, "seed {seed}: what {customer} has (books, reality)");
}

async fn balances(shop: &Shop) -> BTreeMap<AccountKind, i64> {
    let totals = shop.store.trial_balance().await.unwrap();
    totals.iter().map(|total| (total.account, total.balance.get())).collect()
}

/// That counters, redemptions, bonuses and orders agree is the check's to say; here it is that nobody had too much.
async fn assert_limits_hold(shop: &Shop, seed: u64) {
    let beyond = "SELECT count(*) FROM promos WHERE uses > global_limit";
    let beyond_ones_own = "SELECT count(*) FROM (
        SELECT p.id FROM promos p JOIN promo_redemptions r ON r.promo_id = p.id AND r.state IN ('RESERVED', 'REDEEMED')
        GROUP BY p.id, r.user_id HAVING count(*) > p.per_user_limit) t";
    for sql in [beyond, beyond_ones_own] {
        assert_eq!(shop.count(sql).await, 0, "seed {seed}: {sql}");
    }
}

/// A run in which nothing of a kind happened says nothing about it.
async fn assert_much_happened(shop: &Shop, seed: u64) {
    let mut counted = Vec::new();
    for (what, sql) in [
        ("movements", "SELECT count(*) / 100 FROM ledger_movements"),
        ("disputes accepted", "SELECT count(*) FROM disputes WHERE status = 'ACCEPTED'"),
        ("payers' fees", "SELECT count(*) FROM ledger_movements WHERE kind = 'PAYER_FEE'"),
        ("part payments", "SELECT count(*) FROM ledger_movements WHERE kind = 'PART_PAYMENT'"),
        ("money too late", "SELECT count(*) FROM ledger_movements WHERE kind = 'LATE_PAYMENT'"),
        ("further terms", "SELECT count(*) FROM renewals WHERE starts_at IS NOT NULL"),
        ("refunds through gateways", "SELECT count(*) FROM refunds WHERE destination = 'GATEWAY'"),
        ("promo codes used", "SELECT count(*) FROM promos WHERE uses > 0"),
    ] {
        counted.push((what, shop.count(sql).await));
    }
    // Any one of the rarer kinds may be missing from a run.
    let kinds = counted.iter().filter(|(_, count)| *count > 0).count();
    assert!(kinds + 3 >= counted.len(), "seed {seed}: hardly anything happened: {counted:?}");
    println!("seed {seed}: {counted:?}");
}
