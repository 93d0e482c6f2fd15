//! Places where a chaos test may end the process. Without the feature `failpoints` they compile to nothing.

/// Every crash point of an order's way, in the order in which it passes them.
pub const CRASH_POINTS: &[&str] = &[
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

/// Ends the process here, at once and without cleaning up, when the fail point `name` is set to `return`.
pub fn crash_point(name: &str) {
    let _ = name;
    fail::fail_point!(name, |_| std::process::abort());
}
