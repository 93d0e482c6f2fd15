//! Postgres.

use anyhow::{Context, Result};
use secrecy::SecretString;

/// Postgres.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseConfig {
    /// Postgres to use, as postgres://user:password@host:port/database
    #[arg(
        id = "database.url",
        long = "database-url",
        env = "DATABASE_URL",
        value_name = "URL",
        value_parser = super::value::secret,
        hide_env_values = true
    )]
    url: Option<SecretString>,

    /// Most connections one process opens
    #[arg(
        id = "database.max_connections",
        long = "database-max-connections",
        env = "DATABASE_MAX_CONNECTIONS",
        value_name = "N",
        default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(2..)
    )]
    pub max_connections: u32,
}

impl DatabaseConfig {
    /// The address, when one is set.
    pub fn url(&self) -> Option<&SecretString> {
        super::given(self.url.as_ref())
    }

    /// The address.
    ///
    /// # Errors
    /// When none is set.
    pub fn required_url(&self) -> Result<&SecretString> {
        self.url().context(
            "DATABASE_URL is missing: set it, or use `webrana dev`, which starts a Postgres of its own",
        )
    }

    /// The same settings with another address, as a stack has that started its own server.
    #[must_use]
    pub fn with_url(mut self, url: &str) -> Self {
        self.url = Some(SecretString::from(url));
        self
    }
}
