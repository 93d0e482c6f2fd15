//! Servers' lives, on a real Postgres: reminders, renewals from the balance, grace, suspension, deletion, and what holds
//! them back.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "these are tests")]

mod brakes;
mod guards;
mod term;

use std::ops::Deref;

use domain::{
    Rupiah,
    ids::{InstanceId, UserId},
    instance::ActionKind,
    life::{LifeLook, LifeTurn},
    server::ServerState,
};
use sqlx::PgPool;
use testkit::TestApp;

/// A term of one month at Rp129.000 with 11 % PPN.
const MONTH: i64 = 143_190;

/// A seeded shop with one customer, whose payments were looked after just now.
struct Shop {
    app: TestApp,
    customer: UserId,
}

impl Deref for Shop {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.app
    }
}

impl Shop {
    async fn open(pool: PgPool) -> Self {
        let app = TestApp::new(pool).await;
        app.store.claim_installation().await.unwrap();
        app.store.note_payments_checked().await.unwrap();
        let customer = app.customer().await;
        Self { app, customer }
    }

    async fn server(&self) -> InstanceId {
        self.app.order().by(self.customer).active().await.server()
    }

    async fn renewing_server(&self) -> InstanceId {
        self.app.order().by(self.customer).auto_renew().active().await.server()
    }

    async fn look(&self, instance: InstanceId) -> LifeTurn {
        let look = LifeLook { instance_id: instance, seen_turns: 0 };
        self.store.look_at_life(look).await.unwrap()
    }

    /// Lets the end of the term be in so many hours, as far as the server and what it was told go.
    async fn term_ends_in(&self, instance: InstanceId, hours: f64) {
        self.passes(
            instance,
            &format!("(SELECT expires_at - now() - interval '{hours} hours' FROM instances WHERE id = $1)"),
        )
        .await;
    }

    /// Lets so many hours pass for a server.
    async fn hours_pass(&self, instance: InstanceId, hours: f64) {
        self.passes(instance, &format!("interval '{hours} hours'")).await;
    }

    async fn passes(&self, instance: InstanceId, time: &str) {
        let shift = format!(
            "WITH passed AS (SELECT {time} AS t),
                  told AS (UPDATE life_notices SET term_ends_at = term_ends_at - t, told_at = told_at - t
                           FROM passed WHERE instance_id = $1),
                  held AS (UPDATE instance_holds SET held_from = held_from - t, held_until = held_until - t,
                                  released_at = released_at - t
                           FROM passed WHERE instance_id = $1)
             UPDATE instances SET expires_at = expires_at - t, starts_at = starts_at - t,
                    suspended_at = suspended_at - t, next_due_at = next_due_at - t
             FROM passed WHERE id = $1"
        );
        sqlx::query(sqlx::AssertSqlSafe(shift)).bind(instance.0).execute(&self.pool).await.unwrap();
    }

    /// The provider has done what the server's workflow would have asked it for.
    async fn done(&self, instance: InstanceId, turn: LifeTurn, kind: ActionKind) {
        let work = turn.turn.work.expect("something to be done");
        assert_eq!(work.kind, kind);
        match kind {
            ActionKind::Delete => self.store.terminate_instance(work.action_id).await.unwrap(),
            _ => {
                let power = if kind == ActionKind::Suspend { "OFF" } else { "ON" };
                let seen = ServerState::powered(power.parse().unwrap());
                self.store.complete_action(work.action_id, None, &seen).await.unwrap();
            }
        }
        assert!(self.look(instance).await.turn.work.is_none());
    }

    async fn status_of(&self, instance: InstanceId) -> String {
        self.store.any_instance(instance).await.unwrap().status.to_string()
    }

    /// What the owner was told of the server's life, in order.
    async fn told_of_life(&self) -> Vec<String> {
        let kinds = "SELECT e.kind FROM in_app_notifications n JOIN events e ON e.id = n.event_id
                     WHERE e.kind LIKE 'server_%' AND e.kind <> 'server_active' OR e.kind = 'renewal_lacks_money'
                     ORDER BY n.id";
        self.texts(kinds).await
    }

    async fn on_balance(&self, rupiah: i64) {
        self.deposit(self.customer, Rupiah::new(rupiah)).await;
    }
}
