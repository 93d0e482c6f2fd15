//! Secrets of a local stack: made at random on the first start, kept with its data.

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rand::Rng;
use rand::distr::Alphanumeric;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const LENGTH: usize = 40;
const FILE: &str = "secrets.toml";

/// What a local stack's parts and its user authenticate with.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackSecrets {
    /// The first administrator, once there is one.
    pub admin_email: Option<String>,
    /// The first administrator's password.
    pub admin_password: String,
    /// Key of the internal API, once there is one.
    pub internal_api_key: Option<String>,
    /// Signs access tokens.
    pub jwt_secret: String,
    /// Encrypts root passwords of servers.
    #[serde(default = "random_key")]
    pub credentials_key: String,
    /// The token that the DigitalOcean simulator accepts.
    pub digitalocean_token: String,
    /// The key that the Vultr simulator accepts.
    #[serde(default = "random_token")]
    pub vultr_api_key: String,
    /// The token that the Linode simulator accepts.
    #[serde(default = "random_token")]
    pub linode_api_token: String,
    /// The key that the Midtrans simulator accepts and signs its notifications with.
    pub midtrans_server_key: String,
    /// The key that the Xendit simulator accepts. Stacks of earlier versions have none yet.
    #[serde(default = "xendit_secret_key")]
    pub xendit_secret_key: String,
    /// The token that the Xendit simulator's webhooks carry.
    #[serde(default = "random_token")]
    pub xendit_callback_token: String,
}

fn xendit_secret_key() -> String {
    format!("xnd_development_{}", random_token())
}

impl StackSecrets {
    fn random() -> Self {
        Self {
            admin_email: None,
            admin_password: random_token(),
            internal_api_key: None,
            jwt_secret: random_token(),
            credentials_key: random_key(),
            digitalocean_token: format!("dop_v1_{}", random_token()),
            vultr_api_key: random_token(),
            linode_api_token: random_token(),
            midtrans_server_key: format!("SB-Mid-server-{}", random_token()),
            xendit_secret_key: xendit_secret_key(),
            xendit_callback_token: random_token(),
        }
    }

    /// The secrets of a stack: those of its first start, or new ones.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn load_or_create(state: &Path) -> Result<Self> {
        let path = state.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).with_context(|| {
                format!("{} is damaged: remove it, and new secrets are made", path.display())
            }),
            Err(_) => {
                let secrets = Self::random();
                secrets.save(state)?;
                Ok(secrets)
            }
        }
    }

    /// What a provider's simulator accepts.
    pub fn provider_credential(&self, slug: &str) -> &str {
        match slug {
            "vultr" => &self.vultr_api_key,
            "linode" => &self.linode_api_token,
            _ => &self.digitalocean_token,
        }
    }

    /// Keeps the secrets for the next start, readable by their owner only.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, state: &Path) -> Result<()> {
        let path = state.join(FILE);
        let mut options = fs::File::options();
        options.create(true).truncate(true).write(true).mode(0o600);
        let text = toml::to_string(self)?;
        let written = options.open(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.with_context(|| format!("{} cannot be written", path.display()))
    }
}

/// A random token of letters and digits, 238 bits strong.
pub fn random_token() -> String {
    rand::rng().sample_iter(Alphanumeric).take(LENGTH).map(char::from).collect()
}

/// A random key of 32 bytes, in base64.
fn random_key() -> String {
    BASE64_STANDARD.encode(rand::rng().random::<[u8; 32]>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_survive_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let first = StackSecrets::load_or_create(directory.path()).unwrap();
        let second = StackSecrets::load_or_create(directory.path()).unwrap();
        assert_eq!(first.admin_password, second.admin_password);
        assert_eq!(first.credentials_key, second.credentials_key);
        assert_eq!(first.jwt_secret.len(), LENGTH);
        assert_ne!(first.jwt_secret, StackSecrets::random().jwt_secret);
    }
}
