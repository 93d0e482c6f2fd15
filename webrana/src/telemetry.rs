//! Logs: JSON for machines, text for people, to standard error or a file.

use crate::config::Config;
use crate::config::observability::LogFormat;
use anyhow::{Context, Result};
use std::fs::File;
use std::sync::Mutex;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

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
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.try_init(),
    }
    .map_err(|error| anyhow::anyhow!("logging cannot start: {error}"))
}
