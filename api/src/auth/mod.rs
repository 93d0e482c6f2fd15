//! Who is asking: registration, login and sessions (`account`, `browser_session`, `profile`), links that prove an address
//! (`mailed_links`), the second factor, SSH keys, access tokens, tokens of people's own programs (`api_tokens`, and what they may
//! do in `token_access`), who holds an open connection (`live_access`), and the extractors that handlers name to say whom they serve ([`CurrentUser`], [`LoggedIn`], [`Staff`],
//! [`Administrator`], [`Superadministrator`], [`InternalKey`]).

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::AppState;

mod access_token;
mod account;
mod api_tokens;
mod bodies;
mod browser_session;
mod live_access;
mod mailed_links;
mod notification_preferences;
mod principal;
mod profile;
mod proving;
pub(crate) mod ssh_keys;
mod telegram_link;
mod token_access;
mod turns;
mod two_factor;

pub(crate) use live_access::LiveAccess;
pub(crate) use principal::scope_missing;
pub use principal::{Administrator, CurrentUser, InternalKey, LoggedIn, Staff, Superadministrator, right};
pub use token_access::{TokenAccess, token_access, token_operations};

/// `/auth/*`.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(account::register))
        .routes(routes!(account::login))
        .routes(routes!(two_factor::login))
        .routes(routes!(account::refresh))
        .routes(routes!(account::logout))
        .routes(routes!(account::logout_all))
        .routes(routes!(mailed_links::verify_email))
        .routes(routes!(mailed_links::resend_verification))
        .routes(routes!(mailed_links::forgot_password))
        .routes(routes!(mailed_links::reset_password))
        .routes(routes!(mailed_links::change_email))
        .routes(routes!(mailed_links::confirm_email_change))
        .routes(routes!(profile::me, profile::update_me))
        .routes(routes!(profile::change_password))
        .routes(routes!(two_factor::get))
        .routes(routes!(two_factor::set_up))
        .routes(routes!(two_factor::confirm))
        .routes(routes!(two_factor::disable))
        .routes(routes!(two_factor::replace_recovery_codes))
        .routes(routes!(profile::sessions))
        .routes(routes!(profile::revoke_session))
        .routes(routes!(api_tokens::list, api_tokens::make))
        .routes(routes!(api_tokens::remove))
        .routes(routes!(notification_preferences::get, notification_preferences::set))
        .routes(routes!(telegram_link::create, telegram_link::get, telegram_link::delete))
        .routes(routes!(ssh_keys::list, ssh_keys::add))
        .routes(routes!(ssh_keys::get, ssh_keys::remove))
}
