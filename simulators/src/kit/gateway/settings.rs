//! Where notifications go and how stubbornly, changeable while the simulator runs.

use serde::{Deserialize, Serialize};

use crate::kit::setting::{even_null, seconds};

/// Where notifications go and how stubbornly.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    /// Where notifications are posted; nowhere without.
    pub notification_url: Option<String>,
    /// Seconds between a refused notification and its next try. Vendors wait minutes to hours.
    pub retry_interval_seconds: f64,
    /// Seconds the notified may take to answer.
    pub timeout_seconds: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { notification_url: None, retry_interval_seconds: 0.5, timeout_seconds: 15.0 }
    }
}

/// What `POST /__sim/config` accepts: the settings to change.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    /// A null turns notifications off.
    #[serde(default, deserialize_with = "even_null")]
    notification_url: Option<Option<String>>,
    retry_interval_seconds: Option<f64>,
    timeout_seconds: Option<f64>,
}

impl Settings {
    pub(crate) fn changed_by(&self, change: Change) -> Result<Self, String> {
        let notification_url = change.notification_url.unwrap_or_else(|| self.notification_url.clone());
        if let Some(url) = &notification_url
            && let Err(error) = url.parse::<reqwest::Url>()
        {
            return Err(format!("notification_url `{url}` is no URL: {error}"));
        }
        Ok(Self {
            notification_url,
            retry_interval_seconds: seconds(
                "retry_interval_seconds",
                change.retry_interval_seconds,
                self.retry_interval_seconds,
            )?,
            timeout_seconds: seconds("timeout_seconds", change.timeout_seconds, self.timeout_seconds)?,
        })
    }
}
