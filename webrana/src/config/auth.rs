//! Tokens and passwords.

use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;

/// Signs tokens on a developer's machine, and nowhere else.
const DEVELOPMENT_SECRET: &str = "development-only-secret-never-use-in-production";
const SHORTEST_SECRET: usize = 32;

/// Tokens and passwords.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Authentication")]
pub struct AuthConfig {
    /// Signs access tokens: 32 bytes or more, the same in all processes; production has no default
    #[arg(
        id = "auth.jwt_secret",
        long = "jwt-secret",
        env = "JWT_SECRET",
        value_name = "SECRET",
        value_parser = super::value::secret,
        hide_env_values = true,
        hide_default_value = true,
        default_value = DEVELOPMENT_SECRET
    )]
    pub jwt_secret: SecretString,

    /// Life of an access token
    #[arg(
        id = "auth.access_ttl",
        long = "auth-access-ttl",
        env = "AUTH_ACCESS_TTL",
        value_name = "DURATION",
        default_value = "15m",
        value_parser = super::value::duration
    )]
    pub access_ttl: Duration,

    /// Life of a refresh token, and so of a session that is not used
    #[arg(
        id = "auth.refresh_ttl",
        long = "auth-refresh-ttl",
        env = "AUTH_REFRESH_TTL",
        value_name = "DURATION",
        default_value = "30d",
        value_parser = super::value::duration
    )]
    pub refresh_ttl: Duration,

    /// POSTs per minute and client on the authentication routes; 0 lifts the limit
    #[arg(
        id = "auth.requests_per_minute",
        long = "auth-requests-per-minute",
        env = "AUTH_REQUESTS_PER_MINUTE",
        value_name = "N",
        default_value_t = 30
    )]
    pub requests_per_minute: u32,
}

impl AuthConfig {
    /// The same settings with a secret of a local stack's own, unless one was given.
    #[must_use]
    pub fn with_secret_unless_given(mut self, secret: &str) -> Self {
        if self.jwt_secret.expose_secret() == DEVELOPMENT_SECRET {
            self.jwt_secret = SecretString::from(secret);
        }
        self
    }

    /// What is wrong with these settings.
    pub fn problems(&self, production: bool) -> Vec<String> {
        let secret = self.jwt_secret.expose_secret();
        let mut problems = Vec::new();
        if production && secret == DEVELOPMENT_SECRET {
            problems.push(
                "JWT_SECRET is missing: production needs a secret of its own, 32 bytes or more".to_owned(),
            );
        }
        if secret.len() < SHORTEST_SECRET {
            problems.push("JWT_SECRET is too short: it needs 32 bytes or more".to_owned());
        }
        problems
    }
}
