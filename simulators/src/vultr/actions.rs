//! What is done to instances: start, halt, reboot (one or many), reinstall, restore, and their backup schedule.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State as Shared},
    http::StatusCode,
};
use chrono::{Datelike, Days, Timelike, Utc};
use serde::Deserialize;
use serde_json::json;

use super::{
    Answer, Sim, Simulator,
    create::{check_hostname, filled, usable_snapshot},
    error::Error,
    instance::{EventKind, Instance, Schedule, Source},
    parse,
    state::{State, after},
};

pub(super) async fn start(Shared(simulator): Sim, Path(id): Path<String>) -> Result<StatusCode, Error> {
    power(&simulator, &[id], "start", &EventKind::Start)
}

pub(super) async fn halt(Shared(simulator): Sim, Path(id): Path<String>) -> Result<StatusCode, Error> {
    power(&simulator, &[id], "stop", &EventKind::Halt)
}

/// A stopped instance is started by it.
pub(super) async fn reboot(Shared(simulator): Sim, Path(id): Path<String>) -> Result<StatusCode, Error> {
    power(&simulator, &[id], "reboot", &EventKind::Reboot)
}

#[derive(Debug, Default, Deserialize)]
struct Several {
    instance_ids: Vec<String>,
}

pub(super) async fn start_several(Shared(simulator): Sim, body: Bytes) -> Result<StatusCode, Error> {
    power(&simulator, &parse::<Several>(&body)?.instance_ids, "start", &EventKind::Start)
}

pub(super) async fn halt_several(Shared(simulator): Sim, body: Bytes) -> Result<StatusCode, Error> {
    power(&simulator, &parse::<Several>(&body)?.instance_ids, "stop", &EventKind::Halt)
}

pub(super) async fn reboot_several(Shared(simulator): Sim, body: Bytes) -> Result<StatusCode, Error> {
    power(&simulator, &parse::<Several>(&body)?.instance_ids, "reboot", &EventKind::Reboot)
}

/// Does it to all of them, or to none when it can't be done to one.
fn power(simulator: &Simulator, ids: &[String], verb: &str, kind: &EventKind) -> Result<StatusCode, Error> {
    let now = Utc::now();
    let mut state = simulator.state();
    let done_at = after(now, state.settings.action_seconds);
    let mut changed = Vec::new();
    for id in ids {
        let mut instance = state.instance(id, now)?.clone();
        instance.settle(now);
        instance.is_free(verb, now)?;
        instance.begin(kind.clone(), done_at);
        changed.push(instance);
    }
    for instance in changed {
        state.keep(instance);
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Default, Deserialize)]
struct Reinstall {
    hostname: Option<String>,
}

