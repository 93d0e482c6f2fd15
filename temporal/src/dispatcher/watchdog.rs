//! The last resort: a dispatcher that takes nothing although messages wait ends its process, so that another one begins
//! afresh.

use std::time::Duration;

use store::Store;

use crate::roles::Pulse;

/// Longest silence of a dispatcher, which looks once a second and gives every question to the database up long before.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);
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
pub(super) async fn until_stuck(store: &Store, role: &Pulse) -> Stuck {
    loop {
        tokio::time::sleep(LOOK).await;
        let silence = role.silent_for();
        if silence < LONGEST_SILENCE {
            continue;
        }
        let neglected = store.is_outbox_neglected(LONGEST_SILENCE);
        if let Ok(Ok(true)) = tokio::time::timeout(ANSWER, neglected).await {
            tracing::error!(
                ?silence,
                "ALERT: the dispatcher is stuck; its process ends, to be started again"
            );
            return Stuck(silence);
        }
    }
}
