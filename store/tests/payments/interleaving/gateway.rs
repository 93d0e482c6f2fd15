//! The gateway tells what it did, and is asked: by the API, as [`take_in`] does in its place, and by the janitor.

use domain::{
    billing::{Evidence, PaymentStatus as P},
    gateway::{GatewayReport, Instructions, Outcome},
    payment_check::PaymentCheckPolicy,
};
use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use store::{StoreError, payments::Payment, webhooks::DuePayment};

use super::{
    act::Act,
    acts::payments_of,
    reality::{Letter, Reality},
};
use crate::{MIDTRANS, Shop};

/// Something happens at the gateway, or it is told of, or asked about.
pub(super) async fn act(
    shop: &Shop,
    reality: &Reality,
    act: Act,
    random: &mut StdRng,
) -> Result<(), StoreError> {
    let payments = through_gateway(shop).await;
    match act {
        Act::Told => {
            if let Some(letter) = reality.letter(shop.customer, random) {
                hear(shop, reality, letter, random).await?;
            }
        }
        Act::Forged => {
            if let Some(letter) = reality.forgery(shop.customer, &payments, random) {
                take_in(shop, reality, &letter, random.random_bool(0.8)).await?;
            }
        }
        Act::Asked => {
            for due in due(shop, 6).await? {
                ask(shop, reality, &due, random.random_bool(0.7)).await?;
            }
        }
        _ => {
            // Somebody else may be quicker: then nothing happens.
            let can: Vec<_> = match act {
                Act::TakenBack => payments.iter().filter(|payment| reality.is_paid(payment)).collect(),
                _ => payments.iter().filter(|payment| reality.is_open(payment)).collect(),
            };
            if let Some(payment) = can.choose(random) {
                match act {
                    Act::CustomerPays => reality.pay(shop.customer, payment, random),
                    Act::AttemptEnds => reality.end(shop.customer, payment, random),
                    _ => reality.take_back(shop.customer, payment, random),
                }
            }
        }
    }
    Ok(())
}

async fn through_gateway(shop: &Shop) -> Vec<Payment> {
    let all = payments_of(shop, None).await;
    all.into_iter().filter(|payment| payment.gateway.as_deref() == Some(MIDTRANS)).collect()
}

/// A notification comes, in copies at once. One that none of them was taken in of comes again, or gets lost.
async fn hear(shop: &Shop, reality: &Reality, letter: Letter, random: &mut StdRng) -> Result<(), StoreError> {
    let reachable: Vec<bool> = (0..random.random_range(1..4)).map(|_| random.random_bool(0.8)).collect();
    let copies = reachable.iter().map(|reachable| take_in(shop, reality, &letter, *reachable));
    let mut was_taken_in = false;
    for copy in futures::future::join_all(copies).await {
        was_taken_in |= copy?;
    }
    if was_taken_in {
        reality.taken_in(&letter);
    } else if letter.is_stubborn || random.random_bool(0.5) {
        reality.send_again(letter);
    }
    Ok(())
}

/// Takes a signed notification in as the API does: what a signature is not enough for, after the gateway was asked, if it can
/// be reached. `false` when it is to be sent again.
pub(super) async fn take_in(
    shop: &Shop,
    reality: &Reality,
    letter: &Letter,
    is_reachable: bool,
) -> Result<bool, StoreError> {
    let signed = letter.said.notification(&letter.payment, Evidence::Signed);
    let mut intake = shop.store.apply_webhook_event(&signed).await?;
    if intake == Outcome::AskFirst {
        if !is_reachable {
            shop.store.keep_unanswered(&signed).await?;
            return Ok(false);
        }
        let asked = reality.asked(&letter.payment);
        let mut answer = asked.notification(&letter.payment, Evidence::Asked);
        answer.dedupe_key = signed.dedupe_key;
        intake = shop.store.apply_webhook_event(&answer).await?;
    }
    let fits = !matches!(intake, Outcome::AskFirst | Outcome::Mismatch { .. } | Outcome::UnknownPayment);
    assert!(fits, "{letter:?}: {intake:?}");
    Ok(true)
}

/// What the janitor is to ask about.
pub(super) async fn due(shop: &Shop, limit: i64) -> Result<Vec<DuePayment>, StoreError> {
    let policy = PaymentCheckPolicy::default();
    shop.store.due_payments(&[MIDTRANS.to_owned()], &policy, None, limit).await
}

/// The janitor asks, and what the gateway says takes effect; an attempt whose time is over is called off.
pub(super) async fn ask(
    shop: &Shop,
    reality: &Reality,
    due: &DuePayment,
    is_reachable: bool,
) -> Result<(), StoreError> {
    if !is_reachable {
        return shop.store.note_payment_question(due.id).await;
    }
    let payment = shop.store.any_payment(due.id).await?;
    let said = reality.asked(&payment);
    let report = GatewayReport {
        transaction_id: None,
        status: said.status,
        amount: Some(said.gross()),
        payer_fee: said.payer_fee(),
        amount_as_received: "as paid".into(),
        reversals: said.reversals().to_vec(),
        instructions: Instructions::default(),
    };
    let intake = shop.store.apply_report(MIDTRANS, &payment.gateway_order_id, &report).await?;
    let fits = !matches!(intake, Outcome::AskFirst | Outcome::Mismatch { .. } | Outcome::UnknownPayment);
    assert!(fits, "{said:?}: {intake:?}");
    if said.status == P::Pending && due.is_over && reality.call_off(due.id) {
        shop.store
            .apply_report(
                MIDTRANS,
                &payment.gateway_order_id,
                &GatewayReport { status: P::Expired, ..report },
            )
            .await?;
    }
    Ok(())
}

/// Lets that many minutes pass for the customer's payments that nobody is busy with.
pub(super) async fn time_passes(shop: &Shop, minutes: i32) -> Result<(), StoreError> {
    let sql = "UPDATE payments SET created_at = created_at - make_interval(mins => $2),
                      checked_at = checked_at - make_interval(mins => $2), expires_at = expires_at - make_interval(mins => $2),
                      doubted_at = doubted_at - make_interval(mins => $2)
               WHERE id IN (SELECT id FROM payments WHERE user_id = $1 FOR NO KEY UPDATE SKIP LOCKED)";
    sqlx::query(sql).bind(shop.customer.0).bind(minutes).execute(&shop.pool).await.unwrap();
    Ok(())
}
