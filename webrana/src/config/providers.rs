//! The clouds that servers are bought from. Every vendor has the same settings; its descriptor says what they are called.

use super::strength::{Guarded, SHORTEST_CREDENTIAL};
use super::vendor_setting::{VendorSetting, possessive};
use adapters::providers::{self, Descriptor};
use clap::{ArgMatches, Command};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::time::Duration;
use url::Url;

const HEADING: &str = "Providers";
const SECTION: &str = "providers";

/// The settings of a vendor.
struct Settings {
    url: VendorSetting,
    credential: VendorSetting,
    enabled: VendorSetting,
    listing_lag: VendorSetting,
}

impl Settings {
    fn of(vendor: &Descriptor) -> Self {
        let setting = |env| VendorSetting::of(SECTION, env);
        let names = vendor.environment;
        Self {
            url: setting(names.url),
            credential: setting(names.credential),
            enabled: setting(names.enabled),
            listing_lag: setting(names.listing_lag),
        }
    }

    fn request_timeout() -> VendorSetting {
        VendorSetting::of(SECTION, "PROVIDER_REQUEST_TIMEOUT").with_key(SECTION, "request_timeout")
    }

    fn add_to(&self, command: Command, vendor: &Descriptor) -> Command {
        let whose = possessive(vendor.name);
        let url = self.url.arg("URL", format!("{whose} API"));
        let credential = format!("{whose} API credential; `webrana dev` uses its simulator without one");
        let credential = self.credential.arg("TOKEN", credential);
        let enabled = self.enabled.arg("BOOL", format!("Whether {} is used at all", vendor.name));
        let lag = format!("How long a new server may be missing from {whose} lists");
        let lag = self.listing_lag.arg("DURATION", lag);
        command.args([
            url.default_value(vendor.default_url).value_parser(clap::value_parser!(Url)),
            credential.value_parser(super::value::secret).hide_env_values(true),
            enabled.default_value("true").value_parser(clap::value_parser!(bool)),
            lag.default_value(format!("{}s", vendor.listing_lag.as_secs()))
                .value_parser(super::value::duration),
        ])
    }

    fn account(&self, matches: &ArgMatches) -> Result<Account, clap::Error> {
        Ok(Account {
            url: self.url.value(matches)?,
            credential: self.credential.given(matches),
            enabled: self.enabled.value(matches)?,
            listing_lag: self.listing_lag.value(matches)?,
        })
    }
}

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

    /// The vendors whose accounts are switched on and have their credential, by slug.
    pub fn usable(&self) -> impl Iterator<Item = (&'static Descriptor, &Account, &SecretString)> {
        let enabled = self.accounts.iter().filter(|(_, account)| account.enabled);
        enabled.filter_map(|(slug, account)| {
            Some((providers::descriptor(slug)?, account, account.credential()?))
        })
    }

    /// Slugs of the vendors that can be used.
    pub fn usable_slugs(&self) -> impl Iterator<Item = &'static str> {
        self.usable().map(|(vendor, ..)| vendor.slug)
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
        let credential = |vendor: &&Descriptor| {
            let credential = self.accounts.get(vendor.slug)?.credential()?;
            let name = vendor.environment.credential;
            Some(Guarded::text(name, credential.expose_secret(), SHORTEST_CREDENTIAL))
        };
        providers::ALL.iter().filter_map(credential).collect()
    }

    /// What is wrong with these settings.
    pub fn problems(&self, production: bool) -> Vec<String> {
        if !production {
            return Vec::new();
        }
        let mut problems: Vec<String> = self
            .usable()
            .filter_map(|(vendor, account, _)| super::not_the_vendor(vendor.environment.url, &account.url))
            .collect();
        if self.usable().next().is_none() {
            let names: Vec<_> = providers::ALL.iter().map(|vendor| vendor.environment.credential).collect();
            problems.push(format!(
                "none of {} is set: no server can be provisioned without one",
                names.join(", ")
            ));
        }
        problems
    }
}

impl clap::Args for ProvidersConfig {
    fn augment_args(command: Command) -> Command {
        let add = |command, vendor: &&Descriptor| Settings::of(vendor).add_to(command, vendor);
        let command = providers::ALL.iter().fold(command.next_help_heading(HEADING), add);
        let help = "Longest wait for one answer of a provider".to_owned();
        let timeout = Settings::request_timeout().arg("DURATION", help);
        command.arg(timeout.default_value("30s").value_parser(super::value::duration))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for ProvidersConfig {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let account = |vendor: &&Descriptor| Ok((vendor.slug, Settings::of(vendor).account(matches)?));
        let accounts = providers::ALL.iter().map(account).collect::<Result<_, clap::Error>>()?;
        Ok(Self { accounts, request_timeout: Settings::request_timeout().value(matches)? })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
