//! How engine and client prove to each other who they are.

use std::{collections::BTreeMap, path::PathBuf};

use secrecy::{ExposeSecret, SecretString};

/// What is proven; nothing by default, as on a developer's machine.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// TLS; plain text without.
    pub tls: Option<Tls>,
    /// The key that goes with every call, as `Authorization: Bearer`.
    pub api_key: Option<SecretString>,
    /// Headers that go with every call, which a proxy in between may want.
    pub headers: BTreeMap<String, SecretString>,
}

/// What TLS needs. The engine's name and certificate are always checked.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// Who vouches for the engine's certificate; without, those whom the machine trusts.
    pub authority: Option<Pem>,
    /// The name that the engine's certificate has to be for, where it is not the address's.
    pub server_name: Option<String>,
    /// What proves this client (mTLS).
    pub client: Option<ClientPair>,
}

/// A client's certificate and its key.
#[derive(Debug, Clone)]
pub struct ClientPair {
    /// The certificate, with those between it and the authority.
    pub certificate: Pem,
    /// Its private key.
    pub key: Pem,
}

/// Something in PEM. A file is read whenever a connection is made, so that one that was renewed counts.
#[derive(Debug, Clone)]
pub enum Pem {
    /// A file.
    File(PathBuf),
    /// The text itself.
    Text(SecretString),
}

/// A certificate or key can't be read.
#[derive(Debug, thiserror::Error)]
#[error("{} can't be read: {source}", path.display())]
pub struct PemError {
    path: PathBuf,
    source: std::io::Error,
}

impl Pem {
    /// What is in it.
    ///
    /// # Errors
    /// [`PemError`] when the file can't be read.
    pub fn read(&self) -> Result<Vec<u8>, PemError> {
        match self {
            Self::File(path) => std::fs::read(path).map_err(|source| PemError { path: path.clone(), source }),
            Self::Text(text) => Ok(text.expose_secret().as_bytes().to_vec()),
        }
    }
}
