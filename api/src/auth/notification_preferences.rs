//! By which channels the user is told of what.

use std::collections::BTreeSet;

use axum::{Json, extract::State};
use domain::{
    delivery::DeliveryChannel,
    event::{Event, EventKind},
    notification::NotificationKind,
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::{deliveries::Preference, versions::Thing};
use utoipa::ToSchema;

use super::{CurrentUser, LoggedIn};
use crate::{
    AppState,
    extract::{Body, Seen, Versioned},
    problem::{Code, Problem},
};

/// By which channels I am told of what.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PreferencesBody {
    /// Each type of notifications by each channel. In the app everything is told.
    preferences: Vec<PreferenceBody>,
}

/// Whether I am told of one type of notifications by one channel.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PreferenceBody {
    /// The notifications' type.
    #[serde(rename = "type")]
    #[schema(example = "VPS_ACTIVE")]
    kind: NotificationKind,
    channel: DeliveryChannel,
    /// Whether I am told so, as soon as the channel is there: Telegram is once a chat is linked.
    #[schema(example = true)]
    enabled: bool,
    /// Whether it can't be switched off: what concerns the account's safety, money, and what is about to be lost.
    #[schema(example = false)]
    required: bool,
}

/// By which channels I want to be told of what.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PreferencesChange {
    /// What is not named here is told.
    #[garde(length(max = 200))]
    #[schema(max_items = 200)]
    preferences: Vec<PreferenceChange>,
}

/// Whether I want to be told of one type of notifications by one channel.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PreferenceChange {
    /// The notifications' type.
    #[serde(rename = "type")]
    #[schema(example = "VPS_ACTIVE")]
    kind: NotificationKind,
    channel: DeliveryChannel,
    #[schema(example = false)]
    enabled: bool,
}

/// The types of what customers are told, each once.
fn kinds() -> BTreeSet<NotificationKind> {
    let told = EventKind::ALL.iter().filter(|kind| kind.is_for_customers());
    told.filter_map(|kind| Event::example(*kind).facts().notification).collect()
}

fn shown(said: &[Preference]) -> PreferencesBody {
    let of = |kind: NotificationKind, channel: DeliveryChannel| {
        let said = said.iter().find(|said| said.kind == kind && said.channel == channel);
        let required = kind.is_required();
        PreferenceBody { kind, channel, enabled: required || said.is_none_or(|said| said.enabled), required }
    };
    let all =
        kinds().into_iter().flat_map(|kind| DeliveryChannel::ALL.iter().map(move |channel| (kind, *channel)));
    PreferencesBody { preferences: all.map(|(kind, channel)| of(kind, channel)).collect() }
}

/// Read my notification preferences
///
/// Each type of notifications by each channel besides the app, where everything is told.
#[utoipa::path(get, path = "/auth/me/notification-preferences", tag = "auth",
    operation_id = "get_notification_preferences", security(("bearer" = [])), responses(
        (status = 200, description = "The preferences", body = PreferencesBody),
    ))]
pub(super) async fn get(
    State(state): State<AppState>,
    user: CurrentUser,
) -> Result<Versioned<PreferencesBody>, Problem> {
    let version = state.store.version(Thing::Preferences(user.id)).await?;
    Ok(Versioned { version, body: shown(&state.store.notification_preferences(user.id).await?) })
}

/// Set my notification preferences
///
/// Replaces them: what is not named is told from then on. Messages that are under way already are not sent any more when
/// they are switched off.
#[utoipa::path(put, path = "/auth/me/notification-preferences", tag = "auth",
    operation_id = "set_notification_preferences", security(("bearer" = [])), request_body = PreferencesChange,
    responses(
        (status = 200, description = "The preferences as they are now", body = PreferencesBody),
        (status = 422, description = "`notification_required`: what can't be switched off; `validation_failed`: no type of \
            what customers are told; `invalid_body`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn set(
    State(state): State<AppState>,
    user: LoggedIn,
    Seen(condition): Seen,
    Body(body): Body<PreferencesChange>,
) -> Result<Json<PreferencesBody>, Problem> {
    let known = kinds();
    let mut wanted: Vec<Preference> = Vec::new();
    for (place, PreferenceChange { kind, channel, enabled }) in body.preferences.into_iter().enumerate() {
        let field = || format!("preferences[{place}]");
        if !known.contains(&kind) {
            let why = format!("{kind} is not told to customers");
            return Err(Problem::field(Code::ValidationFailed, &field(), why));
        }
        if kind.is_required() && !enabled {
            let why = format!("{kind} can't be switched off");
            return Err(Problem::field(Code::NotificationRequired, &field(), why));
        }
        if wanted.iter().any(|other| other.kind == kind && other.channel == channel) {
            let why = format!("{kind} by {channel} is named twice");
            return Err(Problem::field(Code::ValidationFailed, &field(), why));
        }
        wanted.push(Preference { kind, channel, enabled });
    }
    state.store.set_notification_preferences(user.id, &wanted, &condition).await?;
    Ok(Json(shown(&wanted)))
}
