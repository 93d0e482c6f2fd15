//! `/v4/linode/instances/{id}/disks` and `/configs`.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State as Shared},
};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{
    Answer, Sim,
    catalog::Type,
    deploy,
    error::Error,
    form::Form,
    model::{Config, Disk, Linode, after},
    paging::Listing,
    show::stamp,
};

pub(super) async fn list(Shared(simulator): Sim, Path(id): Path<String>, listing: Listing) -> Answer {
    let now = Utc::now();
    let state = simulator.state();
    let linode = state.linode(&id, now)?;
    let disks = linode.disks.iter().map(|disk| disk.body(&linode.disk_encryption, now));
    Ok(Json(listing.answer(&["id", "label", "size", "filesystem", "status"], disks)?))
}

pub(super) async fn get(Shared(simulator): Sim, Path((id, disk)): Path<(String, u64)>) -> Answer {
    let now = Utc::now();
    let state = simulator.state();
    let linode = state.linode(&id, now)?;
    let disk = linode.disks.iter().find(|d| d.id == disk).ok_or_else(Error::not_found)?;
    Ok(Json(disk.body(&linode.disk_encryption, now)))
}

/// MiB of the type's space that no disk takes.
fn room(linode: &Linode) -> u64 {
    let space = Type::find(&linode.r#type).map_or(0, |kind| kind.disk);
    space.saturating_sub(linode.disks.iter().map(|disk| disk.size).sum())
}

fn no_room() -> Error {
    Error::field("size", "Not enough unallocated disk space.")
}

pub(super) async fn create(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let mut linode = state.idle_linode(&id, now)?;
    let mut form = Form::read(&body)?;
    let size = form.required_integer("size").unwrap_or_default();
    let source = deploy::source(&mut form, &state, now);
    let deploys = form.has("image");
    deploy::keys(&mut form, &state, deploys);
    let label = form.text("label");
    let filesystem = form.text("filesystem").unwrap_or_else(|| "ext4".to_owned());
    form.finish()?;
    if size > room(&linode) {
        return Err(no_room());
    }
    source.iter().try_for_each(|source| source.check_fits(size))?;
    let done_at = after(now, state.settings.action_seconds);
    let label = label.or_else(|| source.map(|source| format!("{} Disk", source.label)));
    let disk = Disk {
        id: state.new_number(),
        label: label.unwrap_or_else(|| "disk".to_owned()),
        filesystem,
        size,
        created_at: now,
        ready_at: done_at,
    };
    let mut answer = disk.body(&linode.disk_encryption, now);
    answer["status"] = "not ready".into();
    state.note("disk_create", &linode, secondary(&linode, &disk), now, done_at);
    linode.disks.push(disk);
    state.keep(linode);
    Ok(Json(answer))
}

fn secondary(linode: &Linode, disk: &Disk) -> Value {
    let url = format!("/v4/linode/instances/{}/disks/{}", linode.id, disk.id);
    json!({ "id": disk.id, "type": "disk", "label": disk.label, "url": url })
}

/// Renames a disk.
pub(super) async fn update(
    Shared(simulator): Sim,
    Path((id, disk)): Path<(String, u64)>,
    body: Bytes,
) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let mut linode = state.linode(&id, now)?.clone();
    let encryption = linode.disk_encryption.clone();
    let disk = find(&mut linode, disk)?;
    let mut form = Form::read(&body)?;
    if let Some(label) = form.text("label") {
        disk.label = label;
    }
    form.finish()?;
    let answer = disk.body(&encryption, now);
    state.keep(linode);
    Ok(Json(answer))
}

fn find(linode: &mut Linode, disk: u64) -> Result<&mut Disk, Error> {
    linode.disks.iter_mut().find(|d| d.id == disk).ok_or_else(Error::not_found)
}

pub(super) async fn delete(Shared(simulator): Sim, Path((id, disk)): Path<(String, u64)>) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let mut linode = offline(state.idle_linode(&id, now)?, now)?;
    let gone = find(&mut linode, disk)?.clone();
    linode.disks.retain(|d| d.id != disk);
    state.note("disk_delete", &linode, secondary(&linode, &gone), now, now);
    state.keep(linode);
    Ok(Json(json!({})))
}

/// A Linode whose disks may be worked on.
fn offline(linode: Linode, now: DateTime<Utc>) -> Result<Linode, Error> {
    if linode.is_on(now) {
        return Err(Error::bad_request("Linode must be powered off to work on its disks."));
    }
    Ok(linode)
}

