//! The clouds that servers are bought from. Every vendor has the same settings; [`VENDORS`] says what they are called.

use super::strength::{Guarded, SHORTEST_CREDENTIAL};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::time::Duration;
use url::Url;

const HEADING: &str = "Providers";
const TIMEOUT: &str = "providers.request_timeout";

/// What a vendor's settings are called and where they begin.
struct Vendor {
    slug: &'static str,
    name: &'static str,
    url: Name,
    default_url: &'static str,
    credential: Name,
    enabled: Name,
    listing_lag: Name,
    /// Longest time seen until a new server was in the vendor's lists, with room.
    default_lag: &'static str,
}

/// The names of one setting.
struct Name {
    id: &'static str,
    flag: &'static str,
    env: &'static str,
}

macro_rules! name {
    ($id:literal, $flag:literal, $env:literal) => {
        Name { id: concat!("providers.", $id), flag: $flag, env: $env }
    };
}

const VENDORS: [Vendor; 3] = [
    Vendor {
        slug: "digitalocean",
        name: "DigitalOcean",
        url: name!("digitalocean_url", "digitalocean-url", "DIGITALOCEAN_URL"),
        default_url: "https://api.digitalocean.com",
        credential: name!("digitalocean_token", "digitalocean-token", "DIGITALOCEAN_TOKEN"),
        enabled: name!("digitalocean_enabled", "digitalocean-enabled", "DIGITALOCEAN_ENABLED"),
        listing_lag: name!(
            "digitalocean_listing_lag",
            "digitalocean-listing-lag",
            "DIGITALOCEAN_LISTING_LAG"
        ),
        default_lag: "15s",
    },
    Vendor {
        slug: "vultr",
        name: "Vultr",
        url: name!("vultr_url", "vultr-url", "VULTR_URL"),
        default_url: "https://api.vultr.com",
        credential: name!("vultr_api_key", "vultr-api-key", "VULTR_API_KEY"),
        enabled: name!("vultr_enabled", "vultr-enabled", "VULTR_ENABLED"),
        listing_lag: name!("vultr_listing_lag", "vultr-listing-lag", "VULTR_LISTING_LAG"),
        default_lag: "15s",
    },
    Vendor {
        slug: "linode",
        name: "Linode",
        url: name!("linode_url", "linode-url", "LINODE_URL"),
        default_url: "https://api.linode.com",
        credential: name!("linode_api_token", "linode-api-token", "LINODE_API_TOKEN"),
        enabled: name!("linode_enabled", "linode-enabled", "LINODE_ENABLED"),
        listing_lag: name!("linode_listing_lag", "linode-listing-lag", "LINODE_LISTING_LAG"),
        default_lag: "15s",
    },
];

/// Our account at one vendor.
#[derive(Debug, Clone)]
pub struct Account {
    /// The vendor's API, without its version.
    pub url: Url,
    /// Token or key.
    credential: Option<SecretString>,
    /// Whether it is used at all.
    pub enabled: bool,
    /// How long a new server may be missing from the vendor's lists.
    pub listing_lag: Duration,
}

impl Account {
    /// Token or key, when one is set.
    pub fn credential(&self) -> Option<&SecretString> {
        super::given(self.credential.as_ref())
    }
}

/// The clouds that servers are bought from.
#[derive(Debug, Clone)]
pub struct ProvidersConfig {
    accounts: BTreeMap<&'static str, Account>,
    /// Longest wait for one answer of a provider.
    pub request_timeout: Duration,
}

impl ProvidersConfig {
    /// The account at a vendor, whether or not it can be used.
    pub fn account(&self, slug: &str) -> Option<&Account> {
        self.accounts.get(slug)
    }

    /// The accounts that are switched on and have their credential, by the provider's slug.
    pub fn usable(&self) -> impl Iterator<Item = (&'static str, &Account, &SecretString)> {
        let enabled = self.accounts.iter().filter(|(_, account)| account.enabled);
        enabled.filter_map(|(slug, account)| Some((*slug, account, account.credential()?)))
    }

