//! Proving once more who one is, for what a session alone may not do.

use domain::email::EmailKey;
use secrecy::SecretString;
use store::throttles::Attempt;
use tokio::sync::OwnedMutexGuard;

use super::{CurrentUser, account::admitted, turns};
use crate::{
    AppState, password,
    problem::{Code, Problem},
};

/// A password that was right. The next attempt of the session is checked when this is gone, so it is kept until what it was
/// asked for is done.
pub(super) struct Proven {
    /// To be given back by what is done.
    pub attempt: Attempt,
    _turn: OwnedMutexGuard<()>,
}

/// Checks the password of whoever is logged in; `field` is where it stood. Wrong ones make this session wait as failed logins
/// would, and nothing else; failed logins of others don't stand in the way.
///
/// # Errors
/// 422 `wrong_password` and 429 `login_locked`.
pub(super) async fn by_password(
    state: &AppState,
    user: &CurrentUser,
    password: SecretString,
    field: &str,
) -> Result<Proven, Problem> {
    let email = state.store.user(user.id).await?.email;
    let turn = turns::take(format!("session {}", user.session)).await;
    let attempt = admitted(state.store.admit_proof(user.session).await?)?;
    let stored = state.store.credentials(&EmailKey::of(&email)).await?.map(|found| found.password_hash);
    if !password::verify(password, stored, state.auth.password_cost).await? {
        return Err(Problem::field(Code::WrongPassword, field, "this is not the present password"));
    }
    Ok(Proven { attempt, _turn: turn })
}
