//! The worker is killed at every step of a server's life: each term is paid once, nobody is told twice, nothing is taken
//! without a word before, and what is `TERMINATED` is gone at its provider.

use std::time::Instant;

use activities::crash_point::{WHEN_LOOKING_AT_LIFE, WHEN_SUSPENDING};
use domain::life::LifePolicy;
use futures::{StreamExt, stream};
use webrana_tests::{
    cloud::Cloud,
    customer::{Customer, Expect},
    owner::Owner,
    report,
    stack::{Options, Stack},
    wait_until::until,
    worker_process::{CrashAt, WorkerProcess},
};

use crate::chaos::{EAGER, PROGRAM, chosen, replaced, system, turn};

/// Looks of a life that nobody pays for: activation, wake-up with the end of the term, after the suspension, before the
/// deletion, after it.
const LOOKS: usize = 5;
/// Rules of seconds, with the reminders left out.
const RULES: LifePolicy = LifePolicy {
    remind_before_ms: [3, 2, 1],
    renew_before_ms: 60_000,
    grace_ms: 1_000,
    retention_ms: 2_000,
    warn_before_ms: 1_000,
    put_off_ms: 500,
    attempts_hold_ms: 60_000,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_the_middle_of_a_life_tells_charges_and_takes_once() {
    let begun = Instant::now();
    let looks = WHEN_LOOKING_AT_LIFE.iter().flat_map(|point| (1..LOOKS).map(move |n| (*point, n)));
    let ends = chosen(looks.chain(WHEN_SUSPENDING.iter().map(|point| (*point, 0))));
    let wanted = ends.len();
    let ended =
        stream::iter(ends).map(|(name, passes)| unpaid(CrashAt { name, passes })).buffer_unordered(EAGER);
    let renewed = stream::iter(WHEN_LOOKING_AT_LIFE).map(|point| renewed(point)).buffer_unordered(EAGER);
    let done = futures::join!(ended.count(), renewed.count());
    assert_eq!(done, (wanted, WHEN_LOOKING_AT_LIFE.len()));
    let cases = done.0 + done.1;
    report::say(&format!("chaos, lives: {cases} cases in {:.1} s", begun.elapsed().as_secs_f64()));
}

/// A life that nobody pays for, from its activation to its end.
async fn unpaid(at: CrashAt<'_>) {
    let _turn = turn().await;
    let stack = with_rules().await;
    let doomed = WorkerProcess::start(PROGRAM, &stack, Some(at));
    let owner = Owner::at(&stack, Cloud::DIGITALOCEAN).await;
    owner.ends_in(0.5).await;
    let case = format!("{} after {} passes", at.name, at.passes);
    let _second = replaced(doomed, &stack, at.name).await;
    owner.becomes("TERMINATED").await;
    assert_eq!(owner.at_provider().await, 0, "{case}");
    let told = owner.told_of_life().await;
    assert_eq!(told, ["VPS_EXPIRED", "VPS_SUSPENDED", "VPS_SUSPENDED", "VPS_TERMINATED"], "{case}");
}

/// A term that is renewed from the balance.
async fn renewed(point: &str) {
    let _turn = turn().await;
    let stack = with_rules().await;
    let doomed = WorkerProcess::start(PROGRAM, &stack, Some(CrashAt { name: point, passes: 1 }));
    let owner = Owner::at(&stack, Cloud::DIGITALOCEAN).await;
    owner.deposit(500_000).await;
    owner.auto_renew().await;
    owner.ends_in(30.0).await;
    let _second = replaced(doomed, &stack, point).await;
    until(&format!("the term is renewed after {point}"), || async {
        (owner.told_of_life().await == ["VPS_RENEWED"]).then_some(())
    })
    .await;
    let renewals = owner.customer.get(&format!("/instances/{}/renewals", owner.server)).await.expect(200);
    assert_eq!(renewals["data"].as_array().map(Vec::len), Some(1), "{point}: {renewals}");
    let price = renewals["data"][0]["invoice"]["total"].as_i64().expect("a price");
    assert_eq!(owner.balance().await, 500_000 - price, "{point}");
}

async fn with_rules() -> Stack {
    let stack = system(Options::default()).await;
    let admin = Customer::admin(&stack).await;
    admin.post("/admin/life/rules", &serde_json::to_value(RULES).expect("rules")).await.expect(201);
    stack
}
