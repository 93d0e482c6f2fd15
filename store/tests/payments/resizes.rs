//! Another plan for a server within its paid term: paid before where it costs more, given back afterwards where it costs less.

use domain::{
    Rupiah,
    billing::{InvoiceStatus, PaymentMethod},
    ids::{ActionId, InstanceId},
    instance::{ActionKind, CancelWhen, PowerState},
    language::Language,
    ledger::Service,
    provisioning::FailureClass,
    resize::{ResizeDirection, ResizeStatus as S},
    server::ServerState,
};
use sqlx::PgPool;
use store::{
    StoreError,
    orders::OrderError,
    resizes::{NewResize, OpenedResize, Resize},
};

use crate::{MIDTRANS, Shop, request};

/// Of the same disk as the plan that servers are bought with, at 859,000 a month instead of 129,000.
const CPU: &str = "do-cpu-4gb";
const BASIC: &str = "do-basic-1gb";
const MORE: i64 = 859_000 - 129_000;

impl Shop {
    async fn new_resize(&self, instance: InstanceId, plan: &str, method: PaymentMethod) -> NewResize {
        NewResize {
            user: self.customer,
            instance,
            plan: self.plan(plan).await,
            method,
            bank: None,
            gateway: (method == PaymentMethod::Qris).then_some(MIDTRANS),
            pay_within_ms: 3_600_000,
            stops_server: false,
        }
    }

    async fn resize(
        &self,
        instance: InstanceId,
        plan: &str,
        method: PaymentMethod,
        key: &str,
    ) -> Result<OpenedResize, OrderError> {
        let new = self.new_resize(instance, plan, method).await;
        self.store.open_resize(&new, &request(key)).await
    }

    async fn seen(&self, opened: OpenedResize) -> Resize {
        self.store.resize(opened.resize_id, self.customer).await.unwrap()
    }

    /// The action whose turn it is, of this kind.
    async fn turn_of(&self, instance: InstanceId, kind: ActionKind) -> ActionId {
        let work = self.store.next_action(instance).await.unwrap().work.unwrap();
        assert_eq!(work.kind, kind);
        work.action_id
    }

    /// The provider did what was asked of it.
    async fn done(&self, action: ActionId) {
        let seen = ServerState { power: PowerState::On, ipv4: None, ipv6: None };
        self.store.complete_action(action, None, &seen).await.unwrap();
    }

    async fn at_half(&self) -> InstanceId {
        let (_, instance) = self.server(2_000_000).await;
        self.half_a_month_later().await;
        instance
    }
}

