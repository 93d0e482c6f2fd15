//! Customers, gateways and administrators at random, three at a time: whatever they do, the books stay sound and nobody
//! waits for ever.

use domain::{
    Rupiah,
    billing::{PaymentMethod, PaymentStatus as P},
    ids::{OrderId, UserId},
    ledger::LedgerError,
    promo::{PromoCode, PromoKind, PromoRefusal, PromoTerms},
    refund::{RefundDestination as To, RefundPolicy},
    role::Role,
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use sqlx::PgPool;
use store::{
    StoreError,
    orders::{OrderError, Refusal},
    page::PageRequest,
    payments::{Approval, ApprovalError, NewAttempt, Payment},
    promos::NewPromo,
    refunds::{Part, RefundError, RefundFilter},
};
use tokio::task::JoinSet;

use crate::{MIDTRANS, Shop, account, promise, told};

const CUSTOMERS: usize = 12;
const STEPS: usize = 25;
const AT_ONCE: usize = 3;

/// Codes and how often they may be used: by all, by one customer. Few enough that they are fought for.
const ORDER_CODE: &str = "HEMAT10";
const DEPOSIT_CODE: &str = "BONUS10";
const LIMITS: [(&str, PromoKind, i64, i64); 2] =
    [(ORDER_CODE, PromoKind::OrderPercent, 15, 2), (DEPOSIT_CODE, PromoKind::DepositPercent, 10, 1)];

#[derive(Debug, Clone, Copy)]
enum Act {
    Deposit,
    DepositWithPromo,
    OrderByCode,
    OrderWithPromo,
    OrderFromBalanceWithPromo,
    OrderByTransfer,
    OrderFromBalance,
    PayFromBalance,
    Told,
    Approve,
    Cancel,
    CancelByStaff,
    Refund,
    RefundPart,
    RefundAnswered,
    Expire,
    Activate,
    Recognise,
    Adjust,
}

const ACTS: &[Act] = &[
    Act::Deposit,
    Act::DepositWithPromo,
    Act::OrderByCode,
    Act::OrderWithPromo,
    Act::OrderFromBalanceWithPromo,
    Act::OrderByTransfer,
    Act::OrderFromBalance,
    Act::PayFromBalance,
    Act::Told,
    Act::Told,
    Act::Told,
    Act::Approve,
    Act::Cancel,
    Act::CancelByStaff,
    Act::Refund,
    Act::RefundPart,
    Act::RefundPart,
    Act::RefundAnswered,
    Act::RefundAnswered,
    Act::Expire,
    Act::Activate,
    Act::Recognise,
    Act::Adjust,
];

#[sqlx::test(migrations = "../migrations")]
async fn whatever_happens_at_once_the_books_stay_sound(pool: PgPool) {
    let seed: u64 = rand::random();
    let shop = Shop::open(pool).await;
    make_codes(&shop).await;
    let mut customers = JoinSet::new();
    for n in 0..CUSTOMERS {
        let customer = account(&shop.store, &format!("customer-{n}@example.com"), Role::Customer).await;
        let own = Shop { customer, ..shop.again() };
        customers.spawn(async move { live(own, StdRng::seed_from_u64(seed ^ n as u64)).await });
    }
    while let Some(lived) = customers.join_next().await {
        lived.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    let report = shop.store.check_ledger().await.unwrap();
    assert!(report.sound, "seed {seed}: {:#?}", report.findings);
    assert!(report.movements > 20, "seed {seed}: hardly anything happened");
    // Each payment moved its order or the balance once, and closed orders keep nothing.
    let twice = "SELECT count(*) FROM (SELECT payment_id FROM ledger_movements
                 WHERE kind IN ('DEPOSIT', 'PAYMENT', 'LATE_PAYMENT') GROUP BY payment_id HAVING count(*) > 1) t";
    assert_eq!(shop.count(twice).await, 0, "seed {seed}");
    let left = "SELECT count(*) FROM (
                    SELECT m.order_id FROM ledger_movements m JOIN ledger_entries e ON e.movement_id = m.id
                    JOIN ledger_accounts a ON a.id = e.account_id JOIN orders o ON o.id = m.order_id
                    WHERE o.status IN ('CANCELLED', 'REFUNDED', 'EXPIRED')
                      AND a.kind IN ('CUSTOMER_HOLDS', 'DEFERRED_REVENUE', 'TAX_PAYABLE')
                    GROUP BY m.order_id HAVING sum(e.amount) <> 0) t";
    assert_eq!(shop.count(left).await, 0, "seed {seed}");
    assert_limits_hold(&shop, seed).await;
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

/// That counters, redemptions, bonuses and orders agree is the check's to say; here it is that nobody had too much.
async fn assert_limits_hold(shop: &Shop, seed: u64) {
    let beyond = "SELECT count(*) FROM promos WHERE uses > global_limit";
    let beyond_ones_own = "SELECT count(*) FROM (
        SELECT p.id FROM promos p JOIN promo_redemptions r ON r.promo_id = p.id AND r.state IN ('RESERVED', 'REDEEMED')
        GROUP BY p.id, r.user_id HAVING count(*) > p.per_user_limit) t";
    for sql in [beyond, beyond_ones_own] {
        assert_eq!(shop.count(sql).await, 0, "seed {seed}: {sql}");
    }
    let used = "SELECT count(*) FROM promos WHERE uses > 0";
    assert_eq!(shop.count(used).await, 2, "seed {seed}: hardly anybody used a code");
}

