//! What was done and how long it took.

use std::time::{Duration, Instant};

/// The steps so far.
#[derive(Default)]
pub struct Report {
    steps: Vec<(&'static str, Duration, bool)>,
}

impl Report {
    /// Does a step, saying so and how long it took.
    pub fn step<T>(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<T, String>,
    ) -> Result<T, String> {
        println!("verify: {name} …");
        let started = Instant::now();
        let outcome = work();
        let took = started.elapsed();
        self.steps.push((name, took, outcome.is_ok()));
        println!("verify: {name} {} in {:.1} s", word(outcome.is_ok()), took.as_secs_f32());
        outcome.map_err(|failure| format!("{name}: {failure}"))
    }

    /// All steps with their times.
    pub fn print_summary(&self) {
        println!("\nverify: summary");
        for (name, took, passed) in &self.steps {
            println!("  {name:<26} {:>7.1} s  {}", took.as_secs_f32(), word(*passed));
        }
        let total: Duration = self.steps.iter().map(|(_, took, _)| *took).sum();
        println!("  {:<26} {:>7.1} s", "total", total.as_secs_f32());
    }
}

fn word(passed: bool) -> &'static str {
    if passed { "done" } else { "FAILED" }
}
