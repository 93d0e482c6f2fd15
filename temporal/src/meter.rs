//! The SDK's metrics among the product's own: named `temporal_…`, durations in seconds with the suffix `_seconds`, counters
//! with `_total`. Of each role's meter the role's pulse also hears when a poll for tasks came back.

use std::{collections::HashMap, error::Error, sync::Arc, time::Duration};

use temporalio_common::telemetry::metrics::{
    CoreMeter, Counter, CounterBase, Gauge, GaugeBase, GaugeF64, GaugeF64Base, Histogram, HistogramBase,
    HistogramDuration, HistogramDurationBase, HistogramF64, HistogramF64Base, MetricAttributable,
    MetricAttributes, MetricParameters, NewAttributes, UpDownCounter, UpDownCounterBase,
};

use crate::roles::Pulse;

/// What all names begin with.
const PREFIX: &str = "temporal_";
/// Counters of polls that came back from the engine, with a task or without.
const POLLS: [&str; 4] = [
    "workflow_task_queue_poll_succeed",
    "workflow_task_queue_poll_empty",
    "activity_task_received",
    "activity_poll_no_task",
];

/// A role's meter.
#[derive(Debug)]
pub(crate) struct Meter(pub(crate) Arc<Pulse>);

/// One metric; each set of labels is a value of its own.
struct Instrument {
    name: String,
    pulse: Option<Arc<Pulse>>,
}

impl Meter {
    fn instrument(&self, params: &MetricParameters, suffix: &str) -> Arc<Instrument> {
        let plain = params.name.trim_start_matches(PREFIX);
        let pulse = POLLS.contains(&plain).then(|| Arc::clone(&self.0));
        let suffix = if plain.ends_with(suffix) { "" } else { suffix };
        Arc::new(Instrument { name: format!("{PREFIX}{plain}{suffix}"), pulse })
    }
}

impl CoreMeter for Meter {
    fn new_attributes(&self, attribs: NewAttributes) -> MetricAttributes {
        MetricAttributes::NoOp(Arc::new(attribs.into()))
    }

    fn extend_attributes(&self, existing: MetricAttributes, attribs: NewAttributes) -> MetricAttributes {
        let mut labels = labels(&existing).cloned().unwrap_or_default();
        labels.extend(HashMap::<String, String>::from(attribs));
        MetricAttributes::NoOp(Arc::new(labels))
    }

    fn counter(&self, params: MetricParameters) -> Counter {
        Counter::new(self.instrument(&params, "_total"))
    }

    fn histogram(&self, params: MetricParameters) -> Histogram {
        Histogram::new(self.instrument(&params, ""))
    }

    fn histogram_f64(&self, params: MetricParameters) -> HistogramF64 {
        HistogramF64::new(self.instrument(&params, ""))
    }

    fn histogram_duration(&self, params: MetricParameters) -> HistogramDuration {
        HistogramDuration::new(self.instrument(&params, "_seconds"))
    }

    fn gauge(&self, params: MetricParameters) -> Gauge {
        Gauge::new(self.instrument(&params, ""))
    }

    fn gauge_f64(&self, params: MetricParameters) -> GaugeF64 {
        GaugeF64::new(self.instrument(&params, ""))
    }

    fn up_down_counter(&self, params: MetricParameters) -> UpDownCounter {
        UpDownCounter::new(self.instrument(&params, ""))
    }
}

fn labels(attributes: &MetricAttributes) -> Option<&HashMap<String, String>> {
    match attributes {
        MetricAttributes::NoOp(labels) => Some(labels),
        _ => None,
    }
}

impl Instrument {
    /// In an order of their own, so that equal sets are one.
    fn labels(attributes: &MetricAttributes) -> Vec<(String, String)> {
        let labels = labels(attributes).into_iter().flatten();
        let mut labels: Vec<_> = labels.map(|(key, value)| (key.clone(), value.clone())).collect();
        labels.sort_unstable();
        labels
    }
}

struct Counting {
    value: metrics::Counter,
    pulse: Option<Arc<Pulse>>,
}

struct Measuring(metrics::Gauge);

struct Sampling(metrics::Histogram);

impl CounterBase for Counting {
    fn adds(&self, value: u64) {
        self.value.increment(value);
        if let Some(pulse) = &self.pulse {
            pulse.beat();
        }
    }
}

impl GaugeBase for Measuring {
    #[allow(clippy::cast_precision_loss, reason = "a gauge is a float")]
    fn records(&self, value: u64) {
        self.0.set(value as f64);
    }
}

impl GaugeF64Base for Measuring {
    fn records(&self, value: f64) {
        self.0.set(value);
    }
}

impl UpDownCounterBase for Measuring {
    #[allow(clippy::cast_precision_loss, reason = "a gauge is a float")]
    fn adds(&self, value: i64) {
        self.0.increment(value as f64);
    }
}

impl HistogramBase for Sampling {
    #[allow(clippy::cast_precision_loss, reason = "a sample is a float")]
    fn records(&self, value: u64) {
        self.0.record(value as f64);
    }
}

impl HistogramF64Base for Sampling {
    fn records(&self, value: f64) {
        self.0.record(value);
    }
}

impl HistogramDurationBase for Sampling {
    fn records(&self, value: Duration) {
        self.0.record(value.as_secs_f64());
    }
}

macro_rules! bound {
    ($($base:ident => |$instrument:ident, $labels:ident| $value:expr;)*) => {$(
        impl MetricAttributable<Box<dyn $base>> for Instrument {
            fn with_attributes(&self, attributes: &MetricAttributes) -> Result<Box<dyn $base>, Box<dyn Error>> {
                let ($instrument, $labels) = (self, &Self::labels(attributes));
                Ok(Box::new($value))
            }
        }
    )*};
}

bound! {
    CounterBase => |it, labels| Counting {
        value: metrics::counter!(it.name.clone(), labels),
        pulse: it.pulse.clone(),
    };
    GaugeBase => |it, labels| Measuring(metrics::gauge!(it.name.clone(), labels));
    GaugeF64Base => |it, labels| Measuring(metrics::gauge!(it.name.clone(), labels));
    UpDownCounterBase => |it, labels| Measuring(metrics::gauge!(it.name.clone(), labels));
    HistogramBase => |it, labels| Sampling(metrics::histogram!(it.name.clone(), labels));
    HistogramF64Base => |it, labels| Sampling(metrics::histogram!(it.name.clone(), labels));
    HistogramDurationBase => |it, labels| Sampling(metrics::histogram!(it.name.clone(), labels));
}
