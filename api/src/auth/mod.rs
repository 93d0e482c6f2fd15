//! Who is asking: registration, login and sessions (`account`, `profile`), SSH keys, access tokens, passwords, and the
//! extractors that handlers name to say whom they serve ([`Customer`], [`Staff`], [`Administrator`],
//! [`Superadministrator`], [`InternalKey`]).

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::AppState;

mod access_token;
mod account;
mod bodies;
mod client;
mod common_passwords;
pub(crate) mod password;
mod principal;
mod profile;
pub(crate) mod ssh_keys;
mod turns;

pub(crate) use access_token::InvalidToken;
pub use client::Client;
pub(crate) use client::Network;
pub use password::PasswordCost;
pub(crate) use password::PasswordError;
pub use principal::{Administrator, CurrentUser, InternalKey, Staff, Superadministrator, right};
pub(crate) use principal::{TOKEN_CHALLENGE, scope_missing};

/// `/auth/*`.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(account::register))
        .routes(routes!(account::login))
        .routes(routes!(account::refresh))
        .routes(routes!(account::logout))
        .routes(routes!(account::logout_all))
        .routes(routes!(profile::me, profile::update_me))
        .routes(routes!(profile::change_password))
        .routes(routes!(profile::sessions))
        .routes(routes!(profile::revoke_session))
        .routes(routes!(ssh_keys::list, ssh_keys::add))
        .routes(routes!(ssh_keys::get, ssh_keys::remove))
}
