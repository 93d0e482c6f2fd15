//! What customers, staff and the platform do: each act is refused as the state of things wants it, or takes effect.

use domain::{
    Rupiah,
    billing::{PaymentMethod as M, PaymentStatus as P},
    dispute::DisputeStatus,
    ids::{InstanceId, InvoiceId, OrderId},
    instance::InstanceAction,
    ledger::LedgerError,
    promo::PromoRefusal,
    refund::{RefundDestination as To, RefundPolicy},
};
use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use store::{
    StoreError,
    disputes::{Decision, Dispute, DisputeFilter},
    instance_actions::{NewAction, RequestedBy},
    orders::{OrderError, OwnOrderFilter, Refusal},
    page::{PageRequest, SortedRequest},
    payments::{NewAttempt, NewInvoiceAttempt, Payment},
    refunds::{Part, Refund, RefundError, RefundFilter},
};

use super::{DEPOSIT_CODE, ORDER_CODE, act::Act, gateway, reality::Reality, transfers};
use crate::{MIDTRANS, Shop, request};

/// Does one thing. What the state of things forbids is refused; the database itself has nothing to complain about.
pub(super) async fn one(shop: &Shop, reality: &Reality, act: Act, key: String, mut random: StdRng) {
    let done = attempt(shop, reality, act, &key, &mut random).await;
    let expected = match &done {
        Ok(()) | Err(StoreError::Conflict { .. } | StoreError::InsufficientBalance) => true,
        Err(StoreError::Promo(PromoRefusal::UsedUp | PromoRefusal::AlreadyUsed)) => true,
        Err(StoreError::Ledger(LedgerError::NotPositive)) => matches!(act, Act::Adjust),
        Err(_) => false,
    };
    assert!(expected, "{act:?}: {done:?}");
}

async fn attempt(
    shop: &Shop,
    reality: &Reality,
    act: Act,
    key: &str,
    random: &mut StdRng,
) -> Result<(), StoreError> {
    let order = some_order(shop, random).await;
    match (act, order) {
        (Act::Deposit, _) => {
            shop.try_deposit(random.random_range(50_000..400_000), None, key).await.map(drop)
        }
        (Act::DepositWithPromo, _) => {
            let amount = random.random_range(50_000..400_000);
            shop.try_deposit(amount, Some(DEPOSIT_CODE), key).await.map(drop)
        }
        (Act::Order(method), _) => plain(shop.try_order_by(method, None, key).await),
        (Act::OrderWithPromo(method), _) => plain(shop.try_order_by(method, Some(ORDER_CODE), key).await),
        (Act::Renew(method), _) => match some_server(shop, random).await {
            Some(server) => plain(shop.renew(server, 1, method, key).await),
            None => Ok(()),
        },
        (Act::PayInvoice(method), _) => match some_term(shop, random).await {
            Some(invoice) => pay_invoice(shop, invoice, method, key).await,
            None => Ok(()),
        },
        (Act::CustomerPays | Act::AttemptEnds | Act::TakenBack | Act::Told | Act::Forged | Act::Asked, _) => {
            gateway::act(shop, reality, act, random).await
        }
        (Act::TimePasses, _) => gateway::time_passes(shop, random.random_range(1..240)).await,
        (Act::RefundInvoice, _) => match some_term(shop, random).await {
            Some(invoice) => refund_invoice(shop, invoice, random).await,
            None => Ok(()),
        },
        (Act::PartThenExpiry, _) => transfers::part_then_expiry(shop, reality, key, random).await,
        (Act::RefundAnswered, _) => answer_refund(shop, reality, random).await,
        (Act::Decide, _) => decide(shop, random).await,
        (Act::Delete | Act::Deleted, _) => match some_server(shop, random).await {
            Some(server) => end_server(shop, server, act).await,
            None => Ok(()),
        },
        (Act::Recognise, _) => shop.store.recognise_revenue(None, 100).await.map(drop),
        (Act::Adjust, _) => {
            let amount = random.random_range(-300_000..300_000);
            shop.adjust(amount, &format!("{}/{key}", shop.customer)).await?;
            reality.corrected(shop.customer, amount);
            Ok(())
        }
        (_, None) => Ok(()),
        (_, Some(order)) => about_order(shop, reality, act, order, key, random).await,
    }
}

