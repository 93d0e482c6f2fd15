//! Against DigitalOcean's simulator and a database of the test's own.

#![expect(clippy::disallowed_methods, reason = "the vendor simulated here lives by this machine's clock")]

use std::{ops::Deref, time::Duration};

use adapters::providers::{CloudProvider, CreateServer, ProviderAction};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    ids::{InstanceId, OrderId, QuarantineId, UserId},
    installation::Installation,
    instance::{InstanceAction, PowerState},
    policy::StepPolicy,
    provisioning::{FLEET_TAG, FailureClass, cohort_tag, order_tag},
    reconciliation::{FindingAction, FindingReason},
    server::ProviderServer,
    sorting::{AgeSort, QuarantineSort},
    upkeep::ReconcileSettings,
};
use rust_decimal::Decimal;
use serde_json::json;
use simulators::Handle;
use sqlx::PgPool;
use store::{
    audit::Origin,
    instance_actions::{NewAction, RequestedBy},
    page::{PageRequest, SortedRequest},
    reconciliation::{Begun, Finding, Quarantined},
};
use testkit::{SimulatedCloud, TestApp, at_once, by_user};
use uuid::Uuid;

use super::*;

mod differences;
mod installations;
mod trouble;
mod watch;

const SLUG: &str = "digitalocean";
const FINDINGS: PageRequest = PageRequest { before: None, limit: 100 };
const ALL: SortedRequest = SortedRequest::first(100);
const REPORT: ReconcileSettings = ReconcileSettings {
    usd_idr: Decimal::from_parts(16_000, 0, 0, false, 0),
    quarantine_ms: 0,
    dry_run: true,
    confirmed_unwanted: None,
};
const ACT: ReconcileSettings = ReconcileSettings { dry_run: false, ..REPORT };

/// A seeded shop with a simulated account.
struct Fleet {
    app: TestApp,
    activities: ReconcileActivities,
    simulator: Handle,
    cloud: Arc<dyn CloudProvider>,
    admin: UserId,
}

impl Deref for Fleet {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.app
    }
}

impl Fleet {
    async fn new(pool: PgPool) -> Self {
        let simulated = SimulatedCloud::start(SLUG, at_once()).await;
        let cloud = simulated.adapter_with(|account| {
            account.request_timeout = Duration::from_secs(30);
            account.listing_lag = Duration::from_secs(10);
        });
        let simulator = simulated.simulator;
        let app = TestApp::new(pool).await;
        let admin = app.admin().await;
        let providers = Arc::new(Registry::new(vec![Arc::clone(&cloud)]));
        let activities = ReconcileActivities { store: app.store.clone(), providers };
        Self { app, activities, simulator, cloud, admin }
    }

    fn store(&self) -> &Store {
        &self.activities.store
    }

    /// An order whose server is being made.
    async fn provisioning(&self) -> OrderId {
        self.app.order().provisioning().await.id
    }

    /// The provider's server is the one of the order's record.
    async fn attach(&self, order: OrderId, server: &ProviderServer) {
        self.store().save_server(order, &server.id).await.unwrap();
        let [ipv4, ipv6] = [server.ipv4.map(|ip| ip.to_string()), server.ipv6.map(|ip| ip.to_string())];
        self.store().save_address(order, ipv4, ipv6, PowerState::On).await.unwrap();
    }

    /// Asks for something to be done to an order's server.
    async fn request(&self, order: OrderId, action: InstanceAction) -> InstanceId {
        let server = self.store().any_order(order).await.unwrap().instance_id.unwrap();
        let new = NewAction {
            instance: server,
            by: RequestedBy::Program,
            action: &action,
            origin: &Origin::system(),
            idempotency_key: None,
        };
        self.store().request_action(&new).await.unwrap();
        server
    }

    /// The order's server is deleted, as far as we know.
    async fn terminate(&self, order: OrderId) {
        let server = self.request(order, InstanceAction::Delete).await;
        let turn = self.store().next_action(server).await.unwrap();
        self.store().terminate_instance(turn.work.unwrap().action_id).await.unwrap();
    }

    /// A running server with an order's tag.
    async fn server(&self, order: OrderId) -> ProviderServer {
        self.marked(&Installation::default().tag(), order).await
    }

