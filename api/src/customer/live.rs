//! Open connections (WebSockets) to which people are told what happens as it does. What is said is in `protocol`, how a
//! connection lives in `session`; `docs/API.md` is the same for who writes a client.

use axum::{
    extract::{State, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    auth::LiveAccess,
    client::Client,
    problem::{Code, Problem},
};

mod protocol;
mod session;

/// `/ws/notifications`, which is no part of `/api/v1`.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(listen))
}

/// Longest message of a client: a token and a cursor.
const MESSAGE_BYTES: usize = 8 * 1024;
/// What is read of a longer one, so that it can be answered.
const FRAME_BYTES: usize = 2 * MESSAGE_BYTES;
/// What a connection keeps in memory to read into, and writes at once.
const BUFFER_BYTES: usize = 1024;

/// Be told of notifications, orders and servers as it happens, over a WebSocket. The first message says whose the connection
/// is: `{"event": "authenticate", "data": "<access token>"}`. The protocol is in `docs/API.md`.
#[utoipa::path(
    get, path = "/ws/notifications", tag = "notifications", operation_id = "listen_to_notifications",
    responses(
        (status = 101, description = "The connection speaks the WebSocket protocol (RFC 6455) from now on."),
        (status = 404, description = "`route_not_found`: this installation has none.", body = Problem,
         content_type = "application/problem+json"),
        (status = 426, description = "`upgrade_required`: it is not asked for as a WebSocket.", body = Problem,
         content_type = "application/problem+json"),
        (status = 429, description = "`too_many_connections`: try again after `Retry-After` seconds.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn listen(
    State(state): State<AppState>,
    client: Client,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if !state.live.settings().enabled {
        let detail = "there are no open connections in this installation; read GET /api/v1/notifications";
        return Problem::new(Code::RouteNotFound, detail).into_response();
    }
    let Ok(upgrade) = upgrade else { return upgrade_required() };
    let network = client.network().address();
    let places = (!state.live.stopping().is_cancelled()).then(|| state.live.doors().enter(network)).flatten();
    let Some(places) = places else {
        metrics::counter!("live_refused_total").increment(1);
        let detail = "there are too many open connections; try again a little later";
        return Problem::new(Code::TooManyConnections, detail).retry_after(5).into_response();
    };
    let asked = LiveAccess::language_asked(&headers);
    upgrade
        .max_message_size(FRAME_BYTES)
        .max_frame_size(FRAME_BYTES)
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(0)
        .on_upgrade(move |socket| session::run(socket, state, places, asked))
}

fn upgrade_required() -> Response {
    let detail = "this address speaks the WebSocket protocol, version 13";
    let mut response = Problem::new(Code::UpgradeRequired, detail).into_response();
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    response
}
