//! What is refused to owners of servers, each with a clear problem, and nothing is different afterwards.

use std::sync::Arc;

use adapters::providers::Paced;
use api::{AppState, Limits};
use domain::{
    ids::InstanceId,
    life::{LifeLook, LifePolicy},
    role::Role,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::http::{Expect, Method, User};
use uuid::Uuid;

use crate::{World, assert_problem, place};

/// All that a refused request could have changed.
const EVERYTHING: &str = "SELECT jsonb_build_object(
    'servers', (SELECT jsonb_agg(to_jsonb(s) ORDER BY s.id) FROM instances s),
    'actions', (SELECT count(*) FROM instance_actions), 'resizes', (SELECT count(*) FROM resizes),
    'cancellations', (SELECT jsonb_agg(to_jsonb(c) ORDER BY c.id) FROM cancellations c),
    'orders', (SELECT count(*) FROM orders), 'renewals', (SELECT count(*) FROM renewals),
    'invoices', (SELECT jsonb_agg(to_jsonb(v) ORDER BY v.id) FROM invoices v),
    'payments', (SELECT count(*) FROM payments), 'movements', (SELECT count(*) FROM ledger_movements),
    'rules', (SELECT count(*) FROM life_policies), 'holds', (SELECT count(*) FROM instance_holds),
    'told', (SELECT count(*) FROM events), 'messages', (SELECT count(*) FROM outbox),
    'audited', (SELECT count(*) FROM audit_log))::text";

/// A request that is to be refused.
struct Bad {
    method: Method,
    path: String,
    body: Value,
    key: &'static str,
    status: u16,
    code: &'static str,
}

