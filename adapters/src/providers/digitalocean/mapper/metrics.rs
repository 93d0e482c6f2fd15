//! From the vendor's Prometheus matrices to the lines of a chart.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::super::types::{Line, Metrics};
use crate::providers::Series;

/// Values by the second they were measured in.
type Measured = BTreeMap<i64, f64>;

/// Processors: the vendor tells for each way to spend time how many seconds were spent so, ever since the boot.
pub(in super::super) fn percent_busy(cpu: Metrics) -> Series {
    let mut all: BTreeMap<i64, f64> = BTreeMap::new();
    let mut idle: BTreeMap<i64, f64> = BTreeMap::new();
    for line in cpu.data.result {
        let is_idle = line.metric.get("mode").is_some_and(|mode| mode == "idle");
        for (at, seconds) in measured(line) {
            *all.entry(at).or_default() += seconds;
            if is_idle {
                *idle.entry(at).or_default() += seconds;
            }
        }
    }
    let points = all.iter().zip(all.iter().skip(1)).filter_map(|((before, all_before), (at, all_now))| {
        let spent = all_now - all_before;
        let idle = idle.get(at)? - idle.get(before)?;
        // Counters begin again at a boot.
        (spent > 0.0 && idle >= 0.0).then(|| (*at, 100.0 * (1.0 - idle / spent).clamp(0.0, 1.0)))
    });
    series("cpu", "percent", points)
}

/// Memory: what is not available, of all there is.
pub(in super::super) fn percent_used(total: Metrics, available: Metrics) -> Series {
    let total = only(total);
    let points = only(available).into_iter().filter_map(|(at, available)| {
        let total = total.get(&at).filter(|total| **total > 0.0)?;
        Some((at, 100.0 * (1.0 - available / total).clamp(0.0, 1.0)))
    });
    series("memory", "percent", points)
}

/// Traffic: the vendor tells megabits a second.
pub(in super::super) fn bytes_per_second(name: &str, bandwidth: Metrics) -> Series {
    let points = only(bandwidth).into_iter().map(|(at, megabits)| (at, megabits * 1_000_000.0 / 8.0));
    series(name, "bytes_per_second", points)
}

fn only(metrics: Metrics) -> Measured {
    metrics.data.result.into_iter().next().map(measured).unwrap_or_default()
}

/// The values that are numbers: Prometheus also writes `NaN`.
fn measured(line: Line) -> Measured {
    let number = |text: &str| text.parse().ok().filter(|value: &f64| value.is_finite());
    #[allow(clippy::cast_possible_truncation, reason = "seconds since 1970")]
    let point = |(at, text): (f64, String)| Some((at as i64, number(&text)?));
    line.values.into_iter().filter_map(point).collect()
}

fn series(name: &str, unit: &'static str, points: impl Iterator<Item = (i64, f64)>) -> Series {
    let at = |seconds: i64| DateTime::<Utc>::from_timestamp(seconds, 0);
    let points = points.filter_map(|(seconds, value)| Some((at(seconds)?, value))).collect();
    Series { name: name.to_owned(), unit, points }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matrix(lines: serde_json::Value) -> Metrics {
        let body = json!({ "status": "success", "data": { "resultType": "matrix", "result": lines } });
        serde_json::from_value(body).unwrap()
    }

    fn values(series: &Series) -> Vec<(i64, f64)> {
        series.points.iter().map(|(at, value)| (at.timestamp(), value.round())).collect()
    }

    #[test]
    fn busy_is_what_is_not_idle_between_two_points() {
        let series = percent_busy(matrix(json!([
            { "metric": { "host_id": "7", "mode": "idle" },
              "values": [[120, "1000"], [240, "1090"], [360, "1210"], [480, "5"], [600, "65"]] },
            { "metric": { "host_id": "7", "mode": "user" },
              "values": [[120, "50"], [240, "80"], [360, "80"], [480, "1"], [600, "61"]] },
        ])));
        assert_eq!((series.name.as_str(), series.unit), ("cpu", "percent"));
        // The counters began again before 480.
        assert_eq!(values(&series), [(240, 25.0), (360, 0.0), (600, 50.0)]);
    }

    #[test]
    fn used_memory_is_what_is_not_available() {
        let total = matrix(json!([{ "metric": {}, "values": [[120, "1000"], [240, "1000"]] }]));
        let available = matrix(json!([{ "metric": {}, "values": [[120, "250"], [240, "NaN"], [360, "9"]] }]));
        assert_eq!(values(&percent_used(total, available)), [(120, 75.0)]);
    }

    #[test]
    fn megabits_become_bytes() {
        let traffic = matrix(json!([{ "metric": { "direction": "inbound" }, "values": [[120.5, "0.016"]] }]));
        let series = bytes_per_second("inbound", traffic);
        assert_eq!(values(&series), [(120, 2_000.0)]);
        assert_eq!(values(&bytes_per_second("inbound", matrix(json!([])))), []);
    }
}
