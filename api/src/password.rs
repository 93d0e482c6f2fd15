//! Passwords: argon2id (RFC 9106), off the async threads and with bounded concurrency, since each hash takes a core
//! and megabytes for a while.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
};

use argon2::{
    Argon2, Params,
    password_hash::{self, PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    sync::{AcquireError, Semaphore},
    task::JoinError,
};

use crate::problem::Problem;
use common::is_common;

mod common;

/// How much work one hash is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PasswordCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl PasswordCost {
    /// OWASP's recommendation for argon2id: 19 MiB, two passes.
    pub const STANDARD: Self = Self { memory_kib: 19 * 1024, passes: 2 };
    /// Fast and weak, for tests.
    pub const QUICK: Self = Self { memory_kib: 64, passes: 1 };

    fn hasher(self) -> Result<Argon2<'static>, PasswordError> {
        Ok(Argon2::from(Params::new(self.memory_kib, self.passes, 1, None)?))
    }
}

/// A password could not be hashed or checked. Says nothing about the password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The cost is outside of what argon2 allows.
    #[error("argon2 refuses the cost: {0}")]
    Cost(#[from] argon2::Error),
    /// Hashing failed, or a stored hash is unreadable.
    #[error("password hashing failed: {0}")]
    Hash(#[from] password_hash::Error),
    /// The hashing thread died.
    #[error("the hashing thread failed")]
    Thread(#[from] JoinError),
    /// Nothing is hashed any more.
    #[error("no password is hashed any more")]
    Closed(#[from] AcquireError),
}

impl From<PasswordError> for Problem {
    fn from(error: PasswordError) -> Self {
        Self::internal(&error)
    }
}

/// Why a password is not accepted. Says nothing about the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unacceptable {
    /// Too short or too long.
    #[error("a password has 10 to 128 characters")]
    Length,
    /// The account's address, or what is before its `@`.
    #[error("the password must not be the email address")]
    Email,
    /// One of those that are tried first.
    #[error("this password is among the first that are guessed: choose one that is less common")]
    Common,
}

/// The rule for passwords of everybody, customers and staff.
///
/// # Errors
/// [`Unacceptable`] says which rule was broken.
pub fn acceptable(password: &SecretString, email: &str) -> Result<(), Unacceptable> {
    let password = password.expose_secret();
    if !(10..=128).contains(&password.chars().count()) {
        return Err(Unacceptable::Length);
    }
    let local = email.split('@').next().unwrap_or_default();
    if password.eq_ignore_ascii_case(email.trim()) || password.eq_ignore_ascii_case(local.trim()) {
        return Err(Unacceptable::Email);
    }
    if is_common(password, local.trim()) {
        return Err(Unacceptable::Common);
    }
    Ok(())
}

static SLOTS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from)));

/// Hashes a password with a new salt, as a PHC string.
///
/// # Errors
/// [`PasswordError`] when the cost is out of range or the system has no randomness.
pub async fn hash(password: SecretString, cost: PasswordCost) -> Result<String, PasswordError> {
    in_slot(move || hash_now(password.expose_secret(), cost)).await
}

/// Checks a password against the stored hash. Without a stored hash (there is no such account) it does the same
/// work on a dummy and answers `false`, so that the time does not tell accounts apart.
///
/// # Errors
/// [`PasswordError`] when the stored hash can't be read.
pub async fn verify(
    password: SecretString,
    stored: Option<String>,
    cost: PasswordCost,
) -> Result<bool, PasswordError> {
    in_slot(move || {
        let known = stored.is_some();
        let against = stored.map_or_else(|| dummy(cost), Ok)?;
        Ok(matches(password.expose_secret(), &against)? && known)
    })
    .await
}

async fn in_slot<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
) -> Result<T, PasswordError> {
    let slot = SLOTS.acquire().await?;
    tokio::task::spawn_blocking(move || {
        // Held by the thread, not by the request: a client that hangs up does not free the core.
        let _slot = slot;
        work()
    })
    .await?
}

fn hash_now(password: &str, cost: PasswordCost) -> Result<String, PasswordError> {
    Ok(cost.hasher()?.hash_password(password.as_bytes())?.to_string())
}

fn matches(password: &str, stored: &str) -> Result<bool, PasswordError> {
    let stored = PasswordHash::new(stored).map_err(password_hash::Error::from)?;
    match Argon2::default().verify_password(password.as_bytes(), &stored) {
        Ok(()) => Ok(true),
        Err(password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A hash of nothing anybody knows, made once per cost.
fn dummy(cost: PasswordCost) -> Result<String, PasswordError> {
    static DUMMIES: LazyLock<Mutex<HashMap<PasswordCost, String>>> = LazyLock::new(Mutex::default);
    let mut dummies = DUMMIES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(hash) = dummies.get(&cost) {
        return Ok(hash.clone());
    }
    let hash = hash_now(&uuid::Uuid::new_v4().to_string(), cost)?;
    dummies.insert(cost, hash.clone());
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_passwords_that_are_tried_first_are_refused() {
        let refused = |password: &str| acceptable(&password.into(), "siti.aminah@example.com").err();
        for common in ["1234567890", "Password123", "siti.aminah1"] {
            assert_eq!(refused(common), Some(Unacceptable::Common), "{common}");
        }
        assert_eq!(refused("too-short"), Some(Unacceptable::Length));
        assert_eq!(refused(&"x7".repeat(65)), Some(Unacceptable::Length));
        for own in ["Siti.Aminah@example.com", "SITI.AMINAH"] {
            assert_eq!(refused(own), Some(Unacceptable::Email), "{own}");
        }
        assert_eq!(refused("kuda-hitam-lari-7"), None);
    }

    #[tokio::test]
    async fn only_the_right_password_matches() {
        let cost = PasswordCost::QUICK;
        let stored = hash("correct horse".into(), cost).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{stored}");
        assert_ne!(stored, hash("correct horse".into(), cost).await.unwrap(), "each hash has its own salt");
        assert!(verify("correct horse".into(), Some(stored.clone()), cost).await.unwrap());
        assert!(!verify("battery staple".into(), Some(stored), cost).await.unwrap());
        assert!(!verify("correct horse".into(), None, cost).await.unwrap());
        assert!(verify("correct horse".into(), Some("junk".into()), cost).await.is_err());
    }
}
