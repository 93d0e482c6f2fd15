//! Temporal: where it is, and how the two prove to each other who they are. Everything here may also stand in a profile of
//! Temporal's own configuration file, whose variables have the same names.

use super::strength::{Guarded, SHORTEST_CREDENTIAL};
use anyhow::{Context, Result, bail};
use engine::security::{ClientPair, Pem, Security, Tls};
use secrecy::{ExposeSecret, SecretString};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use temporalio_client::envconfig::{ClientConfigProfile, DataSource, LoadClientConfigProfileOptions};
use temporalio_common::envconfig::{ClientConfigTLS, load_client_config_profile};

const DEFAULT_NAMESPACE: &str = "default";
/// What the variables begin with that put a header on every call.
const HEADERS: &str = "TEMPORAL_GRPC_META_";

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

    /// Namespace the workflows live in; `default` when neither this nor a profile says so
    #[arg(
        id = "temporal.namespace",
        long = "temporal-namespace",
        env = "TEMPORAL_NAMESPACE",
        value_name = "NAME"
    )]
    namespace: Option<String>,

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

    /// Temporal's own configuration file; what is set here goes before it
    #[arg(
        id = "temporal.config_file",
        long = "temporal-config-file",
        env = "TEMPORAL_CONFIG_FILE",
        value_name = "FILE"
    )]
    config_file: Option<PathBuf>,

    /// Profile of Temporal's own configuration file; without one, and without a file, none is read
    #[arg(id = "temporal.profile", long = "temporal-profile", env = "TEMPORAL_PROFILE", value_name = "NAME")]
    profile: Option<String>,

    /// Key that goes with every call to Temporal
    #[arg(
        id = "temporal.api_key",
        long = "temporal-api-key",
        env = "TEMPORAL_API_KEY",
        value_name = "KEY",
        value_parser = super::value::secret,
        hide_env_values = true
    )]
    api_key: Option<SecretString>,

    /// Whether TLS is spoken; by default where there is a key, a certificate, or an https:// address
    #[arg(id = "temporal.tls", long = "temporal-tls", env = "TEMPORAL_TLS", value_name = "BOOL")]
    tls: Option<bool>,

    /// File of the authority that vouches for Temporal's certificate; by default those the machine trusts
    #[arg(
        id = "temporal.tls_server_ca_cert_path",
        long = "temporal-tls-server-ca-cert-path",
        env = "TEMPORAL_TLS_SERVER_CA_CERT_PATH",
        value_name = "PEM FILE"
    )]
    authority_path: Option<PathBuf>,

    /// The same authority itself, in PEM
    #[arg(
        id = "temporal.tls_server_ca_cert_data",
        long = "temporal-tls-server-ca-cert-data",
        env = "TEMPORAL_TLS_SERVER_CA_CERT_DATA",
        value_name = "PEM"
    )]
    authority_data: Option<String>,

    /// Name that Temporal's certificate is for, where it is not the address's
    #[arg(
        id = "temporal.tls_server_name",
        long = "temporal-tls-server-name",
        env = "TEMPORAL_TLS_SERVER_NAME",
        value_name = "NAME"
    )]
    server_name: Option<String>,

    /// File of this client's certificate (mTLS)
    #[arg(
        id = "temporal.tls_client_cert_path",
        long = "temporal-tls-client-cert-path",
        env = "TEMPORAL_TLS_CLIENT_CERT_PATH",
        value_name = "PEM FILE"
    )]
    certificate_path: Option<PathBuf>,

    /// The same certificate itself, in PEM
    #[arg(
        id = "temporal.tls_client_cert_data",
        long = "temporal-tls-client-cert-data",
        env = "TEMPORAL_TLS_CLIENT_CERT_DATA",
        value_name = "PEM"
    )]
    certificate_data: Option<String>,

    /// File of the key of this client's certificate
    #[arg(
        id = "temporal.tls_client_key_path",
        long = "temporal-tls-client-key-path",
        env = "TEMPORAL_TLS_CLIENT_KEY_PATH",
        value_name = "PEM FILE"
    )]
    key_path: Option<PathBuf>,

    /// The same key itself, in PEM
    #[arg(
        id = "temporal.tls_client_key_data",
        long = "temporal-tls-client-key-data",
        env = "TEMPORAL_TLS_CLIENT_KEY_DATA",
        value_name = "PEM",
        value_parser = super::value::secret,
        hide_env_values = true
    )]
    key_data: Option<SecretString>,

    /// Never: the name in Temporal's certificate is always checked
    #[arg(
        id = "temporal.tls_disable_host_verification",
        long = "temporal-tls-disable-host-verification",
        env = "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION",
        value_name = "BOOL"
    )]
    unverified: Option<bool>,
}

