//! From the vendor's statistics to the lines of a chart.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Months as ByMonth, NaiveDate, TimeDelta, Utc};

use super::super::types::{Point, Stats};
use crate::providers::{MetricKind, MetricsQuery, Series};

/// The vendor's finest statistics cover so much of the past.
const DAY: TimeDelta = TimeDelta::hours(24);

/// The months whose statistics a question needs besides those of the last day, oldest first.
pub(in super::super) struct Months {
    next: NaiveDate,
    last: NaiveDate,
}

impl Months {
    pub(in super::super) fn of(query: &MetricsQuery, now: DateTime<Utc>) -> Self {
        let first = |at: DateTime<Utc>| at.date_naive().with_day(1).unwrap_or_default();
        // Up to where the last day takes over; what is newer than now has not been measured.
        let until = query.end.min(now - DAY);
        let begun = first(query.start);
        // Nobody keeps more; and it bounds the calls.
        let oldest = first(until) - ByMonth::new(2);
        if query.start >= now - DAY || begun > first(until) {
            return Self { next: NaiveDate::MAX, last: NaiveDate::MIN };
        }
        Self { next: begun.max(oldest), last: first(until) }
    }
}

impl Iterator for Months {
    type Item = (i32, u32);

    fn next(&mut self) -> Option<Self::Item> {
        if self.next > self.last {
            return None;
        }
        let month = (self.next.year(), self.next.month());
        self.next = self.next + ByMonth::new(1);
        Some(month)
    }
}

/// The lines of a chart, from statistics of several spans, coarse ones first: where two tell of one moment the later,
/// finer one counts.
pub(in super::super) fn to_series(spans: &[Stats], query: &MetricsQuery, vcpus: u32) -> Vec<Series> {
    let line = |name: &str, unit, read: &dyn Fn(&Stats) -> BTreeMap<i64, f64>| Series {
        name: name.to_owned(),
        unit,
        points: within(query, spans.iter().flat_map(read).collect()),
    };
    let processors = f64::from(vcpus.max(1));
    match query.kind {
        MetricKind::Cpu => {
            let percent = |value: f64| (value / processors).clamp(0.0, 100.0);
            vec![line("cpu", "percent", &|stats| scaled(&[&stats.cpu], percent))]
        }
        // The vendor counts blocks, reads and writes together.
        MetricKind::Disk => {
            vec![line("io", "operations_per_second", &|stats| scaled(&[&stats.io.io], |value| value))]
        }
        MetricKind::Network => {
            let bytes = |bits: f64| bits / 8.0;
            vec![
                line("inbound", "bytes_per_second", &|s| scaled(&[&s.netv4.r#in, &s.netv6.r#in], bytes)),
                line("outbound", "bytes_per_second", &|s| scaled(&[&s.netv4.out, &s.netv6.out], bytes)),
            ]
        }
        MetricKind::Memory => Vec::new(),
    }
}

/// Several of the vendor's lines added up, by the millisecond they were measured in.
fn scaled(lines: &[&[Point]], scale: impl Fn(f64) -> f64) -> BTreeMap<i64, f64> {
    let mut sum = BTreeMap::new();
    for (at, value) in lines.iter().copied().flatten() {
        let Some(value) = value.filter(|value| value.is_finite() && *value >= 0.0) else { continue };
        #[allow(clippy::cast_possible_truncation, reason = "milliseconds since 1970")]
        let at = *at as i64;
        *sum.entry(at).or_insert(0.0) += scale(value);
    }
    sum
}

fn within(query: &MetricsQuery, measured: BTreeMap<i64, f64>) -> Vec<(DateTime<Utc>, f64)> {
    let points = measured.into_iter().filter_map(|(at, v)| Some((DateTime::from_timestamp_millis(at)?, v)));
    points.filter(|(at, _)| (query.start..=query.end).contains(at)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::super::types::AnyStats, *};

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn query(kind: MetricKind, start: &str, end: &str) -> MetricsQuery {
        MetricsQuery { kind, start: at(start), end: at(end) }
    }

    fn months(start: &str, end: &str, now: &str) -> Vec<(i32, u32)> {
        Months::of(&query(MetricKind::Cpu, start, end), at(now)).collect()
    }

    #[test]
    fn months_are_asked_for_only_beyond_a_day() {
        let now = "2026-03-15T12:00:00Z";
        assert!(months("2026-03-14T13:00:00Z", now, now).is_empty());
        assert_eq!(months("2026-03-08T12:00:00Z", now, now), [(2026, 3)]);
        assert_eq!(months("2026-02-13T12:00:00Z", now, now), [(2026, 2), (2026, 3)]);
        assert_eq!(months("2025-12-31T12:00:00Z", "2026-01-01T06:00:00Z", now), [(2025, 12), (2026, 1)]);
        assert_eq!(months("2020-01-01T00:00:00Z", now, now).len(), 3, "there is an end to it");
        assert_eq!(
            months("2026-02-28T11:00:00Z", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
            [(2026, 2)]
        );
    }

    fn stats() -> Stats {
        serde_json::from_value(json!({
            "title": "linode.com - wb-1",
            "cpu": [[1_767_322_800_000_u64, 150.0], [1_767_323_100_000_u64, null], [1_767_323_400_000_u64, 20.0]],
            "io": { "io": [[1_767_322_800_000_u64, 3.5]], "swap": [] },
            "netv4": { "in": [[1_767_322_800_000_u64, 800.0]], "out": [], "private_in": [], "private_out": [] },
            "netv6": { "in": [[1_767_322_800_000_u64, 80.0]], "out": [], "private_in": [], "private_out": [] },
        }))
        .unwrap()
    }

    #[test]
    fn series_are_found_at_the_top_or_in_data() {
        let cpu = json!([[1_767_322_800_000_u64, 5.0]]);
        for body in [json!({ "title": "t", "cpu": cpu }), json!({ "title": "t", "data": { "cpu": cpu } })] {
            let answer: AnyStats = serde_json::from_value(body).unwrap();
            assert_eq!(Stats::from(answer).cpu, [(1_767_322_800_000.0, Some(5.0))]);
        }
    }

    fn values(series: &Series) -> Vec<f64> {
        series.points.iter().map(|(_, value)| *value).collect()
    }

    #[test]
    fn lines_are_in_our_units_and_within_the_question() {
        let (start, end) = ("2026-01-02T03:00:00Z", "2026-01-02T03:05:00Z");
        let read = |kind, vcpus| to_series(&[stats()], &query(kind, start, end), vcpus);
        assert_eq!(values(&read(MetricKind::Cpu, 2)[0]), [75.0], "of both processors; the rest is outside");
        let disk = read(MetricKind::Disk, 2);
        assert_eq!(
            (disk[0].name.as_str(), disk[0].unit, values(&disk[0])),
            ("io", "operations_per_second", vec![3.5])
        );
        let network = read(MetricKind::Network, 2);
        assert_eq!(
            (network[0].name.as_str(), values(&network[0])),
            ("inbound", vec![110.0]),
            "bytes of both kinds"
        );
        assert_eq!((network[1].name.as_str(), values(&network[1])), ("outbound", vec![]));
        assert!(to_series(&[Stats::default()], &query(MetricKind::Cpu, start, end), 0)[0].points.is_empty());
    }
}
