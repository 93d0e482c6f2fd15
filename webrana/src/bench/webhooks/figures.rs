//! The figures and their two forms: a table for people, one JSON object for programs.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::{notifications::Taken, payer::Credited};
use crate::bench::{
    load::Run,
    samples::{Samples, rounded},
};

/// What was aimed at.
const AIM_P95_MS: f64 = 50.0;

/// Everything that was measured, in its raw form.
pub struct Measured {
    /// How many were under way at once.
    pub concurrency: usize,
    /// Payments that were notified of.
    pub payments: usize,
    /// What came of them in the books, which are sound.
    pub credits: Credited,
    /// The notifications.
    pub taken: Run<Taken>,
    /// As many bare inserts.
    pub inserts: Run<Duration>,
    /// As many bare requests.
    pub answers: Run<Duration>,
}

/// The figures. Rates are per second, times in milliseconds.
#[derive(Debug, Serialize)]
pub struct Figures {
    notifications: usize,
    duplicates: usize,
    concurrency: usize,
    credits: i64,
    per_s: f64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    first_p50_ms: f64,
    first_p95_ms: f64,
    duplicate_p50_ms: f64,
    duplicate_p95_ms: f64,
    insert_per_s: f64,
    insert_p50_ms: f64,
    insert_p95_ms: f64,
    livez_per_s: f64,
    livez_p50_ms: f64,
    livez_p95_ms: f64,
    ratio_to_inserts: f64,
}

impl From<Measured> for Figures {
    fn from(measured: Measured) -> Self {
        let Measured { concurrency, payments, credits, taken, inserts, answers } = measured;
        let times = |wanted: fn(&Taken) -> bool| -> Samples {
            taken.outcomes.iter().filter(|told| wanted(told)).map(|told| told.took).collect()
        };
        let (all, first) = (times(|_| true), times(|told| told.applied));
        let duplicate = times(|told| !told.applied);
        let (bare, life): (Samples, Samples) =
            (inserts.outcomes.iter().copied().collect(), answers.outcomes.iter().copied().collect());
        let (per_s, insert_per_s) = (taken.per_second(), inserts.per_second());
        Self {
            notifications: taken.outcomes.len(),
            duplicates: taken.outcomes.len().saturating_sub(payments),
            concurrency,
            credits: credits.movements,
            per_s: rounded(per_s),
            p50_ms: all.percentile_ms(50),
            p95_ms: all.percentile_ms(95),
            p99_ms: all.percentile_ms(99),
            first_p50_ms: first.percentile_ms(50),
            first_p95_ms: first.percentile_ms(95),
            duplicate_p50_ms: duplicate.percentile_ms(50),
            duplicate_p95_ms: duplicate.percentile_ms(95),
            insert_per_s: rounded(insert_per_s),
            insert_p50_ms: bare.percentile_ms(50),
            insert_p95_ms: bare.percentile_ms(95),
            livez_per_s: rounded(answers.per_second()),
            livez_p50_ms: life.percentile_ms(50),
            livez_p95_ms: life.percentile_ms(95),
            ratio_to_inserts: rounded(if insert_per_s > 0.0 { per_s / insert_per_s } else { 0.0 }),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} notifications, {} of them repetitions, {} at a time, every one answered with 200\n",
            self.notifications, self.duplicates, self.concurrency
        )?;
        let mut row = |what: &str, value: String, aim: &str| writeln!(f, "  {what:<38}{value:>26}   {aim}");
        row("credits in the books, which are sound", self.credits.to_string(), "aim: one per payment")?;
        row("notifications/s", format!("{:.1}", self.per_s), "")?;
        row("", "p50 / p95 / p99".to_owned(), "")?;
        let aim = format!("aim: p95 at most {AIM_P95_MS:.0} ms");
        row(
            "a notification",
            format!("{:.1} / {:.1} / {:.1} ms", self.p50_ms, self.p95_ms, self.p99_ms),
            &aim,
        )?;
        row("", "p50 / p95".to_owned(), "")?;
        let two = |p50: f64, p95: f64| format!("{p50:.1} / {p95:.1} ms");
        row("the first of a payment", two(self.first_p50_ms, self.first_p95_ms), "")?;
        row("a repetition", two(self.duplicate_p50_ms, self.duplicate_p95_ms), "")?;
        row("floor: one row, committed", two(self.insert_p50_ms, self.insert_p95_ms), "")?;
        row("floor: rows/s", format!("{:.1}", self.insert_per_s), "")?;
        row("floor: GET /livez", two(self.livez_p50_ms, self.livez_p95_ms), "")?;
        row("floor: GET /livez a second", format!("{:.1}", self.livez_per_s), "")?;
        row("notifications/s to rows/s", format!("{:.2}", self.ratio_to_inserts), "")
    }
}

#[cfg(test)]
mod tests {
    use domain::Rupiah;

    use super::*;

    #[test]
    fn the_json_has_the_promised_keys() {
        let took = |ms, applied| Taken { took: Duration::from_millis(ms), applied };
        let figures = Figures::from(Measured {
            concurrency: 2,
            payments: 2,
            credits: Credited { movements: 2, amount: Rupiah::new(20_000) },
            taken: Run {
                outcomes: vec![took(8, true), took(2, false), took(6, true)],
                elapsed: Duration::from_secs(1),
            },
            inserts: Run { outcomes: vec![Duration::from_millis(1); 3], elapsed: Duration::from_millis(500) },
            answers: Run::default(),
        });
        let json = serde_json::to_value(&figures).unwrap();
        for (key, value) in [
            ("notifications", 3.0),
            ("duplicates", 1.0),
            ("credits", 2.0),
            ("per_s", 3.0),
            ("p95_ms", 8.0),
            ("first_p50_ms", 6.0),
            ("duplicate_p95_ms", 2.0),
            ("insert_per_s", 6.0),
            ("ratio_to_inserts", 0.5),
            ("livez_p95_ms", 0.0),
        ] {
            assert_eq!(json[key].as_f64(), Some(value), "{key}");
        }
        assert!(figures.to_string().contains("aim: p95 at most 50 ms"));
    }
}
