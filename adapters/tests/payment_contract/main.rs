//! What every payment gateway's adapter must do, asked through `&dyn PaymentGateway` against its simulator.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use adapters::payments::{
    self, Attempt, Charge, GatewayError, GatewayFailure, PaymentGateway, Refund, Refunded, WebhookError,
    confirm,
};
use chrono::Utc;
use domain::{
    Rupiah,
    billing::{Bank, PaymentMethod, PaymentStatus},
    gateway::{GatewayReport, Instructions, WebhookEvent},
};
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use testkit::SimulatedGateway;

mod failures;
mod notifications;
mod vendors;

use failures::*;
use notifications::*;
use vendors::*;

const KEY: &str = "the-contracts-secret-key";
const TOKEN: &str = "the-contracts-callback-token";
const TIMEOUT: Duration = Duration::from_secs(5);
const AMOUNT: Rupiah = Rupiah::new(133_200);

/// What a gateway can be asked.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Charge,
    Status,
    Cancel,
    Refund,
}

/// A gateway's adapter with the simulator it talks to.
struct Vendor {
    who: Who,
    gateway: Arc<dyn PaymentGateway>,
    simulated: SimulatedGateway,
    http: reqwest::Client,
}

impl Vendor {
    async fn of(who: Who) -> Self {
        Self::with(who, KEY, TIMEOUT).await
    }

    async fn with(who: Who, key: &str, timeout: Duration) -> Self {
        let simulated = SimulatedGateway::with(who.slug, |config| {
            config.credentials = credentials(who, KEY).map(str::to_owned).collect();
        });
        let simulated = simulated.await;
        let gateway = adapter(&simulated, who, key, timeout);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let vendor = Self { who, gateway, simulated, http };
        // Nobody listens there: these tests read the notification from the answer to `/__sim/pay`.
        let settings = json!({ "notification_url": "http://127.0.0.1:9/", "retry_interval_seconds": 60 });
        vendor.control("config", settings).await;
        vendor
    }

    /// The route of a charge.
    fn charging(&self) -> &'static str {
        self.simulated.charge()
    }

    fn calls(&self, route: &str) -> u64 {
        self.simulated.simulator.calls(route)
    }

    async fn control(&self, call: &str, body: Value) -> Value {
        let url = format!("{}/__sim/{call}", self.simulated.simulator.url());
        let answer = self.http.post(url).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{call}: {answer:?}");
        answer.json().await.unwrap_or_default()
    }

    /// Makes the next charge fail.
    async fn fault(&self, fault: Value) {
        self.fault_at(self.charging(), fault).await;
    }

    async fn fault_at(&self, route: &str, mut fault: Value) {
        fault["route"] = json!(route);
        self.control("faults", fault).await;
    }

    /// Every call with its route, and whether it changes anything.
    fn calls_and_routes(&self) -> [(Asked, &'static str, bool); 4] {
        let Routes { status, cancel, refund, .. } = self.who.routes;
        [
            (Asked::Charge, self.charging(), true),
            (Asked::Status, status, false),
            (Asked::Cancel, cancel, true),
            (Asked::Refund, refund, true),
        ]
    }

    /// Makes a call that is known to fail.
    async fn failing(&self, call: Asked) -> GatewayError {
        let by_bri = charge(PaymentMethod::VirtualAccount, Some(Bank::Bri));
        match call {
            Asked::Charge => self.gateway.create(&by_bri).await.map(drop),
            Asked::Status => self.status(QRIS).await.map(drop),
            Asked::Cancel => self.gateway.cancel(by_our_name(QRIS)).await,
            Asked::Refund => self.refund("r-1", 1).await.map(drop),
        }
        .unwrap_err()
    }

    /// What is told of an outcome, as it would be sent; `extra` has what else `/__sim/pay` takes.
    async fn told(&self, name: &str, extra: Value) -> Vec<u8> {
        let mut pay = json!({ "order_id": name });
        pay.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        self.control("pay", pay).await["notification"].to_string().into_bytes()
    }

    /// Reads what was told, with the headers that prove where it comes from.
    fn read(&self, body: &[u8]) -> Result<WebhookEvent, WebhookError> {
        let mut headers = HeaderMap::new();
        headers.insert("x-callback-token", HeaderValue::from_static(TOKEN));
        self.gateway.verify_webhook(&headers, body)
    }

    /// What may be believed of what is told of an outcome.
    async fn believed(&self, name: &str, extra: Value) -> WebhookEvent {
        let told = self.read(&self.told(name, extra).await).unwrap();
        confirm(&*self.gateway, told).await.unwrap()
    }

    async fn create(&self, method: PaymentMethod, bank: Option<Bank>) -> Result<Instructions, GatewayError> {
        self.gateway.create(&charge(method, bank)).await
    }

    /// A charge by QRIS, and the gateway's name for it.
    async fn qris(&self) -> String {
        self.create(PaymentMethod::Qris, None).await.unwrap().transaction_id
    }

    async fn status(&self, name: &str) -> Result<GatewayReport, GatewayError> {
        self.gateway.status(by_our_name(name)).await
    }

    async fn refund(&self, key: &str, amount: i64) -> Result<Refunded, GatewayError> {
        self.gateway.refund(&of_qris(key, amount)).await
    }

    async fn find_refund(&self, key: &str, id: Option<&str>) -> Result<Option<Refunded>, GatewayError> {
        self.gateway.find_refund(&of_qris(key, 1), id).await
    }
}

