//! Proving once more who one is, for what a session alone may not do.

use domain::email::EmailKey;
use secrecy::SecretString;
use store::throttles::Attempt;
use tokio::sync::OwnedMutexGuard;

use super::{LoggedIn, account::admitted, turns};
use crate::{
    AppState, password,
    problem::{Code, Problem},
};

/// An attempt of a session to prove who it is of, which is counted. The next one is checked when this is gone, so it is kept
/// until what it was asked for is done.
pub(super) struct Proven {
    /// To be given back by what is done, if it was right.
    pub attempt: Attempt,
    _turn: OwnedMutexGuard<()>,
}

/// Begins an attempt. Wrong ones make this session wait as failed logins would, and nothing else; failed logins of others don't
/// stand in the way.
///
/// # Errors
/// 429 `login_locked`.
pub(super) async fn begin(state: &AppState, user: &LoggedIn) -> Result<Proven, Problem> {
    let turn = turns::take(format!("session {}", user.session)).await;
    let attempt = admitted(state.store.admit_proof(user.session).await?)?;
    Ok(Proven { attempt, _turn: turn })
}

/// Checks the password of whoever is logged in, as [`begin`] counts it; `field` is where it stood.
///
/// # Errors
/// 422 `wrong_password` and 429 `login_locked`.
pub(super) async fn by_password(
    state: &AppState,
    user: &LoggedIn,
    password: SecretString,
    field: &str,
) -> Result<Proven, Problem> {
    let email = state.store.user(user.id).await?.email;
    let proven = begin(state, user).await?;
    let stored = state.store.credentials(&EmailKey::of(&email)).await?.map(|found| found.password_hash);
    if !password::verify(password, stored, state.auth.password_cost).await? {
        return Err(Problem::field(Code::WrongPassword, field, "this is not the present password"));
    }
    Ok(proven)
}
