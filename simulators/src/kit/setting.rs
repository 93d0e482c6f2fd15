//! Single settings in what `POST /__sim/config` accepts.

use serde::{Deserialize, Deserializer};

use super::fault::MAX_SECONDS;

/// A time in seconds; as it was where nothing is said.
pub(crate) fn seconds(name: &str, new: Option<f64>, old: f64) -> Result<f64, String> {
    match new {
        Some(seconds) if !(0.0..=MAX_SECONDS).contains(&seconds) => {
            Err(format!("{name} must be between 0 and {MAX_SECONDS}"))
        }
        new => Ok(new.unwrap_or(old)),
    }
}

/// Tells a null from a field that is not there.
pub(crate) fn even_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
