//! Logs: JSON for machines, text for people, to standard error or a file. What is an alert is counted as well.

use crate::config::Config;
use crate::config::observability::LogFormat;
use anyhow::{Context, Result};
use std::fs::File;
use std::sync::Mutex;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::{Context as LayerContext, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging, to `file` or else to standard error.
///
/// # Errors
/// When the filter cannot be read, or logging was started before.
pub fn start(config: &Config, file: Option<File>) -> Result<()> {
    let filter = &config.observability.log;
    let filter = EnvFilter::try_new(filter).with_context(|| {
        format!("WEBRANA_LOG is `{filter}`, which is neither a level nor levels by module")
    })?;
    let format = config.observability.log_format.unwrap_or(if config.general.is_production() {
        LogFormat::Json
    } else {
        LogFormat::Text
    });
    let colours = file.is_none() && std::io::IsTerminal::is_terminal(&std::io::stderr());
    let writer = match file {
        Some(file) => BoxMakeWriter::new(Mutex::new(file)),
        None => BoxMakeWriter::new(std::io::stderr),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(colours);
    match format {
        LogFormat::Json => builder.json().flatten_event(true).finish().with(AlertCounter).try_init(),
        LogFormat::Text => builder.finish().with(AlertCounter).try_init(),
    }
    .map_err(|error| anyhow::anyhow!("logging cannot start: {error}"))
}

/// Counts what is logged with the field `alert` as `alerts_total`, by its name.
struct AlertCounter;

impl<S: Subscriber> Layer<S> for AlertCounter {
    fn on_event(&self, event: &Event<'_>, _: LayerContext<'_, S>) {
        let mut alert = AlertName::default();
        event.record(&mut alert);
        if let Some(name) = alert.0 {
            metrics::counter!("alerts_total", "alert" => name).increment(1);
        }
    }
}

/// The name of an alert, of an event that is one.
#[derive(Default)]
struct AlertName(Option<String>);

impl Visit for AlertName {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "alert" {
            self.0 = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics_exporter_prometheus::PrometheusBuilder;

    #[test]
    fn alerts_are_counted_by_their_name_and_other_lines_are_not() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let subscriber = tracing_subscriber::registry().with(AlertCounter);
        metrics::with_local_recorder(&recorder, || {
            tracing::subscriber::with_default(subscriber, || {
                tracing::error!(alert = "ledger.unsound", broken = 1, "the books are not sound");
                tracing::error!(alert = "ledger.unsound", broken = 2, "the books are not sound");
                tracing::info!(event = "ledger.sound", "the books are sound");
            });
        });
        let counted = recorder.handle().render();
        assert!(counted.contains(r#"alerts_total{alert="ledger.unsound"} 2"#), "{counted}");
        assert!(!counted.contains("ledger.sound\""), "{counted}");
    }
}
