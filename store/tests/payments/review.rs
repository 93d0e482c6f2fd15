use domain::{
    Rupiah,
    billing::{InvoiceStatus, PaymentMethod, PaymentOutcome, PaymentStatus as P},
    gateway::Outcome,
    ids::OrderId,
    order::OrderStatus,
    pricing::{BilledItem, LineDescription},
    refund::RefundDestination,
};
use sqlx::PgPool;
use store::{
    StoreError,
    audit::{Actor, Origin},
    invoices::NewDraft,
    money_act::MoneyAct,
    payments::{Approval, ApprovalError, NewAttempt, Payment},
    refunds::{Part, RefundError},
    versions::IfMatch,
};
use tokio::task::JoinSet;

use crate::{Shop, request, webhook_event};

impl Shop {
    async fn approve(&self, order: OrderId, received: Option<Rupiah>) -> Result<Payment, ApprovalError> {
        let approval = Approval { arrived: received, note: Some("seen"), ..Approval::default() };
        self.store.approve_payment(order, &approval, &self.anew()).await
    }

    /// The customer announces a further transfer for an order.
    pub(crate) async fn announce(&self, order: OrderId, key: &str) -> Payment {
        let attempt = NewAttempt {
            user: self.customer,
            order,
            method: PaymentMethod::ManualTransfer,
            bank: None,
            gateway: None,
        };
        let opened = self.store.open_payment(&attempt, &request(key)).await.unwrap();
        self.store.any_payment(opened.payment_id).await.unwrap()
    }
}

fn conflict(refused: &ApprovalError, wanted: &str, wanted_state: &str) -> bool {
    matches!(refused, ApprovalError::Store(StoreError::Conflict { object, state })
             if object.to_string() == wanted && state == wanted_state)
}

#[sqlx::test(migrations = "../migrations")]
async fn a_bank_transfer_is_approved(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, transfer) = shop.order_by(PaymentMethod::ManualTransfer, "order").await;
    let approved = shop.approve(order, Some(transfer.amount)).await.unwrap();
    assert_eq!((approved.id, approved.status), (transfer.id, P::Paid));
    let paid = shop.store.any_order(order).await.unwrap();
    assert_eq!((paid.status, paid.invoice.status), (OrderStatus::Paid, InvoiceStatus::Paid));
    let signed = "SELECT count(*) FROM payments p JOIN audit_log a ON a.object_id = p.order_id
                  WHERE p.approved_by = a.actor_id AND p.note = 'seen' AND a.action = 'payment.approve'
                    AND a.before ->> 'status' = 'PENDING_PAYMENT' AND a.after ->> 'status' = 'PAID'";
    assert_eq!(shop.count(signed).await, 1);
    assert_eq!(shop.count("SELECT count(*) FROM outbox WHERE kind = 'payment_confirmed'").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_override_leaves_room_for_the_gateways_own_money(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, qris) = shop.order().await;
    let approved = shop.approve(order, None).await.unwrap();
    assert_eq!((approved.method, approved.status), (PaymentMethod::ManualTransfer, P::Paid));
    assert_eq!(shop.payment_status(qris.id).await, P::Cancelled);
    assert_eq!(shop.status(order).await, OrderStatus::Paid);

    // The customer pays the code nevertheless: that is a second sum, and it is not swallowed.
    let intake = shop.receive(&webhook_event(&qris, P::Paid, "t:settlement")).await;
    assert!(matches!(intake, Outcome::Applied { outcome: Some(PaymentOutcome::Credited), .. }), "{intake:?}");
}