impl TemporalConfig {
    /// The frontend, when one is set.
    pub fn address(&self) -> Option<String> {
        self.merged().ok()?.address
    }

    /// Namespace the workflows live in.
    pub fn namespace(&self) -> String {
        self.merged()
            .ok()
            .and_then(|profile| profile.namespace)
            .unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned())
    }

    /// Where the engine is, and how it is reached.
    ///
    /// # Errors
    /// When no address is set, or the settings contradict each other.
    pub fn engine(&self) -> Result<engine::TemporalConfig> {
        let profile = self.merged()?;
        let address = profile.address.clone().context(
            "TEMPORAL_ADDRESS is missing: set it, or use `webrana dev`, which starts a Temporal of its own",
        )?;
        Ok(engine::TemporalConfig {
            security: security(&address, &profile)?,
            address,
            namespace: profile.namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()),
            queue_prefix: self.queue_prefix.clone(),
        })
    }

    /// What is wrong with the settings, a sentence each.
    pub fn problems(&self, production: bool) -> Vec<String> {
        let profile = match self.merged() {
            Ok(profile) => profile,
            Err(error) => return vec![format!("{error:#}")],
        };
        let Some(address) = &profile.address else { return Vec::new() };
        match security(address, &profile) {
            Err(error) => vec![format!("{error:#}")],
            Ok(security) if production && security.tls.is_none() && security.api_key.is_some() => vec![
                "TEMPORAL_API_KEY goes over the network in plain text: TEMPORAL_TLS must not be false in production"
                    .to_owned(),
            ],
            Ok(security) => unreadable(&security),
        }
    }

    /// What nobody may know.
    pub fn secrets(&self) -> Vec<Guarded<'_>> {
        let key = self.merged().ok().and_then(|profile| profile.api_key);
        let guarded = |key| Guarded::elsewhere("TEMPORAL_API_KEY", key, SHORTEST_CREDENTIAL);
        key.map(guarded).into_iter().collect()
    }

    /// The same settings for another server, as a stack has that started its own. Nothing has to be proven to that one.
    #[must_use]
    pub fn with_server(self, address: &str, ui_url: Option<&str>) -> Self {
        let ui_url = ui_url.map(str::to_owned);
        if self.address().is_some_and(|own| own == address) {
            return Self { ui_url, ..self };
        }
        Self {
            address: Some(address.to_owned()),
            namespace: Some(self.namespace()),
            queue_prefix: self.queue_prefix,
            ui_url,
            config_file: None,
            profile: None,
            api_key: None,
            tls: None,
            authority_path: None,
            authority_data: None,
            server_name: None,
            certificate_path: None,
            certificate_data: None,
            key_path: None,
            key_data: None,
            unverified: None,
        }
    }

    /// The profile with our settings over it.
    fn merged(&self) -> Result<ClientConfigProfile> {
        let mut profile = self.read_profile()?;
        let address = self.address.as_ref().filter(|address| !address.is_empty());
        let namespace = self.namespace.as_ref().filter(|namespace| !namespace.is_empty());
        let api_key = super::given(self.api_key.as_ref());
        profile.address = address.cloned().or(profile.address);
        profile.namespace = namespace.cloned().or(profile.namespace);
        profile.api_key = api_key.map(|key| key.expose_secret().to_owned()).or(profile.api_key);
        profile.tls = self.merged_tls(profile.tls)?;
        Ok(profile)
    }

    fn merged_tls(&self, tls: Option<ClientConfigTLS>) -> Result<Option<ClientConfigTLS>> {
        let authority =
            source("TEMPORAL_TLS_SERVER_CA_CERT", &self.authority_path, self.authority_data.as_deref())?;
        let certificate =
            source("TEMPORAL_TLS_CLIENT_CERT", &self.certificate_path, self.certificate_data.as_deref())?;
        let key_data = super::given(self.key_data.as_ref()).map(ExposeSecret::expose_secret);
        let key = source("TEMPORAL_TLS_CLIENT_KEY", &self.key_path, key_data)?;
        let server_name = self.server_name.clone().filter(|name| !name.is_empty());
        let named = authority.is_some() || certificate.is_some() || key.is_some() || server_name.is_some();
        if tls.is_none() && !named && self.tls.is_none() && self.unverified.is_none() {
            return Ok(None);
        }
        let mut tls = tls.unwrap_or_default();
        tls.disabled = self.tls.map(|tls| !tls).or(tls.disabled);
        tls.server_ca_cert = authority.or(tls.server_ca_cert);
        tls.client_cert = certificate.or(tls.client_cert);
        tls.client_key = key.or(tls.client_key);
        tls.server_name = server_name.or(tls.server_name);
        tls.disable_host_verification = self.unverified.unwrap_or(tls.disable_host_verification);
        Ok(Some(tls))
    }

    /// The profile of Temporal's own configuration file, where a file or a profile is named, and the headers that the
    /// environment names.
    fn read_profile(&self) -> Result<ClientConfigProfile> {
        let file = self.config_file.as_ref().filter(|file| !file.as_os_str().is_empty());
        let name = self.profile.as_ref().filter(|name| !name.is_empty());
        let mut profile = ClientConfigProfile::default();
        if file.is_some() || name.is_some() {
            if let Some(file) = file.filter(|file| !file.is_file()) {
                bail!("TEMPORAL_CONFIG_FILE is {}, which is no file", file.display());
            }
            let options = LoadClientConfigProfileOptions::builder()
                .maybe_config_source(file.map(|file| DataSource::Path(file.to_string_lossy().into_owned())))
                .maybe_config_file_profile(name.cloned())
                .config_file_strict(true)
                .disable_env(true)
                .build();
            profile = load_client_config_profile(options, None)
                .map_err(|error| anyhow::anyhow!("Temporal's own configuration: {error}"))?;
        }
        let headers: HashMap<String, String> =
            std::env::vars().filter(|(name, _)| name.starts_with(HEADERS)).collect();
        profile.load_from_env(Some(&headers)).map_err(|error| anyhow::anyhow!("{HEADERS}...: {error}"))?;
        Ok(profile)
    }
}

