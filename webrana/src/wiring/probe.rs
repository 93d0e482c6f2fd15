//! What `/health` asks Temporal.

use api::public::health::Probe;
use futures::future::BoxFuture;
use temporal::TemporalConfig;
use temporalio_client::Client;
use tokio::sync::OnceCell;

/// Connects at the first question; the connection then finds its way back by itself.
pub struct TemporalProbe {
    config: TemporalConfig,
    client: OnceCell<Client>,
}

impl TemporalProbe {
    /// A probe of the engine that `config` names.
    pub fn new(config: TemporalConfig) -> Self {
        Self { config, client: OnceCell::new() }
    }

    async fn ask(&self) -> Result<(), String> {
        let connecting =
            || async { temporal::connect(&self.config).await.map_err(|_| "no connection".to_owned()) };
        let client = self.client.get_or_try_init(connecting).await?;
        temporal::is_reachable(client).await.map_err(|_| "no answer".to_owned())
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
