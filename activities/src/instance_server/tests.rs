//! Against DigitalOcean's simulator and a database of the test's own.

use std::{ops::Deref, time::Duration};

use adapters::providers::{CloudProvider, CreateServer, ProviderAction};
use domain::{
    ids::{InstanceId, OrderId},
    installation::Installation,
    instance::{ActionStatus, InstanceAction, InstanceStatus, PowerState},
    provisioning::{FailureClass, cohort_tag, order_tag},
};
use serde_json::json;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use store::{
    audit::Origin,
    credentials::CredentialsKeys,
    instance_actions::{Action, NewAction, RequestedBy},
};
use testkit::{SimulatedCloud, TestApp, at_once};
use uuid::Uuid;

use super::*;
use crate::skewed_clock;

mod final_snapshots;
mod installations;
mod shares;

const ACTIONS: &str = "POST /v2/droplets/{id}/actions";
const LAG: Duration = Duration::from_millis(50);

/// A running server of a customer, at a simulated account.
struct World {
    app: TestApp,
    activities: ServerActivities,
    simulated: SimulatedCloud,
    cloud: Arc<dyn CloudProvider>,
    order: OrderId,
    server: InstanceId,
    droplet: String,
}

impl Deref for World {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.app
    }
}

impl World {
    async fn new(pool: PgPool) -> Self {
        Self::of_plan(pool, None).await
    }

    /// Of a plan that includes a last snapshot for so many days, or none.
    async fn of_plan(pool: PgPool, final_snapshot_days: Option<i32>) -> Self {
        let simulated = SimulatedCloud::start("digitalocean", at_once()).await;
        let cloud = simulated.adapter_with(|account| account.listing_lag = LAG);
        // A server without SSH keys is rebuilt with its root password.
        let keys = CredentialsKeys::parse(&format!("{}=", "A".repeat(43)).into()).unwrap();
        let app = TestApp::with(pool, |store| store.with_credentials_keys(keys)).await;
        let days = sqlx::query("UPDATE plans SET final_snapshot_days = $1").bind(final_snapshot_days);
        days.execute(&app.pool).await.unwrap();
        let placed = app.order().provisioning().await;
        let (order, server) = (placed.id, placed.server());
        let providers = Arc::new(Registry::new(vec![Arc::clone(&cloud)]));
        let activities = ServerActivities { store: app.store.clone(), providers };
        let droplet = create(cloud.as_ref(), order).await;
        let world = Self { app, activities, simulated, cloud, order, server, droplet };
        world.activate().await;
        world
    }

    fn store(&self) -> &Store {
        &self.activities.store
    }

    async fn activate(&self) {
        self.store().save_server(self.order, &self.droplet).await.unwrap();
        let address = Some("203.0.113.7".to_owned());
        self.store().save_address(self.order, address, None, PowerState::On).await.unwrap();
        self.store().activate_order(self.order).await.unwrap();
    }

    /// Takes an action in and makes it its turn.
    async fn begin(&self, action: InstanceAction) -> ActionId {
        let origin = Origin::system();
        let new = NewAction {
            instance: self.server,
            by: RequestedBy::Program,
            action: &action,
            origin: &origin,
            idempotency_key: None,
        };
        let asked = self.store().request_action(&new).await.unwrap().id;
        assert_eq!(
            self.store().next_action(self.server).await.unwrap().work.map(|work| work.action_id),
            Some(asked)
        );
        asked
    }

    /// One try of the activity.
    async fn run(&self, action: ActionId) -> Result<(), StepError> {
        self.activities.carry_out(ActionRun { action_id: action, busy_patience_ms: 60_000 }).await
    }

    async fn done(&self, action: InstanceAction) -> Action {
        let action = self.begin(action).await;
        self.run(action).await.unwrap();
        self.read(action).await
    }

    async fn read(&self, action: ActionId) -> Action {
        self.store().any_action(self.server, action).await.unwrap()
    }

    async fn instance(&self) -> store::instances::Instance {
        self.store().any_instance(self.server).await.unwrap()
    }