    /// Sends a vendor's calls to its simulator.
    pub fn simulate(&mut self, slug: &str, url: Url, credential: &str) {
        if let Some(account) = self.accounts.get_mut(slug) {
            account.url = url;
            account.credential = Some(SecretString::from(credential));
        }
    }

    /// The same settings without any credential, so that `webrana dev` brings its simulators.
    #[must_use]
    pub fn without_credentials(mut self) -> Self {
        for account in self.accounts.values_mut() {
            account.credential = None;
            account.enabled = true;
        }
        self
    }

    /// What nobody may know.
    pub fn secrets(&self) -> Vec<Guarded<'_>> {
        let credential = |vendor: &Vendor| {
            let credential = self.accounts.get(vendor.slug)?.credential()?;
            Some(Guarded::text(vendor.credential.env, credential.expose_secret(), SHORTEST_CREDENTIAL))
        };
        VENDORS.iter().filter_map(credential).collect()
    }

    /// What is wrong with these settings.
    pub fn problems(&self, production: bool) -> Vec<String> {
        if !production {
            return Vec::new();
        }
        let used = |vendor: &&Vendor| self.usable().any(|(slug, ..)| slug == vendor.slug);
        let mut problems: Vec<String> = VENDORS
            .iter()
            .filter(used)
            .filter_map(|vendor| super::not_the_vendor(vendor.url.env, &self.accounts[vendor.slug].url))
            .collect();
        if self.usable().next().is_none() {
            let names = VENDORS.map(|vendor| vendor.credential.env).join(", ");
            problems.push(format!("none of {names} is set: no server can be provisioned without one"));
        }
        problems
    }
}

impl clap::Args for ProvidersConfig {
    fn augment_args(command: Command) -> Command {
        let command = VENDORS.iter().fold(command, |command, vendor| {
            command
                .arg(
                    setting(&vendor.url, "URL", format!("{}'s API", vendor.name))
                        .default_value(vendor.default_url)
                        .value_parser(clap::value_parser!(Url)),
                )
                .arg(
                    setting(
                        &vendor.credential,
                        "TOKEN",
                        format!(
                            "{}'s API credential; `webrana dev` uses its simulator without one",
                            vendor.name
                        ),
                    )
                    .value_parser(super::value::secret)
                    .hide_env_values(true),
                )
                .arg(
                    setting(&vendor.enabled, "BOOL", format!("Whether {} is used at all", vendor.name))
                        .default_value("true")
                        .value_parser(clap::value_parser!(bool)),
                )
                .arg(
                    setting(
                        &vendor.listing_lag,
                        "DURATION",
                        format!("How long a new server may be missing from {}'s lists", vendor.name),
                    )
                    .default_value(vendor.default_lag)
                    .value_parser(super::value::duration),
                )
        });
        let timeout = Name { id: TIMEOUT, flag: "provider-request-timeout", env: "PROVIDER_REQUEST_TIMEOUT" };
        command.arg(
            setting(&timeout, "DURATION", "Longest wait for one answer of a provider".to_owned())
                .default_value("30s")
                .value_parser(super::value::duration),
        )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn setting(name: &Name, value: &'static str, help: String) -> Arg {
    Arg::new(name.id)
        .long(name.flag)
        .env(name.env)
        .value_name(value)
        .action(ArgAction::Set)
        .help(help)
        .help_heading(HEADING)
}

impl clap::FromArgMatches for ProvidersConfig {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut accounts = BTreeMap::new();
        for vendor in &VENDORS {
            let account = Account {
                url: value(matches, vendor.url.id)?,
                credential: matches.get_one(vendor.credential.id).cloned(),
                enabled: value(matches, vendor.enabled.id)?,
                listing_lag: value(matches, vendor.listing_lag.id)?,
            };
            accounts.insert(vendor.slug, account);
        }
        Ok(Self { accounts, request_timeout: value(matches, TIMEOUT)? })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// A setting that has a default.
fn value<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, id: &str) -> Result<T, clap::Error> {
    let missing = || clap::Error::raw(ErrorKind::MissingRequiredArgument, format!("{id} is not set\n"));
    matches.get_one::<T>(id).cloned().ok_or_else(missing)
}
