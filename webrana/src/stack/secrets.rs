//! Secrets of a local stack: made at random on the first start, kept with its data.

use crate::random::{random_key, random_token};
use crate::vendors;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const FILE: &str = "secrets.toml";

/// What a local stack's parts and its user authenticate with.
#[derive(Clone, Serialize, Deserialize)]
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
    /// What the simulators accept and prove themselves by, each under the name of its setting.
    #[serde(flatten)]
    simulators: BTreeMap<String, String>,
}

impl StackSecrets {
    fn random() -> Self {
        Self {
            admin_email: None,
            admin_password: random_token(),
            internal_api_key: None,
            jwt_secret: random_token(),
            credentials_key: random_key(),
            simulators: BTreeMap::new(),
        }
    }

    /// The secrets of a stack: those of its first start, or new ones.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn load_or_create(state: &Path) -> Result<Self> {
        let path = state.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => Self::read(&text).with_context(|| {
                format!("{} is damaged: remove it, and new secrets are made", path.display())
            }),
            Err(_) => {
                let secrets = Self::random().completed();
                secrets.save(state)?;
                Ok(secrets)
            }
        }
    }

    fn read(text: &str) -> Result<Self> {
        let secrets: Self = toml::from_str(text)?;
        let known: Vec<String> = vendors::credentials().map(|credential| key(credential.env)).collect();
        let unknown = secrets.simulators.keys().find(|name| !known.contains(name));
        ensure!(unknown.is_none(), "`{}` is no secret of a stack", unknown.map_or("", String::as_str));
        Ok(secrets.completed())
    }

    /// With a secret for each simulator: stacks of earlier versions have none for those that came later.
    fn completed(mut self) -> Self {
        for credential in vendors::credentials() {
            let random = || format!("{}{}", credential.prefix, random_token());
            self.simulators.entry(key(credential.env)).or_insert_with(random);
        }
        self
    }

    /// What a simulator accepts or proves itself by, by the variable of its setting.
    ///
    /// # Errors
    /// When no simulator has such a secret.
    pub fn of_simulator(&self, variable: &str) -> Result<&str> {
        let secret = self.simulators.get(&key(variable)).map(String::as_str);
        secret.with_context(|| format!("no simulator has a secret {variable}"))
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

/// What a variable's secret is called in the file.
fn key(variable: &str) -> String {
    variable.to_lowercase()
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
        assert_eq!(first.jwt_secret.len(), 40);
        assert_ne!(first.jwt_secret, StackSecrets::random().jwt_secret);
    }

    #[test]
    fn each_simulator_has_a_secret_of_its_own_also_in_a_stack_from_before_it_came() {
        let directory = tempfile::tempdir().unwrap();
        let first = StackSecrets::load_or_create(directory.path()).unwrap();
        let path = directory.path().join(FILE);
        let text = fs::read_to_string(&path).unwrap();
        let without = |text: &str, name: &str| -> String {
            text.lines().filter(|line| !line.starts_with(name)).map(|line| format!("{line}\n")).collect()
        };
        fs::write(&path, without(&text, "vultr_api_key")).unwrap();
        let later = StackSecrets::load_or_create(directory.path()).unwrap();
        let token = |secrets: &StackSecrets, name| secrets.of_simulator(name).unwrap().to_owned();
        assert_eq!(token(&first, "LINODE_API_TOKEN"), token(&later, "LINODE_API_TOKEN"));
        assert_ne!(token(&first, "VULTR_API_KEY"), token(&later, "VULTR_API_KEY"));
        assert!(token(&later, "DIGITALOCEAN_TOKEN").starts_with("dop_v1_"));
        let all: std::collections::BTreeSet<_> = later.simulators.values().collect();
        assert_eq!(all.len(), vendors::credentials().count());
        assert!(later.of_simulator("HETZNER_TOKEN").is_err(), "nobody is given another vendor's secret");
        fs::write(&path, format!("{text}hetzner_token = 'x'\n")).unwrap();
        assert!(StackSecrets::load_or_create(directory.path()).is_err());
    }
}
