//! Where the links of mails lead that switch such mails off: nobody has to log in for that. Looking at the page changes
//! nothing (programs look at links, too); the button, or a mail program's one request (RFC 8058), does.

use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{AppState, problem::Problem};

/// Nothing is loaded, and the form goes nowhere else.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'";

/// Routes under `/unsubscribe`.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(show, unsubscribe))
}

/// A page that asks whether such mails are to be switched off.
#[utoipa::path(
    get, path = "/unsubscribe/{token}", tag = "notifications", operation_id = "show_unsubscribe",
    params(("token" = String, Path, description = "What the link of a mail ends in.", example = "wbu_5d41402abc4b2a76b9719d911017c592")),
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html"),
        (status = 404, description = "`not_found`: there is no such link.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn show(State(state): State<AppState>, Path(token): Path<String>) -> Result<Response, Problem> {
    state.store.unsubscribable(&token).await?;
    Ok(page(
        "<form method=\"post\"><p>Berhenti menerima surel seperti ini?<br>Stop receiving mails like this one?</p>\
         <button>Berhenti / Stop</button></form>",
    ))
}

/// Switch the mails of a link's type off. Doing it again changes nothing. Mail programs send
/// `List-Unsubscribe=One-Click` in the body, which need not be there.
#[utoipa::path(
    post, path = "/unsubscribe/{token}", tag = "notifications", operation_id = "unsubscribe_address",
    params(("token" = String, Path, description = "What the link of a mail ends in.", example = "wbu_5d41402abc4b2a76b9719d911017c592")),
    responses(
        (status = 200, description = "Such mails are switched off; a page says so.", body = String,
         content_type = "text/html"),
        (status = 404, description = "`not_found`: there is no such link.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn unsubscribe(State(state): State<AppState>, Path(token): Path<String>) -> Result<Response, Problem> {
    let kind = state.store.unsubscribe(&token).await?;
    tracing::info!(event = "delivery.unsubscribed", %kind, "mails were switched off by their link");
    Ok(page(
        "<p>Anda tidak akan menerima surel seperti ini lagi. Pengaturan lengkap ada di profil Anda.<br>You will not \
         receive mails like this one any more. All settings are in your profile.</p>",
    ))
}

fn page(content: &str) -> Response {
    let page = format!(
        "<!doctype html><html lang=\"id\"><head><meta charset=\"utf-8\"><meta name=\"robots\" content=\"noindex\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>WeBrana Cloud</title>\
         <style>body{{font:16px/1.5 sans-serif;max-width:32em;margin:4em auto;padding:0 1em}}</style></head>\
         <body><h1>WeBrana Cloud</h1>{content}</body></html>"
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (StatusCode::OK, headers, page).into_response()
}
