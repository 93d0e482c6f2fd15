//! Commands that only look: at the configuration, at the API's document.

use crate::config::Config;
use anyhow::Result;
use clap::ArgMatches;
use clap::parser::ValueSource;
use std::io::Write;

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
        let shown = match values {
            Some(_) if arg.is_hide_env_values_set() => "(set)".to_owned(),
            Some(values) => values,
            None => "(not set)".to_owned(),
        };
        let source = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => "flag",
            Some(ValueSource::EnvVariable) => "environment",
            Some(_) => "default or file",
            None => "",
        };
        writeln!(output, "{id:<40} {shown:<50} {source}")?;
    }
    config.validate()?;
    writeln!(output, "The configuration is sound.")?;
    Ok(())
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
