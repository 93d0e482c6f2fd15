//! `/v2/instances/{id}/bandwidth`: the only thing the vendor measures. A day's traffic follows from the instance and
//! the day, so asking again gives the same.

use axum::{
    Json,
    extract::{Path, State as Shared},
    http::StatusCode,
};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Answer, Sim, instance::Instance};

/// Days the vendor remembers.
const DAYS: u64 = 30;

/// Least and most that arrives in a day, in bytes.
const INCOMING: (u64, u64) = (40_000_000, 900_000_000);

pub(super) async fn get(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    let now = Utc::now();
    let state = simulator.state();
    Ok((StatusCode::OK, Json(json!({ "bandwidth": series(state.instance(&id, now)?, now) }))))
}

/// A day by day account of the instance's life, thirty days at most, the last one unfinished.
fn series(instance: &Instance, now: DateTime<Utc>) -> Map<String, Value> {
    let today = now.date_naive();
    let oldest = today.checked_sub_days(Days::new(DAYS - 1)).unwrap_or(today);
    let first = instance.created_at.date_naive().max(oldest);
    let days = first.iter_days().take_while(|day| *day <= today);
    days.map(|day| (day.to_string(), traffic(instance, day, now))).collect()
}

fn traffic(instance: &Instance, day: NaiveDate, now: DateTime<Utc>) -> Value {
    let midnight = day.and_time(NaiveTime::MIN).and_utc();
    let (from, to) = (instance.created_at.max(midnight), now.min(midnight + TimeDelta::days(1)));
    let lived = u64::try_from((to - from).num_seconds()).unwrap_or_default();
    let (incoming, outgoing) = whole_day(instance.id, day);
    json!({ "incoming_bytes": incoming / 86_400 * lived, "outgoing_bytes": outgoing / 86_400 * lived })
}

fn whole_day(id: Uuid, day: NaiveDate) -> (u64, u64) {
    let digest = Sha256::digest(format!("{id} {day}"));
    let (least, most) = INCOMING;
    let number = |at: usize| u64::from(u16::from_be_bytes([digest[at], digest[at + 1]]));
    let incoming = least + (most - least) / u64::from(u16::MAX) * number(0);
    // Servers send more than they receive: half as much again, up to three times as much.
    let outgoing = incoming / 100 * (150 + number(2) % 150);
    (incoming, outgoing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_is_the_same_each_time_and_differs_by_day_and_instance() {
        let day = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (incoming, outgoing) = whole_day(one, day);
        assert_eq!(whole_day(one, day), (incoming, outgoing));
        assert_ne!(whole_day(two, day).0, incoming);
        assert_ne!(whole_day(one, day.succ_opt().unwrap()).0, incoming);
        assert!((INCOMING.0..=INCOMING.1).contains(&incoming) && outgoing > incoming);
    }
}