async fn about_order(
    shop: &Shop,
    reality: &Reality,
    act: Act,
    order: OrderId,
    key: &str,
    random: &mut StdRng,
) -> Result<(), StoreError> {
    match act {
        Act::PayAgain(method) => {
            let gateway = (method == M::Qris).then_some(MIDTRANS);
            let attempt = NewAttempt { user: shop.customer, order, method, bank: None, gateway };
            shop.store.open_payment(&attempt, &request(key)).await.map(drop)
        }
        Act::Transfer => transfers::arrives(shop, reality, order, key, random).await,
        Act::Reject => transfers::reject(shop, order, random).await,
        Act::Cancel => shop.store.cancel_order(order, shop.customer).await,
        Act::CancelByStaff => {
            shop.store.cancel_order_for_staff(order, "at random", &shop.anew()).await.map(drop)
        }
        Act::Refund => refund(shop, order, Part::Whole, random).await,
        Act::RefundPart => {
            let amount = Part::Amount(Rupiah::new(random.random_range(1..150_000)));
            let part = *[amount, amount, Part::Unserved].choose(random).unwrap();
            refund(shop, order, part, random).await
        }
        Act::Expire => shop.store.expire_order(order).await.map(drop),
        Act::Activate => shop.try_activate(order).await.map(drop),
        other => unreachable!("{other:?} is about no order"),
    }
}

/// A refused code is one refusal, whether it is an order's or a deposit's.
pub(super) fn plain<T: std::fmt::Debug>(placed: Result<T, OrderError>) -> Result<(), StoreError> {
    match placed {
        Err(OrderError::Store(error)) => Err(error),
        Err(OrderError::Refused(Refusal::Promo(refusal))) => Err(refusal.into()),
        placed => {
            placed.unwrap();
            Ok(())
        }
    }
}

async fn pay_invoice(shop: &Shop, invoice: InvoiceId, method: M, key: &str) -> Result<(), StoreError> {
    let new = NewInvoiceAttempt {
        user: shop.customer,
        invoice,
        method,
        bank: None,
        gateway: (method == M::Qris).then_some(MIDTRANS),
        pay_within_ms: 3_600_000,
    };
    shop.store.open_invoice_payment(&new, &request(key)).await.map(drop)
}

/// What can't be given back is refused, whatever was given back meanwhile.
fn unless_too_much<T>(refunded: Result<T, RefundError>) -> Result<(), StoreError> {
    match refunded {
        Ok(_) | Err(RefundError::TooMuch { .. } | RefundError::ChannelUnavailable(_)) => Ok(()),
        Err(RefundError::Store(error)) => Err(error),
    }
}

async fn refund(shop: &Shop, order: OrderId, part: Part, random: &mut StdRng) -> Result<(), StoreError> {
    let destination = *[To::Wallet, To::Gateway].choose(random).unwrap();
    unless_too_much(shop.refund(order, part, destination).await)
}

async fn refund_invoice(shop: &Shop, invoice: InvoiceId, random: &mut StdRng) -> Result<(), StoreError> {
    let amount = Part::Amount(Rupiah::new(random.random_range(1..150_000)));
    let part = *[amount, Part::Whole, Part::Unserved].choose(random).unwrap();
    let new = shop.new_refund(part, *[To::Wallet, To::Gateway].choose(random).unwrap());
    unless_too_much(shop.store.refund_invoice(invoice, &new, &shop.anew()).await)
}

/// A gateway is asked to give money back, or somebody gives up on it.
async fn answer_refund(shop: &Shop, reality: &Reality, random: &mut StdRng) -> Result<(), StoreError> {
    let through_gateways = refunds_through_gateways(shop).await;
    let Some(refund) = through_gateways.choose(random) else { return Ok(()) };
    match random.random_range(0..6) {
        0 => shop.store.return_refund(refund.id, "given up").await.map(drop),
        1 => {
            shop.store.retry_refund(refund.id, RefundPolicy::default(), &shop.admins_origin()).await.map(drop)
        }
        2 => {
            // It gave the money back or not, and the answer was lost.
            if shop.store.begin_refund_call(refund.id).await?.is_some() {
                if random.random_bool(0.5) {
                    reality.give_back(refund.payment_id.unwrap(), refund.id, refund.amount);
                }
                shop.store.refund_call_open(refund.id, None, "no answer").await?;
            }
            Ok(())
        }
        _ => ask_for_refund(shop, reality, refund).await,
    }
}

/// The gateway gives the money back, or refuses for certain since so much is not left.
pub(super) async fn ask_for_refund(
    shop: &Shop,
    reality: &Reality,
    refund: &Refund,
) -> Result<(), StoreError> {
    let Some(call) = shop.store.begin_refund_call(refund.id).await? else { return Ok(()) };
    if reality.give_back(refund.payment_id.unwrap(), refund.id, refund.amount) {
        return shop.store.settle_refund(refund.id, Some("given back")).await.map(drop);
    }
    shop.store.refund_call_refused(refund.id, call, true, "not so much is left").await?;
    shop.store.return_refund(refund.id, "refused").await.map(drop)
}