pub(super) async fn resize(
    Shared(simulator): Sim,
    Path((id, disk)): Path<(String, u64)>,
    body: Bytes,
) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let mut linode = offline(state.idle_linode(&id, now)?, now)?;
    let mut form = Form::read(&body)?;
    let size = form.required_integer("size").unwrap_or_default();
    form.finish()?;
    let room = room(&linode);
    let done_at = after(now, state.settings.action_seconds);
    let disk = find(&mut linode, disk)?;
    if size > disk.size + room {
        return Err(no_room());
    }
    (disk.size, disk.ready_at) = (size, done_at);
    let disk = disk.clone();
    state.note("disk_resize", &linode, secondary(&linode, &disk), now, done_at);
    state.keep(linode);
    Ok(Json(json!({})))
}

pub(super) async fn clone(Shared(simulator): Sim, Path((id, disk)): Path<(String, u64)>) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let mut linode = state.idle_linode(&id, now)?;
    let room = room(&linode);
    let original = find(&mut linode, disk)?.clone();
    if original.size > room {
        return Err(no_room());
    }
    let done_at = after(now, state.settings.action_seconds);
    let label = format!("Copy of {}", original.label);
    let copy = Disk { id: state.new_number(), label, created_at: now, ready_at: done_at, ..original };
    let answer = copy.body(&linode.disk_encryption, now);
    state.note("disk_duplicate", &linode, secondary(&linode, &copy), now, done_at);
    linode.disks.push(copy);
    state.keep(linode);
    Ok(Json(answer))
}

pub(super) async fn password(
    Shared(simulator): Sim,
    Path((id, disk)): Path<(String, u64)>,
    body: Bytes,
) -> Answer {
    let now = Utc::now();
    let state = simulator.state();
    let mut linode = offline(state.idle_linode(&id, now)?, now)?;
    find(&mut linode, disk)?;
    let mut form = Form::read(&body)?;
    if let Some(password) = form.required_text("password") {
        deploy::check_password(&mut form, "password", &password);
    }
    form.finish()?;
    Ok(Json(json!({})))
}

pub(super) async fn list_configs(Shared(simulator): Sim, Path(id): Path<String>, listing: Listing) -> Answer {
    let state = simulator.state();
    let configs = state.linode(&id, Utc::now())?.configs.iter().map(|config| config.body.clone());
    Ok(Json(listing.answer(&["id", "label"], configs)?))
}

pub(super) async fn get_config(Shared(simulator): Sim, Path((id, config)): Path<(String, u64)>) -> Answer {
    let state = simulator.state();
    let configs = &state.linode(&id, Utc::now())?.configs;
    let found = configs.iter().find(|c| c.id == config).ok_or_else(Error::not_found)?;
    Ok(Json(found.body.clone()))
}

pub(super) async fn create_config(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let mut linode = state.linode(&id, now)?.clone();
    let mut form = Form::read(&body)?;
    let label = form.required_text("label").unwrap_or_default();
    if !form.has("devices") {
        form.refuse("devices", "devices is required");
    }
    form.finish()?;
    let mut config = deploy::config(&mut state, &label, &json!({}), now);
    overlay(&mut config, &form, now);
    let answer = config.body.clone();
    linode.configs.push(config);
    state.keep(linode);
    Ok(Json(answer))
}

pub(super) async fn update_config(
    Shared(simulator): Sim,
    Path((id, config)): Path<(String, u64)>,
    body: Bytes,
) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let mut linode = state.linode(&id, now)?.clone();
    let form = Form::read(&body)?;
    let config = linode.configs.iter_mut().find(|c| c.id == config).ok_or_else(Error::not_found)?;
    overlay(config, &form, now);
    let answer = config.body.clone();
    state.keep(linode);
    Ok(Json(answer))
}

pub(super) async fn delete_config(Shared(simulator): Sim, Path((id, config)): Path<(String, u64)>) -> Answer {
    let mut state = simulator.state();
    let mut linode = state.linode(&id, Utc::now())?.clone();
    let before = linode.configs.len();
    linode.configs.retain(|c| c.id != config);
    if linode.configs.len() == before {
        return Err(Error::not_found());
    }
    state.keep(linode);
    Ok(Json(json!({})))
}

/// Puts what a request says over a profile; every device slot is shown, used or not.
fn overlay(config: &mut Config, form: &Form, now: DateTime<Utc>) {
    for field in
        ["label", "comments", "kernel", "root_device", "run_level", "virt_mode", "memory_limit", "helpers"]
    {
        if let Some(value) = form.value(field) {
            config.body[field] = value.clone();
        }
    }
    let named = form.value("devices").or_else(|| config.body.get("devices")).cloned().unwrap_or_default();
    let slots = ["sda", "sdb", "sdc", "sdd", "sde", "sdf", "sdg", "sdh"];
    let devices: Map<_, _> = slots.iter().map(|slot| ((*slot).to_owned(), named[slot].clone())).collect();
    config.body["devices"] = devices.into();
    config.body["updated"] = stamp(now).into();
}
