//! `webrana api-key`: the keys of programs for the internal API.

use crate::config::{Config, value};
use crate::wiring;
use anyhow::{Context, Result, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use domain::api_key::Scope;
use std::time::Duration;
use store::StoreError;
use store::api_keys::{ApiKey, NewApiKey};
use store::audit::Origin;

/// What can be done about keys.
#[derive(Debug, clap::Subcommand)]
pub enum ApiKeyAction {
    /// Make a key of the internal API and print it, once
    Create(Box<Create>),
    /// List the keys: what they may do, when they were made and last used, when they end
    List(Box<List>),
    /// End a key at once
    Revoke(Box<Revoke>),
}

/// A new key.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// What it is called in lists and in the audit log
    #[arg(long, value_name = "NAME")]
    name: String,

    /// What it may do, separated by commas; without it everything but instances:delete
    #[arg(long = "scope", value_name = "SCOPE,…", value_delimiter = ',', value_parser = scope)]
    scopes: Vec<Scope>,

    /// How long it works, such as 90d; without it until it is revoked
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    expires_in: Option<Duration>,

    /// Replace the key of this name, with its scopes and its end: the old one stops working at once
    #[arg(long)]
    replace: bool,

    /// The product's settings.
    #[command(flatten)]
    config: Config,
}

/// Which keys.
#[derive(Debug, clap::Args)]
pub struct List {
    /// The product's settings.
    #[command(flatten)]
    config: Config,
}

/// Which key.
#[derive(Debug, clap::Args)]
pub struct Revoke {
    /// What it is called
    #[arg(value_name = "NAME")]
    name: String,

    /// The product's settings.
    #[command(flatten)]
    config: Config,
}

fn scope(text: &str) -> Result<Scope, String> {
    let known = || Scope::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ");
    text.trim().parse().map_err(|_| format!("there is no such scope; there are {}", known()))
}

/// Does what is asked about keys.
///
/// # Errors
/// When a name is taken or unknown, or the database does not answer.
pub async fn run(action: ApiKeyAction) -> Result<()> {
    match action {
        ApiKeyAction::Create(arguments) => create(*arguments).await,
        ApiKeyAction::List(arguments) => list(*arguments).await,
        ApiKeyAction::Revoke(arguments) => revoke(*arguments).await,
    }
}

async fn create(arguments: Create) -> Result<()> {
    let store = wiring::store(&arguments.config).await?;
    let scopes = if arguments.scopes.is_empty() { Scope::usual() } else { arguments.scopes };
    let new = NewApiKey { name: &arguments.name, scopes: &scopes, life: arguments.expires_in };
    let made = if arguments.replace {
        store.rotate_api_key(&new, &Origin::system()).await
    } else {
        store.create_api_key(&new, &Origin::system()).await
    };
    match made {
        Ok((_, key)) => println!("{key}"),
        Err(StoreError::Taken { .. }) => {
            bail!("there is a key named `{}` already: choose another name, or give --replace", arguments.name)
        }
        Err(error) => return Err(error).context("the key was not made"),
    }
    Ok(())
}

async fn list(arguments: List) -> Result<()> {
    let keys = wiring::store(&arguments.config).await?.api_keys().await?;
    println!("{:<28} {:<8} {:<21} {:<21} {:<21} SCOPES", "NAME", "STATE", "MADE", "LAST USED", "ENDS");
    for key in keys {
        println!("{}", line(&key));
    }
    Ok(())
}

fn line(key: &ApiKey) -> String {
    let state = match (key.revoked_at, key.expired) {
        (Some(_), _) => "revoked",
        (None, true) => "expired",
        (None, false) => "valid",
    };
    let time = |at: Option<DateTime<Utc>>, never: &str| {
        at.map_or_else(|| never.to_owned(), |at| at.to_rfc3339_opts(SecondsFormat::Secs, true))
    };
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    format!(
        "{:<28} {state:<8} {:<21} {:<21} {:<21} {}",
        key.name,
        time(Some(key.created_at), ""),
        time(key.last_used_at, "never"),
        time(key.revoked_at.or(key.expires_at), "never"),
        scopes.join(",")
    )
}

async fn revoke(arguments: Revoke) -> Result<()> {
    let store = wiring::store(&arguments.config).await?;
    match store.revoke_api_key(&arguments.name, &Origin::system()).await {
        Ok(()) => println!("The key `{}` does not work any more.", arguments.name),
        Err(StoreError::NotFound(_)) => bail!("there is no key named `{}` that works", arguments.name),
        Err(error) => return Err(error).context("the key was not revoked"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_and_others_answered_with_those_there_are() {
        assert_eq!(scope(" instances:delete"), Ok(Scope::InstancesDelete));
        assert!(scope("everything").unwrap_err().contains("orders:retry"));
    }
}
