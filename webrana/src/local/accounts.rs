//! Who may do what in a local stack: its administrator, and the key of its programs.

use crate::stack::secrets::StackSecrets;
use crate::wiring::bootstrap::create_administrator;
use anyhow::Result;
use domain::api_key::Scope;
use domain::email::EmailKey;
use domain::role::Role;
use store::Store;
use store::api_keys::NewApiKey;
use store::audit::Origin;

const ADMIN_NAME: &str = "Local administrator";

/// The administrator and the key of a local stack: made at its first start, the same ones ever after.
///
/// # Errors
/// When the database refuses.
pub async fn ensure(store: &Store, secrets: &mut StackSecrets, stack: &str) -> Result<()> {
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
