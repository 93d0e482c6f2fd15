//! Places between the statements of a transaction of money where a chaos test may end the process. Without the feature
//! `failpoints` they compile to nothing.

/// Crash points that the notification of an order's payment passes, in order.
pub const WHEN_AN_ORDER_IS_PAID: &[&str] = &[
    "webhook_event.found",
    "webhook_event.begun",
    "webhook_event.invoice_locked",
    "webhook_event.payment_locked",
    "webhook_event.kept",
    "settle.payment_paid",
    "ledger.posted",
    "settle.price_booked",
    "settle.hold_released",
    "settle.order_paid",
    "settle.invoice_paid",
    "settle.others_cancelled",
    "settle.message_written",
    "settle.event_recorded",
    "webhook_event.applied",
    "webhook_event.committed",
];

/// Crash points that the notification of a deposit passes, in order.
pub const WHEN_A_DEPOSIT_IS_PAID: &[&str] = &[
    "webhook_event.found",
    "webhook_event.begun",
    "webhook_event.invoice_locked",
    "webhook_event.payment_locked",
    "webhook_event.kept",
    "settle.payment_paid",
    "deposit.credited",
    "ledger.accounts_locked",
    "ledger.posted",
    "deposit.booked",
    "deposit.event_recorded",
    "webhook_event.applied",
    "webhook_event.committed",
];

/// Crash points that the notification of a payment passes whose order can't take it any more, besides those of every
/// notification.
pub const WHEN_MONEY_COMES_TOO_LATE: &[&str] = &[
    "settle.payment_paid",
    "ledger.accounts_locked",
    "ledger.posted",
    "settle.credit_booked",
    "settle.event_recorded",
];

/// Crash points that a gateway's answer to the janitor passes besides the settling itself, in order.
pub const WHEN_A_GATEWAY_WAS_ASKED: &[&str] =
    &["requery.begun", "requery.payment_locked", "requery.noted", "requery.applied", "requery.committed"];

/// Ends the process here, at once and without cleaning up, when the fail point `name` is set to `return`.
pub(crate) fn crash_point(name: &str) {
    let _ = name;
    fail::fail_point!(name, |_| std::process::abort());
}
