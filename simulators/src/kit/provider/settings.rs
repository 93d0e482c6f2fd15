//! Pace and limits of a simulated account, changeable while it runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kit::setting::{even_null, seconds};

const COMMON: [&str; 5] =
    ["boot_seconds", "action_seconds", "listing_lag_seconds", "rate_limits", "account_limit"];

/// Pace and limits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    /// Seconds from a create until the server has booted; with 0 the first read shows it so.
    pub boot_seconds: f64,
    /// Seconds an action takes.
    pub action_seconds: f64,
    /// Seconds a new server is missing from lists.
    pub listing_lag_seconds: f64,
    /// Whether the vendor's limits on calls are enforced.
    pub rate_limits: bool,
    /// How many servers the account may have; no limit without.
    pub account_limit: Option<u64>,
    /// What only this vendor's simulator can be switched to, by name; off at the start.
    #[serde(flatten)]
    pub switches: BTreeMap<&'static str, bool>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            boot_seconds: 2.0,
            action_seconds: 1.0,
            listing_lag_seconds: 0.0,
            rate_limits: true,
            account_limit: Some(1000),
            switches: BTreeMap::new(),
        }
    }
}

/// What `POST /__sim/config` accepts: the settings to change.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Change {
    boot_seconds: Option<f64>,
    action_seconds: Option<f64>,
    listing_lag_seconds: Option<f64>,
    rate_limits: Option<bool>,
    /// A number; `null` or `false` lift the limit.
    #[serde(default, deserialize_with = "even_null")]
    account_limit: Option<Value>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

impl Settings {
    /// The same with a vendor's own switches.
    pub(super) fn with_switches(mut self, names: &[&'static str]) -> Self {
        for name in names {
            self.switches.entry(name).or_insert(false);
        }
        self
    }

    /// Whether a switch is on.
    pub(crate) fn is_on(&self, switch: &str) -> bool {
        self.switches.get(switch).copied().unwrap_or_default()
    }

    pub(super) fn changed_by(&self, change: &Change) -> Result<Self, String> {
        Ok(Self {
            boot_seconds: seconds("boot_seconds", change.boot_seconds, self.boot_seconds)?,
            action_seconds: seconds("action_seconds", change.action_seconds, self.action_seconds)?,
            listing_lag_seconds: seconds(
                "listing_lag_seconds",
                change.listing_lag_seconds,
                self.listing_lag_seconds,
            )?,
            rate_limits: change.rate_limits.unwrap_or(self.rate_limits),
            account_limit: self.account_limit_after(change.account_limit.as_ref())?,
            switches: self.switches_after(&change.others)?,
        })
    }

    fn account_limit_after(&self, change: Option<&Value>) -> Result<Option<u64>, String> {
        match change {
            None => Ok(self.account_limit),
            Some(Value::Null | Value::Bool(false)) => Ok(None),
            Some(limit) => match limit.as_u64() {
                Some(limit) => Ok(Some(limit)),
                None => Err(format!("account_limit {limit} is neither a number nor null")),
            },
        }
    }

    fn switches_after(
        &self,
        others: &BTreeMap<String, Value>,
    ) -> Result<BTreeMap<&'static str, bool>, String> {
        let mut switches = self.switches.clone();
        for (name, value) in others {
            let Some(switch) = switches.get_mut(name.as_str()) else {
                return Err(self.unknown(name));
            };
            *switch = value.as_bool().ok_or_else(|| format!("{name} {value} is neither true nor false"))?;
        }
        Ok(switches)
    }

    fn unknown(&self, name: &str) -> String {
        let known = COMMON.iter().chain(self.switches.keys()).map(|known| format!("`{known}`"));
        format!("unknown field `{name}`, expected one of {}", known.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kit::control::parse;

    fn changed(change: Value) -> Result<Settings, String> {
        let settings = Settings::default().with_switches(&["asleep"]);
        settings.changed_by(&parse(change.to_string().as_bytes())?)
    }

    #[test]
    fn what_is_named_changes_and_the_rest_stays() {
        let settings = changed(json!({ "boot_seconds": 3, "account_limit": null, "asleep": true })).unwrap();
        let wanted = Settings { boot_seconds: 3.0, account_limit: None, ..Settings::default() };
        assert_eq!(settings, Settings { switches: BTreeMap::from([("asleep", true)]), ..wanted });
        assert!(settings.is_on("asleep") && !settings.is_on("awake"));
        assert_eq!(json!(settings)["asleep"], true, "a switch is shown among the others");
    }

    #[test]
    fn nonsense_is_named() {
        for (change, words) in [
            (json!({ "boot_second": 1 }), "unknown field `boot_second`, expected one of `boot_seconds`"),
            (json!({ "boot_seconds": -1 }), "boot_seconds must be between"),
            (json!({ "account_limit": "many" }), "neither a number nor null"),
            (json!({ "asleep": 1 }), "asleep 1 is neither true nor false"),
            (json!({ "rate_limits": 1 }), "expected a boolean"),
        ] {
            let refused = changed(change).unwrap_err();
            assert!(refused.contains(words), "{refused}");
        }
    }
}
