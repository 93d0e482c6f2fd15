//! Who is asking: registration, login and sessions (`account`, `browser_session`, `profile`), links that prove an address
//! (`mailed_links`), the second factor, SSH keys, access tokens, tokens of people's own programs (`api_tokens`), whom invoices
//! bill (`billing_profile`), the table of who may do what (`access`), who holds an open
//! connection (`live_access`), and the extractors that handlers name to say whom they
//! serve ([`CurrentUser`], [`LoggedIn`], [`Staff`], [`InternalKey`]), which look it up there.

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::AppState;

mod access;
mod access_token;
mod account;
mod api_tokens;
mod billing_profile;
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
mod turns;
mod two_factor;

pub use access::{Access, access, operations};
pub(crate) use access_token::issue_for_staff;
pub(crate) use live_access::LiveAccess;
pub(crate) use principal::{Caller, caller, scope_missing};
pub use principal::{CurrentUser, InternalKey, LoggedIn, Staff};

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
        .routes(routes!(billing_profile::get, billing_profile::set, billing_profile::remove))
        .routes(routes!(ssh_keys::list, ssh_keys::add))
        .routes(routes!(ssh_keys::get, ssh_keys::remove))
}
