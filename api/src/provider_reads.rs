//! What providers tell, for display: kept in Postgres for the readers of all processes. One of many readers asks the
//! provider; when it has no room for reads or is away, they get what is kept, with its age.

use std::time::Duration;

use adapters::providers::ProviderError;
use axum::http::{HeaderName, HeaderValue, header};
use chrono::{DateTime, Utc};
use domain::{ids::InstanceId, rate_limit::HeldBy};
use serde::{Serialize, de::DeserializeOwned};
use store::{
    Store,
    provider_reads::{KeptRead, ReadKey, ReadTurn},
};
use tokio::time::Instant;

use crate::{at_provider::PATIENCE, problem::Problem};

/// One reader has so long to ask the provider before another one does: longer than a call may take.
const TURN: Duration = Duration::from_secs(60);
/// After a failure nobody asks for so long, or as long as the provider said, but not longer than the second.
const AFTER_FAILURE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));
/// The same at least, when there was no room for the read.
const WITHOUT_ROOM: Duration = Duration::from_secs(15);
/// Between two looks whether somebody else's question is answered.
const LOOK: Duration = Duration::from_millis(100);

/// What is to be read, and how long it is fresh.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    key: ReadKey,
    fresh_for: Duration,
}

impl Question {
    /// A question about a server.
    pub(crate) fn of_instance(
        provider: &str,
        instance: InstanceId,
        kind: String,
        fresh_for: Duration,
    ) -> Self {
        Self { key: ReadKey { provider: provider.to_owned(), instance: Some(instance), kind }, fresh_for }
    }

    /// A question about what the provider has for everybody.
    pub(crate) fn of_provider(provider: &str, kind: &str, fresh_for: Duration) -> Self {
        Self {
            key: ReadKey { provider: provider.to_owned(), instance: None, kind: kind.to_owned() },
            fresh_for,
        }
    }
}

/// What a provider told, and when.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told<T> {
    /// What.
    pub value: T,
    /// When.
    pub as_of: DateTime<Utc>,
    /// How long ago.
    pub age: Duration,
    /// Whether it would have been asked for anew, if that were possible now.
    pub stale: bool,
}

impl<T> Told<T> {
    /// The header that tells the age in seconds (RFC 9111, 5.1).
    pub(crate) fn age_header(&self) -> [(HeaderName, HeaderValue); 1] {
        [(header::AGE, HeaderValue::from(self.age.as_secs()))]
    }
}

/// What is kept, if it is fresh; else what the provider answers to `ask`; else what is kept. `ask` is done to its end even
/// when the reader leaves, and by one reader at a time.
///
/// # Errors
/// 409 `unsupported_action` with the reason; 503 `provider_busy` when nothing is kept and there is no room for reads;
/// 503 `provider_unavailable`.
pub(crate) async fn read<T, F>(
    store: &Store,
    question: Question,
    ask: impl FnOnce() -> F + Send,
) -> Result<Told<T>, Problem>
where
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
    F: Future<Output = Result<T, ProviderError>> + Send + 'static,
{
    let patience = Instant::now() + PATIENCE;
    loop {
        match store.provider_read(&question.key, TURN).await? {
            ReadTurn::Fresh(kept) => {
                count(&question, "fresh");
                return told(kept, false);
            }
            ReadTurn::Refresh { refresh, kept } => {
                let asking = tokio::spawn(refreshed(store.clone(), question.clone(), refresh, ask()));
                let answer = tokio::time::timeout_at(patience, asking).await;
                let problem = match answer {
                    Ok(Ok(Ok(told))) => {
                        count(&question, "asked");
                        return Ok(told);
                    }
                    Ok(Ok(Err(problem))) => problem,
                    Ok(Err(_)) | Err(_) => Problem::provider_unavailable(),
                };
                return fall_back(&question, kept, problem);
            }
            ReadTurn::Elsewhere { kept: None, under_way: true, .. } if Instant::now() < patience => {
                tokio::time::sleep(LOOK).await;
            }
            ReadTurn::Elsewhere { kept, retry_after, .. } => {
                let problem = Problem::provider_unavailable().retry_after(retry_after.as_secs().max(1));
                return fall_back(&question, kept, problem);
            }
        }
    }
}

/// Asks, and keeps the answer.
async fn refreshed<T: Serialize>(
    store: Store,
    question: Question,
    refresh: uuid::Uuid,
    ask: impl Future<Output = Result<T, ProviderError>>,
) -> Result<Told<T>, Problem> {
    let Question { key, fresh_for } = question;
    match tokio::time::timeout(TURN, ask).await {
        Ok(Ok(value)) => {
            let answer = serde_json::to_value(&value).map_err(|error| Problem::internal(&error))?;
            let as_of = store.keep_provider_read(&key, refresh, &answer, fresh_for).await?.as_of;
            Ok(Told { value, as_of, age: Duration::ZERO, stale: false })
        }
        Ok(Err(error)) => {
            // Where a share is used up this also lets enough of it come in for a read of several calls.
            let shortest = if error.held_by.is_some() { WITHOUT_ROOM } else { AFTER_FAILURE.0 };
            let pause = error.retry_after.unwrap_or(shortest).clamp(shortest, AFTER_FAILURE.1);
            store.fail_provider_read(&key, refresh, pause).await?;
            Err(match error.held_by {
                Some(HeldBy::Class | HeldBy::Party) => Problem::provider_busy(pause),
                Some(HeldBy::Vendor) | None => error.into(),
            })
        }
        Err(_) => {
            store.fail_provider_read(&key, refresh, AFTER_FAILURE.0).await?;
            Err(Problem::provider_unavailable())
        }
    }
}

fn fall_back<T: DeserializeOwned>(
    question: &Question,
    kept: Option<KeptRead>,
    problem: Problem,
) -> Result<Told<T>, Problem> {
    match kept.filter(|_| problem.status == 503 || problem.status == 429) {
        Some(kept) => {
            count(question, "stale");
            told(kept, true)
        }
        None => {
            count(question, "refused");
            Err(problem)
        }
    }
}

fn told<T: DeserializeOwned>(kept: KeptRead, stale: bool) -> Result<Told<T>, Problem> {
    let value = serde_json::from_value(kept.answer).map_err(|error| Problem::internal(&error))?;
    Ok(Told { value, as_of: kept.as_of, age: kept.age, stale })
}

fn count(question: &Question, outcome: &'static str) {
    let (provider, kind) = (question.key.provider.clone(), question.key.kind.clone());
    metrics::counter!("provider_reads_total", "provider" => provider, "kind" => kind, "outcome" => outcome)
        .increment(1);
}
