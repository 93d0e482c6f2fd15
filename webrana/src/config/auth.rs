//! Tokens and passwords.

use super::strength::Guarded;
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;
use store::sessions::SessionPolicy;

/// Signs tokens on a developer's machine, and nowhere else.
pub(super) const DEVELOPMENT_SECRET: &str = "development-only-secret-never-use-in-production";
const SHORTEST_SECRET: usize = 32;
const LONGEST_GRACE: Duration = Duration::from_secs(60);

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

    /// The JWT_SECRET before this one: its access tokens are accepted until they end
    #[arg(
        id = "auth.jwt_secret_previous",
        long = "jwt-secret-previous",
        env = "JWT_SECRET_PREVIOUS",
        value_name = "SECRET",
        value_parser = super::value::secret,
        hide_env_values = true
    )]
    jwt_secret_previous: Option<SecretString>,

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
    refresh_ttl: Duration,

    /// Life of a session however much it is used
    #[arg(
        id = "auth.session_longest",
        long = "auth-session-longest",
        env = "AUTH_SESSION_LONGEST",
        value_name = "DURATION",
        default_value = "90d",
        value_parser = super::value::duration
    )]
    session_longest: Duration,

    /// How long an exchanged refresh token may be exchanged once more while none of those that came of it is used
    #[arg(
        id = "auth.refresh_grace",
        long = "auth-refresh-grace",
        env = "AUTH_REFRESH_GRACE",
        value_name = "DURATION",
        default_value = "10s",
        value_parser = super::value::duration
    )]
    refresh_grace: Duration,

    /// Logins, registrations and changes of password per minute and client; 0 lifts the limit
    #[arg(
        id = "auth.requests_per_minute",
        long = "auth-requests-per-minute",
        env = "AUTH_REQUESTS_PER_MINUTE",
        value_name = "N",
        default_value_t = 30
    )]
    pub requests_per_minute: u32,

    /// Refreshes and logouts per minute and client; 0 lifts the limit
    #[arg(
        id = "auth.refreshes_per_minute",
        long = "auth-refreshes-per-minute",
        env = "AUTH_REFRESHES_PER_MINUTE",
        value_name = "N",
        default_value_t = 600
    )]
    pub refreshes_per_minute: u32,
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

    /// What nobody may know. Their length is checked in every mode, by [`AuthConfig::problems`].
    pub fn secrets(&self) -> Vec<Guarded<'_>> {
        [("JWT_SECRET", Some(&self.jwt_secret)), ("JWT_SECRET_PREVIOUS", self.jwt_secret_previous())]
            .into_iter()
            .filter_map(|(name, secret)| Some(Guarded::text(name, secret?.expose_secret(), 0)))
            .collect()
    }

    /// The key before the present one, when one is set.
    pub fn jwt_secret_previous(&self) -> Option<&SecretString> {
        super::given(self.jwt_secret_previous.as_ref())
    }

    /// How long logins last.
    pub const fn sessions(&self) -> SessionPolicy {
        SessionPolicy {
            refresh_ttl: self.refresh_ttl,
            longest: self.session_longest,
            grace: self.refresh_grace,
        }
    }

    /// What is wrong with these settings.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, secret) in
            [("JWT_SECRET", Some(&self.jwt_secret)), ("JWT_SECRET_PREVIOUS", self.jwt_secret_previous())]
        {
            if secret.is_some_and(|secret| secret.expose_secret().len() < SHORTEST_SECRET) {
                problems.push(format!("{name} is too short: it needs {SHORTEST_SECRET} bytes or more"));
            }
        }
        if self.refresh_grace > LONGEST_GRACE {
            problems
                .push("AUTH_REFRESH_GRACE is a minute at most: a stolen token works for so long".to_owned());
        }
        problems
    }
}
