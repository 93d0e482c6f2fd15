//! What a fresh database needs before anybody can work with it: schema, catalog, an administrator, a key.

use crate::stack::secrets::StackSecrets;
use anyhow::{Context, Result};
use api::PasswordCost;
use domain::api_key::Scope;
use domain::email::{EmailAddress, EmailKey};
use domain::label::Label;
use domain::role::Role;
use secrecy::SecretString;
use store::Store;
use store::api_keys::NewApiKey;
use store::audit::Origin;
use store::users::NewUser;

const ADMIN_NAME: &str = "Local administrator";
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

/// The administrator and the key of a local stack: made at its first start, the same ones ever after.
///
/// # Errors
/// When the database refuses.
pub async fn local_accounts(store: &Store, secrets: &mut StackSecrets, stack: &str) -> Result<()> {
    let known = match &secrets.admin_email {
        Some(email) => store.credentials(&EmailKey::of(email)).await?.is_some(),
        None => false,
    };
    if !known {
        let email = free_email(store, stack).await?;
        create_administrator(store, &email, ADMIN_NAME, Role::Superadmin, &secrets.admin_password).await?;
        secrets.admin_email = Some(email);
    }
    let valid = match &secrets.internal_api_key {
        Some(key) => store.find_api_key(&store::opaque_token::hash(key.as_bytes())).await?,
        None => None,
    };
    // A local stack's own may do everything; one of an earlier version may not delete yet.
    if !valid.is_some_and(|key| Scope::ALL.iter().all(|scope| key.scopes.contains(scope))) {
        // Several stacks may share a database: each has its own key.
        let name = format!("local-stack-{stack}");
        let new = NewApiKey { name: &name, scopes: Scope::ALL, life: None };
        let (_, key) = store.rotate_api_key(&new, &Origin::system()).await?;
        secrets.internal_api_key = Some(key);
    }
    Ok(())
}

/// The plain address, or in a database that other stacks used before, one of our own.
async fn free_email(store: &Store, stack: &str) -> Result<String> {
    let plain = "admin@webrana.test".to_owned();
    if store.credentials(&EmailKey::of(&plain)).await?.is_none() {
        return Ok(plain);
    }
    Ok(format!("admin-{stack}@webrana.test"))
}
