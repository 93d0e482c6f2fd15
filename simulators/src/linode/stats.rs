//! `/v4/linode/instances/{id}/stats` and `/transfer`: series that look like a server's and follow from its id and
//! the time alone, so that the same question has the same answer.

use std::f64::consts::TAU;

use axum::{
    Json,
    extract::{Path, State as Shared},
};
use chrono::{DateTime, Datelike, TimeDelta, TimeZone, Utc};
use serde_json::{Value, json};

use super::{Answer, Sim, catalog::Type, error::Error, model::Linode};

const DAY: i64 = 86_400;

/// The last 24 hours, a point every five minutes.
pub(super) async fn day(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    const STEP: i64 = 300;
    let now = Utc::now();
    let state = simulator.state();
    let linode = state.linode(&id, now)?;
    let end = now.timestamp() / STEP * STEP;
    Ok(Json(stats(linode, "day (5 min avg)", end - DAY + STEP, end, STEP)))
}

/// A month, a point every two hours.
pub(super) async fn month(
    Shared(simulator): Sim,
    Path((id, year, month)): Path<(String, i32, u32)>,
) -> Answer {
    const STEP: i64 = 7_200;
    let now = Utc::now();
    let state = simulator.state();
    let linode = state.linode(&id, now)?;
    let (start, next) = span(year, month)?;
    if start > now {
        return Err(Error::bad_request("Stats are unavailable at this time."));
    }
    let end = next.min(now).timestamp();
    Ok(Json(stats(linode, "month (2 hour avg)", start.timestamp(), end, STEP)))
}

/// The first moments of a month and of the one after.
fn span(year: i32, month: u32) -> Result<(DateTime<Utc>, DateTime<Utc>), Error> {
    let first = |year: i32, month: u32| Utc.with_ymd_and_hms(year, month, 1, 0, 0, 0).single();
    if !(2000..=2037).contains(&year) {
        return Err(Error::field("year", "Must be 2000-2037"));
    }
    let start = first(year, month).ok_or_else(|| Error::field("month", "Must be 1-12"))?;
    let next = start + TimeDelta::days(31);
    let next = first(next.year(), next.month()).ok_or_else(Error::not_found)?;
    Ok((start, next))
}

fn stats(linode: &Linode, period: &str, start: i64, end: i64, step: i64) -> Value {
    let vcpus = Type::find(&linode.r#type).map_or(1.0, |kind| f64::from(kind.vcpus));
    let series = |kind: u32, top: f64| -> Vec<Value> {
        let moments = (0..).map(|i| start + i * step).take_while(|at| *at <= end);
        moments.map(|at| json!([at * 1000, value(linode.id, kind, at, top)])).collect()
    };
    let traffic = |kind: u32, top: f64| {
        json!({
            "in": series(kind, top),
            "out": series(kind + 1, top * 0.6),
            "private_in": series(kind + 2, 0.0),
            "private_out": series(kind + 3, 0.0),
        })
    };
    let data = json!({
        // Percent of one processor: two of them make 200.
        "cpu": series(0, 80.0 * vcpus),
        "io": { "io": series(1, 400.0), "swap": series(2, 1.0) },
        "netv4": traffic(10, 2_000_000.0),
        "netv6": traffic(20, 200_000.0),
    });
    // The vendor's document has the series at the top; the vendor's Go client and web client read them in `data`.
    let mut answer = data.clone();
    answer["title"] = format!("linode.com - {} (linode{}) - {period}", linode.label, linode.id).into();
    answer["data"] = data;
    answer
}

/// A daily wave with a little noise, between 0 and `top`.
fn value(id: u64, kind: u32, at: i64, top: f64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "the second of a day")]
    let phase = (at % DAY) as f64 / DAY as f64 + f64::from(kind) / 7.0;
    let noise = (id ^ u64::from(kind) << 40 ^ at.unsigned_abs()).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
    #[allow(clippy::cast_precision_loss, reason = "ten bits")]
    let noise = noise as f64 / 1024.0;
    let level = 0.25 + 0.2 * (TAU * phase).sin() + 0.3 * noise;
    (top * level * 100.0).round() / 100.0
}

/// GB used this month and what the type includes.
pub(super) async fn transfer(Shared(simulator): Sim, Path(id): Path<String>) -> Answer {
    let now = Utc::now();
    let state = simulator.state();
    let linode = state.linode(&id, now)?;
    let quota = Type::find(linode.type_at(now)).map_or(0, |kind| kind.transfer);
    Ok(Json(json!({ "used": 0, "quota": quota, "billable": 0 })))
}

pub(super) async fn transfer_of_month(
    Shared(simulator): Sim,
    Path((id, year, month)): Path<(String, i32, u32)>,
) -> Answer {
    let now = Utc::now();
    let state = simulator.state();
    let linode = state.linode(&id, now)?;
    let (start, next) = span(year, month)?;
    let lived = (next.min(now) - start.max(linode.created_at)).num_seconds().max(0).unsigned_abs();
    let (bytes_in, bytes_out) = (lived * 40_000, lived * 25_000);
    Ok(Json(json!({ "bytes_in": bytes_in, "bytes_out": bytes_out, "bytes_total": bytes_in + bytes_out })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_stay_in_their_bounds_and_repeat() {
        for at in (0..DAY).step_by(300) {
            let seen = value(52_557_263, 0, at, 80.0);
            assert!((0.0..=80.0).contains(&seen), "{seen}");
            assert!((seen - value(52_557_263, 0, at, 80.0)).abs() < f64::EPSILON);
        }
    }

    #[test]
    fn months_have_their_ends() {
        let (start, next) = span(2026, 12).unwrap();
        assert_eq!(
            (start.to_rfc3339(), next.to_rfc3339()),
            ("2026-12-01T00:00:00+00:00".into(), "2027-01-01T00:00:00+00:00".into())
        );
        assert!(span(2026, 13).is_err());
        assert!(span(1999, 1).is_err());
    }
}
