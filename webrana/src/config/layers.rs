//! The layers under flags and environment variables: `*_FILE` variables and the TOML file. Their values become the
//! defaults of the flags they belong to, so a setting is declared in one place only.

use anyhow::{Context, Result, bail};
use clap::{Arg, Command};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The file that is read when it is there and none was named.
const USUAL_FILE: &str = "webrana.toml";

/// Values by the id of their setting.
type Values = BTreeMap<String, Vec<String>>;

/// Puts the values of both layers under the flags of `command` and of all its subcommands.
///
/// # Errors
/// When a file cannot be read, or holds a key that no setting has.
pub fn apply(command: Command, file: Option<&Path>, env: &dyn Fn(&str) -> Option<String>) -> Result<Command> {
    let mut values = match file.map(Path::to_owned).or_else(usual_file) {
        Some(path) => read(&path, &command)?,
        None => Values::new(),
    };
    values.extend(secrets_from_files(&command, env)?);
    Ok(with_defaults(command, &values))
}

fn usual_file() -> Option<PathBuf> {
    Some(PathBuf::from(USUAL_FILE)).filter(|path| path.exists())
}

fn read(path: &Path, command: &Command) -> Result<Values> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let table: toml::Table =
        toml::from_str(&text).with_context(|| format!("{} is not TOML", path.display()))?;
    let mut values = Values::new();
    flatten("", &toml::Value::Table(table), &mut values);
    let known = settings(command);
    if let Some(unknown) = values.keys().find(|key| !known.contains_key(key.as_str())) {
        bail!(
            "{} sets `{unknown}`, which is no setting: `webrana config check --help` lists them all",
            path.display()
        );
    }
    Ok(values)
}

fn flatten(prefix: &str, value: &toml::Value, values: &mut Values) {
    let text = |value: &toml::Value| match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let id = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&id, value, values);
            }
        }
        toml::Value::Array(items) => {
            values.insert(prefix.to_owned(), items.iter().map(text).collect());
        }
        single => {
            values.insert(prefix.to_owned(), vec![text(single)]);
        }
    }
}

/// All settings of a command and its subcommands: flags whose id has a section.
fn settings(command: &Command) -> BTreeMap<String, &Arg> {
    let own = command.get_arguments().filter(|arg| arg.get_id().as_str().contains('.'));
    let own = own.map(|arg| (arg.get_id().to_string(), arg));
    own.chain(command.get_subcommands().flat_map(settings)).collect()
}

fn secrets_from_files(command: &Command, env: &dyn Fn(&str) -> Option<String>) -> Result<Values> {
    let mut values = Values::new();
    for (id, arg) in settings(command) {
        let Some(name) = arg.get_env().map(|name| name.to_string_lossy()).filter(|_| is_secret(arg)) else {
            continue;
        };
        let file_name = format!("{name}_FILE");
        let Some(path) = env(&file_name).filter(|path| !path.is_empty()) else { continue };
        if env(&name).is_some_and(|value| !value.is_empty()) {
            bail!("both {name} and {file_name} are set: keep one");
        }
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("{path} ({file_name}) cannot be read"))?;
        values.insert(id, vec![text.trim_end().to_owned()]);
    }
    Ok(values)
}

/// Secrets are the settings whose values help never shows.
fn is_secret(arg: &Arg) -> bool {
    arg.is_hide_env_values_set()
}

fn with_defaults(command: Command, values: &Values) -> Command {
    let command = command.mut_args(|arg| {
        let secret = is_secret(&arg);
        let arg = describe(arg);
        match values.get(arg.get_id().as_str()) {
            Some(values) => arg.default_values(values.clone()).hide_default_value(secret),
            None => arg,
        }
    });
    command.mut_subcommands(|subcommand| with_defaults(subcommand, values))
}

/// Says in the long help where else a setting may stand.
fn describe(arg: Arg) -> Arg {
    let id = arg.get_id().to_string();
    let Some((section, key)) = id.split_once('.') else { return arg };
    let Some(help) = arg.get_help().map(ToString::to_string) else { return arg };
    let file = match arg.get_env() {
        Some(name) if is_secret(&arg) => format!(", or a file named by {}_FILE", name.to_string_lossy()),
        _ => String::new(),
    };
    arg.long_help(format!("{help}\n[TOML: [{section}] {key}{file}]"))
}
