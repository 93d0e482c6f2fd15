//! Transfers arrive at the bank, and staff approve each once, whatever became of its order meanwhile.

use domain::{
    Rupiah,
    billing::{PaymentMethod, PaymentStatus as P},
    ids::{OrderId, PaymentId},
};
use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use store::{
    StoreError,
    payments::{Approval, ApprovalError, Payment},
};

use super::{
    acts::{plain, transfers_for},
    reality::Reality,
};
use crate::Shop;

/// A transfer for one of the order's announced ones arrives, and staff take it: what is shown as due, which they then need
/// not say, or any other amount.
pub(super) async fn arrives(
    shop: &Shop,
    reality: &Reality,
    order: OrderId,
    key: &str,
    random: &mut StdRng,
) -> Result<(), StoreError> {
    let transfers = transfers_for(shop, order).await;
    let Some(transfer) = transfers.choose(random) else { return Ok(()) };
    let is_named = transfers.len() > 1 || random.random_bool(0.6);
    let named = is_named.then_some(transfer.id);
    if random.random_bool(0.4) {
        return arrives_as_shown(shop, reality, transfer, named, key).await;
    }
    let desk = reality.desk(order);
    let _together = desk.read().await;
    let amount = match random.random_range(0..3) {
        0 => random.random_range(1_000..60_000),
        1 => transfer.amount.get(),
        _ => random.random_range(1_000..250_000),
    };
    let arrived = Rupiah::new(amount);
    reality.transferred(shop.customer, amount);
    let approval = Approval { payment: named, arrived: Some(arrived), ..Approval::default() };
    if approve(shop, order, &approval, &format!("{key}/first")).await?.is_none() {
        settle_by_name(shop, reality, transfer, arrived, key).await?;
    }
    Ok(())
}

/// What is shown as due of a transfer arrives, and staff take it without saying how much it is.
async fn arrives_as_shown(
    shop: &Shop,
    reality: &Reality,
    transfer: &Payment,
    named: Option<PaymentId>,
    key: &str,
) -> Result<(), StoreError> {
    let order = transfer.order_id.unwrap();
    // What is due changes with every other transfer: whoever relies on it sits at the order alone.
    let desk = reality.desk(order);
    let _alone = desk.write().await;
    let shown = shop.store.any_payment(transfer.id).await?;
    let Some(due) = shown.amount_due() else { return Ok(()) };
    reality.transferred(shop.customer, due.get());
    let approval = Approval { payment: named, ..Approval::default() };
    match approve(shop, order, &approval, &format!("{key}/due")).await? {
        // Nothing but transfers changes what is due while the order waits for money.
        Some(paid) => {
            assert_eq!((paid.status, paid.amount_due()), (P::Paid, None), "{shown:?}, then {paid:?}");
            Ok(())
        }
        None => settle_by_name(shop, reality, transfer, due, key).await,
    }
}

/// A part of a transfer arrives, its order expires, and staff go by what is shown of it then.
pub(super) async fn part_then_expiry(
    shop: &Shop,
    reality: &Reality,
    key: &str,
    random: &mut StdRng,
) -> Result<(), StoreError> {
    let order = match shop.try_order_by(PaymentMethod::ManualTransfer, None, key).await {
        Ok(placed) => placed.order_id,
        refused => return plain(refused),
    };
    let Some(transfer) = transfers_for(shop, order).await.pop() else { return Ok(()) };
    let part = Rupiah::new(random.random_range(1_000..60_000));
    {
        let desk = reality.desk(order);
        let _together = desk.read().await;
        reality.transferred(shop.customer, part.get());
        let approval = Approval { payment: Some(transfer.id), arrived: Some(part), ..Approval::default() };
        if approve(shop, order, &approval, &format!("{key}/part")).await?.is_none() {
            settle_by_name(shop, reality, &transfer, part, key).await?;
        }
    }
    shop.store.expire_order(order).await?;
    arrives_as_shown(shop, reality, &transfer, None, key).await
}

/// Takes the money by the transfer's name: for its order while it is open, to the balance when it is closed. What can be
/// neither, since the transfer is paid by others, is given to the customer by hand.
async fn settle_by_name(
    shop: &Shop,
    reality: &Reality,
    transfer: &Payment,
    arrived: Rupiah,
    key: &str,
) -> Result<(), StoreError> {
    let order = transfer.order_id.unwrap();
    for again in 0..5 {
        let status = shop.store.any_payment(transfer.id).await?.status;
        if status == P::Paid {
            break;
        }
        let approval = Approval {
            payment: Some(transfer.id),
            arrived: Some(arrived),
            note: None,
            credit_closed: !status.is_open(),
        };
        if approve(shop, order, &approval, &format!("{key}/again/{again}")).await?.is_some() {
            return Ok(());
        }
    }
    shop.adjust(arrived.get(), &format!("{}/{key}/by hand", shop.customer)).await?;
    reality.transferred(shop.customer, -arrived.get());
    reality.corrected(shop.customer, arrived.get());
    Ok(())
}

/// The same request in copies at once, as from a browser that got no answer: it counts once. `None` when it was refused.
async fn approve(
    shop: &Shop,
    order: OrderId,
    approval: &Approval<'_>,
    key: &str,
) -> Result<Option<Payment>, StoreError> {
    let act = shop.act(&format!("{}/{key}", shop.customer));
    let copies = (0..2).map(|_| shop.store.approve_payment(order, approval, &act));
    let mut taken = None;
    for copy in futures::future::join_all(copies).await {
        match copy {
            Ok(payment) => taken = Some(payment),
            Err(
                ApprovalError::SeveralWait(_)
                | ApprovalError::AmountRequired
                | ApprovalError::Store(StoreError::Conflict { .. }),
            ) => {}
            Err(ApprovalError::Store(error)) => return Err(error),
            Err(error) => panic!("{approval:?}: {error:?}"),
        }
    }
    Ok(taken)
}

/// Staff deny that a transfer, or another attempt, brought anything.
pub(super) async fn reject(shop: &Shop, order: OrderId, random: &mut StdRng) -> Result<(), StoreError> {
    let transfers = transfers_for(shop, order).await;
    let named = transfers.choose(random).filter(|_| random.random_bool(0.7)).map(|transfer| transfer.id);
    match shop.store.reject_payment(order, named, &shop.admins_origin(), "nothing arrived").await {
        Ok(_) | Err(ApprovalError::SeveralWait(_)) => Ok(()),
        Err(ApprovalError::Store(error)) => Err(error),
        Err(error) => panic!("{error:?}"),
    }
}
