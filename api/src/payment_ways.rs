//! The ways to pay that this installation offers, what bounds them, and what to say when one does not take an amount.

use domain::{
    Rupiah,
    billing::{Bank, PaymentMethod},
    payment_limits::{AmountLimits, Payable, Way},
};
use serde::Serialize;
use store::{
    StoreError,
    orders::{OrderError, Refusal},
};
use utoipa::ToSchema;

use crate::{
    AppState, PaymentConfig,
    problem::{Code, Problem},
};

/// One way to pay.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PaymentWay {
    method: PaymentMethod,
    /// `VIRTUAL_ACCOUNT`: whose.
    #[serde(skip_serializing_if = "Option::is_none")]
    bank: Option<Bank>,
    /// What can be paid so.
    #[schema(example = json!(["ORDER", "DEPOSIT", "INVOICE"]))]
    pays: Vec<Payable>,
    /// The least that can be paid at once, in whole rupiah.
    #[schema(example = 1)]
    minimum: Rupiah,
    /// The most that can be paid at once; absent when nothing bounds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 10_000_000)]
    maximum: Option<Rupiah>,
    /// Whether it takes the amount in question; absent when none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = false)]
    usable: Option<bool>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "QRIS takes at most Rp10.000.000 at once; this is Rp12.000.000")]
    reason: Option<String>,
}

impl PaymentWay {
    /// Every way on offer, or those to pay one kind of thing, measured by an amount if there is one.
    pub(crate) fn all(state: &AppState, payable: Option<Payable>, amount: Option<Rupiah>) -> Vec<Self> {
        offered(state)
            .filter(|(way, _)| payable.is_none_or(|payable| payable.takes(way.method)))
            .map(|(way, limits)| Self::new(way, limits, amount))
            .collect()
    }

    fn new(way: Way, limits: AmountLimits, amount: Option<Rupiah>) -> Self {
        let outside = amount.and_then(|amount| limits.check(way, amount).err());
        Self {
            method: way.method,
            bank: way.bank,
            pays: Payable::ALL.iter().copied().filter(|payable| payable.takes(way.method)).collect(),
            minimum: limits.minimum,
            maximum: limits.maximum,
            usable: amount.map(|_| outside.is_none()),
            reason: outside.map(|outside| outside.to_string()),
        }
    }
}

/// Every way to pay that can be used here, with what bounds it.
fn offered(state: &AppState) -> impl Iterator<Item = (Way, AmountLimits)> {
    let methods = PaymentMethod::ALL.iter().copied().filter(|method| is_offered(&state.payments, *method));
    methods.flat_map(Way::all_by).map(|way| {
        let gateway = state.payments.by_method.get(&way.method).copied();
        (way, state.store.payment_limits(gateway, way))
    })
}

fn is_offered(payments: &PaymentConfig, method: PaymentMethod) -> bool {
    match method {
        PaymentMethod::Qris | PaymentMethod::VirtualAccount => payments.by_method.contains_key(&method),
        PaymentMethod::ManualTransfer | PaymentMethod::Wallet => true,
    }
}

/// The gateway that serves a way to pay something; `None` for a transfer that an administrator checks, and for the
/// balance.
pub(crate) fn gateway_for(
    payments: &PaymentConfig,
    payable: Payable,
    method: PaymentMethod,
    bank: Option<Bank>,
) -> Result<Option<&'static str>, Problem> {
    match (method, bank) {
        (PaymentMethod::VirtualAccount, None) => {
            let banks: Vec<&str> = Bank::ALL.iter().map(|bank| bank.as_str()).collect();
            let message = format!("a virtual account needs a bank: one of {}", banks.join(", "));
            return Err(Problem::field(Code::BankRequired, "bank", message));
        }
        (PaymentMethod::Qris | PaymentMethod::ManualTransfer | PaymentMethod::Wallet, Some(_)) => {
            let message = format!("{method} takes no bank; leave it out");
            return Err(Problem::field(Code::BankNotAllowed, "bank", message));
        }
        _ => {}
    }
    let unavailable =
        |message: String| Err(Problem::field(Code::PaymentMethodUnavailable, "payment_method", message));
    if !payable.takes(method) {
        let others = PaymentMethod::ALL.iter().filter(|other| payable.takes(**other));
        let others: Vec<&str> = others.map(|method| method.as_str()).collect();
        return unavailable(format!("this can't be paid by {method}; pay by {}", others.join(", ")));
    }
    if !is_offered(payments, method) {
        return unavailable(format!("{method} is not available at the moment"));
    }
    Ok(payments.by_method.get(&method).copied())
}

/// The problem of an attempt that was not begun; of an amount beyond a limit with what takes it.
pub(crate) fn not_begun(state: &AppState, payable: Payable, error: impl Into<OrderError>) -> Problem {
    match error.into() {
        OrderError::Refused(Refusal::PaymentLimit(outside))
        | OrderError::Store(StoreError::PaymentLimit(outside)) => {
            let others: Vec<String> = offered(state)
                .filter(|(way, limits)| {
                    payable.takes(way.method) && limits.check(*way, outside.amount).is_ok()
                })
                .map(|(way, _)| way.to_string())
                .collect();
            let advice = match others.as_slice() {
                [] => "Nothing else here takes that; please ask our team".to_owned(),
                others => format!("What takes it: {}", others.join(", ")),
            };
            Problem::beyond_limit(&outside, Some(&advice))
        }
        error => error.into(),
    }
}