/// A file or the text itself, not both.
fn source(name: &str, path: &Option<PathBuf>, data: Option<&str>) -> Result<Option<DataSource>> {
    let path = path.as_ref().filter(|path| !path.as_os_str().is_empty());
    let data = data.filter(|data| !data.is_empty());
    match (path, data) {
        (Some(_), Some(_)) => bail!("both {name}_PATH and {name}_DATA are set: keep one"),
        (Some(path), None) => Ok(Some(DataSource::Path(path.to_string_lossy().into_owned()))),
        (None, Some(data)) if !data.contains("-----BEGIN ") => {
            bail!("{name}_DATA is no PEM, which has a line that begins with `-----BEGIN `")
        }
        (None, Some(data)) => Ok(Some(DataSource::Data(data.as_bytes().to_vec()))),
        (None, None) => Ok(None),
    }
}

/// What the profile says about proof. TLS is spoken where there is something to prove or to check, unless it is switched
/// off.
fn security(address: &str, profile: &ClientConfigProfile) -> Result<Security> {
    if profile.codec.is_some() {
        bail!("Temporal's own configuration names a remote codec, which this program does not use");
    }
    let own = profile.tls.as_ref();
    if own.is_some_and(|tls| tls.disable_host_verification) {
        bail!(
            "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION: the name in Temporal's certificate is always checked; say which one \
             it is with TEMPORAL_TLS_SERVER_NAME"
        );
    }
    let disabled = own.and_then(|tls| tls.disabled);
    let wanted = own.is_some() || profile.api_key.is_some() || address.starts_with("https://");
    if disabled == Some(true) && address.starts_with("https://") {
        bail!("TEMPORAL_ADDRESS is {address}, and TEMPORAL_TLS is false");
    }
    let tls = if wanted && disabled != Some(true) { Some(tls(own)?) } else { None };
    let headers: BTreeMap<String, SecretString> =
        profile.grpc_meta.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    Ok(Security { tls, api_key: profile.api_key.as_deref().map(SecretString::from), headers })
}

fn tls(own: Option<&ClientConfigTLS>) -> Result<Tls> {
    let Some(own) = own else { return Ok(Tls::default()) };
    let client = match (&own.client_cert, &own.client_key) {
        (Some(certificate), Some(key)) => Some(ClientPair { certificate: pem(certificate)?, key: pem(key)? }),
        (None, None) => None,
        _ => bail!("TEMPORAL_TLS_CLIENT_CERT_... and TEMPORAL_TLS_CLIENT_KEY_... are only of use together"),
    };
    let authority = own.server_ca_cert.as_ref().map(pem).transpose()?;
    Ok(Tls { authority, server_name: own.server_name.clone(), client })
}

fn pem(source: &DataSource) -> Result<Pem> {
    Ok(match source {
        DataSource::Path(path) => Pem::File(path.into()),
        DataSource::Data(data) => {
            Pem::Text(std::str::from_utf8(data).context("a certificate or key is not PEM")?.into())
        }
        _ => bail!("Temporal's own configuration has a certificate from a place this program does not know"),
    })
}

/// Files that are not there.
fn unreadable(security: &Security) -> Vec<String> {
    let Some(tls) = &security.tls else { return Vec::new() };
    let client = tls.client.iter().flat_map(|pair| [&pair.certificate, &pair.key]);
    let unread = |pem: &Pem| pem.read().err().map(|error| format!("TEMPORAL_TLS_...: {error}"));
    tls.authority.iter().chain(client).filter_map(unread).collect()
}
