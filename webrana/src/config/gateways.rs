//! Our accounts at payment gateways. Every gateway has the same settings; its descriptor says what they are called.

use super::payment_limits::GatewayLimits;
use super::strength::{Guarded, SHORTEST_CREDENTIAL};
use super::vendor_setting::{VendorSetting, possessive};
use adapters::payments::{self, Descriptor};
use clap::{ArgMatches, Command};
use domain::payment_limits::PaymentLimits;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use url::Url;

const HEADING: &str = "Payments";
const SECTION: &str = "payments";

/// Our account at one gateway.
#[derive(Debug, Clone)]
pub struct Account {
    /// The gateway's API, without its version.
    pub url: Url,
    /// In the order of the descriptor's.
    credentials: Vec<Option<SecretString>>,
    /// How much the gateway takes at once, where that is not what is published.
    limits: GatewayLimits,
}

impl Account {
    fn each(&self) -> impl Iterator<Item = Option<&SecretString>> {
        self.credentials.iter().map(|credential| super::given(credential.as_ref()))
    }

    /// All credentials, when all are set.
    pub fn credentials(&self) -> Option<Vec<&SecretString>> {
        self.each().collect()
    }
}

/// Our accounts at payment gateways.
#[derive(Debug, Clone)]
pub struct GatewaysConfig(BTreeMap<&'static str, Account>);

impl GatewaysConfig {
    /// The account at a gateway, whether or not it can be used.
    pub fn account(&self, slug: &str) -> Option<&Account> {
        self.0.get(slug)
    }

    /// Every gateway with our account there.
    pub fn all(&self) -> impl Iterator<Item = (&'static Descriptor, &Account)> {
        payments::ALL.iter().filter_map(|gateway| Some((*gateway, self.0.get(gateway.slug)?)))
    }

    /// The gateways whose accounts have all their credentials.
    pub fn usable(&self) -> impl Iterator<Item = (&'static Descriptor, &Account, Vec<&SecretString>)> {
        self.all().filter_map(|(gateway, account)| Some((gateway, account, account.credentials()?)))
    }

    /// Sends a gateway's calls to its simulator.
    pub fn simulate(&mut self, slug: &str, url: Url, credentials: &[&str]) {
        if let Some(account) = self.0.get_mut(slug) {
            account.url = url;
            account.credentials = credentials.iter().map(|text| Some(SecretString::from(*text))).collect();
        }
    }

    /// Takes all credentials away, so that `webrana dev` brings its simulators.
    pub fn forget_credentials(&mut self) {
        for account in self.0.values_mut() {
            account.credentials.fill(None);
        }
    }

    /// How much each gateway takes at once: what is published, but for what the settings say.
    pub fn limits(&self) -> PaymentLimits {
        let mut limits = PaymentLimits::default();
        for (gateway, account) in self.all() {
            let published = gateway.published_limits.parse::<GatewayLimits>();
            for (way, bounds) in published.iter().flat_map(GatewayLimits::ways).chain(account.limits.ways()) {
                limits = limits.with(gateway.slug, way, bounds);
            }
        }
        limits
    }

    /// What nobody may know.
    pub fn secrets(&self) -> Vec<Guarded<'_>> {
        let pairs = self.0.iter().filter_map(|(slug, account)| Some((payments::descriptor(slug)?, account)));
        pairs
            .flat_map(|(gateway, account)| gateway.credentials.iter().zip(account.each()))
            .filter_map(|(known, secret)| {
                Some(Guarded::text(known.env, secret?.expose_secret(), SHORTEST_CREDENTIAL))
            })
            .collect()
    }

    /// What is wrong with these settings.
    pub fn problems(&self, production: bool) -> Vec<String> {
        let mut problems: Vec<String> = self.all().filter_map(half_of_one).collect();
        if production {
            problems.extend(
                self.all()
                    .filter_map(|(gateway, account)| super::not_the_vendor(gateway.url_env, &account.url)),
            );
            problems.extend(self.all().filter_map(sandbox_key));
        }
        problems
    }
}

/// Some of a gateway's credentials are set and some are not.
fn half_of_one((gateway, account): (&'static Descriptor, &Account)) -> Option<String> {
    let set = account.each().flatten().count();
    let names: Vec<&str> = gateway.credentials.iter().map(|credential| credential.env).collect();
    (set > 0 && set < names.len()).then(|| format!("{} are only of use together", names.join(" and ")))
}

/// A key of a gateway's test accounts: whoever has such an account pays with money that is none.
fn sandbox_key((gateway, account): (&'static Descriptor, &Account)) -> Option<String> {
    let mut pairs = gateway.credentials.iter().zip(account.each());
    let of_sandbox = pairs.find(|(known, secret)| {
        known
            .sandbox_prefix
            .zip(*secret)
            .is_some_and(|(prefix, secret)| secret.expose_secret().starts_with(prefix))
    });
    let name = of_sandbox?.0.env;
    Some(format!("{name} is a key of the gateway's sandbox: production takes real money"))
}

fn add_account(command: Command, gateway: &&Descriptor) -> Command {
    let whose = possessive(gateway.name);
    let url = VendorSetting::of(SECTION, gateway.url_env).arg("URL", format!("{whose} API"));
    let credentials = gateway.credentials.iter().map(|credential| {
        let value = if credential.env.ends_with("TOKEN") { "TOKEN" } else { "KEY" };
        let setting = VendorSetting::of(SECTION, credential.env);
        let arg = setting.arg(value, credential.help.to_owned());
        arg.value_parser(super::value::secret).hide_env_values(true)
    });
    command
        .arg(url.default_value(gateway.default_url).value_parser(clap::value_parser!(Url)))
        .args(credentials)
}

fn add_limits(command: Command, gateway: &&Descriptor) -> Command {
    let help = format!(
        "How much {} takes at once, where that is not what is published: QRIS and banks with the least and the most",
        gateway.name
    );
    let limits = VendorSetting::of(SECTION, gateway.limits_env).arg("LIMITS", help);
    command
        .arg(limits.default_value(gateway.published_limits).value_parser(clap::value_parser!(GatewayLimits)))
}

impl clap::Args for GatewaysConfig {
    fn augment_args(command: Command) -> Command {
        let command = payments::ALL.iter().fold(command.next_help_heading(HEADING), add_account);
        payments::ALL.iter().fold(command, add_limits)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for GatewaysConfig {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let account = |gateway: &&Descriptor| {
            let setting = |env| VendorSetting::of(SECTION, env);
            let credentials = gateway.credentials.iter();
            let account = Account {
                url: setting(gateway.url_env).value(matches)?,
                credentials: credentials.map(|known| setting(known.env).given(matches)).collect(),
                limits: setting(gateway.limits_env).value(matches)?,
            };
            Ok((gateway.slug, account))
        };
        Ok(Self(payments::ALL.iter().map(account).collect::<Result<_, clap::Error>>()?))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
