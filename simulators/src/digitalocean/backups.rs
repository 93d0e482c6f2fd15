//! Backups: their policies, `/v2/droplets/{id}/backups` and what is under `/v2/droplets/backups`.

use axum::{
    Json,
    extract::{Path, State as Shared},
    http::StatusCode,
};
use chrono::{DateTime, Datelike, Days, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    Answer, Sim,
    error::Error,
    model::{Droplet, Snapshot, SnapshotKind},
    paging::Listing,
    show::stamp,
    state::State,
};

const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const HOURS: [u32; 6] = [0, 4, 8, 12, 16, 20];
const WINDOW_HOURS: i64 = 4;

/// When a droplet's backups are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Policy {
    /// Index into [`WEEKDAYS`]; every day without.
    weekday: Option<u32>,
    hour: u32,
}

/// A policy as asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Wish {
    plan: Option<String>,
    weekday: Option<String>,
    hour: Option<u32>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { weekday: Some(0), hour: 20 }
    }
}

impl Wish {
    pub(super) fn check(&self) -> Result<Policy, Error> {
        let refuse = |what: &str| Err(Error::unprocessable(format!("backup policy has an invalid {what}")));
        let hour = self.hour.unwrap_or_default();
        if !HOURS.contains(&hour) {
            return refuse("hour");
        }
        let weekday = self.weekday.as_deref().unwrap_or("SUN");
        let weekday = WEEKDAYS.iter().position(|day| *day == weekday);
        match (self.plan.as_deref(), weekday) {
            (Some("daily"), _) => Ok(Policy { weekday: None, hour }),
            (Some("weekly"), Some(day)) => Ok(Policy { weekday: u32::try_from(day).ok(), hour }),
            (Some("weekly"), None) => refuse("weekday"),
            _ => refuse("plan"),
        }
    }
}

impl Policy {
    /// The next window that begins after `now`.
    pub(super) fn next_window(&self, now: DateTime<Utc>) -> Value {
        let today = now.date_naive().and_hms_opt(self.hour, 0, 0).map(|start| start.and_utc());
        let start = (0..=7)
            .filter_map(|days| today?.checked_add_days(Days::new(days)))
            .filter(|start| self.weekday.is_none_or(|day| start.weekday().num_days_from_sunday() == day))
            .find(|start| *start > now);
        json!({
            "start": start.map(stamp),
            "end": start.map(|start| stamp(start + TimeDelta::hours(WINDOW_HOURS))),
        })
    }

    fn body(&self) -> Value {
        match self.weekday {
            None => json!({
                "plan": "daily",
                "hour": self.hour,
                "window_length_hours": WINDOW_HOURS,
                "retention_period_days": 7,
            }),
            Some(day) => json!({
                "plan": "weekly",
                "weekday": WEEKDAYS[day as usize % WEEKDAYS.len()],
                "hour": self.hour,
                "window_length_hours": WINDOW_HOURS,
                "retention_period_days": 28,
            }),
        }
    }
}

impl State {
    /// The backups of a droplet.
    pub(super) fn backups(&self, droplet: u64) -> impl Iterator<Item = &Snapshot> {
        self.snapshots.values().filter(move |s| s.droplet == droplet && s.kind == SnapshotKind::Backup)
    }
}

pub(super) async fn list_of_droplet(
    Shared(simulator): Sim,
    Path(id): Path<String>,
    listing: Listing,
) -> Answer {
    let now = Utc::now();
    let state = simulator.state();
    let droplet = state.droplet(&id, now)?.id;
    let backups: Vec<_> = state.backups(droplet).filter(|s| s.available_at <= now).collect();
    Ok((StatusCode::OK, Json(listing.answer("backups", backups.iter().map(|b| b.of_droplet_body())))))
}

pub(super) async fn policy(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    let now = Utc::now();
    let state = simulator.state();
    Ok((StatusCode::OK, Json(json!({ "policy": record(state.droplet(&id, now)?, now) }))))
}

/// By the droplet's id.
pub(super) async fn policies(Shared(simulator): Sim, listing: Listing) -> Json<Value> {
    let now = Utc::now();
    let state = simulator.state();
    let mut answer = listing.answer("policies", state.droplets.values().map(|d| record(d, now)));
    let records = answer["policies"].as_array().cloned().unwrap_or_default();
    let by_droplet: Map<_, _> = records.into_iter().map(|r| (r["droplet_id"].to_string(), r)).collect();
    answer["policies"] = by_droplet.into();
    Json(answer)
}

fn record(droplet: &Droplet, now: DateTime<Utc>) -> Value {
    match &droplet.shape(now).backups {
        None => json!({ "droplet_id": droplet.id, "backup_enabled": false }),
        Some(policy) => json!({
            "droplet_id": droplet.id,
            "backup_enabled": true,
            "backup_policy": policy.body(),
            "next_backup_window": policy.next_window(now),
        }),
    }
}

pub(super) async fn supported_policies() -> Json<Value> {
    let policy = |name: &str, retention_days: u32, days: &[&str]| {
        json!({
            "name": name,
            "possible_window_starts": HOURS,
            "window_length_hours": WINDOW_HOURS,
            "retention_period_days": retention_days,
            "possible_days": days,
        })
    };
    Json(json!({ "supported_policies": [policy("daily", 7, &[]), policy("weekly", 28, &WEEKDAYS)] }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(plan: &str, weekday: Option<&str>, hour: u32) -> Result<Policy, Error> {
        Wish { plan: Some(plan.to_owned()), weekday: weekday.map(str::to_owned), hour: Some(hour) }.check()
    }

    #[test]
    fn the_next_window_is_on_the_day_at_the_hour() {
        // A Saturday.
        let now = DateTime::parse_from_rfc3339("2026-01-03T09:30:00Z").unwrap().to_utc();
        let starts = |policy: Policy| policy.next_window(now)["start"].as_str().unwrap().to_owned();
        assert_eq!(starts(wish("daily", None, 8).unwrap()), "2026-01-04T08:00:00Z");
        assert_eq!(starts(wish("daily", None, 12).unwrap()), "2026-01-03T12:00:00Z");
        assert_eq!(starts(wish("weekly", Some("SAT"), 8).unwrap()), "2026-01-10T08:00:00Z");
        assert_eq!(starts(Policy::default()), "2026-01-04T20:00:00Z");
    }

    #[test]
    fn a_policy_keeps_to_the_vendors_windows() {
        for bad in [wish("hourly", None, 0), wish("daily", None, 3), wish("weekly", Some("Sunday"), 0)] {
            assert!(bad.is_err());
        }
    }
}
