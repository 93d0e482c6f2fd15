//! What changes a Linode as a whole: boot, reboot, shutdown, rescue, password, resize, rebuild, migrate, clone.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State as Shared},
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    Answer, Sim,
    catalog::{Region, Type},
    create::{check_label, public_address},
    deploy,
    error::Error,
    form::Form,
    model::{Backups, Linode, Status},
    state::State,
};

/// Begins one status that lasts as long as actions do, notes it under `action`, and remembers the Linode.
fn begin(state: &mut State, mut linode: Linode, action: &str, status: Status, on: bool, now: DateTime<Utc>) {
    let done_at = linode.begin(&[(status, state.settings.action_seconds)], on, now);
    state.note(action, &linode, Value::Null, now, done_at);
    state.keep(linode);
}

/// A Linode that has nothing under way and is as it must be.
fn idle(state: &State, id: &str, on: bool, now: DateTime<Utc>) -> Result<Linode, Error> {
    let linode = state.idle_linode(id, now)?;
    match (on, linode.is_on(now)) {
        (true, false) => Err(Error::bad_request(format!("Linode {} is not booted.", linode.id))),
        (false, true) => Err(Error::bad_request(format!("Linode {} already booted.", linode.id))),
        _ => Ok(linode),
    }
}

pub(super) async fn boot(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let linode = idle(&state, &id, false, now)?;
    check_config(&linode, &body)?;
    begin(&mut state, linode, "linode_boot", Status::Booting, true, now);
    Ok(Json(json!({})))
}

pub(super) async fn reboot(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let linode = idle(&state, &id, true, now)?;
    check_config(&linode, &body)?;
    begin(&mut state, linode, "linode_reboot", Status::Rebooting, true, now);
    Ok(Json(json!({})))
}

/// The profile to boot must be one of the Linode's; there must be one.
fn check_config(linode: &Linode, body: &[u8]) -> Result<(), Error> {
    let mut form = Form::read(body)?;
    let wanted = form.integer("config_id").filter(|id| *id != 0);
    form.finish()?;
    match wanted {
        Some(wanted) if !linode.configs.iter().any(|config| config.id == wanted) => Err(Error::not_found()),
        None if linode.configs.is_empty() => {
            Err(Error::bad_request("You need to add a configuration before you can boot this Linode."))
        }
        _ => Ok(()),
    }
}

pub(super) async fn shutdown(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let linode = idle(&state, &id, true, now)?;
    begin(&mut state, linode, "linode_shutdown", Status::ShuttingDown, false, now);
    Ok(Json(json!({})))
}

pub(super) async fn rescue(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let linode = state.idle_linode(&id, now)?;
    begin(&mut state, linode, "linode_rescue", Status::Rebooting, true, now);
    Ok(Json(json!({})))
}

pub(super) async fn migrate(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let now = Utc::now();
    let mut form = Form::read(&body)?;
    let region = form.text("region");
    if region.as_ref().is_some_and(|region| Region::find(region).is_none()) {
        form.refuse("region", "region is not valid");
    }
    form.finish()?;
    let mut state = simulator.state();
    let mut linode = state.idle_linode(&id, now)?;
    linode.region = region.unwrap_or(linode.region);
    let on = linode.is_on(now);
    begin(&mut state, linode, "linode_migrate_datacenter", Status::Migrating, on, now);
    Ok(Json(json!({})))
}

pub(super) async fn password(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let linode = state.idle_linode(&id, now)?;
    let mut form = Form::read(&body)?;
    if let Some(password) = form.required_text("root_pass") {
        deploy::check_password(&mut form, "root_pass", &password);
    }
    form.finish()?;
    if linode.is_on(now) {
        return Err(Error::bad_request("Linode must be powered off to reset its root password."));
    }
    state.note("password_reset", &linode, Value::Null, now, now);
    Ok(Json(json!({})))
}

