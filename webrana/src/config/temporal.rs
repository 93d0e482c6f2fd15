//! Temporal.

use anyhow::{Context, Result};

/// Temporal.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Temporal")]
pub struct TemporalConfig {
    /// Frontend of the Temporal cluster, as host:port
    #[arg(
        id = "temporal.address",
        long = "temporal-address",
        env = "TEMPORAL_ADDRESS",
        value_name = "HOST:PORT"
    )]
    address: Option<String>,

    /// Namespace the workflows live in
    #[arg(
        id = "temporal.namespace",
        long = "temporal-namespace",
        env = "TEMPORAL_NAMESPACE",
        value_name = "NAME",
        default_value = "default"
    )]
    pub namespace: String,

    /// Put before the names of all task queues; keeps installations that share a namespace apart
    #[arg(
        id = "temporal.queue_prefix",
        long = "temporal-queue-prefix",
        env = "TEMPORAL_QUEUE_PREFIX",
        value_name = "PREFIX",
        default_value = ""
    )]
    pub queue_prefix: String,

    /// Where people open Temporal's web UI, for links to a workflow
    #[arg(id = "temporal.ui_url", long = "temporal-ui-url", env = "TEMPORAL_UI_URL", value_name = "URL")]
    pub ui_url: Option<String>,
}

impl TemporalConfig {
    /// The frontend, when one is set.
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref().filter(|address| !address.is_empty())
    }

    /// The frontend.
    ///
    /// # Errors
    /// When none is set.
    pub fn required_address(&self) -> Result<&str> {
        self.address().context(
            "TEMPORAL_ADDRESS is missing: set it, or use `webrana dev`, which starts a Temporal of its own",
        )
    }

    /// The same settings for another server, as a stack has that started its own.
    #[must_use]
    pub fn with_server(mut self, address: &str, ui_url: Option<&str>) -> Self {
        self.address = Some(address.to_owned());
        self.ui_url = ui_url.map(str::to_owned);
        self
    }
}
