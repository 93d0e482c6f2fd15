//! The words of events as people get them, for whoever writes them. There is nothing here in production.

use axum::{
    Router,
    extract::Path,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use domain::{
    event::{Event, EventKind},
    language::Language,
};
use serde::Deserialize;

use crate::{AppState, extract::Params, problem::Problem};

/// What is to be shown.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Shown {
    /// A mail as HTML.
    Email,
    /// The same as text.
    EmailText,
    /// A message by Telegram.
    Telegram,
    /// A notification in the app.
    InApp,
    /// A step of a timeline.
    Timeline,
}

#[derive(Debug, Deserialize)]
struct PreviewQuery {
    channel: Option<Shown>,
    language: Option<Language>,
}

/// Routes under `/api/v1/dev`.
pub(crate) fn routes() -> Router<AppState> {
    Router::new().route("/api/v1/dev/messages/{event}", get(preview))
}

async fn preview(
    Path(event): Path<String>,
    Params(query): Params<PreviewQuery>,
) -> Result<Response, Problem> {
    let kind: EventKind = event.parse().map_err(|_| Problem::not_found("event"))?;
    let (event, language) = (Event::example(kind), query.language.unwrap_or(Language::Indonesian));
    let (kind, text) =
        render(&event, query.channel.unwrap_or(Shown::Email), language).map_err(|error| match error {
            messages::Error::NotTold { .. } => Problem::not_found("message"),
            error => Problem::internal(&error),
        })?;
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, kind)], text).into_response())
}

fn render(
    event: &Event,
    shown: Shown,
    language: Language,
) -> Result<(&'static str, String), messages::Error> {
    const TEXT: &str = "text/plain; charset=utf-8";
    let titled = |letter: messages::Letter| format!("{}\n\n{}", letter.title, letter.message);
    let path = event.facts().action_url.unwrap_or_default();
    let to = messages::Addressed {
        name: "Siti Aminah",
        action_url: &format!("https://app.example.com{path}"),
        unsubscribe_url: Some("https://api.example.com/api/v1/unsubscribe/wbu_example"),
    };
    Ok(match shown {
        Shown::Email => ("text/html; charset=utf-8", messages::mail(event, language, &to)?.html),
        Shown::EmailText => (TEXT, messages::mail(event, language, &to)?.text),
        Shown::Telegram => (TEXT, messages::telegram(event, language)?),
        Shown::InApp => (TEXT, titled(messages::in_app(event, language)?)),
        Shown::Timeline => (TEXT, messages::timeline(event, language)?),
    })
}
