//! What the contract must know of each gateway.

use domain::billing::Bank;

/// A gateway, as the contract asks it.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) slug: &'static str,
    pub(crate) routes: Routes,
    /// Whether QR codes end when we say.
    pub(crate) codes_end_when_told: bool,
    /// Banks whose customers pay a bill instead of into an account.
    pub(crate) banks_by_bill: &'static [Bank],
    /// Whether the gateway can make the payer pay a fee on top of what is charged.
    pub(crate) imposes_payer_fees: bool,
    pub(crate) proof: Proof,
}

pub(crate) type Who = &'static Facts;

/// What proves a webhook event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A signature in it, of its content.
    Signature,
    /// A token that comes with it.
    Token,
}

/// The simulator's names of routes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Routes {
    pub(crate) status: &'static str,
    pub(crate) cancel: &'static str,
    pub(crate) refund: &'static str,
    /// By which an earlier refund is looked up.
    pub(crate) find_refund: &'static str,
}

pub(crate) static MIDTRANS: Facts = Facts {
    slug: "midtrans",
    routes: Routes {
        status: "GET /v2/{order_id}/status",
        cancel: "POST /v2/{order_id}/cancel",
        refund: "POST /v2/{order_id}/refund",
        find_refund: "GET /v2/{order_id}/status",
    },
    codes_end_when_told: true,
    banks_by_bill: &[Bank::Mandiri],
    imposes_payer_fees: true,
    proof: Proof::Signature,
};

pub(crate) static XENDIT: Facts = Facts {
    slug: "xendit",
    routes: Routes {
        status: "GET /v3/payment_requests",
        cancel: "POST /v3/payment_requests/{payment_request_id}/cancel",
        refund: "POST /refunds",
        find_refund: "GET /refunds/{refund_id}",
    },
    codes_end_when_told: false,
    banks_by_bill: &[],
    imposes_payer_fees: false,
    proof: Proof::Token,
};
