//! Postgres.

use super::strength::Guarded;
use anyhow::{Context, Result};
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;
use store::PoolSettings;
use url::{Url, form_urlencoded};

const SHORTEST_PASSWORD: usize = 16;

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

    /// The Postgres itself, where DATABASE_URL is a pooler that hands every transaction to whichever session is free
    /// (pgbouncer in transaction mode)
    #[arg(
        id = "database.direct_url",
        long = "database-direct-url",
        env = "DATABASE_DIRECT_URL",
        value_name = "URL",
        value_parser = super::value::secret,
        hide_env_values = true
    )]
    direct_url: Option<SecretString>,

    /// Most connections one process opens for requests and steps; leases and the dispatcher have further ones of their own
    #[arg(
        id = "database.max_connections",
        long = "database-max-connections",
        env = "DATABASE_MAX_CONNECTIONS",
        value_name = "N",
        default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(2..)
    )]
    pub max_connections: u32,

    /// Longest wait for a free connection
    #[arg(
        id = "database.acquire_timeout",
        long = "database-acquire-timeout",
        env = "DATABASE_ACQUIRE_TIMEOUT",
        value_name = "DURATION",
        default_value = "5s",
        value_parser = super::value::duration
    )]
    pub acquire_timeout: Duration,

    /// Longest wait of a statement for a lock
    #[arg(
        id = "database.lock_timeout",
        long = "database-lock-timeout",
        env = "DATABASE_LOCK_TIMEOUT",
        value_name = "DURATION",
        default_value = "3s",
        value_parser = super::value::duration
    )]
    pub lock_timeout: Duration,

    /// Longest run of a statement; migrations and checks of the books have bounds of their own
    #[arg(
        id = "database.statement_timeout",
        long = "database-statement-timeout",
        env = "DATABASE_STATEMENT_TIMEOUT",
        value_name = "DURATION",
        default_value = "10s",
        value_parser = super::value::duration
    )]
    pub statement_timeout: Duration,

    /// Longest pause within a transaction; then the server ends it
    #[arg(
        id = "database.idle_in_transaction_timeout",
        long = "database-idle-in-transaction-timeout",
        env = "DATABASE_IDLE_IN_TRANSACTION_TIMEOUT",
        value_name = "DURATION",
        default_value = "10s",
        value_parser = super::value::duration
    )]
    pub idle_in_transaction_timeout: Duration,
}

/// The password itself, which stands percent-encoded in an address.
fn decoded(password: &str) -> String {
    let query = password.replace('+', "%2B").replace('&', "%26");
    form_urlencoded::parse(query.as_bytes()).map(|(text, _)| text.into_owned()).collect()
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

    /// The server itself, when DATABASE_URL is a pooler.
    pub fn direct_url(&self) -> Option<&SecretString> {
        super::given(self.direct_url.as_ref())
    }

    /// How patient this process is with its database, with so many connections.
    pub fn pool(&self, max_connections: u32) -> PoolSettings {
        PoolSettings {
            max_connections,
            pooled: self.direct_url().is_some(),
            acquire_timeout: self.acquire_timeout,
            lock_timeout: self.lock_timeout,
            statement_timeout: self.statement_timeout,
            idle_in_transaction_timeout: self.idle_in_transaction_timeout,
        }
    }

    /// What is wrong with the settings, a sentence each. `request_timeout` is the longest time a request may take.
    pub fn problems(&self, request_timeout: Duration) -> Vec<String> {
        let mut problems = Vec::new();
        let bounds = [
            ("DATABASE_ACQUIRE_TIMEOUT", self.acquire_timeout),
            ("DATABASE_LOCK_TIMEOUT", self.lock_timeout),
            ("DATABASE_STATEMENT_TIMEOUT", self.statement_timeout),
            ("DATABASE_IDLE_IN_TRANSACTION_TIMEOUT", self.idle_in_transaction_timeout),
        ];
        for (name, bound) in bounds {
            // To Postgres 0 is no bound at all, and it counts milliseconds in 32 bits.
            if bound.is_zero() || bound.as_millis() > i32::MAX.unsigned_abs().into() {
                problems.push(format!("{name} must be more than nothing and less than 24 days"));
            }
        }
        if self.lock_timeout > self.statement_timeout {
            problems.push(
                "DATABASE_LOCK_TIMEOUT must not be more than DATABASE_STATEMENT_TIMEOUT, which counts the wait too"
                    .to_owned(),
            );
        }
        if self.acquire_timeout.saturating_add(self.statement_timeout) >= request_timeout {
            problems.push(
                "DATABASE_ACQUIRE_TIMEOUT and DATABASE_STATEMENT_TIMEOUT together must be less than API_REQUEST_TIMEOUT: \
                 nothing is begun that could end after the answer"
                    .to_owned(),
            );
        }
        problems
    }

    /// What nobody may know: the password, when the address has one.
    pub fn secrets(&self) -> Vec<Guarded<'_>> {
        let urls = [("DATABASE_URL", self.url()), ("DATABASE_DIRECT_URL", self.direct_url())];
        let guarded = |(name, url): (&'static str, Option<&SecretString>)| {
            let url = Url::parse(url?.expose_secret()).ok()?;
            Some(Guarded::elsewhere(name, url.password().map(decoded)?, SHORTEST_PASSWORD))
        };
        urls.into_iter().filter_map(guarded).collect()
    }

    /// The same settings with another address, as a stack has that started its own server.
    #[must_use]
    pub fn with_url(mut self, url: &str) -> Self {
        if self.url().is_none_or(|own| own.expose_secret() != url) {
            self.direct_url = None;
        }
        self.url = Some(SecretString::from(url));
        self
    }
}
