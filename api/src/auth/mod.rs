//! Who is asking: registration, login and sessions (`account`, `profile`), SSH keys, access tokens, and the
//! extractors that handlers name to say whom they serve ([`CurrentUser`], [`Staff`], [`Administrator`],
//! [`Superadministrator`], [`InternalKey`]).

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::AppState;

mod access_token;
mod account;
mod bodies;
mod notification_preferences;
mod principal;
mod profile;
pub(crate) mod ssh_keys;
mod telegram_link;
mod turns;

pub(crate) use principal::scope_missing;
pub use principal::{Administrator, CurrentUser, InternalKey, Staff, Superadministrator, right};

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
        .routes(routes!(notification_preferences::get, notification_preferences::set))
        .routes(routes!(telegram_link::create, telegram_link::get, telegram_link::delete))
        .routes(routes!(ssh_keys::list, ssh_keys::add))
        .routes(routes!(ssh_keys::get, ssh_keys::remove))
}
