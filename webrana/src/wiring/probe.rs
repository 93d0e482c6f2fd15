//! What `/health` asks Temporal.

use api::Probe;
use engine::TemporalConfig;
use futures::future::BoxFuture;
use std::sync::Arc;
use temporalio_client::Client;
use tokio::sync::OnceCell;

/// Connects at the first question; the connection then finds its way back by itself.
pub struct TemporalProbe {
    config: TemporalConfig,
    client: Arc<OnceCell<Client>>,
}

impl TemporalProbe {
    /// A probe of the engine that `config` names.
    pub fn new(config: TemporalConfig) -> Self {
        Self { config, client: Arc::default() }
    }

    async fn ask(&self) -> Result<(), String> {
        let (cell, config) = (Arc::clone(&self.client), self.config.clone());
        // In a task of its own: the question may be given up before the connection has come about.
        let connecting = tokio::spawn(async move {
            cell.get_or_try_init(|| async { engine::connect(&config).await }).await.cloned()
        });
        let client = connecting.await.ok().and_then(Result::ok).ok_or("no connection")?;
        engine::is_reachable(&client).await.map_err(|_| "no answer".to_owned())
    }
}

impl Probe for TemporalProbe {
    fn name(&self) -> &'static str {
        "temporal"
    }

    fn check(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(self.ask())
    }
}
