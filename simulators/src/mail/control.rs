//! The inbox over HTTP.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, Request, State},
    http::StatusCode,
    middleware,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::inbox::{Fault, Inbox, State as Kept};
use crate::kit::control::{BadRequest, from_here_only, parse};

pub(super) fn routes(inbox: Arc<Inbox>) -> Router {
    Router::new()
        .route("/__sim", get(help))
        .route("/__sim/messages", get(messages))
        .route("/__sim/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/__sim/counters", get(counters))
        .route("/__sim/reset", post(reset))
        .route_layer(middleware::from_fn(from_here_only))
        .with_state(inbox)
}

async fn help(request: Request) -> String {
    let host = request.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
    format!(
        "Mail simulator: it takes mail by SMTP and delivers none. Its control API, with an example of each call:\n\n\
         # What was taken, oldest first; to one person, the last few\n\
         curl {host}/__sim/messages\n\
         curl '{host}/__sim/messages?to=siti@example.com&limit=5'\n\n\
         # Make the next mails fail: kind is one of away, refuse_recipient, busy, refuse_mail, drop_before_data,\n\
         # drop_after_data, delay\n\
         curl {host}/__sim/faults --json '{{\"kind\":\"refuse_recipient\",\"recipient\":\"siti@example.com\",\"times\":2}}'\n\
         curl {host}/__sim/faults --json '{{\"kind\":\"delay\",\"seconds\":1.5}}'\n\
         curl {host}/__sim/faults\n\
         curl -X DELETE {host}/__sim/faults\n\n\
         # How often each command came, and how many mails there are\n\
         curl {host}/__sim/counters\n\n\
         # Back to how it started\n\
         curl -X POST {host}/__sim/reset\n"
    )
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    to: Option<String>,
    limit: Option<usize>,
}

async fn messages(State(inbox): State<Arc<Inbox>>, Query(wanted): Query<Wanted>) -> Json<Value> {
    let state = inbox.state();
    let is_wanted = |to: &[String]| {
        wanted.to.as_ref().is_none_or(|wanted| to.iter().any(|to| to.eq_ignore_ascii_case(wanted)))
    };
    let found: Vec<_> = state.mails.iter().filter(|mail| is_wanted(&mail.to)).collect();
    let skipped = found.len().saturating_sub(wanted.limit.unwrap_or(usize::MAX));
    Json(json!({ "messages": found.iter().skip(skipped).collect::<Vec<_>>() }))
}

async fn faults(State(inbox): State<Arc<Inbox>>) -> Json<Value> {
    Json(json!({ "faults": inbox.state().faults }))
}

async fn add_fault(
    State(inbox): State<Arc<Inbox>>,
    body: Bytes,
) -> Result<(StatusCode, Json<Fault>), BadRequest> {
    let fault: Fault = parse(&body).map_err(BadRequest)?;
    fault.check().map_err(BadRequest)?;
    inbox.state().faults.push(fault.clone());
    Ok((StatusCode::CREATED, Json(fault)))
}

async fn clear_faults(State(inbox): State<Arc<Inbox>>) -> StatusCode {
    inbox.state().faults.clear();
    StatusCode::NO_CONTENT
}

async fn counters(State(inbox): State<Arc<Inbox>>) -> Json<Value> {
    let state = inbox.state();
    Json(json!({ "calls": state.commands, "resources": { "messages": state.mails.len() } }))
}

async fn reset(State(inbox): State<Arc<Inbox>>) -> StatusCode {
    *inbox.state() = Kept::default();
    StatusCode::NO_CONTENT
}
