//! The key that root passwords of servers are kept under.

use super::strength::Guarded;
use secrecy::{ExposeSecret, SecretString};
use store::credentials::{CredentialsKeys, SealError};

/// Seals passwords on a developer's machine, and nowhere else.
pub(super) const DEVELOPMENT_KEY: &str = "ZGV2ZWxvcG1lbnQgb25seSwgbmV2ZXIgYSBzZWNyZXQ=";

/// The key that root passwords of servers are kept under.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Server credentials")]
pub struct CredentialsConfig {
    /// Encrypts root passwords of servers: 32 bytes in base64, the same in all processes; production has no default. To
    /// replace it, put the new one first and keep the old one after a comma
    #[arg(
        id = "credentials.key",
        long = "credentials-key",
        env = "CREDENTIALS_KEY",
        value_name = "KEY",
        value_parser = super::value::secret,
        hide_env_values = true,
        hide_default_value = true,
        default_value = DEVELOPMENT_KEY
    )]
    pub key: SecretString,
}

impl CredentialsConfig {
    /// The same settings with a key of a local stack's own, unless one was given.
    #[must_use]
    pub fn with_key_unless_given(mut self, key: &str) -> Self {
        if self.key.expose_secret() == DEVELOPMENT_KEY {
            self.key = SecretString::from(key);
        }
        self
    }

    /// The keys in the form that the store takes.
    ///
    /// # Errors
    /// When they are not keys.
    pub fn keys(&self) -> Result<CredentialsKeys, SealError> {
        CredentialsKeys::parse(&self.key)
    }

    /// What is wrong with these settings.
    pub fn problems(&self) -> Vec<String> {
        self.keys().err().map(|error| format!("CREDENTIALS_KEY: {error}")).into_iter().collect()
    }

    /// What nobody may know: each of the keys.
    pub fn secrets(&self) -> Vec<Guarded<'_>> {
        self.key.expose_secret().split(',').map(|key| Guarded::key("CREDENTIALS_KEY", key)).collect()
    }
}
