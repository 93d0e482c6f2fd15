//! `/v4/linode/instances/{id}/backups`: the backup service, its one manual snapshot, and restoring it.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State as Shared},
};
use chrono::Utc;
use serde_json::{Value, json};

use super::{
    Answer, Sim,
    error::Error,
    form::Form,
    model::{Backup, Backups, Status, after},
};

const OFF: &str = "Backups are not enabled for this Linode.";

pub(super) async fn enable(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let mut linode = state.linode(&id, now)?.clone();
    if linode.backups.is_some() {
        return Err(Error::bad_request("Backups are already enabled for this Linode."));
    }
    linode.backups = Some(Backups::default());
    linode.updated_at = now;
    state.note("backups_enable", &linode, Value::Null, now, now);
    state.keep(linode);
    Ok(Json(json!({})))
}

/// Deletes all backups, too.
pub(super) async fn cancel(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let mut linode = state.linode(&id, now)?.clone();
    if linode.backups.take().is_none() {
        return Err(Error::bad_request(OFF));
    }
    linode.updated_at = now;
    state.note("backups_cancel", &linode, Value::Null, now, now);
    state.keep(linode);
    Ok(Json(json!({})))
}

pub(super) async fn list(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    let now = Utc::now();
    let state = simulator.state();
    let backups = state.linode(&id, now)?.backups.as_ref();
    let shown = |backup: Option<&Backup>| backup.map(|backup| backup.body(now));
    Ok(Json(json!({
        "automatic": [],
        "snapshot": {
            "current": shown(backups.and_then(|b| b.current(now))),
            "in_progress": shown(backups.and_then(|b| b.in_progress(now))),
        },
    })))
}

/// Takes the snapshot, which replaces the one before once it is done.
pub(super) async fn snapshot(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let mut linode = state.idle_linode(&id, now)?;
    let mut form = Form::read(&body)?;
    let label = form.required_text("label").unwrap_or_default();
    if form.has("label") && !(1..=255).contains(&label.chars().count()) {
        form.refuse("label", "Length must be 1-255 characters");
    }
    form.finish()?;
    let Some(backups) = &mut linode.backups else { return Err(Error::bad_request(OFF)) };
    let backup = Backup {
        id: state.new_number(),
        label,
        region: linode.region.clone(),
        image: linode.image.clone(),
        created_at: now,
        finished_at: after(now, state.settings.action_seconds),
        disks: linode.disks.clone(),
        configs: linode.configs.clone(),
    };
    backups.before = backups.latest.replace(backup.clone());
    state.note("linode_snapshot", &linode, Value::Null, now, backup.finished_at);
    state.keep(linode);
    Ok(Json(backup.body_at_start()))
}

pub(super) async fn get(Shared(simulator): Sim, Path((id, backup)): Path<(String, u64)>) -> Answer {
    let now = Utc::now();
    let state = simulator.state();
    let backups = state.linode(&id, now)?.backups.as_ref();
    let found = backups.into_iter().flat_map(|b| [b.current(now), b.in_progress(now)]).flatten();
    let found = found.into_iter().find(|b| b.id == backup).ok_or_else(Error::not_found)?;
    Ok(Json(found.body(now)))
}

/// Onto any Linode of the region, in place of what it holds or beside it. The target is off afterwards.
pub(super) async fn restore(
    Shared(simulator): Sim,
    Path((id, backup)): Path<(String, u64)>,
    body: Bytes,
) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let source = state.linode(&id, now)?;
    let current = source.backups.as_ref().and_then(|backups| backups.current(now));
    let backup = current.filter(|b| b.id == backup).ok_or_else(Error::not_found)?.clone();
    let mut form = Form::read(&body)?;
    let target = form.required_integer("linode_id").unwrap_or_default();
    let overwrite = form.flag("overwrite").unwrap_or(false);
    form.finish()?;

    let mut target = state.idle_linode(&target.to_string(), now)?;
    if target.region != backup.region {
        return Err(Error::field("linode_id", "Backups may not be restored across regions."));
    }
    let space = super::catalog::Type::find(&target.r#type).map_or(0, |kind| kind.disk);
    let size = |disks: &[super::model::Disk]| disks.iter().map(|disk| disk.size).sum::<u64>();
    let taken = if overwrite { 0 } else { size(&target.disks) };
    if taken + size(&backup.disks) > space {
        return Err(Error::bad_request("Not enough unallocated disk space to restore this backup."));
    }
    if overwrite {
        (target.disks, target.configs) = (Vec::new(), Vec::new());
    }
    for mut disk in backup.disks {
        disk.id = state.new_number();
        target.disks.push(disk);
    }
    for mut config in backup.configs {
        config.id = state.new_number();
        config.body["id"] = config.id.into();
        target.configs.push(config);
    }
    target.image = backup.image;
    let done_at = target.begin(&[(Status::Restoring, state.settings.action_seconds)], false, now);
    state.note("backups_restore", &target, Value::Null, now, done_at);
    state.keep(target);
    Ok(Json(json!({})))
}
