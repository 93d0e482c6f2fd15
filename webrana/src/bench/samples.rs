//! Durations and what is told of them.

use std::time::Duration;

/// Three digits after the point are more than any run repeats.
pub fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// Durations, shortest first.
pub struct Samples(Vec<Duration>);

impl FromIterator<Duration> for Samples {
    fn from_iter<I: IntoIterator<Item = Duration>>(durations: I) -> Self {
        let mut sorted: Vec<Duration> = durations.into_iter().collect();
        sorted.sort_unstable();
        Self(sorted)
    }
}

impl Samples {
    /// The shortest duration that at least `percent` of all do not exceed (nearest rank), in milliseconds; 0 when there
    /// are none.
    pub fn percentile_ms(&self, percent: usize) -> f64 {
        let rank = (percent * self.0.len()).div_ceil(100).max(1);
        self.0.get(rank - 1).map_or(0.0, |duration| rounded(duration.as_secs_f64() * 1000.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(milliseconds: impl IntoIterator<Item = u64>) -> Samples {
        milliseconds.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn percentiles_are_members_of_the_sample() {
        let hundred = samples((1..=100).rev());
        let at = |percent| hundred.percentile_ms(percent);
        assert_eq!([at(50), at(95), at(99), at(100)], [50.0, 95.0, 99.0, 100.0]);
        let few = samples([30, 10, 20]);
        assert_eq!([few.percentile_ms(50), few.percentile_ms(95)], [20.0, 30.0]);
        assert_eq!(samples([7]).percentile_ms(50), 7.0);
        assert_eq!(samples([]).percentile_ms(95), 0.0);
    }
}
