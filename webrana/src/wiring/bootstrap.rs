//! What a fresh database needs before anybody can work with it: schema, catalog, an administrator.

use anyhow::{Context, Result};
use api::PasswordCost;
use domain::email::EmailAddress;
use domain::label::Label;
use domain::role::Role;
use secrecy::SecretString;
use store::Store;
use store::audit::Origin;
use store::users::NewUser;

const LONGEST_NAME: usize = 200;

/// Brings the schema up to date and, on request, loads the catalog.
///
/// # Errors
/// When the database refuses.
pub async fn migrate(store: &Store, seed: bool) -> Result<()> {
    store.migrate().await.context("the schema cannot be brought up to date")?;
    if seed {
        store.seed().await.context("the catalog cannot be loaded")?;
    }
    Ok(())
}

/// Makes an administrator.
///
/// # Errors
/// When address, name or password are not acceptable, the address has an account, or the database refuses.
pub async fn create_administrator(
    store: &Store,
    email: &str,
    full_name: &str,
    role: Role,
    password: &str,
) -> Result<()> {
    let email = EmailAddress::parse(email).with_context(|| format!("{email} is refused"))?;
    let full_name = Label::parse(full_name, LONGEST_NAME).context("the name is refused")?;
    let password = SecretString::from(password);
    api::acceptable_password(&password, email.as_str()).context("the password is refused")?;
    let password_hash = api::hash_password(password, PasswordCost::STANDARD).await?;
    let new = NewUser {
        email: email.as_str().to_owned(),
        full_name: full_name.into_string(),
        password_hash,
        role,
        email_verified: true,
    };
    store
        .create_user(&new, &Origin::system())
        .await
        .with_context(|| format!("the account {} cannot be made", email.as_str()))?;
    Ok(())
}