    /// The same with another mark of its installation.
    async fn marked(&self, fleet: &str, order: OrderId) -> ProviderServer {
        let ticket = self.cloud.ready_to_create().await.unwrap();
        let request = CreateServer {
            tag: order_tag(order),
            fleet: fleet.to_owned(),
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
        let created = self.cloud.create_server(ticket, &request).await.unwrap();
        self.cloud.get_server(&created.id).await.unwrap()
    }

    async fn active(&self) -> (OrderId, ProviderServer) {
        let order = self.provisioning().await;
        let server = self.server(order).await;
        self.attach(order, &server).await;
        self.store().activate_order(order).await.unwrap();
        (order, server)
    }

    /// A comparison an hour from now, when everything has settled.
    async fn compare(&self, settings: ReconcileSettings) -> Vec<Finding> {
        self.compare_at(settings, Utc::now() + TimeDelta::hours(1)).await
    }

    async fn compare_at(&self, settings: ReconcileSettings, at: DateTime<Utc>) -> Vec<Finding> {
        let key = Uuid::now_v7().to_string();
        let begun = self.store().begin_reconciliation(SLUG, None, &key, settings.dry_run).await.unwrap();
        let begun = Begun { at, ..begun };
        let observation = Observation::new(self.store(), [self.cloud.as_ref(); 2], settings, begun);
        self.activities.carry_out(&observation).await.unwrap();
        self.store().findings(observation.run.id, None, FINDINGS).await.unwrap().data
    }

    async fn quarantine(&self) -> Vec<Quarantined> {
        self.store().quarantined_servers(Some(SLUG), true, QuarantineSort::Newest, ALL).await.unwrap().data
    }

    async fn is_on(&self, server: &ProviderServer) -> bool {
        self.cloud.get_server(&server.id).await.unwrap().power == PowerState::On
    }

    async fn is_gone(&self, server: &ProviderServer) -> bool {
        self.cloud.get_server(&server.id).await.is_err()
    }

    fn calls(&self, route: &str) -> u64 {
        self.simulator.calls(route)
    }
}

fn about<'a>(findings: &'a [Finding], server: &ProviderServer) -> Option<&'a Finding> {
    findings.iter().find(|finding| finding.provider_instance_id == server.id)
}

fn verdict(
    findings: &[Finding],
    server: &ProviderServer,
) -> Option<(FindingKind, FindingReason, FindingAction)> {
    about(findings, server).map(|finding| (finding.kind, finding.reason, finding.action))
}

const ACTIONS: &str = "POST /v2/droplets/{id}/actions";
const DELETES: &str = "DELETE /v2/droplets/{id}";