#[sqlx::test(migrations = "../migrations")]
async fn of_five_approvals_at_once_one_counts(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, _) = shop.order().await;
    let mut requests = JoinSet::new();
    for _ in 0..5 {
        let (store, act) = (shop.store.clone(), shop.anew());
        requests.spawn(async move { store.approve_payment(order, &Approval::default(), &act).await });
    }
    let answers = requests.join_all().await;
    assert_eq!(answers.iter().filter(|a| a.is_ok()).count(), 1);
    for refused in answers.iter().filter_map(|a| a.as_ref().err()) {
        assert!(conflict(refused, "order", "PAID"), "{refused:?}");
    }
    assert_eq!(shop.count("SELECT count(*) FROM outbox WHERE kind = 'payment_confirmed'").await, 1);
    assert_eq!(shop.count("SELECT count(*) FROM audit_log WHERE action = 'payment.approve'").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_expired_order_is_approved_while_it_can_be_had(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, qris) = shop.order().await;
    shop.store.expire_order(order).await.unwrap();
    assert_eq!(shop.store.any_order(order).await.unwrap().invoice.status, InvoiceStatus::Void);
    // Nothing is due any more, so what arrived has to be said.
    let unsaid = shop.approve(order, None).await.unwrap_err();
    assert!(matches!(unsaid, ApprovalError::AmountRequired), "{unsaid:?}");
    assert_eq!(shop.count("SELECT count(*) FROM payments").await, 1);

    sqlx::query("UPDATE plans SET stock_limit = 0").execute(&shop.pool).await.unwrap();
    let credited = shop.approve(order, Some(qris.amount)).await.unwrap();
    assert_eq!((credited.status, shop.status(order).await), (P::Paid, OrderStatus::Expired));
    assert_eq!(shop.wallet().await, (qris.amount.get(), 0));

    sqlx::query("UPDATE plans SET stock_limit = 1").execute(&shop.pool).await.unwrap();
    shop.approve(order, Some(qris.amount)).await.unwrap();
    let revived = shop.store.any_order(order).await.unwrap();
    assert_eq!((revived.status, revived.invoice.status), (OrderStatus::Paid, InvoiceStatus::Paid));
    assert_eq!(shop.wallet().await, (qris.amount.get(), 0));
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_rejection_closes_the_attempt_and_tells_why(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, transfer) = shop.order_by(PaymentMethod::ManualTransfer, "order").await;
    let origin = shop.admins_origin();
    let reject = || shop.store.reject_payment(order, None, &origin, "No such transfer");
    let rejected = reject().await.unwrap();
    assert_eq!((rejected.id, rejected.status), (transfer.id, P::Denied));
    assert_eq!(shop.status(order).await, OrderStatus::PendingPayment);
    let told = shop.told("PAYMENT_REJECTED").await;
    assert!(told[0].contains("No such transfer"), "{told:?}");
    assert_eq!(shop.count("SELECT count(*) FROM audit_log WHERE action = 'payment.reject'").await, 1);

    let again = reject().await.unwrap_err();
    assert!(conflict(&again, "payment", "DENIED"), "{again:?}");

    // Somebody denied that it arrived: that it did after all, and how much, has to be said.
    let unsaid = shop.approve(order, None).await.unwrap_err();
    assert!(matches!(unsaid, ApprovalError::AmountRequired), "{unsaid:?}");
    shop.approve(order, Some(transfer.amount)).await.unwrap();
    assert_eq!(shop.status(order).await, OrderStatus::Paid);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn of_two_announced_transfers_the_one_that_arrived_is_named(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, first) = shop.order_by(PaymentMethod::ManualTransfer, "order").await;
    let second = shop.announce(order, "second").await;
    let unnamed = shop.approve(order, None).await.unwrap_err();
    assert!(
        matches!(&unnamed, ApprovalError::SeveralWait(ids) if *ids == [second.id, first.id]),
        "{unnamed:?}"
    );
    let origin = shop.admins_origin();
    let rejected = shop.store.reject_payment(order, None, &origin, "which?").await.unwrap_err();
    assert!(matches!(rejected, ApprovalError::SeveralWait(_)), "{rejected:?}");
    assert_eq!(shop.count("SELECT count(*) FROM ledger_movements").await, 0);

    let named = Approval { payment: Some(first.id), ..Approval::default() };
    let (one, two) = (shop.act("once"), shop.act("once"));
    let (one, two) = tokio::join!(
        shop.store.approve_payment(order, &named, &one),
        shop.store.approve_payment(order, &named, &two),
    );
    assert_eq!((one.unwrap().id, two.unwrap().id), (first.id, first.id));
    assert_eq!(shop.payment_status(second.id).await, P::Cancelled);
    assert_eq!(shop.status(order).await, OrderStatus::Paid);
    // A repetition answers with what was approved, whatever came later.
    let again = shop.store.approve_payment(order, &named, &shop.act("once")).await.unwrap();
    assert_eq!((again.id, again.status), (first.id, P::Paid));

    // The one that was called off brings nothing unless somebody says so, and how much.
    let mut late = Approval { payment: Some(second.id), arrived: Some(second.amount), ..Approval::default() };
    let refused = shop.store.approve_payment(order, &late, &shop.anew()).await.unwrap_err();
    let hint = "CANCELLED, closed: its money can only be credited";
    assert!(conflict(&refused, "payment", hint), "{refused:?}");
    assert_eq!(shop.wallet().await, (0, 0));
    late.credit_closed = true;
    let unsaid = Approval { arrived: None, ..late };
    let unsaid = shop.store.approve_payment(order, &unsaid, &shop.anew()).await.unwrap_err();
    assert!(matches!(unsaid, ApprovalError::AmountRequired), "{unsaid:?}");
    let credited = shop.store.approve_payment(order, &late, &shop.anew()).await.unwrap();
    assert_eq!((credited.id, credited.status), (second.id, P::Paid));
    assert_eq!(shop.wallet().await, (second.amount.get(), 0));
    let twice = shop.store.approve_payment(order, &late, &shop.anew()).await.unwrap_err();
    assert!(conflict(&twice, "payment", "PAID"), "{twice:?}");
    assert_eq!(shop.wallet().await, (second.amount.get(), 0));
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn only_a_bank_transfer_of_the_order_is_approved(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, qris) = shop.order().await;
    let (_, foreign) = shop.order_by(PaymentMethod::ManualTransfer, "another").await;
    shop.deposit(500_000, "deposit").await;
    let paid = shop.order_from_balance("from balance").await.unwrap();
    let from_balance = shop.store.latest_payment(paid.order_id).await.unwrap();
    let approve = async |order, payment| {
        let arrived = Some(qris.amount);
        let approval = Approval { payment: Some(payment), arrived, credit_closed: false, note: None };
        shop.store.approve_payment(order, &approval, &shop.anew()).await.unwrap_err()
    };
    let refused = approve(order, qris.id).await;
    assert!(conflict(&refused, "payment", "one by QRIS, no bank transfer"), "{refused:?}");
    let refused = approve(paid.order_id, from_balance.id).await;
    assert!(conflict(&refused, "payment", "one by WALLET, no bank transfer"), "{refused:?}");
    let refused = approve(order, foreign.id).await;
    assert!(matches!(refused, ApprovalError::Store(StoreError::NotFound("payment"))), "{refused:?}");
    let unnamed = Approval { arrived: Some(qris.amount), credit_closed: true, ..Approval::default() };
    let unnamed = shop.store.approve_payment(order, &unnamed, &shop.anew()).await.unwrap_err();
    assert!(matches!(unnamed, ApprovalError::PaymentRequired), "{unnamed:?}");
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn nobody_decides_about_money_of_their_own(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let own = Shop { customer: shop.admin, ..shop.clone() };
    let (order, transfer) = own.order_by(PaymentMethod::ManualTransfer, "order").await;
    let refused = own.approve(order, Some(transfer.amount)).await.unwrap_err();
    assert!(matches!(refused, ApprovalError::Store(StoreError::OwnMoney)), "{refused:?}");
    let refused = own.adjust(1_000, "adjust").await.unwrap_err();
    assert!(matches!(refused, StoreError::OwnMoney), "{refused:?}");

    // What somebody else approved is somebody else's to give back or to call off, too.
    let colleague = shop.app.admin().email("ani@example.com").await;
    let act = || MoneyAct {
        by: colleague,
        origin: Origin { actor: Actor::User(colleague), ..shop.admins_origin() },
        ..shop.anew()
    };
    shop.store.approve_payment(order, &Approval::default(), &act()).await.unwrap();
    let refused = own.refund(order, Part::Whole, RefundDestination::Wallet).await.unwrap_err();
    assert!(matches!(refused, RefundError::Store(StoreError::OwnMoney)), "{refused:?}");
    let refused = shop.store.cancel_order_for_staff(order, "mine", &shop.anew()).await.unwrap_err();
    assert!(matches!(refused, StoreError::OwnMoney), "{refused:?}");
    let items = [BilledItem {
        description: LineDescription::Written("Help".to_owned()),
        quantity: 1,
        unit_price: transfer.amount,
    }];
    let bill = NewDraft { by: colleague, customer: shop.admin, items: &items, note: None };
    let bill = shop.store.draft_invoice(&bill, &act().origin, &act().request).await.unwrap().id;
    let origin = shop.admins_origin();
    let cheaper = shop.store.change_draft(bill, &items, None, &IfMatch::Anyhow, &origin).await.unwrap_err();
    assert!(matches!(cheaper, StoreError::OwnMoney), "{cheaper:?}");
    let void = shop.store.void_invoice(bill, &origin, "mine").await.unwrap_err();
    assert!(matches!(void, StoreError::OwnMoney), "{void:?}");
    assert_eq!(own.wallet().await, (0, 0));
    assert_eq!(shop.status(order).await, OrderStatus::Paid);

    let cancel = act();
    let cancelled = shop.store.cancel_order_for_staff(order, "on request", &cancel).await.unwrap();
    assert_eq!((cancelled.returned, cancelled.was_paid), (transfer.amount, true));
    // The same request again tells the same; another one is too late.
    assert_eq!(shop.store.cancel_order_for_staff(order, "on request", &cancel).await.unwrap(), cancelled);
    assert!(shop.store.cancel_order_for_staff(order, "on request", &act()).await.is_err());
    assert_eq!(own.wallet().await, (transfer.amount.get(), 0));
    shop.assert_books_are_sound().await;
}
