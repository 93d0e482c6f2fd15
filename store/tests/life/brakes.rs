//! What keeps servers from being taken away.

use chrono::DateTime;
use domain::{
    billing::PaymentMethod,
    ids::{ActionId, InstanceId},
    instance::{ActionKind, ActionStatus, InstanceAction},
    life::{Held, HoldKind, LifeLook, LifePolicy, Process},
    sorting::HeldSort,
};
use sqlx::PgPool;
use store::{
    audit::Origin,
    instance_actions::{NewAction, RequestedBy},
    life::{NewHold, ReleaseError},
    page::SortedRequest,
    renewals::NewRenewal,
    versions::IfMatch,
};
use testkit::by_user;

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

    /// Its owner begins to pay for a further term by QRIS, as often as they like.
    async fn attempt(&self, server: InstanceId) {
        let new = NewRenewal {
            user: self.customer,
            instance: server,
            term_months: 1,
            method: PaymentMethod::Qris,
            bank: None,
            gateway: Some(testkit::GATEWAY),
            pay_within_ms: 3_600_000,
        };
        self.store.open_renewal(&new, &testkit::any_request()).await.unwrap();
    }

    /// Asks for an action.
    async fn ask(&self, server: InstanceId, action: &InstanceAction) -> ActionId {
        let new = NewAction {
            instance: server,
            by: RequestedBy::Customer(self.customer),
            action,
            origin: &by_user(self.customer),
            idempotency_key: None,
        };
        self.store.request_action(&new).await.unwrap().id
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

const ASKED: &str = "a payment for it was not asked about lately";

#[sqlx::test(migrations = "../migrations")]
async fn an_attempt_that_waits_is_asked_about_before_its_server_is_suspended(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let server = shop.due_for_suspension().await;
    shop.attempt(server).await;
    assert_eq!(shop.held(server).await.unwrap(), ASKED);
    shop.run("UPDATE payments SET checked_at = now() WHERE status = 'PENDING'").await;
    assert_eq!(shop.held(server).await, None);
    assert_eq!(shop.status_of(server).await, "SUSPENDED");
}

#[sqlx::test(migrations = "../migrations")]
async fn attempts_in_a_row_hold_a_suspension_back_for_a_bounded_time(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let server = shop.due_for_suspension().await;
    shop.attempt(server).await;
    assert_eq!(shop.held(server).await.unwrap(), ASKED);
    shop.run("UPDATE instances SET attempts_since = attempts_since - interval '179 minutes'").await;
    shop.attempt(server).await;
    assert_eq!(shop.held(server).await.unwrap(), ASKED);
    shop.run("UPDATE instances SET attempts_since = attempts_since - interval '2 minutes'").await;
    // Begun after three hours, it is not waited for.
    shop.attempt(server).await;
    assert_eq!(shop.held(server).await, None);
    assert_eq!(shop.status_of(server).await, "SUSPENDED");
    assert_eq!(shop.count("SELECT count(*) FROM instances WHERE attempts_since IS NOT NULL").await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn money_on_its_way_to_the_balance_counts_for_who_renews_from_it(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let server = shop.due_for_suspension().await;
    let deposit = shop.open_deposit(shop.customer, domain::Rupiah::new(500_000)).await;
    shop.run("UPDATE instances SET auto_renew = true").await;
    assert_eq!(shop.held(server).await.unwrap(), ASKED);
    shop.pay(deposit).await;
    assert_eq!(shop.held(server).await, None);
    assert_eq!(shop.status_of(server).await, "ACTIVE");
    assert_eq!(shop.told_of_life().await.last().map(String::as_str), Some("server_renewed"));
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_paused_waits_everywhere_or_at_one_provider(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let server = shop.due_for_suspension().await;
    let (staff, origin) = (shop.staff().await, Shop::origin());
    let pause = async |scope| {
        shop.store
            .pause_life(scope, Process::Suspensions, "an incident", staff, &IfMatch::Anyhow, &origin)
            .await
    };
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
async fn who_slept_over_a_database_that_was_put_back_tells_nothing_new_once_somebody_has_looked(
    pool: PgPool,
) {
    let shop = Shop::open(pool).await;
    shop.expect_alert("life.database_put_back");
    let (first, asleep) = (shop.server().await, shop.server().await);
    let looked = LifeLook { instance_id: first, seen_turns: 1_000 };
    shop.store.look_at_life(looked).await.unwrap();
    shop.store.confirm_put_back(&Shop::origin()).await.unwrap();
    let wakes = LifeLook { instance_id: asleep, seen_turns: 2_000 };
    let turns = shop.store.look_at_life(wakes).await.unwrap().turns;
    assert!(!shop.store.confirm_put_back(&Shop::origin()).await.unwrap(), "nobody has to look again");
    // From here on it counts as before.
    let put_back = LifeLook { instance_id: asleep, seen_turns: turns + 1 };
    shop.store.look_at_life(put_back).await.unwrap();
    assert!(shop.store.confirm_put_back(&Shop::origin()).await.unwrap());
}

#[sqlx::test(migrations = "../migrations")]
async fn what_may_have_been_done_before_a_database_was_put_back_is_not_done_again(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_alert("life.database_put_back");
    let servers = [shop.server().await, shop.server().await, shop.server().await];
    let [rebuilt, left, sent] = servers;
    let rebuild = InstanceAction::Rebuild { image: "debian-12".to_owned() };
    let (again, under_way) = (shop.ask(rebuilt, &rebuild).await, shop.ask(sent, &rebuild).await);
    shop.store.next_action(sent).await.unwrap();
    shop.store.mark_action_sent(under_way).await.unwrap();
    let gone = shop.ask(left, &InstanceAction::Delete).await;
    let look = LifeLook { instance_id: rebuilt, seen_turns: 1_000 };
    assert_eq!(shop.store.look_at_life(look).await.unwrap().turn.work, None);
    for server in servers {
        assert_eq!(shop.look(server).await.turn.work, None, "not before somebody has looked");
    }
    shop.store.confirm_put_back(&Shop::origin()).await.unwrap();
    assert_eq!(shop.look(rebuilt).await.turn.work, None);
    let failed = shop.store.any_action(rebuilt, again).await.unwrap();
    assert_eq!(failed.status, ActionStatus::Failed);
    // What its provider was asked for is seen to its end, and who left has left.
    for (server, action) in [(left, gone), (sent, under_way)] {
        assert_eq!(shop.look(server).await.turn.work.map(|work| work.action_id), Some(action));
    }
    let asked_since = shop.ask(rebuilt, &rebuild).await;
    assert_eq!(shop.look(rebuilt).await.turn.work.map(|work| work.action_id), Some(asked_since));
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
