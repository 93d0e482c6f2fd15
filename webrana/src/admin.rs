//! Commands for whoever runs an installation: schema, administrators, keys.

use crate::config::Config;
use crate::stack::secrets::random_token;
use crate::wiring::{self, bootstrap};
use anyhow::{Result, bail};
use domain::role::Role;
use secrecy::{ExposeSecret, SecretString};

const SHORTEST_PASSWORD: usize = 12;

/// What `webrana migrate` does.
#[derive(Debug, clap::Args)]
pub struct MigrateArguments {
    /// Load the catalog as well: providers, regions, images, plans
    #[arg(long)]
    seed: bool,

    /// The product's settings.
    #[command(flatten)]
    config: Config,
}

/// What can be done about administrators.
#[derive(Debug, clap::Subcommand)]
pub enum AdminAction {
    /// Make an administrator
    Create(Box<AdminArguments>),
}

/// A new administrator.
#[derive(Debug, clap::Args)]
pub struct AdminArguments {
    /// Email address, to log in with
    #[arg(long, value_name = "ADDRESS")]
    email: String,

    /// Full name
    #[arg(long, value_name = "NAME", default_value = "Administrator")]
    name: String,

    /// What they may do: support reads, admin moves money, superadmin manages admins, providers and keys
    #[arg(long, value_name = "ROLE", value_parser = ["support", "admin", "superadmin"], default_value = "admin")]
    role: String,

    /// Password of 12 characters or more; one is made and printed when none is given
    #[arg(
        id = "admin.password",
        long = "password",
        env = "ADMIN_PASSWORD",
        value_name = "PASSWORD",
        value_parser = crate::config::value::secret,
        hide_env_values = true
    )]
    password: Option<SecretString>,

    /// The product's settings.
    #[command(flatten)]
    config: Config,
}

/// What can be done about keys.
#[derive(Debug, clap::Subcommand)]
pub enum ApiKeyAction {
    /// Make a key of the internal API and print it, once
    Create(Box<ApiKeyArguments>),
}

/// A new key.
#[derive(Debug, clap::Args)]
pub struct ApiKeyArguments {
    /// What it is called in lists and in the audit log
    #[arg(long, value_name = "NAME")]
    name: String,

    /// Replace the key of this name: the old one stops working at once
    #[arg(long)]
    replace: bool,

    /// The product's settings.
    #[command(flatten)]
    config: Config,
}

/// Brings the schema up to date.
///
/// # Errors
/// When the database does not answer or refuses.
pub async fn migrate(arguments: MigrateArguments) -> Result<()> {
    let store = wiring::store(&arguments.config).await?;
    bootstrap::migrate(&store, arguments.seed).await?;
    println!("The schema is up to date{}.", if arguments.seed { ", the catalog is loaded" } else { "" });
    Ok(())
}

/// Makes an administrator.
///
/// # Errors
/// When the address has an account, the password is short, or the database does not answer.
pub async fn administrators(action: AdminAction) -> Result<()> {
    let AdminAction::Create(arguments) = action;
    let given = arguments.password.as_ref().map(|password| password.expose_secret().to_owned());
    if given.as_ref().is_some_and(|password| password.chars().count() < SHORTEST_PASSWORD) {
        bail!("the password is too short: it needs {SHORTEST_PASSWORD} characters or more");
    }
    let password = given.clone().unwrap_or_else(random_token);
    let role = match arguments.role.as_str() {
        "support" => Role::Support,
        "superadmin" => Role::Superadmin,
        _ => Role::Admin,
    };
    let store = wiring::store(&arguments.config).await?;
    bootstrap::create_administrator(&store, &arguments.email, &arguments.name, role, &password).await?;
    println!("{} may log in as {}.", arguments.email, arguments.role);
    if given.is_none() {
        println!("Password (shown only now): {password}");
    }
    Ok(())
}

/// Makes a key of the internal API.
///
/// # Errors
/// When the name is taken or the database does not answer.
pub async fn api_keys(action: ApiKeyAction) -> Result<()> {
    let ApiKeyAction::Create(arguments) = action;
    let store = wiring::store(&arguments.config).await?;
    let origin = bootstrap::origin();
    let made = if arguments.replace {
        store.rotate_api_key(&arguments.name, &origin).await
    } else {
        store.create_api_key(&arguments.name, &origin).await
    };
    match made {
        Ok((_, key)) => println!("{key}"),
        Err(store::StoreError::Taken { .. }) => {
            bail!("there is a key named `{}` already: choose another name, or give --replace", arguments.name)
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