    async fn fault(&self, route: &str, kind: &str, times: u32) {
        let mut fault = json!({ "route": route, "kind": kind, "times": times });
        if kind == "status" {
            fault["status"] = json!(503);
        }
        let sent = reqwest::Client::new()
            .post(format!("{}/__sim/faults", self.simulated.simulator.url()))
            .json(&fault);
        assert!(sent.send().await.unwrap().status().is_success());
    }

    async fn droplets(&self) -> usize {
        self.cloud.find_by_tag(&order_tag(self.order)).await.unwrap().len()
    }
}

async fn create(cloud: &dyn CloudProvider, order: OrderId) -> String {
    let request = CreateServer {
        tag: order_tag(order),
        fleet: Installation::default().tag(),
        cohort: cohort_tag(order),
        hostname: "web-1".to_owned(),
        size: "s-1vcpu-1gb".to_owned(),
        region: "sgp1".to_owned(),
        image: "ubuntu-24-04-x64".to_owned(),
        ssh_public_keys: Vec::new(),
        root_password: None,
        user_data: None,
        network: None,
    };
    let ticket = cloud.ready_to_create().await.unwrap();
    cloud.create_server(ticket, &request).await.unwrap().id
}

fn class<T>(outcome: Result<T, StepError>) -> FailureClass {
    match outcome {
        Ok(_) => panic!("it went well"),
        Err(error) => error.class(),
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_done_shows_in_our_record(pool: PgPool) {
    let world = World::new(pool).await;
    let off = world.done(InstanceAction::PowerOff).await;
    assert_eq!((off.status, world.instance().await.power_state), (ActionStatus::Completed, PowerState::Off));
    world.done(InstanceAction::PowerOn).await;
    world.done(InstanceAction::Reboot).await;
    assert_eq!(world.instance().await.power_state, PowerState::On);
    world.done(InstanceAction::Rebuild { image: "debian-12".to_owned() }).await;
    assert_eq!(world.instance().await.image, "debian-12");
    assert!(world.instance().await.ipv4.is_some_and(|ip| ip != "203.0.113.7"), "the provider's own address");

    let calls = world.simulated.simulator.calls(ACTIONS);
    world.run(off.id).await.unwrap();
    assert_eq!(world.simulated.simulator.calls(ACTIONS), calls, "what is over is not done again");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_snapshot_whose_answer_was_lost_is_found_not_repeated(pool: PgPool) {
    let world = World::new(pool).await;
    let earlier = world.done(InstanceAction::Snapshot { name: "nightly".to_owned() }).await;
    let earlier = earlier.result.unwrap()["snapshot_id"].clone();

    world.fault(ACTIONS, "drop_after_create", 1).await;
    let action = world.begin(InstanceAction::Snapshot { name: "nightly".to_owned() }).await;
    assert_eq!(class(world.run(action).await), FailureClass::Retryable);
    let calls = world.simulated.simulator.calls(ACTIONS);
    world.run(action).await.unwrap();
    assert_eq!(world.simulated.simulator.calls(ACTIONS), calls, "looked for, not asked for again");
    let made = world.read(action).await.result.unwrap()["snapshot_id"].clone();
    assert_ne!(made, earlier, "the earlier one of that name is another's");
    assert_eq!(world.cloud.list_snapshots(&world.droplet).await.unwrap().len(), 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_snapshot_that_was_refused_is_asked_for_again(pool: PgPool) {
    let world = World::new(pool).await;
    world.fault(ACTIONS, "status", 1).await;
    let action = world.begin(InstanceAction::Snapshot { name: "nightly".to_owned() }).await;
    // A 503 after sending may have had its effect: it is looked for, and there is none.
    assert_eq!(class(world.run(action).await), FailureClass::Retryable);
    assert!(world.store().action_job(action).await.unwrap().sent_at.is_some());
    world.run(action).await.unwrap();
    assert_eq!(world.cloud.list_snapshots(&world.droplet).await.unwrap().len(), 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_accepted_action_is_only_asked_about(pool: PgPool) {
    let world = World::new(pool).await;
    let action = world.begin(InstanceAction::Reboot).await;
    let receipt = world.cloud.perform_action(&world.droplet, &ProviderAction::Reboot).await.unwrap();
    world.store().mark_action_sent(action).await.unwrap();
    world.store().save_receipt(action, &serde_json::to_value(receipt).unwrap()).await.unwrap();
    let calls = world.simulated.simulator.calls(ACTIONS);
    world.run(action).await.unwrap();
    assert_eq!(world.simulated.simulator.calls(ACTIONS), calls);
    assert_eq!(world.read(action).await.status, ActionStatus::Completed);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_busy_provider_is_asked_again_but_a_lasting_state_is_told(pool: PgPool) {
    let world = World::new(pool).await;
    world.done(InstanceAction::PowerOff).await;
    let reboot = world.begin(InstanceAction::Reboot).await;
    let refused = world.run(reboot).await.unwrap_err();
    assert_eq!(refused.class(), FailureClass::Conflict);
    assert!(refused.to_string().contains("the server is off"), "{refused}");
    world.store().fail_action(reboot, refused.class(), &refused.to_string()).await.unwrap();

    let configured = reqwest::Client::new()
        .post(format!("{}/__sim/config", world.simulated.simulator.url()))
        .json(&json!({ "action_seconds": 0.4 }));
    assert!(configured.send().await.unwrap().status().is_success());
    world.cloud.perform_action(&world.droplet, &ProviderAction::PowerOn).await.unwrap();
    let calls = world.simulated.simulator.calls(ACTIONS);
    assert_eq!(world.done(InstanceAction::EnableBackups).await.status, ActionStatus::Completed);
    assert!(world.simulated.simulator.calls(ACTIONS) > calls + 1, "the first try met a pending event");
}

#[sqlx::test(migrations = "../migrations")]
async fn only_the_servers_own_snapshots_are_restored(pool: PgPool) {
    let world = World::new(pool).await;
    let neighbour = create(world.cloud.as_ref(), OrderId(Uuid::now_v7())).await;
    let request = ProviderAction::Snapshot { name: "theirs".to_owned() };
    let receipt = world.cloud.perform_action(&neighbour, &request).await.unwrap();
    world.cloud.action_progress(&neighbour, &receipt).await.unwrap();
    let theirs = world.cloud.list_snapshots(&neighbour).await.unwrap().pop().unwrap().id;
    let calls = world.simulated.simulator.calls(ACTIONS);
    let action = world.begin(InstanceAction::Restore { snapshot_id: theirs.clone() }).await;
    let refused = world.run(action).await.unwrap_err();
    assert_eq!(refused.class(), FailureClass::NotFound);
    world.store().fail_action(action, refused.class(), &refused.to_string()).await.unwrap();
    assert_eq!(world.simulated.simulator.calls(ACTIONS), calls);

    let own = world.done(InstanceAction::Snapshot { name: "mine".to_owned() }).await.result.unwrap();
    let own = own["snapshot_id"].as_str().unwrap().to_owned();
    assert_eq!(
        world.done(InstanceAction::Restore { snapshot_id: own }).await.status,
        ActionStatus::Completed
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn only_the_servers_own_snapshots_are_deleted_and_once(pool: PgPool) {
    const DELETES: &str = "DELETE /v2/snapshots/{id}";
    let world = World::new(pool).await;
    let neighbour = create(world.cloud.as_ref(), OrderId(Uuid::now_v7())).await;
    let request = ProviderAction::Snapshot { name: "theirs".to_owned() };
    let receipt = world.cloud.perform_action(&neighbour, &request).await.unwrap();
    world.cloud.action_progress(&neighbour, &receipt).await.unwrap();
    let theirs = world.cloud.list_snapshots(&neighbour).await.unwrap().pop().unwrap().id;
    let action = world.begin(InstanceAction::DeleteSnapshot { snapshot_id: theirs }).await;
    let refused = world.run(action).await.unwrap_err();
    assert_eq!(refused.class(), FailureClass::NotFound);
    world.store().fail_action(action, refused.class(), &refused.to_string()).await.unwrap();
    assert_eq!(world.simulated.simulator.calls(DELETES), 0);
    assert_eq!(world.cloud.list_snapshots(&neighbour).await.unwrap().len(), 1);

    let own = world.done(InstanceAction::Snapshot { name: "mine".to_owned() }).await.result.unwrap();
    let snapshot_id = own["snapshot_id"].as_str().unwrap().to_owned();
    // Its answer is lost; the next try finds it gone, which is as wanted.
    world.fault(DELETES, "drop_after_create", 1).await;
    let action = world.begin(InstanceAction::DeleteSnapshot { snapshot_id: snapshot_id.clone() }).await;
    assert_eq!(class(world.run(action).await), FailureClass::Retryable);
    world.run(action).await.unwrap();
    assert_eq!(world.read(action).await.status, ActionStatus::Completed);
    assert_eq!(world.cloud.list_snapshots(&world.droplet).await.unwrap().len(), 0);
    let again = world.begin(InstanceAction::DeleteSnapshot { snapshot_id }).await;
    assert_eq!(class(world.run(again).await), FailureClass::NotFound, "it has no such snapshot any more");
    world.store().fail_action(again, FailureClass::NotFound, "no such snapshot").await.unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn a_resize_grows_the_plan(pool: PgPool) {
    let world = World::new(pool).await;
    world.done(InstanceAction::PowerOff).await;
    let plan: Uuid = sqlx::query_scalar("SELECT id FROM plans WHERE slug = 'do-basic-2gb'")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    world.done(InstanceAction::Resize { plan_id: plan.into() }).await;
    assert_eq!(world.instance().await.plan, "do-basic-2gb");
    let size = world.cloud.get_server(&world.droplet).await.unwrap().size;
    assert_ne!(size, "s-1vcpu-1gb");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_server_is_terminated_only_when_it_is_gone(pool: PgPool) {
    let world = World::new(pool).await;
    let delete = world.begin(InstanceAction::Delete).await;
    world.fault("DELETE /v2/droplets/{id}", "locked_on_delete", 1).await;
    assert_eq!(class(world.activities.delete(delete).await), FailureClass::Retryable);
    world.fault("GET /v2/droplets", "status", 1).await;
    assert_eq!(
        class(world.activities.delete(delete).await),
        FailureClass::Retryable,
        "not seen to be unlisted"
    );
    assert_eq!(world.instance().await.status, InstanceStatus::Terminating);

    world.activities.delete(delete).await.unwrap();
    assert_eq!((world.droplets().await, world.instance().await.status), (0, InstanceStatus::Terminated));
    assert_eq!(world.read(delete).await.status, ActionStatus::Completed);
    world.activities.delete(delete).await.unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn a_delete_never_gives_up_and_tells_of_refusals(pool: PgPool) {
    let world = World::new(pool).await;
    world.expect_alert("deletion.still_there");
    sqlx::query("UPDATE users SET role = 'admin'").execute(&world.pool).await.unwrap();
    let delete = world.begin(InstanceAction::Delete).await;
    let refuse = json!({
        "route": "DELETE /v2/droplets/{id}", "kind": "status", "status": 422, "times": 2,
        "body": { "id": "unprocessable_entity", "message": "This droplet can't be deleted." },
    });
    let sent = reqwest::Client::new()
        .post(format!("{}/__sim/faults", world.simulated.simulator.url()))
        .json(&refuse);
    assert!(sent.send().await.unwrap().status().is_success());

    for _ in 0..2 {
        let refused = world.activities.delete(delete).await.unwrap_err();
        assert!(!refused.class().is_retryable(), "{refused}");
        world.activities.note_undeleted(delete, &refused).await;
        assert!(refused.until_gone().class().is_retryable(), "the next try comes");
    }
    let told: Vec<String> = sqlx::query_scalar(
        "SELECT e.data ->> 'trouble' FROM in_app_notifications n JOIN events e ON e.id = n.event_id
         WHERE n.type = 'VPS_NOT_DELETED'",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    assert!(matches!(&told[..], [once] if once.contains("can't be deleted")), "{told:?}");
    assert_eq!(world.read(delete).await.status, ActionStatus::InProgress);

    world.activities.delete(delete).await.unwrap();
    assert_eq!((world.droplets().await, world.instance().await.status), (0, InstanceStatus::Terminated));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_delete_that_takes_long_is_told_of(pool: PgPool) {
    let world = World::new(pool).await;
    sqlx::query("UPDATE users SET role = 'admin'").execute(&world.pool).await.unwrap();
    let delete = world.begin(InstanceAction::Delete).await;
    let trouble = trouble(&StepError::NotGone("it is still read".to_owned()));
    assert!(!world.store().note_undeleted(delete, &trouble).await.unwrap(), "it may take a while");
    sqlx::query("UPDATE instance_actions SET started_at = now() - interval '2 hours'")
        .execute(&world.pool)
        .await
        .unwrap();
    assert!(world.store().note_undeleted(delete, &trouble).await.unwrap());
}

#[sqlx::test(migrations = "../migrations")]
async fn a_read_that_errs_does_not_terminate_what_is_listed(pool: PgPool) {
    let world = World::new(pool).await;
    let delete = world.begin(InstanceAction::Delete).await;
    // As a fresh server at Vultr: neither the delete nor the reads know it, but the list does.
    world.fault("DELETE /v2/droplets/{id}", "not_found_after_create", 1).await;
    world.fault("GET /v2/droplets/{id}", "not_found_after_create", 2).await;
    let outcome = world.activities.delete(delete).await;
    if outcome.is_err() {
        assert_eq!(world.instance().await.status, InstanceStatus::Terminating);
        world.activities.delete(delete).await.unwrap();
    }
    assert_eq!((world.droplets().await, world.instance().await.status), (0, InstanceStatus::Terminated));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_worker_whose_clock_runs_fast_waits_for_what_a_lost_create_left(
    pool: PgPoolOptions,
    database: PgConnectOptions,
) {
    what_a_lost_create_left_is_found_and_deleted(skewed_clock::open(pool, database, -60).await).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn what_a_lost_create_left_is_found_by_its_tag_and_deleted(pool: PgPool) {
    what_a_lost_create_left_is_found_and_deleted(pool).await;
}

async fn what_a_lost_create_left_is_found_and_deleted(pool: PgPool) {
    let world = World::new(pool).await;
    let delete = world.begin(InstanceAction::Delete).await;
    for statement in [
        // No way leads back there, but a test's.
        "ALTER TABLE instances DISABLE TRIGGER instances_transition_legal",
        "UPDATE instances SET status = 'PROVISIONING', provider_instance_id = NULL",
        "UPDATE provisioning_tasks SET create_sent_at = now()",
    ] {
        sqlx::query(statement).execute(&world.pool).await.unwrap();
    }
    assert!(
        matches!(world.activities.delete(delete).await, Err(StepError::OutcomePending(_))),
        "it may not show up yet"
    );
    sqlx::query("UPDATE provisioning_tasks SET create_sent_at = now() - interval '1 hour'")
        .execute(&world.pool)
        .await
        .unwrap();
    world.activities.delete(delete).await.unwrap();
    assert_eq!((world.droplets().await, world.instance().await.status), (0, InstanceStatus::Terminated));
}

#[sqlx::test(migrations = "../migrations")]
async fn the_last_server_takes_its_customers_network_with_it(pool: PgPool) {
    let world = World::new(pool).await;
    let network = world.cloud.ensure_network("wb-1-sgp1", "sgp1").await.unwrap().unwrap();
    world.store().save_network(world.order, &network).await.unwrap();
    let delete = world.begin(InstanceAction::Delete).await;
    world.activities.delete(delete).await.unwrap();
    assert_eq!(world.instance().await.status, InstanceStatus::Terminated);
    assert_eq!(world.store().network_of(world.order).await.unwrap(), None);
    assert_eq!(world.simulated.simulator.calls("DELETE /v2/vpcs/{id}"), 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn trouble_is_noted_for_admins(pool: PgPool) {
    let world = World::new(pool).await;
    world.fault(ACTIONS, "status", 1).await;
    let action = world.begin(InstanceAction::Reboot).await;
    let error = world.run(action).await.unwrap_err();
    world.activities.note_trouble(action, &error).await;
    let trouble = world.read(action).await.trouble.unwrap();
    assert_eq!(trouble["class"], "RETRYABLE", "{trouble}");
    world.run(action).await.unwrap();
    assert_eq!(world.read(action).await.trouble, None, "it passed");
}