/// A customer's life, with several things going on at once.
async fn live(shop: Shop, mut random: StdRng) {
    for step in 0..STEPS {
        let acts: Vec<_> = (0..AT_ONCE)
            .map(|lane| {
                let act = *ACTS.choose(&mut random).unwrap();
                one(&shop, act, format!("{step}/{lane}"), StdRng::from_rng(&mut random))
            })
            .collect();
        futures::future::join_all(acts).await;
    }
}

/// Does one thing. What the state of things forbids is refused; the database itself has nothing to complain about.
async fn one(shop: &Shop, act: Act, key: String, mut random: StdRng) {
    let order = some_order(shop, &mut random).await;
    let refused = match (act, order) {
        (Act::Deposit, _) => {
            shop.open_deposit(random.random_range(50_000..400_000), &key).await;
            Ok(())
        }
        (Act::DepositWithPromo, _) => {
            shop.try_deposit(random.random_range(50_000..400_000), Some(DEPOSIT_CODE), &key).await.map(drop)
        }
        (Act::OrderWithPromo, _) => {
            plain(shop.try_order_by(PaymentMethod::Qris, Some(ORDER_CODE), &key).await)
        }
        (Act::OrderFromBalanceWithPromo, _) => {
            plain(shop.try_order_by(PaymentMethod::Wallet, Some(ORDER_CODE), &key).await)
        }
        (Act::OrderByCode, _) => {
            shop.order_by(PaymentMethod::Qris, &key).await;
            Ok(())
        }
        (Act::OrderByTransfer, _) => {
            shop.order_by(PaymentMethod::ManualTransfer, &key).await;
            Ok(())
        }
        (Act::OrderFromBalance, _) => plain(shop.order_from_balance(&key).await),
        (Act::Told, _) => {
            hear(shop, &mut random).await;
            Ok(())
        }
        (Act::Adjust, _) => shop.adjust(random.random_range(-300_000..300_000), &key).await.map(drop),
        (_, None) => Ok(()),
        (Act::PayFromBalance, Some(order)) => {
            let attempt = NewAttempt {
                user: shop.customer,
                order,
                method: PaymentMethod::Wallet,
                bank: None,
                gateway: None,
            };
            shop.store.open_payment(&attempt, &promise(&key)).await.map(drop)
        }
        (Act::Approve, Some(order)) => {
            let arrived = random.random_bool(0.7).then(|| Rupiah::new(random.random_range(1_000..250_000)));
            approve(shop, order, arrived, &mut random).await
        }
        (Act::Cancel, Some(order)) => shop.store.cancel_order(order, shop.customer).await,
        (Act::CancelByStaff, Some(order)) => {
            shop.store.cancel_order_for_staff(order, "at random", &shop.anew()).await.map(drop)
        }
        (Act::Refund, Some(order)) => refund(shop, order, Part::Whole, &mut random).await,
        (Act::RefundPart, Some(order)) => {
            let amount = Part::Amount(Rupiah::new(random.random_range(1..150_000)));
            let part = *[amount, amount, Part::Unserved].choose(&mut random).unwrap();
            refund(shop, order, part, &mut random).await
        }
        (Act::RefundAnswered, _) => answer_refund(shop, &mut random).await,
        (Act::Recognise, _) => shop.store.recognise_revenue(None, 100).await.map(drop),
        (Act::Expire, Some(order)) => shop.store.expire_order(order).await.map(drop),
        (Act::Activate, Some(order)) => start_and_activate(shop, order).await,
    };
    let expected = match &refused {
        Ok(()) | Err(StoreError::Conflict { .. } | StoreError::InsufficientBalance) => true,
        Err(StoreError::Promo(PromoRefusal::UsedUp | PromoRefusal::AlreadyUsed)) => true,
        Err(StoreError::Ledger(LedgerError::NotPositive)) => matches!(act, Act::Adjust),
        Err(_) => false,
    };
    assert!(expected, "{act:?}: {refused:?}");
}

/// A refused code is one refusal, whether it is an order's or a deposit's.
fn plain<T: std::fmt::Debug>(placed: Result<T, OrderError>) -> Result<(), StoreError> {
    match placed {
        Err(OrderError::Store(error)) => Err(error),
        Err(OrderError::Refused(Refusal::Promo(refusal))) => Err(refusal.into()),
        placed => {
            placed.unwrap();
            Ok(())
        }
    }
}