fn of_qris(refund_key: &str, amount: i64) -> Refund<'_> {
    Refund {
        attempt: by_our_name(QRIS),
        method: PaymentMethod::Qris,
        refund_key,
        amount: Rupiah::new(amount),
        reason: "sold out",
    }
}

/// The secrets that are shared with a gateway, with this one in the first place.
fn credentials(who: Who, key: &str) -> impl Iterator<Item = &str> {
    let others = payments::descriptor(who.slug).unwrap().credentials.len() - 1;
    std::iter::once(key).chain(std::iter::repeat_n(TOKEN, others))
}

fn adapter(simulated: &SimulatedGateway, who: Who, key: &str, timeout: Duration) -> Arc<dyn PaymentGateway> {
    simulated.adapter_with(|account| {
        account.credentials = credentials(who, key).map(Into::into).collect();
        account.timeout = timeout;
    })
}

/// One name per way to pay.
fn charge(method: PaymentMethod, bank: Option<Bank>) -> Charge {
    Charge {
        gateway_order_id: format!("WB-{method}-{}", bank.map_or("none", Bank::as_str)).replace('_', "-"),
        amount: AMOUNT,
        method,
        bank,
        pay_within: Duration::from_secs(3_600),
    }
}

const fn by_our_name(name: &str) -> Attempt<'_> {
    Attempt { gateway_order_id: name, transaction_id: None }
}

const QRIS: &str = "WB-QRIS-none";

/// Asks every gateway the same, and says which they are.
macro_rules! gateways {
    ($($module:ident: $facts:ident),+ $(,)?) => {
        $(mod $module { contract!(super::$facts); })+

        const ASKED: &[Who] = &[$(&$facts),+];
    };
}

