//! Times between moments, computed where the moments were noted: in the database. A process that subtracted a moment of
//! the database's from its own clock would be wrong by as much as the two clocks differ.

use std::time::Duration;

use sqlx::{
    Decode, Postgres, Type,
    error::BoxDynError,
    postgres::{PgTypeInfo, PgValueRef},
};

/// A time that the database computed between a moment it keeps and its own present: an age, or the time left until a
/// deadline. Selected as seconds (`extract(epoch FROM now() - noted_at)::float8`); less than nothing is nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Elapsed(Duration);

impl Elapsed {
    /// The time itself.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }

    /// What is still missing to `wanted`; `None` when so much is over.
    #[must_use]
    pub fn left_of(self, wanted: Duration) -> Option<Duration> {
        wanted.checked_sub(self.0).filter(|left| !left.is_zero())
    }

    fn from_seconds(seconds: f64) -> Self {
        Self(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX))
    }
}

impl Type<Postgres> for Elapsed {
    fn type_info() -> PgTypeInfo {
        <f64 as Type<Postgres>>::type_info()
    }
}

impl<'r> Decode<'r, Postgres> for Elapsed {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self::from_seconds(<f64 as Decode<Postgres>>::decode(value)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_nothing_once_it_is_over() {
        let elapsed = Elapsed::from_seconds;
        let wanted = Duration::from_secs(45);
        assert_eq!(elapsed(0.0).left_of(wanted), Some(wanted));
        assert_eq!(elapsed(44.5).left_of(wanted), Some(Duration::from_millis(500)));
        assert_eq!(elapsed(45.0).left_of(wanted), None);
        assert_eq!(elapsed(4_500.0).left_of(wanted), None);
    }

    #[test]
    fn less_than_nothing_is_nothing() {
        assert_eq!(Elapsed::from_seconds(-7.0), Elapsed::default());
        assert_eq!(Elapsed::from_seconds(f64::NAN), Elapsed::default());
        assert_eq!(Elapsed::from_seconds(f64::INFINITY).get(), Duration::MAX);
    }
}
