//! Pace and limits of the simulated account, changeable while it runs.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fault::MAX_SECONDS;

/// Pace and limits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    /// Seconds from create to `running`; with 0 the first read shows it running.
    pub boot_seconds: f64,
    /// Seconds an action takes.
    pub action_seconds: f64,
    /// Seconds a new Linode is missing from lists.
    pub listing_lag_seconds: f64,
    /// Whether the vendor's limits on calls are enforced.
    pub rate_limits: bool,
    /// How many Linodes the account may have; no limit without.
    pub account_limit: Option<u64>,
    /// Whether every call is answered 503 with `X-Maintenance-Mode`.
    pub maintenance: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            boot_seconds: 2.0,
            action_seconds: 1.0,
            listing_lag_seconds: 0.0,
            rate_limits: true,
            account_limit: Some(1000),
            maintenance: false,
        }
    }
}

/// What `POST /__sim/config` accepts: the settings to change.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    boot_seconds: Option<f64>,
    action_seconds: Option<f64>,
    listing_lag_seconds: Option<f64>,
    rate_limits: Option<bool>,
    /// A number; `null` or `false` lift the limit.
    #[serde(default, deserialize_with = "even_null")]
    account_limit: Option<Value>,
    maintenance: Option<bool>,
}

/// Tells a null from a field that is not there.
fn even_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Settings {
    pub(super) fn changed_by(&self, change: &Change) -> Result<Self, String> {
        let account_limit = match &change.account_limit {
            None => self.account_limit,
            Some(Value::Null | Value::Bool(false)) => None,
            Some(limit) => Some(
                limit
                    .as_u64()
                    .ok_or_else(|| format!("account_limit {limit} is neither a number nor null"))?,
            ),
        };
        Ok(Self {
            boot_seconds: seconds("boot_seconds", change.boot_seconds, self.boot_seconds)?,
            action_seconds: seconds("action_seconds", change.action_seconds, self.action_seconds)?,
            listing_lag_seconds: seconds(
                "listing_lag_seconds",
                change.listing_lag_seconds,
                self.listing_lag_seconds,
            )?,
            rate_limits: change.rate_limits.unwrap_or(self.rate_limits),
            account_limit,
            maintenance: change.maintenance.unwrap_or(self.maintenance),
        })
    }
}

fn seconds(name: &str, new: Option<f64>, old: f64) -> Result<f64, String> {
    match new {
        Some(seconds) if !(0.0..=MAX_SECONDS).contains(&seconds) => {
            Err(format!("{name} must be between 0 and {MAX_SECONDS}"))
        }
        new => Ok(new.unwrap_or(old)),
    }
}
