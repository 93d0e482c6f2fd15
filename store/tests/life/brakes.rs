//! What keeps servers from being taken away.

use chrono::DateTime;
use domain::{
    ids::InstanceId,
    instance::ActionKind,
    life::{Held, HoldKind, LifeLook, LifePolicy, Process},
    sorting::HeldSort,
};
use sqlx::PgPool;
use store::{
    audit::Origin,
    life::{NewHold, ReleaseError},
    page::SortedRequest,
};

use crate::Shop;

const ALL: SortedRequest = SortedRequest::first(100);

impl Shop {
    /// A server whose suspension is due with the next look.
    async fn due_for_suspension(&self) -> InstanceId {
        let server = self.server().await;
        self.term_ends_in(server, -0.1).await;
        self.look(server).await;
        self.hours_pass(server, 73.0).await;
        server
    }

    /// Looks, and answers why the step that is due was held back.
    async fn held(&self, server: InstanceId) -> Option<String> {
        self.look(server).await;
        let held = self.store.held_servers(None, HeldSort::Newest, &ALL).await.unwrap().data;
        held.into_iter().find(|held| held.instance_id == server).map(|held| held.why)
    }

    fn origin() -> Origin {
        Origin::system()
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn nobody_is_suspended_while_money_may_be_on_its_way(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let server = shop.due_for_suspension().await;
    shop.run("UPDATE upkeep_successes SET at = now() - interval '11 minutes'").await;
    assert_eq!(shop.held(server).await.unwrap(), "payments were not looked after for 10 minutes");
    shop.store.note_payments_checked().await.unwrap();
    let refused =
        "INSERT INTO gateway_credentials (gateway, refused_since, message) VALUES ('midtrans', now(), 'no')";
    shop.run(refused).await;
    assert_eq!(shop.held(server).await.unwrap(), "a payment gateway turns us away");
    shop.run("DELETE FROM gateway_credentials").await;
    assert_eq!(shop.status_of(server).await, "ACTIVE");
    assert_eq!(shop.held(server).await, None);
    assert_eq!(shop.status_of(server).await, "SUSPENDED");
}

#[sqlx::test(migrations = "../migrations")]
async fn an_attempt_that_waits_is_asked_about_before_its_server_is_suspended(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let server = shop.due_for_suspension().await;
    let new = store::renewals::NewRenewal {
        user: shop.customer,
        instance: server,
        term_months: 1,
        method: domain::billing::PaymentMethod::Qris,
        bank: None,
        gateway: Some(testkit::GATEWAY),
        pay_within_ms: 3_600_000,
    };
    shop.store.open_renewal(&new, &testkit::any_request()).await.unwrap();
    assert_eq!(shop.held(server).await.unwrap(), "a payment for it was not asked about lately");
    shop.run("UPDATE payments SET checked_at = now() WHERE status = 'PENDING'").await;
    assert_eq!(shop.held(server).await, None);
    assert_eq!(shop.status_of(server).await, "SUSPENDED");
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_paused_waits_everywhere_or_at_one_provider(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let server = shop.due_for_suspension().await;
    let (staff, origin) = (shop.staff().await, Shop::origin());
    let pause =
        async |scope| shop.store.pause_life(scope, Process::Suspensions, "an incident", staff, &origin).await;
    assert!(pause("nowhere").await.is_err());
    pause("linode").await.unwrap();
    pause("digitalocean").await.unwrap();
    assert_eq!(shop.held(server).await.unwrap(), "suspensions are paused: an incident");
    shop.store.resume_life("digitalocean", Process::Suspensions, &origin).await.unwrap();
    assert!(shop.store.resume_life("digitalocean", Process::Suspensions, &origin).await.is_err());
    pause("*").await.unwrap();
    assert!(shop.held(server).await.is_some());
    shop.store.resume_life("*", Process::Suspensions, &origin).await.unwrap();
    assert_eq!(shop.held(server).await, None);
    assert_eq!(shop.status_of(server).await, "SUSPENDED");
}

#[sqlx::test(migrations = "../migrations")]
async fn more_than_usual_wait_until_exactly_so_many_are_let_go(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let full = "INSERT INTO life_step_hours (step, hour, done) VALUES ('suspend', date_trunc('hour', now(), 'UTC'), 19)";
    shop.run(full).await;
    let (first, second, third) =
        (shop.due_for_suspension().await, shop.due_for_suspension().await, shop.due_for_suspension().await);
    assert_eq!(shop.held(first).await, None);
    assert_eq!(shop.held(second).await.unwrap(), "more than usual within an hour");
    assert!(shop.held(third).await.is_some());
    assert_eq!(shop.store.tell_of_held().await.unwrap(), 2);
    shop.store.tell_of_held().await.unwrap();
    let told = "SELECT count(*) FROM events WHERE kind = 'steps_held_back'";
    assert_eq!(shop.count(told).await, 1);

    let (staff, origin) = (shop.staff().await, Shop::origin());
    let release =
        async |number| shop.store.release_held(Held::Suspend, number, "they do owe", staff, &origin).await;
    for wrong in [1, 3] {
        let Err(ReleaseError::OtherNumber { waiting, .. }) = release(wrong).await else { panic!("{wrong}") };
        assert_eq!(waiting, 2);
    }
    release(2).await.unwrap();
    for server in [second, third] {
        assert_eq!(shop.held(server).await, None);
        assert_eq!(shop.status_of(server).await, "SUSPENDED");
    }
    let fourth = shop.due_for_suspension().await;
    assert!(shop.held(fourth).await.is_some(), "a release is used up");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_database_that_was_put_back_destroys_nothing_until_somebody_has_looked(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_alert("life.database_put_back");
    let server = shop.due_for_suspension().await;
    let known = LifeLook { instance_id: server, seen_turns: 1_000 };
    shop.store.look_at_life(known).await.unwrap();
    assert_eq!(shop.held(server).await.unwrap(), "the database was put back to an earlier state");
    let other = shop.due_for_suspension().await;
    assert!(shop.held(other).await.is_some());
    assert!(shop.store.confirm_put_back(&Shop::origin()).await.unwrap());
    assert!(!shop.store.confirm_put_back(&Shop::origin()).await.unwrap());
    assert_eq!(shop.held(server).await, None);
    assert_eq!(shop.status_of(server).await, "SUSPENDED");
    assert_eq!(shop.count("SELECT count(*) FROM events WHERE kind = 'database_put_back'").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_held_server_is_left_alone_and_its_days_are_given_back(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let server = shop.server().await;
    shop.term_ends_in(server, -0.1).await;
    shop.look(server).await;
    let (by, origin) = (shop.staff().await, Shop::origin());
    let hold = |until| NewHold {
        instance: server,
        kind: HoldKind::Billing,
        stops_clock: true,
        reason: "a dispute",
        until,
        by,
    };
    assert!(shop.store.hold_instance(&hold(Some(DateTime::UNIX_EPOCH)), &origin).await.is_err());
    let held = shop.store.hold_instance(&hold(None), &origin).await.unwrap();
    shop.hours_pass(server, 240.0).await;
    assert!(shop.look(server).await.due_in_ms.is_none());
    shop.store.release_hold(server, held.id, by, &origin).await.unwrap();
    shop.store.release_hold(server, held.id, by, &origin).await.unwrap();
    let due_in = shop.look(server).await.due_in_ms.unwrap();
    assert!((71 * 3_600_000..=72 * 3_600_000).contains(&due_in), "{due_in}");
    assert_eq!(shop.store.holds_of(server).await.unwrap().len(), 1);
    assert_eq!(shop.status_of(server).await, "ACTIVE");
}

#[sqlx::test(migrations = "../migrations")]
async fn new_rules_reach_all_servers_in_batches(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let servers = [shop.server().await, shop.server().await, shop.server().await];
    let rules = LifePolicy { grace_ms: 1, ..LifePolicy::default() };
    let (staff, origin) = (shop.staff().await, Shop::origin());
    let version = shop.store.set_life_rules(&rules, staff, &origin).await.unwrap();
    let mut batches = Vec::new();
    for _ in 0..3 {
        batches.push(shop.store.adopt_life_rules(2).await.unwrap());
    }
    assert_eq!(batches, [2, 1, 0]);
    let listed = shop.store.life_rules().await.unwrap();
    assert_eq!((listed[0].version, listed[0].servers, listed[0].rules), (version, 3, rules));
    shop.term_ends_in(servers[0], -0.1).await;
    shop.look(servers[0]).await;
    shop.hours_pass(servers[0], 0.001).await;
    let turn = shop.look(servers[0]).await;
    shop.done(servers[0], turn, ActionKind::Suspend).await;
    assert_eq!(shop.server().await, shop.server_of_newest_rules(version).await);
}

impl Shop {
    async fn server_of_newest_rules(&self, version: i32) -> InstanceId {
        let newest = "SELECT id FROM instances WHERE life_policy = $1 ORDER BY id DESC LIMIT 1";
        let id: uuid::Uuid = sqlx::query_scalar(newest).bind(version).fetch_one(&self.pool).await.unwrap();
        id.into()
    }
}