macro_rules! contract {
    ($who:path) => {
        contract! { $who:
            every_way_to_pay_comes_with_instructions,
            what_became_of_an_attempt_can_be_asked,
            another_amount_is_reported_as_it_was_paid,
            a_payers_fee_is_told_from_what_was_charged,
            a_pending_attempt_can_be_called_off,
            a_denied_attempt_is_reported_as_such,
            an_answer_that_does_not_come_leaves_it_open,
            only_the_gateways_own_words_refuse,
            what_is_under_way_or_broken_may_have_taken_effect,
            too_many_calls_are_made_again_when_the_gateway_says,
            a_proxys_page_leaves_it_open_whatever_its_status,
            a_wrong_key_is_named_and_not_shown,
            without_a_connection_nothing_was_charged,
            a_notification_is_believed_if_it_is_proven,
            a_notification_that_was_changed_moves_nothing,
            the_same_event_has_the_same_key,
            money_goes_back_in_parts_and_once_per_key,
            what_was_paid_into_an_account_does_not_go_back,
            a_refused_question_says_nothing_of_the_refund,
        }
    };
    ($who:path: $($clause:ident,)+) => {
        $(#[tokio::test] async fn $clause() { super::$clause(&$who).await; })+
    };
}

gateways! {
    midtrans_keeps_the_contract: MIDTRANS,
    xendit_keeps_the_contract: XENDIT,
}

/// A gateway that stands in the registry and is not asked is found here.
#[test]
fn every_gateway_keeps_the_contract() {
    let registered: BTreeSet<_> = payments::ALL.iter().map(|gateway| gateway.slug).collect();
    assert_eq!(registered, ASKED.iter().map(|who| who.slug).collect());
}

#[expect(clippy::disallowed_methods, reason = "the vendor simulated here lives by this machine's clock")]
async fn every_way_to_pay_comes_with_instructions(who: Who) {
    let vendor = Vendor::of(who).await;
    let qris = vendor.create(PaymentMethod::Qris, None).await.unwrap();
    assert!(qris.qr_string.is_some() && qris.va_number.is_none() && !qris.transaction_id.is_empty());
    assert_eq!(qris.expires_at.is_some(), who.codes_end_when_told);
    for bank in Bank::ALL {
        let va = vendor.create(PaymentMethod::VirtualAccount, Some(*bank)).await.unwrap();
        let left = va.expires_at.unwrap() - Utc::now();
        assert!((3_500..=3_660).contains(&left.num_seconds()), "{left}");
        let by_bill = va.bill_key.is_some() && va.biller_code.is_some();
        assert_ne!(by_bill, va.va_number.is_some(), "{bank}");
        assert_eq!(by_bill, who.banks_by_bill.contains(bank), "{bank}");
    }
    assert_eq!(vendor.calls(vendor.charging()), 6);
    let odd = vendor.create(PaymentMethod::ManualTransfer, None).await.unwrap_err();
    assert_eq!(odd.class(), GatewayFailure::Refused, "{odd:?}");
}

async fn what_became_of_an_attempt_can_be_asked(who: Who) {
    let vendor = Vendor::of(who).await;
    let unknown = vendor.status(QRIS).await;
    assert!(matches!(unknown, Err(GatewayError::NotFound { .. })), "{unknown:?}");
    let transaction_id = vendor.qris().await;
    let report = vendor.status(QRIS).await.unwrap();
    assert_eq!((report.status, report.amount), (PaymentStatus::Pending, Some(AMOUNT)));
    assert_eq!(report.transaction_id.as_ref(), Some(&transaction_id));
    for (outcome, status) in [("expire", PaymentStatus::Expired), ("settlement", PaymentStatus::Paid)] {
        vendor.told(QRIS, json!({ "outcome": outcome })).await;
        let by_theirs = Attempt { gateway_order_id: QRIS, transaction_id: Some(&transaction_id) };
        assert_eq!(vendor.gateway.status(by_theirs).await.unwrap().status, status);
        assert_eq!(vendor.status(QRIS).await.unwrap().status, status);
    }
    assert_eq!(vendor.status(QRIS).await.unwrap().amount, Some(AMOUNT));
    // An account's number can be learned again.
    let va = vendor.create(PaymentMethod::VirtualAccount, Some(Bank::Bri)).await.unwrap();
    let again = vendor.status("WB-VIRTUAL-ACCOUNT-BRI").await.unwrap().instructions;
    assert_eq!((again.va_number, again.transaction_id), (va.va_number, va.transaction_id));
}

async fn another_amount_is_reported_as_it_was_paid(who: Who) {
    let vendor = Vendor::of(who).await;
    vendor.qris().await;
    for (paid, amount) in [(json!(1), Some(Rupiah::new(1))), (json!("133200.50"), None)] {
        let told = vendor.believed(QRIS, json!({ "amount": paid })).await;
        let asked = vendor.status(QRIS).await.unwrap();
        for report in [told.report, asked] {
            assert_eq!((report.status, report.amount), (PaymentStatus::Paid, amount), "{paid}");
        }
    }
}

async fn a_payers_fee_is_told_from_what_was_charged(who: Who) {
    let vendor = Vendor::of(who).await;
    vendor.qris().await;
    let (extra, fee) = if who.imposes_payer_fees {
        (json!({ "payer_fee": 932 }), Some(Rupiah::new(932)))
    } else {
        (json!({}), None)
    };
    let gross = AMOUNT.plus(fee.unwrap_or_default()).unwrap();
    let told = vendor.believed(QRIS, extra).await;
    for report in [told.report, vendor.status(QRIS).await.unwrap()] {
        assert_eq!((report.status, report.amount, report.payer_fee), (PaymentStatus::Paid, Some(gross), fee));
    }
}

async fn a_pending_attempt_can_be_called_off(who: Who) {
    let vendor = Vendor::of(who).await;
    vendor.qris().await;
    vendor.gateway.cancel(by_our_name(QRIS)).await.unwrap();
    assert_eq!(vendor.status(QRIS).await.unwrap().status, PaymentStatus::Cancelled);
    let again = vendor.gateway.cancel(by_our_name(QRIS)).await;
    assert!(matches!(&again, Err(GatewayError::Refused { .. })), "{again:?}");
    let unknown = vendor.gateway.cancel(by_our_name("WB-nobody-1")).await;
    assert!(matches!(unknown, Err(GatewayError::NotFound { .. })), "{unknown:?}");
}

async fn a_denied_attempt_is_reported_as_such(who: Who) {
    let vendor = Vendor::of(who).await;
    vendor.qris().await;
    vendor.told(QRIS, json!({ "outcome": "deny" })).await;
    assert_eq!(vendor.status(QRIS).await.unwrap().status, PaymentStatus::Denied);
}

async fn an_answer_that_does_not_come_leaves_it_open(who: Who) {
    for fault in [json!({ "kind": "delay", "seconds": 20 }), json!({ "kind": "drop_after_create" })] {
        let vendor = Vendor::with(who, KEY, Duration::from_millis(500)).await;
        vendor.fault(fault.clone()).await;
        let open = vendor.create(PaymentMethod::Qris, None).await.unwrap_err();
        assert_eq!(open.class(), OPEN, "{fault}: {open:?}");
        // The attempt exists all the same, and asking for it again does not make a second one.
        assert_eq!(vendor.status(QRIS).await.unwrap().status, PaymentStatus::Pending);
        let again = vendor.create(PaymentMethod::Qris, None).await.unwrap_err();
        assert!(matches!(again, GatewayError::Duplicate { .. }) && again.class() == OPEN, "{again:?}");
    }
}

async fn money_goes_back_in_parts_and_once_per_key(who: Who) {
    let vendor = Vendor::of(who).await;
    vendor.qris().await;
    let unpaid = vendor.refund("r-0", 1).await;
    assert!(matches!(unpaid, Err(GatewayError::Refused { .. })), "{unpaid:?}");
    vendor.told(QRIS, json!({})).await;
    let part = vendor.refund("r-1", 33_200).await.unwrap();
    assert_eq!(part.amount, Some(Rupiah::new(33_200)));
    let again = vendor.refund("r-1", 33_200).await.unwrap();
    assert_eq!((again.amount, &again.refund_id), (part.amount, &part.refund_id));
    let found = vendor.find_refund("r-1", part.refund_id.as_deref()).await.unwrap();
    assert_eq!(found.map(|found| (found.amount, found.is_final)), Some((part.amount, true)));
    let too_much = vendor.refund("r-2", 100_001).await;
    assert!(matches!(too_much, Err(GatewayError::Refused { .. })), "{too_much:?}");
    // What is not there is not there for certain, or it can't be told; never is it taken for something else.
    let absent = vendor.find_refund("r-2", None).await;
    assert!(matches!(absent, Ok(None) | Err(GatewayError::NotNow { .. })), "{absent:?}");
    vendor.refund("r-3", 100_000).await.unwrap();
    let nothing_left = vendor.refund("r-4", 1).await;
    assert!(matches!(nothing_left, Err(GatewayError::Refused { .. })), "{nothing_left:?}");
}

async fn what_was_paid_into_an_account_does_not_go_back(who: Who) {
    let vendor = Vendor::of(who).await;
    vendor.create(PaymentMethod::VirtualAccount, Some(Bank::Bni)).await.unwrap();
    let name = "WB-VIRTUAL-ACCOUNT-BNI";
    vendor.told(name, json!({})).await;
    let refund = Refund {
        attempt: by_our_name(name),
        method: PaymentMethod::VirtualAccount,
        refund_key: "r-1",
        amount: AMOUNT,
        reason: "sold out",
    };
    let refused = vendor.gateway.refund(&refund).await;
    assert!(matches!(refused, Err(GatewayError::Unsupported { .. })), "{refused:?}");
}

async fn a_refused_question_says_nothing_of_the_refund(who: Who) {
    let vendor = Vendor::of(who).await;
    vendor.qris().await;
    vendor.told(QRIS, json!({})).await;
    let refund = vendor.refund("r-1", 1).await.unwrap();
    for fault in [json!({ "status": 400 }), json!({ "status": 200, "body": {} })] {
        let mut fault = fault;
        fault["kind"] = json!("status");
        vendor.fault_at(who.routes.find_refund, fault).await;
        let untold = vendor.find_refund("r-1", refund.refund_id.as_deref()).await.unwrap_err();
        assert_eq!(untold.class(), AGAIN, "{untold:?}");
    }
    assert!(vendor.find_refund("r-1", refund.refund_id.as_deref()).await.unwrap().is_some());
}