pub(super) async fn refunds_through_gateways(shop: &Shop) -> Vec<Refund> {
    let filter = RefundFilter { customer: Some(shop.customer), ..RefundFilter::default() };
    let page = PageRequest { before: None, limit: 100 };
    let all = shop.store.refunds(&filter, page).await.unwrap().data;
    all.into_iter().filter(|refund| refund.destination == To::Gateway).collect()
}

/// Staff decide on a dispute, twice at once.
async fn decide(shop: &Shop, random: &mut StdRng) -> Result<(), StoreError> {
    let disputes = disputes_of(shop).await;
    let Some(dispute) = disputes.choose(random) else { return Ok(()) };
    // What was charged and what the payer's fee is of a part that went back is told apart when it is told of, by what went
    // back before. A dismissal of something true would mix the two up.
    let may_dismiss = dispute.payer_fee == Rupiah::ZERO && fee_of(shop, dispute).await == Rupiah::ZERO;
    let decision = if may_dismiss && random.random_bool(0.3) {
        Decision::Dismiss { reason: "by mistake" }
    } else {
        Decision::Accept { suspend_server: false, note: None }
    };
    let act = shop.anew();
    let decide = || shop.store.decide_dispute(dispute.id, &decision, &act);
    let (one, two) = tokio::join!(decide(), decide());
    one.and(two).map(drop)
}

async fn fee_of(shop: &Shop, dispute: &Dispute) -> Rupiah {
    let fee = sqlx::query_scalar("SELECT payer_fee FROM payments WHERE id = $1")
        .bind(dispute.payment_id.0)
        .fetch_one(&shop.pool)
        .await;
    Rupiah::new(fee.unwrap())
}

pub(super) async fn disputes_of(shop: &Shop) -> Vec<Dispute> {
    let filter = DisputeFilter { customer: Some(shop.customer), ..DisputeFilter::default() };
    let page = PageRequest { before: None, limit: 100 };
    let all = shop.store.disputes(&filter, page).await.unwrap().data;
    all.into_iter().filter(|dispute| dispute.status != DisputeStatus::Accepted).collect()
}

/// A server's deletion is asked for, or its provider says that it is done.
async fn end_server(shop: &Shop, instance: InstanceId, act: Act) -> Result<(), StoreError> {
    if matches!(act, Act::Delete) {
        let (action, origin) = (InstanceAction::Delete, shop.admins_origin());
        let new = NewAction {
            instance,
            by: RequestedBy::Program,
            action: &action,
            origin: &origin,
            idempotency_key: None,
        };
        return shop.store.request_action(&new).await.map(drop);
    }
    match shop.store.next_action(instance).await?.work {
        Some(work) => shop.store.terminate_instance(work.action_id).await,
        None => Ok(()),
    }
}

pub(super) async fn payments_of(shop: &Shop, order: Option<OrderId>) -> Vec<Payment> {
    let page = PageRequest { before: None, limit: 200 };
    shop.store.payments_of(shop.customer, order, &page).await.unwrap().data
}

/// Transfers for an order that can still be taken for it, or credited.
pub(super) async fn transfers_for(shop: &Shop, order: OrderId) -> Vec<Payment> {
    let all = payments_of(shop, Some(order)).await;
    all.into_iter().filter(|p| p.method == M::ManualTransfer && p.status != P::Paid).collect()
}

async fn some_order(shop: &Shop, random: &mut StdRng) -> Option<OrderId> {
    let (any, page) = (OwnOrderFilter::default(), SortedRequest::first(6));
    let orders = shop
        .store
        .orders_of(shop.customer, &any, domain::sorting::OwnOrderSort::Newest, page)
        .await
        .unwrap()
        .data;
    orders.choose(random).map(|order| order.id)
}

async fn some_server(shop: &Shop, random: &mut StdRng) -> Option<InstanceId> {
    let there: Vec<uuid::Uuid> = sqlx::query_scalar(
        "SELECT id FROM instances WHERE user_id = $1 AND provider_instance_id IS NOT NULL ORDER BY id DESC LIMIT 3",
    )
    .bind(shop.customer.0)
    .fetch_all(&shop.pool)
    .await
    .unwrap();
    there.choose(random).map(|id| InstanceId(*id))
}

/// An invoice over a further term, open or not.
async fn some_term(shop: &Shop, random: &mut StdRng) -> Option<InvoiceId> {
    let all: Vec<uuid::Uuid> =
        sqlx::query_scalar("SELECT invoice_id FROM renewals WHERE user_id = $1 ORDER BY id DESC LIMIT 4")
            .bind(shop.customer.0)
            .fetch_all(&shop.pool)
            .await
            .unwrap();
    all.choose(random).map(|id| InvoiceId(*id))
}
