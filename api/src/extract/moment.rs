//! A point in time as clients write it.

use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// What clients may name: years as RFC 3339 writes them, after the beginning of computers' time. The database and its
/// intervals can go on from either end.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=9999;

/// A point in time in a request, from 1970 to 9999. Use it wherever a client writes one: a bare [`DateTime`] reaches
/// farther than the database does. To the OpenAPI document it is one: `value_type = DateTime<Utc>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Moment(DateTime<Utc>);

impl Moment {
    /// The same for everybody else.
    #[must_use]
    pub const fn get(self) -> DateTime<Utc> {
        self.0
    }
}

impl From<Moment> for DateTime<Utc> {
    fn from(moment: Moment) -> Self {
        moment.0
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let at = DateTime::<Utc>::deserialize(deserializer)?;
        if YEARS.contains(&at.year()) {
            return Ok(Self(at));
        }
        let (first, last) = (YEARS.start(), YEARS.end());
        Err(D::Error::custom(format!("a time is from the year {first} to {last}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_beyond_what_anybody_means_are_refused() {
        let read = |text: &str| serde_json::from_value::<Moment>(text.into());
        for text in ["1970-01-01T00:00:00Z", "2026-11-29T08:00:00+07:00", "9999-12-31T23:59:59.999Z"] {
            let moment = read(text).unwrap();
            assert_eq!(moment.get(), text.parse::<DateTime<Utc>>().unwrap());
        }
        for text in [
            "-262143-01-01T00:00:00Z",
            "+262142-12-31T23:59:59Z",
            "1969-12-31T23:59:59Z",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59-01:00",
            "2026-11-29",
            "yesterday",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
