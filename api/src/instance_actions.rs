//! From a request to an action that is taken in, for customers and for programs alike.

use domain::{
    api_key::Scope,
    ids::{InstanceId, PlanId},
    instance::{ActionKind, InstanceAction},
    rate_limit::Caller,
};
use serde_json::{Map, Value, json};
use store::{
    Store, StoreError,
    audit::{Actor, Origin},
    instance_actions::{Action as Taken, NewAction, RequestedBy},
    instances::ServerRef,
};

use crate::{
    AppState, at_provider,
    auth::scope_missing,
    extract::IdempotencyKey,
    problem::{Code, Problem},
};
pub(crate) use bodies::{Action, ActionRequest};

mod bodies;

/// Who asks.
#[derive(Debug)]
pub(crate) struct Requester {
    /// What they can reach.
    pub by: RequestedBy,
    /// Who, for the record.
    pub origin: Origin,
    /// Their word that a repeated request means the same one.
    pub key: Option<IdempotencyKey>,
    /// Whether they may have a server deleted.
    pub may_delete: bool,
}

impl Requester {
    async fn server_ref(&self, store: &Store, instance: InstanceId) -> Result<ServerRef, StoreError> {
        match self.by {
            RequestedBy::Customer(owner) => store.server_ref_of(owner, instance).await,
            RequestedBy::Program => store.any_server_ref(instance).await,
        }
    }

    /// Whose the calls are that their request needs.
    fn caller(&self) -> Caller {
        match self.origin.actor {
            Actor::User(id) | Actor::Impersonator { customer: id, .. } => Caller::Action(id.into()),
            Actor::ApiKey(id) => Caller::Action(id.into()),
            Actor::System => Caller::Servers,
        }
    }
}

/// Checks a request and takes it in. Nothing is asked of the provider here, but for what names a snapshot whether
/// that is the server's own.
///
/// # Errors
/// 404 when there is no such server in their reach; 422 for what can't be read or had; 409 when the server's state
/// or its provider's abilities are in the way.
pub(crate) async fn ask(
    state: &AppState,
    instance: InstanceId,
    request: ActionRequest,
    requester: &Requester,
) -> Result<Taken, Problem> {
    let action = parse(request)?;
    let server = requester.server_ref(&state.store, instance).await?;
    let kind = action.kind();
    if matches!(requester.by, RequestedBy::Customer(_)) && !kind.is_for_customers() {
        let detail = format!("`{kind}` changes what is paid for, and can't be asked for here yet");
        return Err(Problem::new(Code::NotSupportedYet, detail));
    }
    require_ability(state, &server, kind)?;
    require_target(state, instance, server, &action, requester).await?;
    submit(state, instance, &action, requester).await
}

/// Takes an action in that needs no check but that of the server's state.
///
/// # Errors
/// 403 when it is a delete and they may not, 404 when there is no such server in their reach, 409 when its state is in
/// the way, 422 `idempotency_key_reused`.
pub(crate) async fn submit(
    state: &AppState,
    instance: InstanceId,
    action: &InstanceAction,
    requester: &Requester,
) -> Result<Taken, Problem> {
    if action.kind() == ActionKind::Delete && !requester.may_delete {
        return Err(scope_missing(Scope::InstancesDelete));
    }
    let new = NewAction {
        instance,
        by: requester.by,
        action,
        origin: &requester.origin,
        idempotency_key: requester.key.as_ref().map(|key| key.0.as_str()),
    };
    let taken = state.store.request_action(&new).await?;
    tracing::info!(
        event = "action.requested",
        instance_id = %instance,
        action_id = %taken.id,
        action = %taken.kind,
        "an action was asked for"
    );
    Ok(taken)
}

fn parse(request: ActionRequest) -> Result<InstanceAction, Problem> {
    let ActionRequest { action, params } = request;
    let kind: ActionKind = action.parse().map_err(|_| {
        let known: Vec<&str> = ActionKind::ALL.iter().map(|kind| kind.as_str()).collect();
        let message = format!("there is no action `{action}`; there are {}", known.join(", "));
        Problem::field(Code::UnknownAction, "action", message)
    })?;
    let action = typed(kind, params.unwrap_or_default())?;
    action.check().map_err(|error| invalid(error.field, error.message))?;
    Ok(action)
}

fn typed(kind: ActionKind, params: Map<String, Value>) -> Result<InstanceAction, Problem> {
    let takes_params = matches!(
        kind,
        ActionKind::Rebuild
            | ActionKind::Resize
            | ActionKind::Snapshot
            | ActionKind::Restore
            | ActionKind::DeleteSnapshot
            | ActionKind::Rename
    );
    if !takes_params {
        return match params.keys().next() {
            Some(extra) => Err(invalid(extra, &format!("`{kind}` takes no parameters"))),
            None => read(json!({ "action": kind })),
        };
    }
    read(json!({ "action": kind, "params": params }))
}

