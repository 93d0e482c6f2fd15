//! What is known of a payment gateway before anybody calls it. Configuration, wiring, the local stack and tests go over
//! [`super::ALL`] and know no gateway by name.

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;
use url::Url;

use super::PaymentGateway;
use crate::http::SetupError;

/// A payment gateway. Each has its own beside its adapter.
#[derive(Debug)]
pub struct Descriptor {
    /// What it is called in the database, in URLs and in settings.
    pub slug: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// Where its API is, without the version.
    pub default_url: &'static str,
    /// The variable of the setting that says where its API is.
    pub url_env: &'static str,
    /// What we prove ourselves by, and it to us: all of them are needed. The first is what its sandbox has other ones of.
    pub credentials: &'static [Credential],
    /// The variable of the setting that says how much it takes at once.
    pub limits_env: &'static str,
    /// How much it takes at once as it publishes it, in that setting's words.
    pub published_limits: &'static str,
    /// Makes its adapter for an account. Nothing is called yet.
    pub connect: fn(Account) -> Result<Arc<dyn PaymentGateway>, SetupError>,
}

/// A secret that is shared with a gateway.
#[derive(Debug, Clone, Copy)]
pub struct Credential {
    /// The variable of its setting. Flag and key of the settings' file follow from it.
    pub env: &'static str,
    /// What it is for, in a sentence for the command line's help.
    pub help: &'static str,
    /// What it begins with in the gateway's sandbox, where money is none.
    pub sandbox_prefix: Option<&'static str>,
}

/// How to reach an account of ours at a gateway.
#[derive(Debug, Clone)]
pub struct Account {
    /// The gateway's address or a simulator's, without the version.
    pub base_url: Url,
    /// Those of [`Descriptor::credentials`], in their order.
    pub credentials: Vec<SecretString>,
    /// Longest wait for an answer.
    pub timeout: Duration,
}

impl Account {
    /// The address and all credentials.
    pub(super) fn open<const N: usize>(self) -> Result<(Url, [SecretString; N]), SetupError> {
        let wrong = |given: Vec<SecretString>| SetupError::Credentials { wanted: N, given: given.len() };
        Ok((self.base_url, self.credentials.try_into().map_err(wrong)?))
    }
}
