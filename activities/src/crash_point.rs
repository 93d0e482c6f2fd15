//! Places where a chaos test may end the process. Without the feature `failpoints` they compile to nothing.

/// Crash points that a paid order passes on its way to `ACTIVE`, in order.
pub const WHEN_PAID: &[&str] = &[
    "dispatcher.before_delivery",
    "dispatcher.after_delivery",
    "start_provisioning.before",
    "start_provisioning.after",
    "provision_server.before",
    "provision_server.before_create",
    "provision_server.after_create",
    "provision_server.before_ready",
    "provision_server.after",
    "activate_order.before",
    "activate_order.after",
];

/// Crash points that an order passes whose server the provider refuses.
pub const WHEN_REFUSED: &[&str] = &["fail_provisioning.before", "fail_provisioning.after"];

/// Crash points that an unpaid order passes.
pub const WHEN_UNPAID: &[&str] =
    &["remind_of_payment.before", "remind_of_payment.after", "expire_order.before", "expire_order.after"];

/// Crash points that an action passes on its way to `completed`, in order.
pub const WHEN_ACTING: &[&str] = &[
    "look_at_life.before",
    "look_at_life.after",
    "run_instance_action.before",
    "run_instance_action.before_sending",
    "run_instance_action.after_sending",
    "run_instance_action.asked",
    "run_instance_action.done",
    "run_instance_action.after",
];

/// Crash points that a look at a server's life passes.
pub const WHEN_LOOKING_AT_LIFE: &[&str] = &["look_at_life.before", "look_at_life.after"];

/// Crash points that a suspension passes besides those of every action's turn.
pub const WHEN_SUSPENDING: &[&str] = &["suspend.before", "suspend.shut_down", "suspend.off"];

/// Crash points that a delete passes besides those of every action's turn.
pub const WHEN_DELETING: &[&str] =
    &["delete_server.before", "delete_server.asked", "delete_server.gone", "delete_server.after"];

/// Crash points that the delete of a snapshot passes on its way to `completed`, in order.
pub const WHEN_DELETING_A_SNAPSHOT: &[&str] = &[
    "look_at_life.before",
    "look_at_life.after",
    "run_instance_action.before",
    "run_instance_action.before_sending",
    "run_instance_action.after_sending",
    "run_instance_action.after",
];

/// Crash points that an action passes which the provider refuses.
pub const WHEN_ACTION_FAILS: &[&str] = &["fail_action.before", "fail_action.after"];

/// Crash points that money passes on its way back through a gateway, in order.
pub const WHEN_REFUNDED: &[&str] = &[
    "send_refund.before",
    "send_refund.before_call",
    "send_refund.after_call",
    "send_refund.after",
    "settle_refund.before",
    "settle_refund.after",
];

/// Crash points that it passes which the gateway refuses to give back.
pub const WHEN_REFUND_RETURNS: &[&str] = &["return_refund.before", "return_refund.after"];

/// Crash points that the janitor of payments passes with a payment that was made, one whose charge got no answer, and one
/// that the gateway never heard of; besides `store::crash_point::WHEN_A_GATEWAY_WAS_ASKED`.
pub const WHEN_CHECKING_PAYMENTS: &[&str] = &[
    "check_payments.before",
    "check_payments.answered",
    "check_payments.applied",
    "check_payments.instructions_kept",
    "check_payments.closed",
    "check_payments.after",
];

/// Ends the process here, at once and without cleaning up, when the fail point `name` is set to `return`.
pub fn crash_point(name: &str) {
    let _ = name;
    fail::fail_point!(name, |_| std::process::abort());
}