pub(super) async fn resize(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let mut linode = state.idle_linode(&id, now)?;
    let mut form = Form::read(&body)?;
    let wanted = form.required_text("type");
    let kind = wanted.as_deref().and_then(Type::find);
    if wanted.is_some() && kind.is_none() {
        form.refuse("type", "A valid plan type by that ID was not found");
    }
    let grow = form.flag("allow_auto_disk_resize").unwrap_or(true);
    if form.text("migration_type").is_some_and(|kind| kind != "warm" && kind != "cold") {
        form.refuse("migration_type", "Must be one of warm, cold");
    }
    form.finish()?;
    let Some(kind) = kind else { return Err(Error::field("type", "type is required")) };
    if linode.r#type == kind.id {
        return Err(Error::bad_request("Linode is already running this service plan."));
    }
    if Region::find(&linode.region).is_some_and(|region| !kind.is_in(region)) {
        return Err(Error::sold_out());
    }
    fit_disks(&mut linode, kind, grow)?;
    let from = std::mem::replace(&mut linode.r#type, kind.id.to_owned());
    let on = linode.is_on(now);
    let done_at = linode.begin(&[(Status::Migrating, state.settings.action_seconds)], on, now);
    linode.resized_from = Some((from, done_at));
    state.note("linode_resize", &linode, Value::Null, now, done_at);
    state.keep(linode);
    Ok(Json(json!({})))
}

/// A Linode with one disk besides swap may have it grown or shrunk with the type, as long as its data fits.
fn fit_disks(linode: &mut Linode, kind: &Type, resize: bool) -> Result<(), Error> {
    let used: u64 = linode.disks.iter().map(|disk| disk.size).sum();
    let mut data: Vec<_> = linode.disks.iter_mut().filter(|disk| disk.filesystem != "swap").collect();
    match data.as_mut_slice() {
        [only] if resize => {
            let others = used - only.size;
            only.size = kind.disk.saturating_sub(others);
            Ok(())
        }
        _ if used > kind.disk => Err(Error::bad_request(
            "Linode has allocated more disk than the new service plan allows. Delete or resize disks smaller.",
        )),
        _ => Ok(()),
    }
}

pub(super) async fn rebuild(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let mut linode = state.idle_linode(&id, now)?;
    let mut form = Form::read(&body)?;
    form.required_text("image");
    let source = deploy::source(&mut form, &state, now);
    let keys = deploy::keys(&mut form, &state, true);
    let user_data = deploy::user_data(&mut form);
    let boots = form.flag("booted").unwrap_or(true);
    let kind = match form.text("type") {
        None => Type::find(&linode.r#type),
        Some(wanted) => {
            let kind = Type::find(&wanted);
            if kind.is_none() {
                form.refuse("type", "A valid plan type by that ID was not found");
            }
            kind
        }
    };
    form.finish()?;
    let (Some(source), Some(kind)) = (source, kind) else { return Err(Error::not_found()) };
    source.check_fits(kind.disk)?;

    let seconds = state.settings.action_seconds;
    let steps = [(Status::Rebuilding, seconds * 0.7), (Status::Booting, seconds * 0.3)];
    let done_at = linode.begin(if boots { &steps } else { &steps[..1] }, boots, now);
    let (disks, config) = deploy::disks(&mut state, &source, kind.disk, None, linode.steps[0].until, now);
    linode.r#type = kind.id.to_owned();
    linode.image = Some(source.id);
    linode.authorized_keys = keys;
    linode.user_data = user_data.or(linode.user_data);
    (linode.disks, linode.configs) = (disks, vec![config]);
    let answer = linode.body_at_start(now);
    state.note("linode_rebuild", &linode, Value::Null, now, done_at);
    state.keep(linode);
    Ok(Json(answer))
}

/// Onto a new Linode only.
pub(super) async fn clone(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let original = state.idle_linode(&id, now)?;
    let mut form = Form::read(&body)?;
    let label = form.text("label");
    if let Some(label) = &label {
        check_label(&mut form, &state, label, None);
    }
    let region = form.text("region").unwrap_or_else(|| original.region.clone());
    if Region::find(&region).is_none() {
        form.refuse("region", "region is not valid");
    }
    let kind = form.text("type").unwrap_or_else(|| original.r#type.clone());
    if Type::find(&kind).is_none() {
        form.refuse("type", "A valid plan type by that ID was not found");
    }
    let backups = form.flag("backups_enabled").unwrap_or(false);
    form.finish()?;

    let id = state.new_number();
    let mut copy = Linode {
        id,
        label: label.unwrap_or_else(|| format!("linode{id}")),
        region,
        r#type: kind,
        resized_from: None,
        created_at: now,
        addressed_at: now,
        listed_at: now,
        readable_at: now,
        addresses: vec![public_address(id)],
        backups: backups.then(Backups::default),
        on: false,
        steps: Vec::new(),
        ..original
    };
    let done_at = copy.begin(&[(Status::Cloning, state.settings.action_seconds)], false, now);
    state.note("linode_clone", &copy, Value::Null, now, done_at);
    state.keep(copy.clone());
    Ok(Json(copy.body_at_start(now)))
}
