//! The command line of `webrana simulate`: a port and the credentials of each simulator, whichever there are.

use crate::config::vendor_setting::{VendorSetting, possessive};
use crate::vendors::{self, SimulatedGateway, SimulatedProvider};
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, ArgMatches, Command};
use std::collections::BTreeMap;

const SECTION: &str = "simulate";
/// What the SMTP side of the mail simulator is called among the ports.
pub const SMTP: &str = "smtp";

/// Which simulators, on which ports, with which credentials.
#[derive(Debug)]
pub struct SimulatorArguments {
    /// None when all are wanted.
    names: Vec<String>,
    ports: BTreeMap<&'static str, u16>,
    credentials: BTreeMap<&'static str, String>,
}

impl SimulatorArguments {
    /// Whether a simulator is to run.
    pub fn wants(&self, slug: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| name == slug)
    }

    /// Where a simulator is to listen.
    pub fn port(&self, slug: &str) -> u16 {
        self.ports.get(slug).copied().unwrap_or_default()
    }

    /// A secret by its variable.
    pub fn credential(&self, variable: &str) -> &str {
        self.credentials.get(variable).map_or("", String::as_str)
    }
}

/// A simulator's port.
fn port(slug: &str, env: &str) -> VendorSetting {
    VendorSetting::of(SECTION, env).called(SECTION, &format!("{slug}_port"))
}

fn port_arg(slug: &str, name: &str, env: &str, usual: u16) -> Arg {
    let help = format!("Port of {} simulator", possessive(name));
    let arg = port(slug, env).arg("PORT", help);
    arg.default_value(usual.to_string()).value_parser(clap::value_parser!(u16))
}

fn credential_arg(env: &'static str, help: String, usual: &'static str) -> Arg {
    let arg = VendorSetting::of(SECTION, env).arg(kind(env), help);
    arg.default_value(usual).hide_env_values(true)
}

/// What kind of secret a variable has, such as `TOKEN`.
fn kind(env: &'static str) -> &'static str {
    env.rsplit('_').next().unwrap_or(env)
}

fn provider_args(provider: &SimulatedProvider) -> Vec<Arg> {
    let (vendor, simulator) = (provider.vendor, provider.simulator);
    let env = vendor.environment.credential;
    let help = format!("The {} it accepts", kind(env).to_lowercase());
    vec![
        port_arg(vendor.slug, vendor.name, &provider.port_env, simulator.port),
        credential_arg(env, help, simulator.credential),
    ]
}

fn gateway_args(gateway: &SimulatedGateway) -> Vec<Arg> {
    let (vendor, simulator) = (gateway.vendor, gateway.simulator);
    let secrets = vendor.credentials.iter().zip(simulator.credentials);
    let secrets =
        secrets.map(|(known, accepted)| credential_arg(known.env, accepted.help.to_owned(), accepted.usual));
    let port = port_arg(vendor.slug, vendor.name, &gateway.port_env, simulator.port);
    std::iter::once(port).chain(secrets).collect()
}

/// The stand-ins for the mail server and Telegram: slug, what has a port, its variable and its usual one.
const MESSENGERS: [(&str, &str, &str, u16); 3] = [
    (SMTP, "the mail simulator", "SIM_SMTP_PORT", simulators::mail::SMTP_PORT),
    (simulators::mail::SLUG, "the mail simulator's inbox", "SIM_MAIL_PORT", simulators::mail::INBOX_PORT),
    (simulators::telegram::SLUG, "Telegram's simulator", "SIM_TELEGRAM_PORT", simulators::telegram::PORT),
];
/// The variable of the token that Telegram's simulator accepts.
pub const BOT_TOKEN: &str = "TELEGRAM_BOT_TOKEN";

fn messenger_args() -> Vec<Arg> {
    let ports = MESSENGERS.iter().map(|(slug, what, env, usual)| {
        let arg = port(slug, env).arg("PORT", format!("Port of {what}"));
        arg.default_value(usual.to_string()).value_parser(clap::value_parser!(u16))
    });
    let token = credential_arg(BOT_TOKEN, "The token it accepts".to_owned(), simulators::telegram::TOKEN);
    ports.chain([token]).collect()
}

/// Slug, name and version of each simulator.
fn all() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let providers =
        vendors::providers().iter().map(|it| (it.vendor.slug, it.vendor.name, it.simulator.version));
    let gateways =
        vendors::gateways().iter().map(|it| (it.vendor.slug, it.vendor.name, it.simulator.version));
    let messengers =
        [(simulators::mail::SLUG, "Mail", "by SMTP"), (simulators::telegram::SLUG, "Telegram", "Bot")];
    providers.chain(gateways).chain(messengers)
}

