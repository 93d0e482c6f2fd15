//! Commands for whoever runs an installation: schema, administrators.

use crate::config::{Config, strength};
use crate::random::random_token;
use crate::wiring::{self, bootstrap};
use anyhow::{Result, bail};
use domain::email::EmailKey;
use domain::role::Role;
use secrecy::{ExposeSecret, SecretString};
use store::StoreError;
use store::audit::Origin;

const SHORTEST_PASSWORD: usize = 12;

/// What `webrana migrate` does.
#[derive(Debug, clap::Args)]
pub struct MigrateArguments {
    /// Load the catalog as well: providers, regions, images, plans
    #[arg(long)]
    seed: bool,

    /// Take over a database that was copied from another installation, whose id this is: INSTALLATION_ID replaces it
    #[arg(long, value_name = "ID")]
    copied_from: Option<String>,

    /// The product's settings.
    #[command(flatten)]
    config: Config,
}

/// What can be done about administrators.
#[derive(Debug, clap::Subcommand)]
pub enum AdminAction {
    /// Make an administrator
    Create(Box<AdminArguments>),
    /// Let an account log in again that has to wait after failed attempts, from wherever they came
    Unlock(Box<UnlockArguments>),
}

/// Whose account.
#[derive(Debug, clap::Args)]
pub struct UnlockArguments {
    /// Email address of the account, a customer's or an administrator's
    #[arg(value_name = "ADDRESS")]
    email: String,

    /// The product's settings.
    #[command(flatten)]
    config: Config,
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

/// Brings the schema up to date.
///
/// # Errors
/// When the database does not answer or refuses.
pub async fn migrate(arguments: MigrateArguments) -> Result<()> {
    let store = wiring::store(&arguments.config).await?;
    bootstrap::migrate(&store, arguments.seed).await?;
    if let Some(original) = &arguments.copied_from {
        store.take_over_installation(original).await?;
    }
    println!("The schema is up to date{}.", if arguments.seed { ", the catalog is loaded" } else { "" });
    Ok(())
}

/// Makes or unlocks an account.
///
/// # Errors
/// As [`create`] and [`unlock`].
pub async fn administrators(action: AdminAction) -> Result<()> {
    match action {
        AdminAction::Create(arguments) => create(*arguments).await,
        AdminAction::Unlock(arguments) => unlock(*arguments).await,
    }
}

/// Makes an administrator.
///
/// # Errors
/// When the address has an account or can't be one, the password is short or common, or the database does not answer.
async fn create(arguments: AdminArguments) -> Result<()> {
    let given = arguments.password.as_ref().map(|password| password.expose_secret().to_owned());
    if given.as_ref().is_some_and(|password| password.chars().count() < SHORTEST_PASSWORD) {
        bail!("the password is too short: it needs {SHORTEST_PASSWORD} characters or more");
    }
    if given.as_ref().is_some_and(|password| strength::is_published(password)) {
        bail!("the password stands in the public repository: choose another one");
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

/// Forgets the failed attempts at an account.
///
/// # Errors
/// When there is no such account, or the database does not answer.
async fn unlock(arguments: UnlockArguments) -> Result<()> {
    let email = &arguments.email;
    let store = wiring::store(&arguments.config).await?;
    match store.unlock_logins(&EmailKey::of(email), &Origin::system()).await {
        Ok(true) => println!("The failed attempts at {email} are forgotten."),
        Ok(false) => println!("There were no failed attempts at {email}."),
        Err(StoreError::NotFound(_)) => bail!("{email} has no account"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
