//! Midtrans Core API v2: QRIS, bank transfer (virtual accounts) and Mandiri bill payment, their status, cancel, expire
//! and refund, and the signed notifications that follow: sent when told to through `POST /__sim/pay`, and by itself
//! after a cancel, an expire or a refund.

mod channel;
mod charge;
mod error;
mod pay;
mod refund;
mod transaction;

use std::sync::Arc;

use axum::{
    extract::State as Shared,
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};

use self::{error::Error, pay::letter, transaction::Transaction};
use crate::kit::gateway::{Credential, Descriptor, How, Letter, Merchant, Pay, Vendor};

/// Midtrans' simulator.
pub static DESCRIPTOR: Descriptor = Descriptor {
    slug: "midtrans",
    port: 4020,
    version: "/v2",
    credentials: &[Credential {
        usual: "SB-Mid-server-simulator",
        prefix: "SB-Mid-server-",
        help: "The server key it accepts and signs with",
    }],
    charge: "POST /v2/charge",
    open: Simulator::open,
};

/// The vendor, as the kit wants it.
struct Midtrans;

/// The simulated merchant's side.
type Simulator = Merchant<Midtrans>;

fn routes() -> Vec<(&'static str, MethodRouter<Arc<Simulator>>)> {
    vec![
        ("/v2/charge", post(charge::charge)),
        ("/v2/{order_id}/status", get(charge::status)),
        ("/v2/{order_id}/cancel", post(charge::cancel)),
        ("/v2/{order_id}/expire", post(charge::expire)),
        ("/v2/{order_id}/refund", post(refund::refund)),
    ]
}

impl Vendor for Midtrans {
    const NAME: &'static str = "Midtrans Core API v2";
    const EXAMPLES: &'static str = "# Settings: notification_url (or null), retry_interval_seconds, timeout_seconds\n\
         curl {host}/__sim/config --json '{\"notification_url\":\"http://127.0.0.1:3000/api/v1/webhooks/midtrans\"}'\n\n\
         # The customer pays: a signed notification goes out. outcome is settlement (default), pending, deny, expire\n\
         # or cancel\n\
         curl {host}/__sim/pay --json '{\"order_id\":\"WB-1\"}'\n\
         curl {host}/__sim/pay --json '{\"order_id\":\"WB-1\",\"outcome\":\"expire\",\"delay_ms\":500}'\n\n\
         # Fifty copies at once; another amount, properly signed; an amount or a signature changed on the way\n\
         curl {host}/__sim/pay --json '{\"order_id\":\"WB-1\",\"duplicates\":50}'\n\
         curl {host}/__sim/pay --json '{\"order_id\":\"WB-1\",\"amount\":1}'\n\
         curl {host}/__sim/pay --json '{\"order_id\":\"WB-1\",\"tamper\":\"amount\"}'\n\
         curl {host}/__sim/pay --json '{\"order_id\":\"WB-1\",\"tamper\":\"signature\"}'\n\n\
         # The payer is made to pay a fee on top: gross_amount is what was charged, and the fee\n\
         curl {host}/__sim/pay --json '{\"order_id\":\"WB-1\",\"payer_fee\":932}'\n\n\
         # Out of order: kept back until the next notification of this charge was sent\n\
         curl {host}/__sim/pay --json '{\"order_id\":\"WB-1\",\"outcome\":\"pending\",\"reorder\":true}'\n\n\
         # Without our asking: refunded in the dashboard, charged back, not paid after all (outcome deny, cancel or\n\
         # expire); notify false keeps it quiet. And the dashboard's test of the notification URL\n\
         curl {host}/__sim/refund --json '{\"order_id\":\"WB-1\",\"amount\":10000}'\n\
         curl {host}/__sim/chargeback --json '{\"order_id\":\"WB-1\"}'\n\
         curl {host}/__sim/withdraw --json '{\"order_id\":\"WB-1\",\"outcome\":\"deny\"}'\n\
         curl -X POST {host}/__sim/test\n\n\
         # Every transaction, and every notification sent with its answer\n\
         curl {host}/__sim/transactions\n\
         curl {host}/__sim/deliveries";
    const USER_AGENT: &'static str = "Veritrans";
    const CHARGES: &'static str = "transactions";
    const IMPOSES_PAYER_FEES: bool = true;

    type Charge = Transaction;

    fn retries(status: Option<u16>) -> u32 {
        pay::retries(status)
    }

    fn routes() -> Vec<(&'static str, MethodRouter<Arc<Simulator>>)> {
        routes()
    }

    fn refusal(merchant: &Simulator, request: &Parts) -> Option<Response> {
        (!merchant.knows(request)).then(|| Error::usual(StatusCode::UNAUTHORIZED).into_response())
    }

    fn error(status: StatusCode) -> Response {
        Error::usual(status).into_response()
    }

    fn settle(merchant: &Simulator, pay: &Pay) -> Option<Letter> {
        pay::settle(merchant, pay)
    }

    fn take_back(
        merchant: &Simulator,
        id: &str,
        how: How,
        amount: Option<i64>,
    ) -> Result<Option<Letter>, String> {
        pay::take_back(merchant, id, how, amount)
    }

    fn test_letter(merchant: &Simulator) -> Letter {
        pay::test_letter(merchant)
    }
}

/// What handlers are given the simulator by.
type Sim = Shared<Arc<Simulator>>;
