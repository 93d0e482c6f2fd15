//! Xendit Payments API v3 (`api-version: 2024-11-11`): payment requests by QRIS and virtual account, their payments,
//! cancel, the test mode's simulate, refunds, and the webhooks that follow: sent when told to through
//! `POST /__sim/pay`, and by itself after a refund. Webhooks carry a token and no signature, as the vendor's do.

mod create;
mod error;
mod pay;
mod payment_request;
mod refund;

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::State as Shared,
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};

use self::{error::Error, payment_request::PaymentRequest};
use crate::kit::gateway::{Charges, Credential, Descriptor, How, Letter, Merchant, Pay, Vendor};

/// The only version there is here.
const API_VERSION: &str = "2024-11-11";

/// The place of the token among the vendor's secrets.
const CALLBACK_TOKEN: usize = 1;

/// Xendit's simulator.
pub static DESCRIPTOR: Descriptor = Descriptor {
    slug: "xendit",
    port: 4021,
    version: "/v3",
    credentials: &[
        Credential {
            usual: "xnd_development_simulator",
            prefix: "xnd_development_",
            help: "The secret key it accepts",
        },
        Credential { usual: "simulator-callback-token", prefix: "", help: "The token its webhooks carry" },
    ],
    charge: "POST /v3/payment_requests",
    open: Simulator::open,
};

/// The vendor, as the kit wants it.
struct Xendit;

/// The simulated merchant's side.
type Simulator = Merchant<Xendit>;

fn routes() -> Vec<(&'static str, MethodRouter<Arc<Simulator>>)> {
    vec![
        ("/v3/payment_requests", post(create::create).get(create::list)),
        ("/v3/payment_requests/{payment_request_id}", get(create::get)),
        ("/v3/payment_requests/{payment_request_id}/cancel", post(create::cancel)),
        ("/v3/payment_requests/{payment_request_id}/simulate", post(pay::simulate)),
        ("/v3/payments/{payment_id}", get(create::payment)),
        ("/refunds", post(refund::create)),
        ("/refunds/{refund_id}", get(refund::get)),
    ]
}

impl Vendor for Xendit {
    const NAME: &'static str = "Xendit Payments API v3";
    const EXAMPLES: &'static str = "# Settings: notification_url (or null), retry_interval_seconds, timeout_seconds\n\
         curl {host}/__sim/config --json '{\"notification_url\":\"http://127.0.0.1:3000/api/v1/webhooks/xendit\"}'\n\n\
         # The customer pays: a webhook goes out. outcome is settlement (default), pending, deny, expire or cancel\n\
         curl {host}/__sim/pay --json '{\"reference_id\":\"WB-1\"}'\n\
         curl {host}/__sim/pay --json '{\"reference_id\":\"WB-1\",\"outcome\":\"expire\",\"delay_ms\":500}'\n\n\
         # Fifty copies at once; another amount paid; an amount or the token changed on the way\n\
         curl {host}/__sim/pay --json '{\"reference_id\":\"WB-1\",\"duplicates\":50}'\n\
         curl {host}/__sim/pay --json '{\"reference_id\":\"WB-1\",\"amount\":1}'\n\
         curl {host}/__sim/pay --json '{\"reference_id\":\"WB-1\",\"tamper\":\"amount\"}'\n\
         curl {host}/__sim/pay --json '{\"reference_id\":\"WB-1\",\"tamper\":\"token\"}'\n\n\
         # Out of order: kept back until the next webhook about this payment request was sent\n\
         curl {host}/__sim/pay --json '{\"reference_id\":\"WB-1\",\"outcome\":\"pending\",\"reorder\":true}'\n\n\
         # Without our asking: refunded in the dashboard, not paid after all (outcome deny, cancel or expire); notify\n\
         # false keeps it quiet. And the dashboard's test of the webhook URL\n\
         curl {host}/__sim/refund --json '{\"reference_id\":\"WB-1\",\"amount\":10000}'\n\
         curl {host}/__sim/withdraw --json '{\"reference_id\":\"WB-1\"}'\n\
         curl -X POST {host}/__sim/test\n\n\
         # Every payment request, and every webhook sent with its answer\n\
         curl {host}/__sim/payment_requests\n\
         curl {host}/__sim/deliveries";
    const USER_AGENT: &'static str = "Xendit";
    const CHARGES: &'static str = "payment_requests";

    type Charge = PaymentRequest;

    fn retries(status: Option<u16>) -> u32 {
        pay::retries(status)
    }

    fn routes() -> Vec<(&'static str, MethodRouter<Arc<Simulator>>)> {
        routes()
    }

    fn refusal(merchant: &Simulator, request: &Parts) -> Option<Response> {
        if !merchant.knows(request) {
            return Some(Error::usual(StatusCode::UNAUTHORIZED).into_response());
        }
        (!names_version(request)).then(|| Error::unknown_version().into_response())
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

    fn resources(requests: &Charges<PaymentRequest>) -> BTreeMap<&'static str, usize> {
        BTreeMap::from([("refunds", requests.all().map(|request| request.refunds.len()).sum())])
    }
}

/// Whether a call names the version that it is about, where the vendor asks for it.
fn names_version(request: &Parts) -> bool {
    let named = request.headers.get("api-version").and_then(|header| header.to_str().ok());
    !request.uri.path().starts_with("/v3/") || named == Some(API_VERSION)
}

/// What handlers are given the simulator by.
type Sim = Shared<Arc<Simulator>>;
