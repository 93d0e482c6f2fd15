//! `/v2/monitoring/metrics/droplet/…`: Prometheus matrices, computed from the droplet's id and the time, so the same
//! question has the same answer. Only droplets made with `monitoring` have any.

use std::f64::consts::TAU;

use axum::{
    Json,
    extract::{Path, State as Shared},
    http::StatusCode,
};
use chrono::Utc;
use serde_json::{Value, json};

use super::{
    Answer, Sim,
    catalog::Size,
    error::Error,
    model::{Droplet, Shape},
    paging::Listing,
};

/// Seconds between two points of a short window.
const STEP: i64 = 120;

/// The most points a series has; long windows have longer steps.
const MAX_POINTS: i64 = 500;

/// How long a day's ups and downs take, in seconds.
const DAY: f64 = 86_400.0;

pub(super) async fn get(Shared(simulator): Sim, Path(metric): Path<String>, listing: Listing) -> Answer {
    let host = listing.query("host_id").ok_or_else(|| Error::bad_request("host_id is required"))?;
    let (start, end) = (moment(&listing, "start")?, moment(&listing, "end")?);
    if end < start {
        return Err(Error::bad_request("end must not be before start"));
    }
    let labels = Labels::read(&metric, &listing)?;
    let now = Utc::now();
    let state = simulator.state();
    let monitored = |d: &&Droplet| d.shape(now).features.iter().any(|feature| feature == "monitoring");
    let result = match state.droplet(&host, now).ok().filter(monitored) {
        Some(droplet) => {
            let moments = moments(start.max(droplet.active_at.timestamp()), end.min(now.timestamp()));
            series(&metric, droplet, droplet.shape(now), &labels, &moments).ok_or_else(Error::not_found)?
        }
        None => vec![],
    };
    Ok((
        StatusCode::OK,
        Json(json!({ "status": "success", "data": { "resultType": "matrix", "result": result } })),
    ))
}

fn moment(listing: &Listing, name: &str) -> Result<i64, Error> {
    let text = listing.query(name).ok_or_else(|| Error::bad_request(format!("{name} is required")))?;
    text.parse().map_err(|_| Error::bad_request(format!("{name} must be a UNIX timestamp")))
}

/// What bandwidth is asked for by.
#[derive(Debug, Default)]
struct Labels {
    interface: String,
    direction: String,
}

impl Labels {
    fn read(metric: &str, listing: &Listing) -> Result<Self, Error> {
        if metric != "bandwidth" {
            return Ok(Self::default());
        }
        let one_of = |name: &str, allowed: [&str; 2]| {
            let given = listing.query(name).filter(|given| allowed.contains(&given.as_str()));
            given.ok_or_else(|| Error::bad_request(format!("{name} must be one of {}", allowed.join(", "))))
        };
        Ok(Self {
            interface: one_of("interface", ["private", "public"])?,
            direction: one_of("direction", ["inbound", "outbound"])?,
        })
    }
}

/// The points of a window, aligned so that windows that overlap share theirs.
fn moments(start: i64, end: i64) -> Vec<i64> {
    let step = STEP * ((end - start) / (STEP * MAX_POINTS) + 1).max(1);
    let first = start.div_euclid(step) + i64::from(start.rem_euclid(step) > 0);
    (first..).map(|index| index * step).take_while(|at| *at <= end).collect()
}

