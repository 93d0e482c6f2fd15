//! Bank transfers of more or less than was due, and of what nobody waits for any more.

use domain::{
    Rupiah,
    billing::{PaymentMethod, PaymentOutcome, PaymentStatus as P},
    gateway::Outcome,
    ids::OrderId,
    order::OrderStatus,
};
use sqlx::PgPool;
use store::{
    StoreError,
    payments::{Approval, ApprovalError, Payment},
};

use crate::{MIDTRANS, Shop, request, step_words, webhook_event};

impl Shop {
    pub(crate) async fn arrived(&self, order: OrderId, amount: i64) -> Result<Payment, ApprovalError> {
        let approval = Approval { arrived: Some(Rupiah::new(amount)), ..Approval::default() };
        self.store.approve_payment(order, &approval, &self.anew()).await
    }

    async fn balance(&self) -> (i64, i64) {
        let balances = self.store.wallet(self.customer).await.unwrap();
        (balances.wallet.get(), balances.holds.get())
    }
}

fn is_conflict(outcome: &Result<Payment, ApprovalError>, about: &str) -> bool {
    matches!(outcome, Err(ApprovalError::Store(StoreError::Conflict { object, .. })) if object.to_string() == about)
}

#[sqlx::test(migrations = "../migrations")]
async fn too_little_stays_open_until_the_rest_arrives(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, transfer) = shop.order_by(PaymentMethod::ManualTransfer, "order").await;
    let total = transfer.amount.get();
    let part = shop.arrived(order, total - 30_000).await.unwrap();
    assert_eq!((part.id, part.status), (transfer.id, P::Pending));
    assert_eq!(part.amount_received, Some(Rupiah::new(total - 30_000)));
    assert_eq!(part.amount_due(), Some(Rupiah::new(30_000)));
    assert_eq!(shop.status(order).await, OrderStatus::PendingPayment);
    assert_eq!(shop.balance().await, (0, total - 30_000));
    let told = shop.told("PAYMENT_INCOMPLETE").await;
    assert!(told[0].contains("missing Rp30.000"), "{told:?}");
    shop.assert_books_are_sound().await;

    let paid = shop.arrived(order, 30_000).await.unwrap();
    assert_eq!((paid.id, paid.status, paid.amount_received), (transfer.id, P::Paid, Some(transfer.amount)));
    assert_eq!(shop.status(order).await, OrderStatus::Paid);
    assert_eq!(shop.balance().await, (0, 0));
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn an_approval_without_an_amount_is_about_what_is_still_due(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, transfer) = shop.order_by(PaymentMethod::ManualTransfer, "order").await;
    shop.arrived(order, 1_000).await.unwrap();
    shop.arrived(order, 2_000).await.unwrap();
    let paid = shop.store.approve_payment(order, &Approval::default(), &shop.anew()).await.unwrap();
    assert_eq!((paid.status, paid.amount_received), (P::Paid, Some(transfer.amount)));
    assert_eq!(shop.balance().await, (0, 0));
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn too_much_goes_to_the_balance(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, transfer) = shop.order_by(PaymentMethod::ManualTransfer, "order").await;
    let paid = shop.arrived(order, transfer.amount.get() + 16_800).await.unwrap();
    assert_eq!(paid.status, P::Paid);
    assert_eq!(shop.status(order).await, OrderStatus::Paid);
    assert_eq!(shop.balance().await, (16_800, 0));
    let steps = shop.store.any_timeline(order).await.unwrap();
    assert!(steps.iter().any(|s| step_words(s).contains("Rp16.800 more than was due")), "{steps:?}");
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn the_same_approval_twice_counts_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, _) = shop.order_by(PaymentMethod::ManualTransfer, "order").await;
    let act = shop.act("approve");
    let approval = Approval { arrived: Some(Rupiah::new(10_000)), ..Approval::default() };
    let approve = || shop.store.approve_payment(order, &approval, &act);
    let (one, two) = tokio::join!(approve(), approve());
    assert_eq!(one.unwrap().amount_received, two.unwrap().amount_received);
    assert_eq!(shop.balance().await, (0, 10_000));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_part_goes_to_the_balance_when_the_order_ends_otherwise(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (cancelled, _) = shop.order_by(PaymentMethod::ManualTransfer, "cancelled").await;
    shop.arrived(cancelled, 10_000).await.unwrap();
    shop.store.cancel_order(cancelled, shop.customer).await.unwrap();
    assert_eq!(shop.balance().await, (10_000, 0));

    let (expired, _) = shop.order_by(PaymentMethod::ManualTransfer, "expired").await;
    shop.arrived(expired, 20_000).await.unwrap();
    shop.store.expire_order(expired).await.unwrap();
    assert_eq!(shop.balance().await, (30_000, 0));

    // A gateway's code is over the whole price: what was set aside is free then.
    let (paid, _) = shop.order_by(PaymentMethod::ManualTransfer, "paid").await;
    shop.arrived(paid, 30_000).await.unwrap();
    let attempt = store::payments::NewAttempt {
        user: shop.customer,
        order: paid,
        method: PaymentMethod::Qris,
        bank: None,
        gateway: Some(MIDTRANS),
    };
    shop.store.open_payment(&attempt, &request("qris")).await.unwrap();
    let qris = shop.store.latest_payment(paid).await.unwrap();
    shop.receive(&webhook_event(&qris, P::Paid, "t:settlement")).await;
    assert_eq!(shop.status(paid).await, OrderStatus::Paid);
    assert_eq!(shop.balance().await, (60_000, 0));
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn an_announced_transfer_for_a_closed_order_goes_to_the_balance_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, transfer) = shop.order_by(PaymentMethod::ManualTransfer, "order").await;
    shop.store.cancel_order(order, shop.customer).await.unwrap();
    // That it is the one that was called off has to be said.
    let unnamed = shop.arrived(order, 50_000).await;
    assert!(is_conflict(&unnamed, "order"), "{unnamed:?}");
    let arrived = Some(Rupiah::new(50_000));
    let approval = Approval { payment: Some(transfer.id), arrived, credit_closed: true, note: None };
    let credited = shop.store.approve_payment(order, &approval, &shop.anew()).await.unwrap();
    assert_eq!((credited.id, credited.status), (transfer.id, P::Paid));
    assert_eq!(shop.status(order).await, OrderStatus::Cancelled);
    assert_eq!(shop.balance().await, (50_000, 0));
    let again = shop.store.approve_payment(order, &approval, &shop.anew()).await;
    assert!(is_conflict(&again, "payment"), "{again:?}");
    assert_eq!(shop.balance().await, (50_000, 0));
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_transfer_for_a_paid_order_is_not_invented(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, qris) = shop.order().await;
    let paid = shop.receive(&webhook_event(&qris, P::Paid, "t:settlement")).await;
    assert!(matches!(paid, Outcome::Applied { outcome: Some(PaymentOutcome::Applied), .. }));
    let refused = shop.arrived(order, 50_000).await;
    assert!(is_conflict(&refused, "order"), "{refused:?}");
    assert_eq!(shop.balance().await, (0, 0));
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_due_is_the_same_wherever_it_is_asked(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, transfer) = shop.order_by(PaymentMethod::ManualTransfer, "order").await;
    let total = transfer.amount.get();
    assert_eq!(transfer.amount_due(), Some(transfer.amount));
    shop.arrived(order, total - 10_000).await.unwrap();
    // Another transfer for the same order completes what is set aside; a code is over all of it.
    let second = shop.announce(order, "second").await;
    assert_eq!(second.amount_due(), Some(Rupiah::new(10_000)));
    let filter = store::admin::PaymentFilter { order: Some(order), ..Default::default() };
    let page = store::page::SortedRequest::first(10);
    let newest = domain::sorting::PaymentSort::Newest;
    let all = shop.store.payments_for_staff(&filter, newest, page).await.unwrap().data;
    let due: Vec<_> = all.iter().map(|payment| payment.amount_due().unwrap().get()).collect();
    assert_eq!(due, [10_000, 10_000]);

    // With the order's end nothing is due: the part is on the balance, and the transfer it came by is over.
    shop.store.expire_order(order).await.unwrap();
    assert_eq!(shop.balance().await, (total - 10_000, 0));
    let over = shop.store.any_payment(transfer.id).await.unwrap();
    assert_eq!((over.status, over.amount_due()), (P::Expired, None));
    let waiting = shop.store.any_payment(second.id).await.unwrap();
    assert_eq!((waiting.status, waiting.amount_due()), (P::Pending, None));
    let before = shop.count("SELECT count(*) FROM ledger_movements").await;
    for payment in [None, Some(transfer.id), Some(second.id)] {
        let approval = Approval { payment, ..Approval::default() };
        shop.store.approve_payment(order, &approval, &shop.anew()).await.unwrap_err();
    }
    assert_eq!(shop.count("SELECT count(*) FROM ledger_movements").await, before);
    shop.assert_books_are_sound().await;

    // What is said to have arrived counts, and no more.
    let arrived = Approval { arrived: Some(Rupiah::new(10_000)), ..Approval::default() };
    let credited = shop.store.approve_payment(order, &arrived, &shop.anew()).await.unwrap();
    assert_eq!((credited.id, credited.amount_received), (second.id, Some(Rupiah::new(10_000))));
    assert_eq!(shop.balance().await, (total, 0));
    assert_eq!(shop.status(order).await, OrderStatus::Expired);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_part_of_a_rejected_transfer_still_counts(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, transfer) = shop.order_by(PaymentMethod::ManualTransfer, "order").await;
    shop.arrived(order, 20_000).await.unwrap();
    let rejected =
        shop.store.reject_payment(order, None, &shop.admins_origin(), "the rest never came").await.unwrap();
    assert_eq!((rejected.status, rejected.amount_due()), (P::Denied, None));
    let second = shop.announce(order, "second").await;
    let rest = transfer.amount.minus(Rupiah::new(20_000)).unwrap();
    assert_eq!(second.amount_due(), Some(rest));
    shop.arrived(order, rest.get()).await.unwrap();
    assert_eq!(shop.status(order).await, OrderStatus::Paid);
    assert_eq!(shop.balance().await, (0, 0));
    shop.assert_books_are_sound().await;
}
