//! The figures and their two forms: a table for people, one JSON object for programs.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::watch::Counts;
use crate::bench::samples::{Samples, rounded};

/// What was aimed at.
const AIM_SETTLED_S: f64 = 600.0;
const AIM_ACTION_MS: f64 = 250.0;

/// Everything that was measured, in its raw form.
pub struct Measured {
    /// A quarter of the servers.
    pub quarter: usize,
    /// From an action's request to the call of its provider, idle.
    pub actions: Samples,
    /// From the first end of a term until each server was renewed or suspended.
    pub settled_in: Duration,
    /// The same until those that nobody paid for were gone.
    pub gone_in: Option<Duration>,
    /// What became of all servers.
    pub counts: Counts,
    /// The most memory of the process that has everything but Postgres and the engine, MiB.
    pub memory_mb: Option<u64>,
}

/// The figures.
#[derive(Debug, Serialize)]
pub struct Figures {
    n: usize,
    renewed: i64,
    suspended: i64,
    terminated: i64,
    told: i64,
    charged: i64,
    settled_s: f64,
    gone_s: Option<f64>,
    action_p50_ms: f64,
    action_p95_ms: f64,
    memory_mb: Option<u64>,
}

impl From<Measured> for Figures {
    fn from(measured: Measured) -> Self {
        let Counts { renewed, suspended, terminated, told, charged, .. } = measured.counts;
        Self {
            n: 4 * measured.quarter,
            renewed,
            suspended,
            terminated,
            told,
            charged,
            settled_s: rounded(measured.settled_in.as_secs_f64()),
            gone_s: measured.gone_in.map(|took| rounded(took.as_secs_f64())),
            action_p50_ms: measured.actions.percentile_ms(50),
            action_p95_ms: measured.actions.percentile_ms(95),
            memory_mb: measured.memory_mb,
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} servers whose terms end within a minute\n", self.n)?;
        writeln!(f, "  renewed, each once              {:>12}", self.renewed)?;
        writeln!(f, "  suspended, each once            {:>12}", self.suspended)?;
        writeln!(f, "  gone                            {:>12}", self.terminated)?;
        writeln!(f, "  words of a term's end           {:>12}", self.told)?;
        writeln!(f, "  taken from balances             {:>12}   rupiah, exactly what was due", self.charged)?;
        writeln!(
            f,
            "  all renewed or suspended after  {:>12.1} s aim: at most {AIM_SETTLED_S:.0} s",
            self.settled_s
        )?;
        if let Some(gone) = self.gone_s {
            writeln!(f, "  the unpaid gone after           {gone:>12.1} s")?;
        }
        writeln!(
            f,
            "  an action's way to its provider: p50 {:.1} ms, p95 {:.1} ms   aim: p95 at most {AIM_ACTION_MS:.0} ms",
            self.action_p50_ms, self.action_p95_ms
        )?;
        if let Some(memory) = self.memory_mb {
            writeln!(
                f,
                "  memory, at most                 {memory:>12} MiB, with API, workers and simulators"
            )?;
        }
        Ok(())
    }
}