fn series(
    metric: &str,
    droplet: &Droplet,
    shape: &Shape,
    labels: &Labels,
    moments: &[i64],
) -> Option<Vec<Value>> {
    let size = Size::find(&shape.size)?;
    let memory = f64::from(size.memory) * 1024.0 * 1024.0;
    let disk = f64::from(shape.disk_gb()) * 1024.0 * 1024.0 * 1024.0;
    let wave = |at: i64| Wave::of(droplet.id).at(at);
    let one = |more: Value, value: &dyn Fn(i64) -> f64| {
        let mut metric = json!({ "host_id": droplet.id.to_string() });
        if let (Some(metric), Value::Object(more)) = (metric.as_object_mut(), more) {
            metric.extend(more);
        }
        let values: Vec<_> = moments.iter().map(|at| json!([at, text(value(*at))])).collect();
        json!({ "metric": metric, "values": values })
    };
    let root = json!({ "device": "/dev/vda1", "fstype": "ext4", "mountpoint": "/" });
    Some(match metric {
        "cpu" => Mode::ALL
            .iter()
            .map(|mode| {
                let since = droplet.active_at.timestamp();
                let seconds = |at| mode.seconds(Wave::of(droplet.id), f64::from(size.vcpus), since, at);
                one(json!({ "mode": mode.name }), &seconds)
            })
            .collect(),
        "memory_total" => vec![one(json!({}), &|_| memory)],
        "memory_free" => vec![one(json!({}), &|at| memory * (0.35 - 0.2 * wave(at)))],
        "memory_available" => vec![one(json!({}), &|at| memory * (0.7 - 0.25 * wave(at)))],
        "memory_cached" => vec![one(json!({}), &|at| memory * (0.3 - 0.05 * wave(at)))],
        "load_1" => vec![one(json!({}), &|at| f64::from(size.vcpus) * (0.02 + 0.4 * wave(at)))],
        "load_5" => vec![one(json!({}), &|at| f64::from(size.vcpus) * (0.03 + 0.35 * wave(at)))],
        "load_15" => vec![one(json!({}), &|at| f64::from(size.vcpus) * (0.05 + 0.3 * wave(at)))],
        "filesystem_size" => vec![one(root, &|_| disk)],
        "filesystem_free" => vec![one(root, &|at| disk * (0.9 - 0.02 * wave(at)))],
        "bandwidth" => {
            let most = if labels.interface == "public" { 1.5 } else { 0.01 };
            let most = if labels.direction == "outbound" { most } else { most / 3.0 };
            let more = json!({ "interface": labels.interface, "direction": labels.direction });
            vec![one(more, &|at| most * (0.01 + wave(at)))]
        }
        _ => return None,
    })
}

fn text(value: f64) -> String {
    let hundredths = (value * 10_000.0).round() / 10_000.0;
    hundredths.to_string()
}

/// A day's ups and downs between 0 and 1, of a phase that follows from the droplet's id.
#[derive(Debug, Clone, Copy)]
struct Wave {
    phase: f64,
}

impl Wave {
    #[allow(clippy::cast_precision_loss, reason = "a phase needs none")]
    fn of(id: u64) -> Self {
        Self { phase: (id % 97) as f64 / 97.0 * TAU }
    }

    fn angle(self, at: i64) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "seconds since 1970 fit")]
        let seconds = at as f64;
        TAU * seconds / DAY + self.phase
    }

    fn at(self, at: i64) -> f64 {
        0.5 + 0.5 * self.angle(at).sin()
    }

    /// The integral of [`Self::at`] over time, in seconds.
    fn sum(self, from: i64, to: i64) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "seconds of a droplet's life fit")]
        let span = (to - from) as f64;
        0.5 * span + 0.5 * (DAY / TAU) * (self.angle(from).cos() - self.angle(to).cos())
    }
}

/// A way processors spend their time: a share always, and a share that goes with the wave.
#[derive(Debug)]
struct Mode {
    name: &'static str,
    always: f64,
    varying: f64,
}

impl Mode {
    /// The shares add up to 1, so the counters add up to the seconds there were.
    const ALL: [Self; 8] = [
        Self { name: "idle", always: 0.951, varying: -0.35 },
        Self { name: "iowait", always: 0.004, varying: 0.01 },
        Self { name: "irq", always: 0.0, varying: 0.0 },
        Self { name: "nice", always: 0.002, varying: 0.0 },
        Self { name: "softirq", always: 0.001, varying: 0.01 },
        Self { name: "steal", always: 0.002, varying: 0.0 },
        Self { name: "system", always: 0.01, varying: 0.06 },
        Self { name: "user", always: 0.03, varying: 0.27 },
    ];

    /// Seconds all processors together have spent this way, a counter that only grows.
    fn seconds(&self, wave: Wave, vcpus: f64, since: i64, at: i64) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "seconds of a droplet's life fit")]
        let span = (at - since) as f64;
        vcpus * (self.always * span + self.varying * wave.sum(since, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_counters_grow_and_add_up_to_the_time_there_was() {
        let wave = Wave::of(7);
        let at = |mode: &Mode, at| mode.seconds(wave, 2.0, 1_000, at);
        for (mode, hour) in Mode::ALL.iter().zip(1..) {
            let moment = 1_000 + hour * 3_600;
            assert!(at(mode, moment + 120) >= at(mode, moment), "{}", mode.name);
        }
        let all: f64 = Mode::ALL.iter().map(|mode| at(mode, 4_600)).sum();
        assert!((all - 7_200.0).abs() < 1e-6, "{all}");
    }

    #[test]
    fn windows_that_overlap_share_their_points() {
        assert_eq!(moments(100, 500), [120, 240, 360, 480]);
        assert_eq!(moments(130, 500), [240, 360, 480]);
        assert_eq!(moments(500, 100), [0; 0]);
        assert!(moments(0, 30 * 86_400).len() <= 500);
    }
}