impl clap::Args for SimulatorArguments {
    fn augment_args(command: Command) -> Command {
        let names = all().map(|(slug, name, version)| {
            let help = format!("{} API {}", possessive(name), version.trim_start_matches('/'));
            PossibleValue::new(slug).help(help)
        });
        let names = Arg::new("names")
            .value_name("NAME")
            .num_args(0..)
            .value_parser(PossibleValuesParser::new(names))
            .help("Which ones; all when none is named");
        command
            .arg(names)
            .args(vendors::providers().iter().flat_map(provider_args))
            .args(vendors::gateways().iter().flat_map(gateway_args))
            .args(messenger_args())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for SimulatorArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let names = matches.get_many::<String>("names").into_iter().flatten().cloned().collect();
        let providers = vendors::providers().iter().map(|it| (it.vendor.slug, &it.port_env));
        let ports = providers.chain(vendors::gateways().iter().map(|it| (it.vendor.slug, &it.port_env)));
        let ports = ports.map(|(slug, env)| (slug, env.as_str()));
        let ports = ports.chain(MESSENGERS.iter().map(|(slug, _, env, _)| (*slug, *env)));
        let ports = ports.map(|(slug, env)| Ok((slug, port(slug, env).value(matches)?)));
        let credentials = vendors::credentials().map(|known| known.env).chain([BOT_TOKEN]);
        let credentials = credentials.map(|env| Ok((env, VendorSetting::of(SECTION, env).value(matches)?)));
        Ok(Self {
            names,
            ports: ports.collect::<Result<_, clap::Error>>()?,
            credentials: credentials.collect::<Result<_, clap::Error>>()?,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::settings_of;
    use clap::{Args, FromArgMatches};

    fn parse(arguments: &[&str]) -> Result<SimulatorArguments, clap::Error> {
        let command = SimulatorArguments::augment_args(Command::new("simulate"));
        let all = std::iter::once(&"simulate").chain(arguments);
        SimulatorArguments::from_arg_matches(&command.try_get_matches_from(all)?)
    }

    #[test]
    fn the_simulators_settings_are_called_what_they_always_were() {
        let settings = settings_of(&SimulatorArguments::augment_args(Command::new("simulate")));
        for known in [
            "simulate.digitalocean_port --digitalocean-port SIM_DIGITALOCEAN_PORT",
            "simulate.digitalocean_token --digitalocean-token DIGITALOCEAN_TOKEN",
            "simulate.vultr_port --vultr-port SIM_VULTR_PORT",
            "simulate.vultr_api_key --vultr-api-key VULTR_API_KEY",
            "simulate.linode_port --linode-port SIM_LINODE_PORT",
            "simulate.linode_api_token --linode-api-token LINODE_API_TOKEN",
            "simulate.midtrans_port --midtrans-port SIM_MIDTRANS_PORT",
            "simulate.midtrans_server_key --midtrans-server-key MIDTRANS_SERVER_KEY",
            "simulate.xendit_port --xendit-port SIM_XENDIT_PORT",
            "simulate.xendit_secret_key --xendit-secret-key XENDIT_SECRET_KEY",
            "simulate.xendit_callback_token --xendit-callback-token XENDIT_CALLBACK_TOKEN",
        ] {
            assert!(settings.iter().any(|setting| setting == known), "{known} in {settings:#?}");
        }
    }

    #[test]
    fn all_run_unless_some_are_named() {
        let all = parse(&["--vultr-port", "5"]).unwrap();
        assert!(all.wants("linode") && all.wants("xendit"));
        assert_eq!((all.port("vultr"), all.port("linode")), (5, 4012));
        assert!(!all.credential("LINODE_API_TOKEN").is_empty());
        let one = parse(&["vultr", "midtrans"]).unwrap();
        assert!(one.wants("vultr") && one.wants("midtrans") && !one.wants("linode"));
        assert!(parse(&["hetzner"]).is_err());
    }
}