fn read(whole: Value) -> Result<InstanceAction, Problem> {
    serde_path_to_error::deserialize(whole).map_err(|error| {
        let message = error.inner().to_string();
        // For a missing or unknown field serde knows only the enclosing object's path.
        let named = message.split('`').nth(1).filter(|_| message.contains(" field `"));
        let path = error.path().to_string();
        let field = named.unwrap_or_else(|| path.strip_prefix("params.").unwrap_or_default());
        invalid(field, &message)
    })
}

fn invalid(field: &str, message: &str) -> Problem {
    let path = if field.is_empty() { "params".to_owned() } else { format!("params.{field}") };
    Problem::field(Code::InvalidParams, &path, message)
}

/// The server's provider can do it.
///
/// # Errors
/// 409 `unsupported_action` with the reason.
pub(crate) fn require_ability(state: &AppState, server: &ServerRef, kind: ActionKind) -> Result<(), Problem> {
    let Some(capability) = kind.capability() else { return Ok(()) };
    if state.providers.capabilities(&server.provider)?.contains(&capability) {
        return Ok(());
    }
    let why = state.providers.why_not(&server.provider, capability)?;
    let detail = format!("{} can't do `{kind}`: {why}", server.provider);
    Err(Problem::new(Code::UnsupportedAction, detail))
}

/// What an action names must be there to be had.
async fn require_target(
    state: &AppState,
    instance: InstanceId,
    server: ServerRef,
    action: &InstanceAction,
    requester: &Requester,
) -> Result<(), Problem> {
    match action {
        InstanceAction::Rebuild { image } if !state.store.can_rebuild_from(instance, image).await? => {
            let message = format!("{} has no image `{image}` on offer", server.provider);
            Err(Problem::field(Code::ImageNotForProvider, "params.image", message))
        }
        InstanceAction::Resize { plan_id } => require_plan(state, instance, *plan_id, "params.plan_id").await,
        InstanceAction::Restore { snapshot_id } | InstanceAction::DeleteSnapshot { snapshot_id } => {
            let server = at_provider::reach(state, server, requester.caller())?;
            let own = at_provider::answer(server.provider.list_snapshots(&server.id)).await?;
            if own.iter().any(|snapshot| snapshot.id == *snapshot_id) {
                return Ok(());
            }
            let message = format!("the server has no snapshot `{snapshot_id}`");
            Err(Problem::field(Code::SnapshotUnknown, "params.snapshot_id", message))
        }
        _ => Ok(()),
    }
}

/// The server can have the plan, as far as the catalog says.
///
/// # Errors
/// 422 `plan_not_offered` with the reason.
pub(crate) async fn require_plan(
    state: &AppState,
    instance: InstanceId,
    plan: PlanId,
    field: &str,
) -> Result<(), Problem> {
    let refuse = |message: &str| Err(Problem::field(Code::PlanNotOffered, field, message));
    let target = match state.store.resize_target(instance, plan).await {
        Err(StoreError::NotFound("plan")) => return refuse("there is no such plan"),
        target => target?,
    };
    match target {
        target if !target.is_offered => refuse("the server's provider does not have this plan on offer"),
        target if !target.is_in_region => refuse("the server's region does not have this plan"),
        target if target.is_current => refuse("the server has this plan already"),
        target if target.shrinks_disk => refuse("a disk can't be made smaller"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(body: Value) -> Result<InstanceAction, (String, String)> {
        parse(serde_json::from_value(body).unwrap())
            .map_err(|p| (p.code.to_string(), p.errors[0].field.clone()))
    }

    #[test]
    fn actions_are_read_with_their_parameters() {
        assert_eq!(parsed(json!({ "action": "reboot" })), Ok(InstanceAction::Reboot));
        assert_eq!(parsed(json!({ "action": "reboot", "params": {} })), Ok(InstanceAction::Reboot));
        let rename = json!({ "action": "rename", "params": { "name": "toko" } });
        assert_eq!(parsed(rename), Ok(InstanceAction::Rename { name: "toko".to_owned() }));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, code, field) in [
            (json!({ "action": "explode" }), "unknown_action", "action"),
            (json!({ "action": "reboot", "params": { "hard": true } }), "invalid_params", "params.hard"),
            (json!({ "action": "rename" }), "invalid_params", "params.name"),
            (json!({ "action": "rename", "params": null }), "invalid_params", "params.name"),
            (json!({ "action": "rename", "params": { "name": 7 } }), "invalid_params", "params.name"),
            (json!({ "action": "rename", "params": { "name": " x" } }), "invalid_params", "params.name"),
            (json!({ "action": "rename", "params": { "name": "x", "y": 1 } }), "invalid_params", "params.y"),
            (
                json!({ "action": "restore", "params": { "snapshot_id": "../7" } }),
                "invalid_params",
                "params.snapshot_id",
            ),
            (json!({ "action": "resize", "params": { "plan_id": "x" } }), "invalid_params", "params.plan_id"),
        ] {
            assert_eq!(parsed(body.clone()), Err((code.to_owned(), field.to_owned())), "{body}");
        }
    }
}
