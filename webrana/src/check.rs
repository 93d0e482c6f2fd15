//! Commands that only look: at the configuration, at the API's document.

use crate::config::{Config, strength};
use anyhow::Result;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches};
use std::io::Write;

/// Shown in the place of a secret that is no secret.
const KNOWN_TO_ALL: &str = "(the default, which everybody knows)";
const PUBLISHED: &str = "(one that stands in the public repository)";

/// What can be asked about the configuration.
#[derive(Debug, clap::Subcommand)]
pub enum ConfigAction {
    /// Print every setting and where it comes from, and say what is wrong
    Check(Box<Config>),
}

/// Prints the settings (never a secret) and refuses what cannot work.
///
/// # Errors
/// When a setting is wrong.
pub fn configuration(action: ConfigAction, matches: &ArgMatches) -> Result<()> {
    let ConfigAction::Check(config) = action;
    let command = <Config as clap::Args>::augment_args(clap::Command::new("config"));
    let own = matches.subcommand().and_then(|(_, matches)| matches.subcommand()).map(|(_, matches)| matches);
    let mut output = std::io::stdout().lock();
    for arg in command.get_arguments() {
        let id = arg.get_id().as_str();
        let Some(matches) = own else { continue };
        let values = matches.get_raw(id).map(|values| {
            values.map(|value| value.to_string_lossy().into_owned()).collect::<Vec<_>>().join(",")
        });
        let own_default = default_of(arg);
        let is_default = values.is_some() && values == own_default;
        let shown = match values {
            Some(_) if arg.is_hide_env_values_set() && is_default => KNOWN_TO_ALL.to_owned(),
            Some(values) if arg.is_hide_env_values_set() && strength::is_published(&values) => {
                PUBLISHED.to_owned()
            }
            Some(_) if arg.is_hide_env_values_set() => "(set)".to_owned(),
            Some(values) => values,
            None => "(not set)".to_owned(),
        };
        // What a file says is put under the flags as their default.
        let source = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => "flag",
            Some(ValueSource::EnvVariable) => "environment",
            Some(_) if is_default => "default",
            Some(_) => "file",
            None => "",
        };
        writeln!(output, "{id:<40} {shown:<50} {source}")?;
    }
    config.validate()?;
    writeln!(output, "The configuration is sound.")?;
    Ok(())
}

/// What a setting is when nobody sets it.
fn default_of(arg: &Arg) -> Option<String> {
    let values = arg.get_default_values();
    let text = || values.iter().map(|value| value.to_string_lossy()).collect::<Vec<_>>().join(",");
    (!values.is_empty()).then(text)
}

/// Prints the OpenAPI document as JSON.
///
/// # Errors
/// When it cannot be written.
pub fn print_openapi() -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{}", api::document().to_pretty_json()?)?;
    Ok(())
}
