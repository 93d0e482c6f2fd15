//! What a fresh database needs before anybody can work with it: schema, catalog, an administrator, a key.

use crate::stack::secrets::StackSecrets;
use anyhow::{Context, Result};
use api::PasswordCost;
use domain::role::Role;
use secrecy::SecretString;
use store::Store;
use store::audit::{Actor, Origin};
use store::users::NewUser;

const ADMIN_NAME: &str = "Local administrator";

/// Acts of the command line in the audit log.
pub fn origin() -> Origin {
    Origin { actor: Actor::System, ip: None, request_id: None }
}

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
/// When the address has an account, or the database refuses.
pub async fn create_administrator(
    store: &Store,
    email: &str,
    full_name: &str,
    role: Role,
    password: &str,
) -> Result<()> {
    let password_hash = api::hash_password(SecretString::from(password), PasswordCost::STANDARD).await?;
    let new = NewUser {
        email: email.to_owned(),
        full_name: full_name.to_owned(),
        password_hash,
        role,
        email_verified: true,
    };
    store
        .create_user(&new, &origin())
        .await
        .with_context(|| format!("the account {email} cannot be made"))?;
    Ok(())
}

/// The administrator and the key of a local stack: made at its first start, the same ones ever after.
///
/// # Errors
/// When the database refuses.
pub async fn local_accounts(store: &Store, secrets: &mut StackSecrets, stack: &str) -> Result<()> {
    let known = match &secrets.admin_email {
        Some(email) => store.credentials(email).await?.is_some(),
        None => false,
    };
    if !known {
        let email = free_email(store, stack).await?;
        create_administrator(store, &email, ADMIN_NAME, Role::Superadmin, &secrets.admin_password).await?;
        secrets.admin_email = Some(email);
    }
    let valid = match &secrets.internal_api_key {
        Some(key) => store.find_api_key(&store::opaque_token::hash(key.as_bytes())).await?.is_some(),
        None => false,
    };
    if !valid {
        // Several stacks may share a database: each has its own key.
        let (_, key) = store.rotate_api_key(&format!("local-stack-{stack}"), &origin()).await?;
        secrets.internal_api_key = Some(key);
    }
    Ok(())
}

/// The plain address, or in a database that other stacks used before, one of our own.
async fn free_email(store: &Store, stack: &str) -> Result<String> {
    let plain = "admin@webrana.test".to_owned();
    if store.credentials(&plain).await?.is_none() {
        return Ok(plain);
    }
    Ok(format!("admin-{stack}@webrana.test"))
}