#[sqlx::test(migrations = "../migrations")]
async fn a_dry_run_tells_everything_and_changes_nothing(pool: PgPool) {
    let fleet = Fleet::new(pool).await;
    let (_, well) = fleet.active().await;
    let stray = fleet.server(Uuid::now_v7().into()).await;
    let cancelled = fleet.server(fleet.app.order().cancelled().await.id).await;
    let (twice, _) = fleet.active().await;
    let duplicate = fleet.server(twice).await;
    let (ended, costly) = fleet.active().await;
    fleet.terminate(ended).await;
    let coming = fleet.server(fleet.provisioning().await).await;
    let (_, lost) = fleet.active().await;
    fleet.cloud.delete_server(&lost.id).await.unwrap();
    let (_, off) = fleet.active().await;
    fleet.cloud.perform_action(&off.id, &ProviderAction::PowerOff).await.unwrap();
    let acts = fleet.calls(ACTIONS);

    let found = fleet.compare(REPORT).await;
    use {FindingAction as A, FindingKind as K, FindingReason as R};
    assert_eq!(verdict(&found, &stray), Some((K::Orphan, R::NoOrder, A::WouldQuarantine)));
    assert_eq!(verdict(&found, &cancelled), Some((K::Orphan, R::OrderClosed, A::WouldQuarantine)));
    assert_eq!(verdict(&found, &duplicate), Some((K::Duplicate, R::OtherServerAttached, A::WouldQuarantine)));
    assert_eq!(verdict(&found, &costly), Some((K::Orphan, R::StillCostsMoney, A::WouldQuarantine)));
    assert_eq!(verdict(&found, &lost), Some((K::Ghost, R::NotAtProvider, A::None)));
    assert_eq!(verdict(&found, &off), Some((K::Drifted, R::Differs, A::WouldCorrect)));
    assert_eq!(
        about(&found, &off).unwrap().detail,
        json!({ "differences": [{ "field": "power", "ours": "ON", "theirs": "OFF" }] })
    );
    for left_in_peace in [&well, &coming] {
        assert!(about(&found, left_in_peace).is_none(), "{found:?}");
    }
    assert_eq!(found.len(), 6);
    assert_eq!(about(&found, &duplicate).unwrap().order_id, Some(twice));
    assert_eq!(about(&found, &stray).unwrap().monthly_cost.unwrap().get(), 96_000);

    let run = fleet.store().reconciliations(Some(SLUG), AgeSort::Newest, ALL).await.unwrap().data.remove(0);
    assert_eq!((run.orphans, run.duplicates, run.ghosts, run.drifted), (3, 1, 1, 1));
    assert_eq!((run.monthly_cost.get(), run.servers_listed), (4 * 96_000, 8));
    assert_eq!((fleet.calls(ACTIONS), fleet.calls(DELETES)), (acts, 1));
    assert!(fleet.quarantine().await.is_empty());
    let ours_are_off = "SELECT count(*) FROM instances WHERE power_state = 'OFF' AND status <> 'TERMINATED'";
    assert_eq!(fleet.count(ours_are_off).await, 0);

    // The same findings an hour later are no news.
    fleet.compare(REPORT).await;
    let told = "SELECT count(*) FROM in_app_notifications WHERE type = 'RECONCILIATION_REPORT'";
    assert_eq!(fleet.count(told).await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn unwanted_servers_are_powered_off_and_later_deleted(pool: PgPool) {
    let fleet = Fleet::new(pool).await;
    let stray = fleet.server(Uuid::now_v7().into()).await;
    let (order, kept) = fleet.active().await;
    let duplicate = fleet.server(order).await;
    let failed = fleet.app.order().failed(FailureClass::Capacity).await.id;
    let (may_be_taken, newer) = (fleet.server(failed).await, fleet.server(failed).await);

    let week = ReconcileSettings { quarantine_ms: 7 * 24 * 3_600_000, ..ACT };
    let found = fleet.compare(week).await;
    use {FindingAction as A, FindingKind as K, FindingReason as R};
    assert_eq!(verdict(&found, &stray), Some((K::Orphan, R::NoOrder, A::Quarantined)));
    assert_eq!(verdict(&found, &duplicate), Some((K::Duplicate, R::OtherServerAttached, A::Quarantined)));
    assert_eq!(verdict(&found, &newer), Some((K::Duplicate, R::OlderServerKept, A::Quarantined)));
    assert_eq!(verdict(&found, &may_be_taken), Some((K::Orphan, R::OrderFailed, A::None)));
    for off in [&stray, &duplicate, &newer] {
        assert!(!fleet.is_on(off).await);
    }
    assert!(fleet.is_on(&kept).await && fleet.is_on(&may_be_taken).await);

    let acts = fleet.calls(ACTIONS);
    let again = fleet.compare(week).await;
    assert_eq!(verdict(&again, &stray).unwrap().2, A::InQuarantine);
    assert_eq!((fleet.calls(ACTIONS), fleet.calls(DELETES)), (acts, 0));

    sqlx::query("UPDATE quarantined_servers SET delete_after = now() WHERE provider_instance_id <> $1")
        .bind(&newer.id)
        .execute(&fleet.pool)
        .await
        .unwrap();
    assert_eq!(verdict(&fleet.compare(REPORT).await, &stray).unwrap().2, A::WouldDelete);
    assert_eq!(fleet.calls(DELETES), 0);
    let late = fleet.compare(week).await;
    assert_eq!(verdict(&late, &stray).unwrap().2, A::Deleted);
    assert_eq!(verdict(&late, &duplicate).unwrap().2, A::Deleted);
    assert_eq!(verdict(&late, &newer).unwrap().2, A::InQuarantine);
    assert!(fleet.is_gone(&stray).await && fleet.is_gone(&duplicate).await && fleet.is_on(&kept).await);

    fleet.compare(week).await;
    let gone = fleet.quarantine().await.into_iter().filter(|row| row.deleted_at.is_some()).count();
    assert_eq!((gone, fleet.calls(DELETES)), (2, 2));
}

#[sqlx::test(migrations = "../migrations")]
async fn many_at_once_are_left_to_people(pool: PgPool) {
    let fleet = Fleet::new(pool).await;
    for _ in 0..6 {
        fleet.server(Uuid::now_v7().into()).await;
    }
    let found = fleet.compare(ACT).await;
    assert!(found.len() == 6 && found.iter().all(|finding| finding.action == FindingAction::Held));
    assert_eq!(fleet.calls(ACTIONS), 0);
    assert!(found.iter().all(|finding| finding.detail == json!({ "newly_unwanted": 6 })));
    for guessed in [Some(5), Some(7), None] {
        let settings = ReconcileSettings { confirmed_unwanted: guessed, ..ACT };
        let found = fleet.compare(settings).await;
        assert!(found.iter().all(|finding| finding.action == FindingAction::Held), "{guessed:?}");
    }
    assert_eq!(fleet.calls(ACTIONS), 0);
    let confirmed = fleet.compare(ReconcileSettings { confirmed_unwanted: Some(6), ..ACT }).await;
    assert!(confirmed.iter().all(|finding| finding.action == FindingAction::Quarantined));
    assert_eq!(fleet.calls(ACTIONS), 6);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_young_server_is_not_accused(pool: PgPool) {
    let fleet = Fleet::new(pool).await;
    let young = fleet.server(Uuid::now_v7().into()).await;
    assert!(fleet.compare_at(ACT, Utc::now()).await.is_empty());
    assert!(fleet.is_on(&young).await);
    // Nor is one missed that was made after the list was read.
    let (_, lost) = fleet.active().await;
    fleet.cloud.delete_server(&lost.id).await.unwrap();
    assert!(fleet.compare_at(ACT, Utc::now()).await.is_empty());
}

#[sqlx::test(migrations = "../migrations")]
async fn a_released_server_is_left_alone_and_gets_its_power_back(pool: PgPool) {
    let fleet = Fleet::new(pool).await;
    let stray = fleet.server(Uuid::now_v7().into()).await;
    let week = ReconcileSettings { quarantine_ms: 7 * 24 * 3_600_000, ..ACT };
    fleet.compare(week).await;
    assert!(!fleet.is_on(&stray).await);
    let row: QuarantineId = fleet.quarantine().await.remove(0).id;
    let (admin, origin) = (fleet.admin, by_user(fleet.admin));
    fleet.store().release_quarantined(row, "kept for an investigation", week, admin, &origin).await.unwrap();
    let twice = fleet.store().release_quarantined(row, "again", week, admin, &origin).await.unwrap_err();
    assert_eq!(twice.to_string(), "the quarantined_server is released already");
    let message = "SELECT count(*) FROM outbox WHERE kind = 'reconcile' AND payload #>> '{body,settings,dry_run}' = 'true'";
    assert_eq!(fleet.count(message).await, 1);

    assert_eq!(verdict(&fleet.compare(REPORT).await, &stray).unwrap().2, FindingAction::Released);
    assert!(fleet.is_on(&stray).await);
    assert_eq!(verdict(&fleet.compare(ACT).await, &stray).unwrap().2, FindingAction::Released);
    assert!(fleet.is_on(&stray).await);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_turns_out_to_be_wanted_is_given_back(pool: PgPool) {
    let fleet = Fleet::new(pool).await;
    let expired = fleet.app.order().expired().await;
    let order = expired.id;
    let server = fleet.server(order).await;
    fleet.compare(ACT).await;
    assert!(!fleet.is_on(&server).await);
    fleet.pay(expired.payment.id).await;
    fleet.provision(order).await;
    fleet.attach(order, &server).await;
    assert!(fleet.compare(ACT).await.is_empty());
    assert!(fleet.is_on(&server).await);
    let row = fleet.quarantine().await.remove(0);
    assert!(row.released_by.is_none() && row.power_restored_at.is_some());

    // Unwanted once more, it begins anew.
    sqlx::query("UPDATE instances SET status = 'TERMINATED'").execute(&fleet.pool).await.unwrap();
    assert_eq!(verdict(&fleet.compare(ACT).await, &server).unwrap().2, FindingAction::Quarantined);
    assert!(!fleet.is_on(&server).await);
}
