//! The last resort: a dispatcher that takes nothing although messages wait ends its process, so that another one begins
//! afresh.

use std::time::Duration;

use store::Store;

use crate::roles::Pulse;

/// Longest silence of a dispatcher, which takes messages once a second and gives every question to the database up long before.
pub(super) const LONGEST_SILENCE: Duration = Duration::from_secs(60);
/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(5);
/// Longest wait for the database.
const ANSWER: Duration = Duration::from_secs(10);

/// The dispatcher takes no messages any more, although some wait and the database answers.
#[derive(Debug, thiserror::Error)]
#[error("the dispatcher has not looked for messages for {0:?}, although some wait")]
pub struct Stuck(Duration);

/// Waits until the dispatcher is stuck. Where the database does not answer a new connection either, it is not the
/// dispatcher's fault.
pub(super) async fn until_stuck(store: &Store, role: &Pulse, longest: Duration) -> Stuck {
    loop {
        tokio::time::sleep(LOOK.min(longest)).await;
        let silence = role.silent_for();
        if silence < longest {
            continue;
        }
        let neglected = store.is_outbox_neglected(longest);
        if let Ok(Ok(true)) = tokio::time::timeout(ANSWER, neglected).await {
            tracing::error!(
                alert = "dispatcher.stuck",
                ?silence,
                "the dispatcher is stuck; its process ends, to be started again"
            );
            return Stuck(silence);
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::PgPool;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{dispatcher::watched, roles::Roles};
    use engine::TemporalConfig;
    use testkit::TestApp;

    /// A second instead of a minute.
    const SILENCE: Duration = Duration::from_secs(1);
    /// Longest time that the tests wait for what has to come.
    const SOON: Duration = Duration::from_secs(60);

    /// The database answers everything else, so that only what is taken tells.
    #[sqlx::test(migrations = "../migrations")]
    async fn a_dispatcher_whose_every_attempt_to_take_messages_fails_is_stuck(pool: PgPool) {
        let app = TestApp::new(pool).await;
        app.leave_undelivered();
        app.expect_alert("dispatcher.stuck");
        app.order().paid().await;
        sqlx::raw_sql(
            "UPDATE outbox SET created_at = now() - interval '1 hour';
             CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'nobody takes a message'; END $$;
             CREATE TRIGGER refuse BEFORE UPDATE ON outbox FOR EACH ROW EXECUTE FUNCTION refuse();",
        )
        .execute(&app.pool)
        .await
        .unwrap();
        // Nobody listens there; that an engine is away is known only once it was to deliver something.
        let config = TemporalConfig::plain("127.0.0.1:1");
        let (store, role) = (app.store.clone(), Roles::default().dispatcher());
        let stop = CancellationToken::new();
        let ended = tokio::time::timeout(SOON, watched(&store, config, &role, &stop, SILENCE)).await.unwrap();
        assert!(ended.unwrap_err().to_string().contains("although some wait"));
    }
}
