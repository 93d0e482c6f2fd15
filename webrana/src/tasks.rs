//! Tasks that live as long as the process: told to stop together, given a bounded time, and watched, for a process
//! that lost a part of itself must end.

use anyhow::Result;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A group of tasks.
pub struct Tasks {
    stop: CancellationToken,
    running: Mutex<JoinSet<(&'static str, Result<()>)>>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self { stop: CancellationToken::new(), running: Mutex::default() }
    }
}

impl Tasks {
    /// Cancelled when the group is told to stop.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a task that is expected to run until the group is told to stop.
    pub fn spawn(&mut self, name: &'static str, work: impl Future<Output = Result<()>> + Send + 'static) {
        self.running.get_mut().spawn(async move { (name, work.await) });
    }

    /// Resolves when a task ended although nobody told it to, with what a person should know.
    pub async fn failure(&self) -> String {
        match self.running.lock().await.join_next().await {
            Some(Ok((name, Ok(())))) => format!("{name} ended on its own"),
            Some(Ok((name, Err(error)))) => format!("{name} failed: {error:#}"),
            Some(Err(error)) => format!("a part of this process failed: {error}"),
            None => std::future::pending().await,
        }
    }

    /// Tells all to stop and waits for them, for at most `grace`.
    pub async fn stop(self, grace: Duration) {
        self.stop.cancel();
        let mut running = self.running.into_inner();
        let all_ended = async {
            while let Some(ended) = running.join_next().await {
                match ended {
                    Ok((_, Ok(()))) => {}
                    Ok((name, Err(error))) => {
                        tracing::warn!(
                            event = "process.task_failed_stopping",
                            task = name,
                            error = format!("{error:#}"),
                            "failed while stopping"
                        )
                    }
                    Err(error) => {
                        tracing::warn!(
                            event = "process.task_panicked_stopping",
                            %error,
                            "a task failed while stopping"
                        )
                    }
                }
            }
        };
        if tokio::time::timeout(grace, all_ended).await.is_err() {
            tracing::warn!(
                event = "process.cut_off",
                grace_seconds = grace.as_secs_f32(),
                "not everything stopped in time; it is cut off"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_on_its_own_is_named() {
        let mut tasks = Tasks::default();
        tasks.spawn("the API", async { anyhow::bail!("no luck") });
        assert_eq!(tasks.failure().await, "the API failed: no luck");
    }

    #[tokio::test]
    async fn tasks_are_told_to_stop_and_waited_for() {
        let mut tasks = Tasks::default();
        let stop = tasks.stop_token();
        let (done, mut finished) = tokio::sync::mpsc::channel(1);
        tasks.spawn("a worker", async move {
            stop.cancelled().await;
            done.send(()).await?;
            Ok(())
        });
        tasks.stop(Duration::from_secs(10)).await;
        assert_eq!(finished.try_recv(), Ok(()));
    }

    #[tokio::test]
    async fn a_task_that_does_not_stop_is_cut_off() {
        let mut tasks = Tasks::default();
        tasks.spawn("a stubborn one", std::future::pending());
        tasks.stop(Duration::from_millis(10)).await;
    }
}