/// Staff take money for one of the order's transfers, named or not, open or closed. What can't be guessed is refused.
async fn approve(
    shop: &Shop,
    order: OrderId,
    arrived: Option<Rupiah>,
    random: &mut StdRng,
) -> Result<(), StoreError> {
    let page = PageRequest { before: None, limit: 100 };
    let all = shop.store.payments_of(shop.customer, Some(order), &page).await?.data;
    let named = all.choose(random).filter(|_| random.random_bool(0.5));
    let credit_closed = named.is_some_and(|payment| !payment.status.is_open()) && random.random_bool(0.7);
    let approval = Approval { payment: named.map(|payment| payment.id), arrived, note: None, credit_closed };
    match shop.store.approve_payment(order, &approval, &shop.anew()).await {
        Ok(_) | Err(ApprovalError::SeveralWait(_) | ApprovalError::AmountRequired) => Ok(()),
        Err(ApprovalError::PaymentRequired) => unreachable!("only named transfers are closed here"),
        Err(ApprovalError::Store(error)) => Err(error),
    }
}

/// What can't be given back is refused, whatever was given back meanwhile.
async fn refund(shop: &Shop, order: OrderId, part: Part, random: &mut StdRng) -> Result<(), StoreError> {
    let destination = *[To::Wallet, To::Gateway].choose(random).unwrap();
    match shop.refund(order, part, destination).await {
        Ok(_) | Err(RefundError::TooMuch { .. } | RefundError::ChannelUnavailable(_)) => Ok(()),
        Err(RefundError::Store(error)) => Err(error),
    }
}

/// A gateway answers to a refund, or does not, or somebody gives up on it.
async fn answer_refund(shop: &Shop, random: &mut StdRng) -> Result<(), StoreError> {
    let filter = RefundFilter { customer: Some(shop.customer), ..RefundFilter::default() };
    let page = PageRequest { before: None, limit: 20 };
    let refunds = shop.store.refunds(&filter, page).await?.data;
    let through_gateways: Vec<_> = refunds.iter().filter(|r| r.destination == To::Gateway).collect();
    let Some(refund) = through_gateways.choose(random) else { return Ok(()) };
    match random.random_range(0..5) {
        0 => shop.store.return_refund(refund.id, "given up").await.map(drop),
        1 => {
            shop.store.retry_refund(refund.id, RefundPolicy::default(), &shop.admins_origin()).await.map(drop)
        }
        answer => {
            let Some(call) = shop.store.begin_refund_call(refund.id).await? else { return Ok(()) };
            match answer {
                2 => shop.store.settle_refund(refund.id, Some("given back")).await.map(drop),
                3 => shop.store.refund_call_refused(refund.id, call, false, "refused").await,
                _ => shop.store.refund_call_open(refund.id, None, "no answer").await,
            }
        }
    }
}

async fn start_and_activate(shop: &Shop, order: OrderId) -> Result<(), StoreError> {
    shop.store.start_provisioning(order).await?;
    sqlx::query(
        "UPDATE instances SET provider_instance_id = id::text, ipv4 = '192.0.2.1' WHERE order_id = $1",
    )
    .bind(order.0)
    .execute(&shop.pool)
    .await
    .unwrap();
    shop.store.activate_order(order).await
}

/// A gateway tells something of one of the customer's payments: the truth, late, twice or in the wrong order.
async fn hear(shop: &Shop, random: &mut StdRng) {
    let payments = gateway_payments(shop, shop.customer).await;
    let Some(payment) = payments.choose(random) else { return };
    let status = *[P::Paid, P::Paid, P::Expired, P::Pending].choose(random).unwrap();
    let key = format!("{}:{status}:{}", payment.id, random.random_range(0..2));
    let copies: Vec<_> = (0..random.random_range(1..4)).map(|_| told(payment, status, &key)).collect();
    let told = copies.iter().map(|copy| shop.store.apply_notification(copy));
    for intake in futures::future::join_all(told).await {
        intake.unwrap();
    }
}

async fn gateway_payments(shop: &Shop, customer: UserId) -> Vec<Payment> {
    let page = PageRequest { before: None, limit: 100 };
    let all = shop.store.payments_of(customer, None, &page).await.unwrap().data;
    all.into_iter().filter(|payment| payment.gateway.as_deref() == Some(MIDTRANS)).collect()
}

async fn some_order(shop: &Shop, random: &mut StdRng) -> Option<OrderId> {
    let page = PageRequest { before: None, limit: 6 };
    let orders = shop.store.orders_of(shop.customer, None, &page).await.unwrap().data;
    orders.choose(random).map(|order| order.id)
}
