//! The figures and their two forms: a table for people, one JSON object for programs.

use std::{fmt, time::Duration};

use anyhow::ensure;
use serde::Serialize;

use super::told::Outcome;
use crate::bench::samples::rounded;

/// What was aimed at.
const AIM_IDLE_MB: f64 = 300.0;
const AIM_P95_MS: f64 = 100.0;

/// Everything that was measured, in its raw form. Memory is in KiB.
pub struct Measured {
    /// Connections that nothing was said to.
    pub idle: usize,
    /// Memory of the API before they were opened.
    pub memory_before: u64,
    /// The same while they were open.
    pub memory_idle: u64,
    /// The most it had, to the end of everything.
    pub memory_peak: u64,
    /// Connections whose owners were told something every second.
    pub clients: usize,
    /// How long they were told.
    pub sent_in: Duration,
    /// What came of it.
    pub outcome: Outcome,
}

/// The figures. Times are in milliseconds.
#[derive(Debug, Serialize)]
pub struct Figures {
    idle: usize,
    memory_before_mb: f64,
    memory_idle_mb: f64,
    memory_peak_mb: f64,
    idle_kib_each: f64,
    clients: usize,
    told: usize,
    told_per_s: f64,
    lost: usize,
    doubled: usize,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    commit_p50_ms: f64,
    commit_p95_ms: f64,
}

impl From<Measured> for Figures {
    #[allow(clippy::cast_precision_loss, reason = "kibibytes and counts are far below what a float holds")]
    fn from(measured: Measured) -> Self {
        let mb = |kib: u64| rounded(kib as f64 / 1024.0);
        let more = measured.memory_idle.saturating_sub(measured.memory_before);
        let Outcome { told, lost, doubled, heard, commits } = measured.outcome;
        Self {
            idle: measured.idle,
            memory_before_mb: mb(measured.memory_before),
            memory_idle_mb: mb(measured.memory_idle),
            memory_peak_mb: mb(measured.memory_peak),
            idle_kib_each: rounded(more as f64 / measured.idle.max(1) as f64),
            clients: measured.clients,
            told,
            told_per_s: rounded(told as f64 / measured.sent_in.as_secs_f64().max(1.0)),
            lost,
            doubled,
            p50_ms: heard.percentile_ms(50),
            p95_ms: heard.percentile_ms(95),
            p99_ms: heard.percentile_ms(99),
            commit_p50_ms: commits.percentile_ms(50),
            commit_p95_ms: commits.percentile_ms(95),
        }
    }
}

impl Figures {
    /// Fails when something was not told once.
    ///
    /// # Errors
    /// Says how much.
    pub fn refuse_unless_exact(&self) -> anyhow::Result<()> {
        ensure!(self.lost == 0, "{} of {} were told to nobody", self.lost, self.told);
        ensure!(self.doubled == 0, "{} of {} were told more than once", self.doubled, self.told);
        Ok(())
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} connections that nothing is said to, then {} with a message each a second\n",
            self.idle, self.clients
        )?;
        let mut row = |what: &str, value: String, aim: &str| writeln!(f, "  {what:<36}{value:>26}   {aim}");
        row("the API's memory without them", format!("{:.1} MiB", self.memory_before_mb), "")?;
        let aim = format!("aim: at most {AIM_IDLE_MB:.0} MiB for 10,000");
        row("with them", format!("{:.1} MiB", self.memory_idle_mb), &aim)?;
        row("a connection", format!("{:.1} KiB", self.idle_kib_each), "")?;
        row("at most, to the end", format!("{:.1} MiB", self.memory_peak_mb), "")?;
        row("messages, a second", format!("{}, {:.1}", self.told, self.told_per_s), "")?;
        row("lost, told twice", format!("{}, {}", self.lost, self.doubled), "aim: none")?;
        row("", "p50 / p95 / p99".to_owned(), "")?;
        let aim = format!("aim: p95 at most {AIM_P95_MS:.0} ms");
        let heard = format!("{:.1} / {:.1} / {:.1} ms", self.p50_ms, self.p95_ms, self.p99_ms);
        row("from sending the commit to hearing", heard, &aim)?;
        row(
            "the commit alone: p50/p95",
            format!("{:.1} / {:.1} ms", self.commit_p50_ms, self.commit_p95_ms),
            "",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::samples::Samples;

    #[test]
    fn what_was_not_told_once_is_refused() {
        let figures = |lost, doubled| {
            let samples = |ms: [u64; 2]| -> Samples { ms.into_iter().map(Duration::from_millis).collect() };
            let outcome =
                Outcome { told: 2, lost, doubled, heard: samples([8, 4]), commits: samples([1, 2]) };
            Figures::from(Measured {
                idle: 10,
                memory_before: 10 * 1024,
                memory_idle: 10 * 1024 + 100,
                memory_peak: 20 * 1024,
                clients: 2,
                sent_in: Duration::from_secs(2),
                outcome,
            })
        };
        let fine = figures(0, 0);
        let json = serde_json::to_value(&fine).unwrap();
        for (key, value) in
            [("idle_kib_each", 10.0), ("p95_ms", 8.0), ("commit_p50_ms", 1.0), ("told_per_s", 1.0)]
        {
            assert_eq!(json[key].as_f64(), Some(value), "{key}");
        }
        assert!(fine.to_string().contains("aim: p95 at most 100 ms"));
        assert!(fine.refuse_unless_exact().is_ok());
        assert!(figures(1, 0).refuse_unless_exact().is_err() && figures(0, 1).refuse_unless_exact().is_err());
    }
}