fn bad(method: Method, path: &str, body: Value, (status, code): (u16, &'static str)) -> Bad {
    Bad { method, path: path.to_owned(), body, key: "new", status, code }
}

impl World {
    /// Refused with this problem, and nothing is different, neither in the database nor to its owner's eyes.
    async fn refuses(&self, who: &User, case: &str, bad: &Bad) -> Value {
        let seen = async || self.me.get(&format!("/instances/{}", self.server)).await.expect(200);
        let before = (self.text(EVERYTHING).await, seen().await);
        let answer = who.request(bad.method.clone(), &bad.path).json(&bad.body).key(bad.key).await;
        assert_eq!(
            answer.problem(),
            (bad.status, bad.code),
            "{case}: {} {}: {}",
            bad.path,
            bad.body,
            answer.body
        );
        assert_eq!((self.text(EVERYTHING).await, seen().await), before, "{case}: {} {}", bad.path, bad.body);
        answer.body
    }

    fn at(&self, rest: &str) -> String {
        format!("/instances/{}{rest}", self.server)
    }

    /// Everything that changes a server, with what it is answered with.
    async fn everything(&self, problem: (u16, &'static str)) -> Vec<Bad> {
        let larger = self.plan("do-basic-2gb").await;
        let renewal = json!({ "term_months": 1, "payment_method": "WALLET" });
        let mut all = self.actions(problem);
        all.extend([
            bad(
                Method::POST,
                &self.at("/resizes"),
                json!({ "plan_id": larger, "payment_method": "WALLET" }),
                problem,
            ),
            bad(Method::POST, &self.at("/resize/quote"), json!({ "plan_id": larger }), problem),
            bad(Method::POST, &self.at("/renew"), renewal, problem),
            bad(Method::POST, &self.at("/cancel"), json!({ "when": "now" }), problem),
            bad(Method::POST, &self.at("/cancel"), json!({ "when": "period_end" }), problem),
            bad(Method::DELETE, &self.at("/cancel"), Value::Null, problem),
            bad(Method::PUT, &self.at("/auto-renew"), json!({ "enabled": true }), problem),
        ]);
        all
    }

    /// Every action that needs no snapshot.
    fn actions(&self, problem: (u16, &'static str)) -> Vec<Bad> {
        let wishes = [
            json!({ "action": "reboot" }),
            json!({ "action": "power_off" }),
            json!({ "action": "rename", "params": { "name": "toko" } }),
            json!({ "action": "rebuild", "params": { "image": "debian-12" } }),
            json!({ "action": "snapshot", "params": { "name": "before" } }),
        ];
        let at = self.at("/actions");
        wishes.map(|wish| bad(Method::POST, &at, wish, problem)).into()
    }

    async fn refuses_all(&self, who: &User, case: &str, all: &[Bad]) {
        for bad in all {
            self.refuses(who, case, bad).await;
        }
    }

    /// Its workflow looks, as of now.
    async fn look(&self) {
        let look = LifeLook { instance_id: self.server, seen_turns: 0 };
        self.store.look_at_life(look).await.unwrap();
    }

    /// Nobody paid, and the grace is over.
    async fn suspend(&self) {
        self.store.note_payments_checked().await.unwrap();
        let hasty = LifePolicy { grace_ms: 1, ..LifePolicy::default() };
        let admin = self.user(Role::Admin).await;
        admin.post("/admin/life/rules", &serde_json::to_value(hasty).unwrap()).await.expect(201);
        self.store.adopt_life_rules(10).await.unwrap();
        self.run("UPDATE instances SET expires_at = now() - interval '1 hour'").await;
        self.look().await;
        self.look().await;
    }

    async fn second_server(&self) -> InstanceId {
        let order = place(&self.me).await;
        self.run_at_the_cloud(order).await
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_stranger_finds_no_server(pool: PgPool) {
    let world = World::open(pool).await;
    let stranger = world.user(Role::Customer).await;
    world.refuses_all(&stranger, "foreign", &world.everything((404, "not_found")).await).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_suspended_server_is_renewed_or_called_off_and_nothing_else(pool: PgPool) {
    let world = World::open(pool).await;
    world.suspend().await;
    let conflict = (409, "instance_conflict");
    let larger = world.plan("do-basic-2gb").await;
    let mut all = world.actions(conflict);
    all.push(bad(Method::POST, &world.at("/resize/quote"), json!({ "plan_id": larger }), conflict));
    let resize = json!({ "plan_id": larger, "payment_method": "WALLET" });
    all.push(bad(Method::POST, &world.at("/resizes"), resize, conflict));
    all.push(bad(Method::POST, &world.at("/cancel"), json!({ "when": "period_end" }), conflict));
    world.refuses_all(&world.me, "suspended", &all).await;
    let broke = json!({ "term_months": 1, "payment_method": "WALLET" });
    let broke = bad(Method::POST, &world.at("/renew"), broke, (409, "insufficient_balance"));
    world.refuses(&world.me, "suspended", &broke).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_server_that_goes_and_one_that_is_gone_take_nothing(pool: PgPool) {
    let world = World::open(pool).await;
    let off = world.mine(Method::POST, "/cancel", &json!({ "when": "now" })).key("off").await.expect(202);
    let all = world.everything((409, "instance_conflict")).await;
    world.refuses_all(&world.me, "terminating", &all).await;
    world.store.next_action(world.server).await.unwrap();
    world.store.terminate_instance(off["action_id"].as_str().unwrap().parse().unwrap()).await.unwrap();
    world.refuses_all(&world.me, "terminated", &all).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn what_staff_hold_is_left_as_it_is_and_what_is_held_for_its_money_is_not(pool: PgPool) {
    let world = World::open(pool).await;
    let admin = world.user(Role::Admin).await;
    let holds = format!("/admin/instances/{}/holds", world.server);
    for kind in ["abuse", "legal", "support"] {
        let hold = json!({ "kind": kind, "stops_clock": false, "reason": "a reason" });
        let held = admin.post(&holds, &hold).await.expect(201);
        let mut all = world.actions((409, "instance_conflict"));
        let now = json!({ "when": "now" });
        all.push(bad(Method::POST, &world.at("/cancel"), now, (409, "instance_conflict")));
        let larger = json!({ "plan_id": world.plan("do-basic-2gb").await, "payment_method": "WALLET" });
        all.push(bad(Method::POST, &world.at("/resizes"), larger, (409, "instance_conflict")));
        world.refuses_all(&world.me, kind, &all).await;
        let problem = world.refuses(&world.me, kind, &all[0]).await;
        assert_eq!(problem["detail"], "the instance is held by our team: please ask them");
        admin.delete(&format!("{holds}/{}", held["id"].as_str().unwrap())).await.expect(200);
    }
    let hold = json!({ "kind": "billing", "stops_clock": true, "reason": "a dispute" });
    admin.post(&holds, &hold).await.expect(201);
    assert_eq!(world.ask(json!({ "action": "reboot" })).await.status, 202);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_busy_server_takes_no_eleventh_action_and_no_other_plan(pool: PgPool) {
    let world = World::open(pool).await;
    world.ask(json!({ "action": "reboot" })).await.expect(202);
    let larger = json!({ "plan_id": world.plan("do-basic-2gb").await, "payment_method": "WALLET" });
    let resize = bad(Method::POST, &world.at("/resizes"), larger, (409, "instance_conflict"));
    world.refuses(&world.me, "busy", &resize).await;
    for _ in 0..9 {
        world.ask(json!({ "action": "reboot" })).await.expect(202);
    }
    world.refuses_all(&world.me, "busy", &world.actions((409, "instance_conflict"))).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_plan_that_can_not_be_had_is_named(pool: PgPool) {
    let world = World::open(pool).await;
    let own = world.store.any_instance(world.server).await.unwrap().plan;
    world.run("UPDATE plans SET is_active = false WHERE slug = 'do-basic-4gb'").await;
    world.run("UPDATE plans SET disk_gb = 10 WHERE slug = 'do-basic-8gb'").await;
    for (case, plan) in [
        ("its own", world.plan(&own).await.0),
        ("a smaller disk", world.plan("do-basic-8gb").await.0),
        ("another provider's", world.plan("linode-shared-2gb").await.0),
        ("not on sale", world.plan("do-basic-4gb").await.0),
        ("of nobody", Uuid::nil()),
    ] {
        let wish = json!({ "plan_id": plan, "payment_method": "WALLET" });
        let resize = bad(Method::POST, &world.at("/resizes"), wish, (422, "plan_not_offered"));
        let problem = world.refuses(&world.me, case, &resize).await;
        assert_eq!(problem["errors"][0]["field"], "plan_id", "{case}: {problem}");
        let quote = json!({ "plan_id": plan });
        let quote = bad(Method::POST, &world.at("/resize/quote"), quote, (422, "plan_not_offered"));
        world.refuses(&world.me, case, &quote).await;
    }
    let larger = world.plan("do-basic-2gb").await;
    let broke = json!({ "plan_id": larger, "payment_method": "WALLET" });
    let broke = bad(Method::POST, &world.at("/resizes"), broke, (409, "insufficient_balance"));
    world.refuses(&world.me, "no money", &broke).await;

    // One that is begun takes no other beside it.
    world.deposit(world.me.id, domain::Rupiah::new(2_000_000)).await;
    let begun = json!({ "plan_id": larger, "payment_method": "WALLET" });
    world.mine(Method::POST, "/resizes", &begun).key("begun").await.expect(202);
    let other = json!({ "plan_id": world.plan("do-cpu-4gb").await, "payment_method": "WALLET" });
    let other = bad(Method::POST, &world.at("/resizes"), other, (409, "instance_conflict"));
    world.refuses(&world.me, "one is under way", &other).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_snapshot_of_another_server_is_not_this_servers(pool: PgPool) {
    let world = World::open(pool).await;
    let other = world.second_server().await;
    let droplet = world.store.any_server_ref(other).await.unwrap().provider_instance_id.unwrap();
    let request = adapters::providers::ProviderAction::Snapshot { name: "theirs".to_owned() };
    let receipt = world.account().perform_action(&droplet, &request).await.unwrap();
    while world.account().action_progress(&droplet, &receipt).await.unwrap()
        == adapters::providers::ActionProgress::InProgress
    {
        tokio::task::yield_now().await;
    }
    let listed = world.me.get(&format!("/instances/{other}/snapshots")).await.expect(200);
    let snapshot = &listed["data"][0]["id"];
    assert!(snapshot.is_string(), "{listed}");
    let stranger = world.user(Role::Customer).await;
    for action in ["restore", "delete_snapshot"] {
        let wish = json!({ "action": action, "params": { "snapshot_id": snapshot } });
        let mine = bad(Method::POST, &world.at("/actions"), wish.clone(), (422, "snapshot_unknown"));
        world.refuses(&world.me, "another server's", &mine).await;
        let theirs = bad(Method::POST, &format!("/instances/{other}/actions"), wish, (404, "not_found"));
        world.refuses(&stranger, "another customer's", &theirs).await;
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_was_called_off_is_neither_renewed_nor_called_off_again(pool: PgPool) {
    let world = World::open(pool).await;
    // Nothing to revoke: the server as it is.
    let before = world.text(EVERYTHING).await;
    world.mine(Method::DELETE, "/cancel", &Value::Null).await.expect(200);
    assert_eq!(world.text(EVERYTHING).await, before);

    let end = json!({ "when": "period_end" });
    let first = world.mine(Method::POST, "/cancel", &end).key("one").await.expect(202);
    let before = world.text(EVERYTHING).await;
    let second = world.mine(Method::POST, "/cancel", &end).key("two").await.expect(202);
    assert_eq!((&first["id"], world.text(EVERYTHING).await), (&second["id"], before));
    let conflict = (409, "instance_conflict");
    let larger = json!({ "plan_id": world.plan("do-basic-2gb").await, "payment_method": "WALLET" });
    let all = [
        bad(
            Method::POST,
            &world.at("/renew"),
            json!({ "term_months": 1, "payment_method": "WALLET" }),
            conflict,
        ),
        bad(Method::POST, &world.at("/resizes"), larger, conflict),
        bad(Method::PUT, &world.at("/auto-renew"), json!({ "enabled": true }), conflict),
    ];
    world.refuses_all(&world.me, "called off for the end", &all).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_key_means_one_request(pool: PgPool) {
    let world = World::open(pool).await;
    world.deposit(world.me.id, domain::Rupiah::new(5_000_000)).await;
    let (second, third) = (world.plan("do-basic-2gb").await, world.plan("do-basic-4gb").await);
    for (path, said, other) in [
        (
            "/renew",
            json!({ "term_months": 1, "payment_method": "WALLET" }),
            json!({ "term_months": 3, "payment_method": "WALLET" }),
        ),
        (
            "/resizes",
            json!({ "plan_id": second, "payment_method": "WALLET" }),
            json!({ "plan_id": third, "payment_method": "WALLET" }),
        ),
        ("/actions", json!({ "action": "reboot" }), json!({ "action": "power_off" })),
        ("/cancel", json!({ "when": "period_end" }), json!({ "when": "now" })),
    ] {
        let key = "once";
        world.mine(Method::POST, path, &said).key(key).await.expect_success();
        let before = world.text(EVERYTHING).await;
        world.mine(Method::POST, path, &said).key(key).await.expect_success();
        assert_eq!(world.text(EVERYTHING).await, before, "{path}: the same again is the same");
        let refused = bad(Method::POST, &world.at(path), other, (422, "idempotency_key_reused"));
        world.refuses(&world.me, path, &Bad { key, ..refused }).await;
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_makes_no_sense_is_refused_by_name(pool: PgPool) {
    let world = World::open(pool).await;
    let actions = world.at("/actions");
    let reset = json!({ "action": "reset_password" });
    let reset = bad(Method::POST, &actions, reset, (409, "unsupported_action"));
    world.refuses(&world.me, "not at this provider", &reset).await;
    let rebuild =
        json!({ "action": "rebuild", "params": { "image": "debian-12", "user_data": "#!/bin/sh\n" } });
    let rebuild = bad(Method::POST, &actions, rebuild, (422, "invalid_params"));
    let problem = world.refuses(&world.me, "rebuild", &rebuild).await;
    assert_eq!(problem["errors"][0]["field"], "params.user_data", "{problem}");
    let admin = world.user(Role::Admin).await;
    let mut rules = serde_json::to_value(LifePolicy::default()).unwrap();
    rules["grace_days"] = json!(3);
    let rules = bad(Method::POST, "/admin/life/rules", rules, (422, "invalid_body"));
    world.refuses(&admin, "an unknown rule", &rules).await;
    let mut rules = serde_json::to_value(LifePolicy::default()).unwrap();
    rules["attempts_hold_ms"] = json!(0);
    let rules = bad(Method::POST, "/admin/life/rules", rules, (422, "life_rules_invalid"));
    let problem = world.refuses(&admin, "a rule of nothing", &rules).await;
    assert_eq!(problem["errors"][0]["field"], "attempts_hold_ms", "{problem}");
}

#[sqlx::test(migrations = "../migrations")]
async fn user_data_that_can_not_be_told_is_refused_with_how_long_it_could_be(pool: PgPool) {
    let limits = Arc::new(Limits { body_bytes: 1 << 20, ..Limits::uncounted() });
    let world = World::open_with(pool, Paced::unpaced(), |state| AppState { limits, ..state }).await;
    let plans = world.me.get("/plans?provider=digitalocean").await.expect(200);
    let order = |data: &str| {
        json!({
            "plan_id": plans["data"][0]["id"], "region": "sgp1", "image": "ubuntu-24-04", "hostname": "web-2",
            "term_months": 1, "payment_method": "MANUAL_TRANSFER", "user_data": data,
        })
    };
    let script = |length: usize| format!("#!{}", "x".repeat(length - 2));
    // What the provider takes, less a kilobyte of ours.
    let most = 64 * 1024 - 1024;
    for (case, data, code) in [
        ("nothing that cloud-init knows", "apt-get install nginx".to_owned(), "invalid_user_data"),
        ("NUL", "#!/bin/sh\necho \0\n".to_owned(), "invalid_body"),
        ("too long", script(most + 1), "user_data_too_long"),
        ("too long in base64", format!("#!{}", "é".repeat(most * 3 / 8)), "user_data_too_long"),
    ] {
        let problem =
            world.refuses(&world.me, case, &bad(Method::POST, "/orders", order(&data), (422, code))).await;
        assert_eq!(problem["errors"][0]["field"], "user_data", "{case}: {problem}");
        let quote = bad(Method::POST, "/orders/quote", order(&data), (422, code));
        world.refuses(&world.me, case, &quote).await;
    }
    let too_long = bad(Method::POST, "/orders", order(&script(most + 1)), (422, "user_data_too_long"));
    let problem = world.refuses(&world.me, "too long", &too_long).await;
    let detail = problem["errors"][0]["message"].as_str().unwrap().to_owned();
    assert!(detail.contains("1 bytes too long") && detail.contains(&most.to_string()), "{detail}");
    // Bytes that are no text are no JSON.
    let before = world.text(EVERYTHING).await;
    let body = [br##"{"user_data":"#!"##.as_slice(), &[0xff, 0xfe], br#""}"#.as_slice()].concat();
    let answer = world.me.request(Method::POST, "/orders").key("k").body("application/json", body).await;
    assert_problem(&answer, 400, "malformed_json");
    assert_eq!(world.text(EVERYTHING).await, before);
    world.me.post("/orders", &order(&script(most))).await.expect(201);
}
