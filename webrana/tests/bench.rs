//! A bench measures what it says: a short one shows that nothing but us is in the way of orders.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::process::Command;

#[test]
fn orders_do_not_wait_for_a_providers_limit() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = Command::new(env!("CARGO_BIN_EXE_webrana"))
        .args(["bench", "orders", "--n", "40", "--concurrency", "10", "--json", "--data-dir"])
        .arg(directory.path().join("bench"))
        .output()
        .expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let figures: serde_json::Value = serde_json::from_slice(&output.stdout).expect("figures");
    assert_eq!(figures["slot_wait_share"], serde_json::json!(0.0), "{figures}");
    assert_eq!(figures["n"], serde_json::json!(40), "{figures}");
}