fn state<T: std::fmt::Debug>(outcome: Result<T, OrderError>) -> String {
    match outcome {
        Err(OrderError::Store(StoreError::Conflict { object: store::Object::Instance, state })) => state,
        other => panic!("no conflict: {other:?}"),
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_dearer_plan_is_paid_for_what_is_left_and_had_when_it_is_done(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let instance = shop.at_half().await;
    let before = shop.app.balance(shop.customer).await;
    let quote = shop.store.quote_resize(shop.customer, instance, shop.plan(CPU).await).await.unwrap();
    assert_eq!((quote.direction, quote.grows_disk, quote.credit), (ResizeDirection::Up, false, Rupiah::ZERO));
    assert!((MORE * 46 / 100..=MORE * 54 / 100).contains(&quote.price.subtotal.get()), "{:?}", quote.price);
    assert_eq!((quote.price_monthly.get(), quote.price_monthly_tax.get()), (859_000, 94_490));

    let opened = shop.resize(instance, CPU, PaymentMethod::Wallet, "up").await.unwrap();
    let again = shop.resize(instance, CPU, PaymentMethod::Wallet, "up").await.unwrap();
    assert_eq!((again.resize_id, again.to_charge), (opened.resize_id, None));
    let resize = shop.seen(opened).await;
    let invoice = resize.invoice.unwrap();
    assert_eq!((resize.status, invoice.status), (S::Applying, InvoiceStatus::Paid));
    assert_eq!(shop.app.balance(shop.customer).await, before - invoice.total.get());
    let (_, lines) = shop.store.invoice(invoice.id, shop.customer).await.unwrap();
    let words = messages::invoice_line(&lines[0].description, Language::English);
    assert!(words.starts_with("web-1 from Basic 1 GB to CPU-Optimized 4 GB, until "), "{words}");

    // Until the provider has done it, the plan is what it was, and no term is sold at its price.
    assert_eq!(shop.store.any_instance(instance).await.unwrap().plan, BASIC);
    assert_eq!(state(shop.renew(instance, 1, PaymentMethod::Wallet, "renew").await), "being resized");
    assert_eq!(state(shop.resize(instance, CPU, PaymentMethod::Wallet, "twice").await), "being resized");
    let action = shop.turn_of(instance, ActionKind::Resize).await;
    assert_eq!(resize.action_id, Some(action));
    shop.done(action).await;
    shop.done(action).await;
    assert_eq!(shop.seen(opened).await.status, S::Completed);
    assert_eq!(shop.store.any_instance(instance).await.unwrap().plan, CPU);
    assert_eq!(shop.told("VPS_RESIZED").await.len(), 1);
    let renewed = shop.renew(instance, 1, PaymentMethod::Qris, "renew at the new price").await.unwrap();
    let renewed = shop.store.renewal(renewed.renewal_id, shop.customer).await.unwrap();
    assert_eq!(renewed.invoice.total, Rupiah::new(859_000 + 94_490));

    // What was paid for the difference is earned over the rest of the term, and goes back with it.
    let position = shop.store.position(Service::Invoice(invoice.id)).await.unwrap();
    assert!(position.revenue < Rupiah::new(10), "{position:?}");
    let credited = shop.cancel(instance, CancelWhen::Now, "off").await.unwrap().credited;
    let of_month = 143_190 * 46 / 100..=143_190 * 54 / 100;
    assert!(of_month.contains(&(credited.get() - invoice.total.get())), "{credited}");
}

#[sqlx::test(migrations = "../migrations")]
async fn through_a_gateway_it_is_begun_when_it_is_paid(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let instance = shop.at_half().await;
    let new = NewResize { stops_server: true, ..shop.new_resize(instance, CPU, PaymentMethod::Qris).await };
    let opened = shop.store.open_resize(&new, &request("up")).await.unwrap();
    assert_eq!(shop.seen(opened).await.status, S::Open);
    assert_eq!(shop.store.next_action(instance).await.unwrap().work, None);
    shop.app.pay(opened.to_charge.unwrap()).await;
    assert_eq!(shop.seen(opened).await.status, S::Applying);
    // Its provider resizes only what is off.
    for kind in [ActionKind::Shutdown, ActionKind::PowerOff, ActionKind::Resize, ActionKind::PowerOn] {
        let action = shop.turn_of(instance, kind).await;
        shop.done(action).await;
    }
    assert_eq!(shop.seen(opened).await.status, S::Completed);
}

#[sqlx::test(migrations = "../migrations")]
async fn unpaid_it_lapses_and_late_money_goes_to_the_balance(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let instance = shop.at_half().await;
    let before = shop.app.balance(shop.customer).await;
    let first = shop.resize(instance, CPU, PaymentMethod::Qris, "first").await.unwrap();
    let second = shop.resize(instance, "do-basic-2gb", PaymentMethod::Qris, "second").await.unwrap();
    assert_eq!((shop.seen(first).await.status, shop.seen(second).await.status), (S::Lapsed, S::Open));
    shop.app.pay(first.to_charge.unwrap()).await;
    let paid = shop.seen(first).await.invoice.unwrap();
    assert_eq!(paid.status, InvoiceStatus::Void);
    assert_eq!(shop.app.balance(shop.customer).await, before + paid.total.get());

    // A further term takes its place: the difference would not be paid for it.
    shop.renew(instance, 1, PaymentMethod::Wallet, "renew").await.unwrap();
    assert_eq!(shop.seen(second).await.status, S::Lapsed);
    assert_eq!(shop.store.lapse_resizes(10).await.unwrap(), 0);

    let new = NewResize { pay_within_ms: 1, ..shop.new_resize(instance, CPU, PaymentMethod::Qris).await };
    let third = shop.store.open_resize(&new, &request("third")).await.unwrap();
    assert_eq!(shop.store.lapse_resizes(10).await.unwrap(), 1);
    assert_eq!(shop.store.lapse_resizes(10).await.unwrap(), 0);
    let third = shop.seen(third).await;
    assert_eq!((third.status, third.invoice.unwrap().status), (S::Lapsed, InvoiceStatus::Void));
    assert_eq!(shop.store.next_action(instance).await.unwrap().work, None);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_was_paid_for_one_that_failed_is_on_the_balance_again(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let instance = shop.at_half().await;
    let before = shop.app.balance(shop.customer).await;
    let opened = shop.resize(instance, CPU, PaymentMethod::Wallet, "up").await.unwrap();
    let action = shop.turn_of(instance, ActionKind::Resize).await;
    for _ in 0..2 {
        shop.store.fail_action(action, FailureClass::Capacity, "no room").await.unwrap();
    }
    let resize = shop.seen(opened).await;
    let invoice = resize.invoice.unwrap();
    assert_eq!(
        (resize.status, invoice.status, resize.credited),
        (S::Failed, InvoiceStatus::Refunded, invoice.total)
    );
    assert_eq!(shop.app.balance(shop.customer).await, before);
    assert_eq!(shop.store.any_instance(instance).await.unwrap().plan, BASIC);
    assert_eq!(shop.told("VPS_RESIZED").await.len(), 1);
    assert_eq!(shop.count("SELECT count(*) FROM credit_notes").await, 1);

    // So it is when the server goes before its turn.
    let opened = shop.resize(instance, CPU, PaymentMethod::Wallet, "once more").await.unwrap();
    let off = shop.cancel(instance, CancelWhen::Now, "off").await.unwrap();
    shop.turn_of(instance, ActionKind::Delete).await;
    shop.store.terminate_instance(off.action_id.unwrap()).await.unwrap();
    assert_eq!(shop.seen(opened).await.status, S::Failed);
}

#[sqlx::test(migrations = "../migrations")]
async fn of_a_cheaper_plan_the_difference_goes_back_when_it_is_done(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let instance = shop.at_half().await;
    let up = shop.resize(instance, CPU, PaymentMethod::Wallet, "up").await.unwrap();
    shop.done(shop.turn_of(instance, ActionKind::Resize).await).await;
    let before = shop.app.balance(shop.customer).await;
    let quote = shop.store.quote_resize(shop.customer, instance, shop.plan(BASIC).await).await.unwrap();
    assert_eq!((quote.direction, quote.price.total), (ResizeDirection::Down, Rupiah::ZERO));

    let down = shop.resize(instance, BASIC, PaymentMethod::Wallet, "down").await.unwrap();
    let seen = shop.seen(down).await;
    assert_eq!((seen.status, seen.invoice.is_none(), seen.credited), (S::Applying, true, Rupiah::ZERO));
    assert_eq!(shop.app.balance(shop.customer).await, before, "never before it is done");
    shop.done(shop.turn_of(instance, ActionKind::Resize).await).await;
    let seen = shop.seen(down).await;
    assert_eq!(shop.app.balance(shop.customer).await, before + seen.credited.get());
    assert!(seen.credited.get().abs_diff(quote.credit.get()) < 1_000, "{} {}", seen.credited, quote.credit);
    // Up and down again at once costs next to nothing.
    let paid = shop.seen(up).await.invoice.unwrap().total;
    assert!(seen.credited.get().abs_diff(paid.get()) < 1_000, "{} {paid}", seen.credited);
    assert_eq!(shop.store.any_instance(instance).await.unwrap().plan, BASIC);
    assert_eq!(shop.count("SELECT count(*) FROM credit_notes").await, 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_in_the_way_is_named_and_nothing_changes(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, instance) = shop.server(143_190).await;
    let poor = shop.resize(instance, CPU, PaymentMethod::Wallet, "poor").await;
    assert!(matches!(poor, Err(OrderError::Store(StoreError::InsufficientBalance))), "{poor:?}");
    let refused =
        async |plan: &str, key: &str| state(shop.resize(instance, plan, PaymentMethod::Qris, key).await);
    assert_eq!(refused(BASIC, "its own").await, "not able to have this plan");
    assert_eq!(refused("vultr-regular-2gb", "another provider's").await, "not able to have this plan");
    shop.run("UPDATE instances SET plan_id = (SELECT id FROM plans WHERE slug = 'do-basic-2gb')").await;
    assert_eq!(refused(CPU, "a smaller disk").await, "not able to have this plan");
    shop.run("UPDATE instances SET plan_id = (SELECT id FROM plans WHERE slug = 'do-basic-1gb')").await;

    shop.cancel(instance, CancelWhen::PeriodEnd, "end").await.unwrap();
    assert!(refused(CPU, "cancelled").await.starts_with("cancelled at the end"));
    shop.store.revoke_cancellation(shop.customer, instance).await.unwrap();
    shop.run("UPDATE instances SET expires_at = now()").await;
    assert!(refused(CPU, "over").await.starts_with("past the end"));
    shop.run("UPDATE instances SET expires_at = now() + interval '30 days', status = 'SUSPENDED'").await;
    assert_eq!(refused(CPU, "suspended").await, "SUSPENDED");
    shop.run("UPDATE instances SET status = 'ACTIVE'").await;

    let stranger = shop.app.customer().await;
    let new = NewResize { user: stranger, ..shop.new_resize(instance, CPU, PaymentMethod::Qris).await };
    let theirs = shop.store.open_resize(&new, &request("theirs")).await;
    assert!(matches!(theirs, Err(OrderError::Store(StoreError::NotFound("instance")))), "{theirs:?}");
    assert_eq!(shop.count("SELECT count(*) FROM resizes").await, 0);
    assert_eq!(shop.count("SELECT count(*) FROM instance_actions").await, 0);
    assert_eq!(shop.count("SELECT count(*) FROM invoices").await, 1);
}