pub(super) async fn reinstall(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let Reinstall { hostname } = parse(&body)?;
    let now = Utc::now();
    let mut state = simulator.state();
    let mut instance = free_instance(&state, &id, "reinstall")?;
    if let Some(hostname) = hostname.filter(|name| !name.is_empty()) {
        check_hostname(&hostname)?;
        instance.hostname = hostname;
    }
    instance.reinstall(after(now, state.settings.action_seconds));
    let answer = json!({ "instance": instance.body(now) });
    state.keep(instance);
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

#[derive(Debug, Default, Deserialize)]
struct Restore {
    backup_id: Option<String>,
    snapshot_id: Option<String>,
}

pub(super) async fn restore(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let restore: Restore = parse(&body)?;
    let now = Utc::now();
    let mut state = simulator.state();
    let mut instance = free_instance(&state, &id, "restore")?;
    let snapshot = match (filled(restore.backup_id.as_ref()), filled(restore.snapshot_id.as_ref())) {
        (None, Some(id)) => usable_snapshot(&state, id, instance.plan(now), now)?,
        // No backup is ever made here.
        (Some(_), None) => return Err(Error::bad_request("Invalid backup chosen.")),
        _ => return Err(Error::bad_request("Exactly one of backup_id, snapshot_id must be specified.")),
    };
    let status = json!({ "restore_type": "snapshot_id", "restore_id": snapshot.id, "status": "inprogress" });
    instance.source = Source::of_snapshot(snapshot);
    instance.begin(EventKind::Restore, after(now, state.settings.action_seconds));
    state.keep(instance);
    Ok((StatusCode::ACCEPTED, Json(json!({ "status": status }))))
}

/// A copy of an instance that something can be done to now.
pub(super) fn free_instance(state: &State, id: &str, verb: &str) -> Result<Instance, Error> {
    let now = Utc::now();
    let mut instance = state.instance(id, now)?.clone();
    instance.settle(now);
    instance.is_free(verb, now)?;
    Ok(instance)
}

#[derive(Debug, Default, Deserialize)]
struct NewSchedule {
    r#type: Option<String>,
    hour: Option<u32>,
    dow: Option<u32>,
    dom: Option<u32>,
}

pub(super) async fn set_schedule(Shared(simulator): Sim, Path(id): Path<String>, body: Bytes) -> Answer {
    let new: NewSchedule = parse(&body)?;
    let kinds = ["daily", "weekly", "monthly", "daily_alt_even", "daily_alt_odd"];
    let kind = new.r#type.filter(|kind| kinds.contains(&kind.as_str()));
    let schedule = Schedule {
        r#type: kind.ok_or_else(|| Error::bad_request("Invalid type."))?,
        hour: within(new.hour, 0, 23, "hour")?,
        dow: within(new.dow, 1, 7, "dow")?,
        dom: within(new.dom, 1, 28, "dom")?,
    };
    let mut state = simulator.state();
    let mut instance = state.instance(&id, Utc::now())?.clone();
    if instance.backups.is_none() {
        return Err(Error::bad_request("Backups are not enabled for this instance."));
    }
    instance.backups = Some(schedule);
    state.keep(instance);
    Ok((StatusCode::OK, Json(json!({}))))
}

/// A number within its bounds; what is absent or zero is the first of them.
fn within(value: Option<u32>, first: u32, last: u32, name: &str) -> Result<u32, Error> {
    match value.filter(|value| *value > 0).unwrap_or(first) {
        value if (first..=last).contains(&value) => Ok(value),
        _ => Err(Error::bad_request(format!("Invalid {name}: must be between {first} and {last}."))),
    }
}

pub(super) async fn schedule(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    let state = simulator.state();
    let instance = state.instance(&id, Utc::now())?;
    let body = match &instance.backups {
        Some(schedule) => json!({
            "enabled": true,
            "type": schedule.r#type,
            "next_scheduled_time_utc": schedule.next(),
            "hour": schedule.hour,
            "dow": schedule.dow,
            "dom": schedule.dom,
        }),
        None => {
            json!({ "enabled": false, "type": "", "next_scheduled_time_utc": "", "hour": 0, "dow": 0, "dom": 0 })
        }
    };
    Ok((StatusCode::OK, Json(json!({ "backup_schedule": body }))))
}

impl Schedule {
    /// What an instance has whose backups were turned on without a word about when.
    pub(super) fn usual() -> Self {
        Self { r#type: "daily".to_owned(), hour: 0, dow: 1, dom: 1 }
    }

    /// When the next backup would be made, as the vendor writes it.
    fn next(&self) -> String {
        let now = Utc::now();
        let today = now.date_naive();
        let is_day = |day: chrono::NaiveDate| match self.r#type.as_str() {
            "weekly" => day.weekday().number_from_sunday() == self.dow,
            "monthly" => day.day() == self.dom,
            "daily_alt_even" => day.day().is_multiple_of(2),
            "daily_alt_odd" => !day.day().is_multiple_of(2),
            _ => true,
        };
        let first = u64::from(now.hour() >= self.hour);
        let day = (first..=first + 31)
            .filter_map(|n| today.checked_add_days(Days::new(n)))
            .find(|day| is_day(*day));
        format!("{} {:02}:00:00", day.unwrap_or(today), self.hour)
    }
}
