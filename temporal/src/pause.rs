//! Pauses between tries: each twice as long as the one before, and never the same for all processes at once.

use std::time::Duration;

use rand::Rng;

/// Growing pauses.
#[derive(Debug)]
pub(crate) struct Pauses {
    shortest: Duration,
    longest: Duration,
    next: Duration,
}

impl Pauses {
    /// From `shortest` to `longest`.
    pub(crate) const fn between(shortest: Duration, longest: Duration) -> Self {
        Self { shortest, longest, next: shortest }
    }

    /// The next one: between half of what is its turn and all of it.
    pub(crate) fn next(&mut self) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(self.longest);
        whole.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    /// What was tried went well for a while.
    pub(crate) const fn begin_again(&mut self) {
        self.next = self.shortest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_again() {
        let second = Duration::from_secs(1);
        let mut pauses = Pauses::between(second, second * 5);
        for whole in [1, 2, 4, 5, 5] {
            let pause = pauses.next();
            assert!(pause >= second * whole / 2 && pause <= second * whole, "{pause:?} of {whole} s");
        }
        pauses.begin_again();
        assert!(pauses.next() <= second);
    }
}
