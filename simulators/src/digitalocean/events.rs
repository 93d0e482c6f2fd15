//! What each type of action makes of a droplet.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::{
    IGNORE_SHUTDOWN,
    backups::{Policy, Wish},
    catalog::{Region, Size},
    create::{check_name, text_of},
    error::Error,
    model::{Action, Droplet, Pending, Shape, Snapshot, SnapshotKind, Source},
    state::{State, after},
};

/// The body of an action: its type, and what some types take besides.
#[derive(Debug, Deserialize)]
pub(super) struct Request {
    pub(super) r#type: String,
    size: Option<String>,
    disk: Option<bool>,
    image: Option<Value>,
    name: Option<String>,
    backup_policy: Option<Wish>,
}

/// Starts an action on a droplet.
pub(super) fn start(
    state: &mut State,
    droplet: u64,
    request: &Request,
    now: DateTime<Utc>,
) -> Result<Action, Error> {
    let mut droplet = state.droplets.get(&droplet).cloned().ok_or_else(Error::not_found)?;
    let after_it = check(state, &droplet, request, now)?;
    let done_at = after(now, state.settings.action_seconds);
    let action = state.act(&request.r#type, &droplet, done_at, now);
    if request.r#type == "snapshot" {
        let name = request.name.clone().filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| format!("{}-{}", after_it.name, now.timestamp_millis()));
        take_image(state, &droplet, name, SnapshotKind::Snapshot, done_at, now);
    }
    droplet.before = droplet.shape(now).clone();
    droplet.pending = Some(Pending { done_at, after: after_it });
    state.keep(droplet);
    Ok(action)
}

/// What an action would make of a droplet, if it can be done to it now.
pub(super) fn check(
    state: &State,
    droplet: &Droplet,
    request: &Request,
    now: DateTime<Utc>,
) -> Result<Shape, Error> {
    let shape = shape_after(state, droplet, request, now)?;
    if droplet.is_busy(now) { Err(Error::pending_event()) } else { Ok(shape) }
}

fn shape_after(
    state: &State,
    droplet: &Droplet,
    request: &Request,
    now: DateTime<Utc>,
) -> Result<Shape, Error> {
    let mut shape = droplet.shape(now).clone();
    match (request.r#type.as_str(), shape.on) {
        ("snapshot" | "password_reset", _) | ("reboot" | "power_cycle", true) => {}
        ("power_on", _) => shape.on = true,
        ("power_off", _) => shape.on = false,
        // A shutdown is done when the system was asked, whatever the system makes of it.
        ("shutdown", true) => shape.on = state.settings.is_on(IGNORE_SHUTDOWN),
        ("reboot" | "power_cycle" | "shutdown", false) => {
            return Err(Error::unprocessable(
                "Droplet is currently off. Please power it on to run this event.",
            ));
        }
        ("resize", true) => {
            return Err(Error::unprocessable(
                "Droplet is currently on. Please power it off to run this event.",
            ));
        }
        ("resize", false) => resize(&mut shape, &droplet.region, request)?,
        ("rebuild", _) => rebuild(&mut shape, state, request, now)?,
        ("restore", _) => restore(&mut shape, state, droplet.id, request, now)?,
        ("rename", _) => {
            let name = request.name.clone().unwrap_or_default();
            check_name(&name)?;
            shape.name = name;
        }
        ("enable_ipv6", _) => shape.add_feature("ipv6"),
        ("enable_backups", _) => {
            shape.add_feature("backups");
            shape.backups = Some(wanted_policy(request)?.unwrap_or_default());
        }
        ("disable_backups", _) => {
            shape.features.retain(|feature| feature != "backups");
            shape.backups = None;
        }
        ("change_backup_policy", _) if shape.backups.is_none() => {
            return Err(Error::unprocessable("Backups are not enabled for this Droplet."));
        }
        ("change_backup_policy", _) => {
            let policy = wanted_policy(request)?;
            shape.backups = Some(policy.ok_or_else(|| Error::unprocessable("backup_policy is required"))?);
        }
        ("change_kernel", _) => {
            return Err(Error::unprocessable("The kernel of this Droplet is managed internally."));
        }
        (other, _) => {
            return Err(Error::unprocessable(format!("The action type `{other}` is not available.")));
        }
    }
    Ok(shape)
}

fn wanted_policy(request: &Request) -> Result<Option<Policy>, Error> {
    request.backup_policy.as_ref().map(Wish::check).transpose()
}

fn resize(shape: &mut Shape, region: &str, request: &Request) -> Result<(), Error> {
    let size = request.size.as_deref().and_then(Size::find);
    let size =
        size.ok_or_else(|| Error::unprocessable("You specified an invalid size for Droplet resize."))?;
    if !Region::find(region).is_some_and(|region| size.is_in(region)) {
        return Err(Error::sold_out());
    }
    let disk = shape.disk_gb();
    if size.disk < disk {
        return Err(Error::smaller_disk());
    }
    size.slug.clone_into(&mut shape.size);
    shape.disk = if request.disk == Some(true) { None } else { Some(disk) };
    Ok(())
}

fn rebuild(shape: &mut Shape, state: &State, request: &Request, now: DateTime<Utc>) -> Result<(), Error> {
    let image = request.image.as_ref().and_then(text_of).and_then(|slug| state.image(&slug, now));
    let image =
        image.ok_or_else(|| Error::unprocessable("You specified an invalid image for Droplet rebuild."))?;
    fill(shape, image)
}

fn restore(
    shape: &mut Shape,
    state: &State,
    droplet: u64,
    request: &Request,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let image =
        request.image.as_ref().and_then(Value::as_u64).and_then(|id| state.image(&id.to_string(), now));
    let own = image.filter(|image| matches!(image, Source::Private(snapshot) if snapshot.droplet == droplet));
    fill(
        shape,
        own.ok_or_else(|| Error::unprocessable("You specified an invalid image for Droplet restore."))?,
    )
}

/// Puts an image onto the disk and boots from it.
fn fill(shape: &mut Shape, image: Source<'_>) -> Result<(), Error> {
    if shape.disk_gb() < image.min_disk() {
        return Err(Error::smaller_disk());
    }
    shape.image = image.id();
    shape.on = true;
    Ok(())
}

/// Takes an image of a droplet's disk.
pub(super) fn take_image(
    state: &mut State,
    droplet: &Droplet,
    name: String,
    kind: SnapshotKind,
    available_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> u64 {
    let shape = droplet.shape(now);
    let distribution = match state.image(&shape.image.to_string(), now) {
        Some(Source::Public(image)) => image.distribution.to_owned(),
        Some(Source::Private(snapshot)) => snapshot.distribution.clone(),
        None => "Unknown".to_owned(),
    };
    let snapshot = Snapshot {
        id: state.new_number(),
        name,
        kind,
        droplet: droplet.id,
        distribution,
        regions: vec![droplet.region.clone()],
        min_disk: shape.disk_gb(),
        // A young disk is a tenth full.
        gigabytes: f64::from(shape.disk_gb()) / 10.0,
        tags: Vec::new(),
        created_at: now,
        available_at,
    };
    let id = snapshot.id;
    state.keep(snapshot);
    id
}
