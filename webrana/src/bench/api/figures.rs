//! The figures and their two forms: a table for people, one JSON object for programs.

use std::fmt;

use serde::Serialize;

use super::load::Asked;
use crate::bench::samples::{Samples, rounded};

/// What was aimed at: to the bare route, and to the bare query.
const AIM_RATIO: f64 = 0.7;

/// Everything that was measured, in its raw form.
pub struct Measured {
    /// Connections that read.
    pub connections: usize,
    /// Connections that logged in.
    pub logins: usize,
    /// A route that does nothing.
    pub bare: Asked,
    /// The catalog.
    pub catalog: Asked,
    /// A query of one row.
    pub row: Asked,
    /// A page of orders.
    pub orders: Asked,
    /// A page of notifications.
    pub notifications: Asked,
    /// Logins.
    pub login: Asked,
    /// Most memory of the process, in MiB: API, simulators and the asking client together.
    pub memory_mb: Option<u64>,
}

/// Of one kind of request. Rates are per second, times in milliseconds.
#[derive(Debug, Serialize)]
pub struct Kind {
    per_s: f64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    turned_away: usize,
    errors: usize,
}

impl From<&Asked> for Kind {
    fn from(asked: &Asked) -> Self {
        let took: Samples = asked.took.iter().copied().collect();
        Self {
            per_s: rounded(asked.per_second()),
            p50_ms: took.percentile_ms(50),
            p95_ms: took.percentile_ms(95),
            p99_ms: took.percentile_ms(99),
            turned_away: asked.turned_away,
            errors: asked.errors.values().sum(),
        }
    }
}

/// The figures.
#[derive(Debug, Serialize)]
pub struct Figures {
    connections: usize,
    logins_at_once: usize,
    bare: Kind,
    catalog: Kind,
    row: Kind,
    orders: Kind,
    notifications: Kind,
    login: Kind,
    catalog_to_bare: f64,
    orders_to_row: f64,
    notifications_to_row: f64,
    memory_mb: Option<u64>,
}

impl From<Measured> for Figures {
    fn from(measured: Measured) -> Self {
        let ratio = |of: &Asked, to: &Asked| match to.per_second() {
            none if none <= 0.0 => 0.0,
            floor => rounded(of.per_second() / floor),
        };
        Self {
            connections: measured.connections,
            logins_at_once: measured.logins,
            catalog_to_bare: ratio(&measured.catalog, &measured.bare),
            orders_to_row: ratio(&measured.orders, &measured.row),
            notifications_to_row: ratio(&measured.notifications, &measured.row),
            bare: (&measured.bare).into(),
            catalog: (&measured.catalog).into(),
            row: (&measured.row).into(),
            orders: (&measured.orders).into(),
            notifications: (&measured.notifications).into(),
            login: (&measured.login).into(),
            memory_mb: measured.memory_mb,
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, logins_at_once, .. } = self;
        writeln!(
            f,
            "{connections} connections read, {logins_at_once} log in; client and server share this machine\n"
        )?;
        let kinds = [
            ("floor: a bare route", &self.bare),
            ("GET /plans", &self.catalog),
            ("floor: one row", &self.row),
            ("GET /orders", &self.orders),
            ("GET /notifications", &self.notifications),
            ("POST /auth/login", &self.login),
        ];
        writeln!(
            f,
            "  {:<26}{:>12}{:>30}{:>12}{:>8}",
            "", "a second", "p50 / p95 / p99", "turned away", "errors"
        )?;
        for (what, kind) in kinds {
            let Kind { per_s, p50_ms, p95_ms, p99_ms, turned_away, errors } = kind;
            let times = format!("{p50_ms:.1} / {p95_ms:.1} / {p99_ms:.1} ms");
            writeln!(f, "  {what:<26}{per_s:>12.1}{times:>30}{turned_away:>12}{errors:>8}")?;
        }
        let aim = format!("aim: at least {AIM_RATIO}");
        let mut row = |what: &str, value: String, aim: &str| writeln!(f, "  {what:<38}{value:>12}   {aim}");
        row("the catalog to the bare route", format!("{:.2}", self.catalog_to_bare), &aim)?;
        row("orders to one row", format!("{:.2}", self.orders_to_row), &aim)?;
        row("notifications to one row", format!("{:.2}", self.notifications_to_row), &aim)?;
        row("errors", self.errors().to_string(), "aim: 0")?;
        let memory = self.memory_mb.map_or_else(|| "unknown".to_owned(), |mib| format!("{mib} MiB"));
        row("memory, API and client together", memory, "")
    }
}

impl Figures {
    fn errors(&self) -> usize {
        let kinds = [&self.bare, &self.catalog, &self.row, &self.orders, &self.notifications, &self.login];
        kinds.iter().map(|kind| kind.errors).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn asked(count: usize, turned_away: usize, errors: usize) -> Asked {
        Asked {
            took: vec![Duration::from_millis(2); count],
            turned_away,
            errors: [(500, errors)].into(),
            elapsed: Duration::from_secs(1),
        }
    }

    #[test]
    fn ratios_are_of_successes_and_errors_add_up() {
        let figures = Figures::from(Measured {
            connections: 2,
            logins: 1,
            bare: asked(100, 0, 0),
            catalog: asked(80, 0, 1),
            row: asked(50, 0, 0),
            orders: asked(40, 0, 2),
            notifications: asked(0, 0, 0),
            login: asked(5, 7, 0),
            memory_mb: None,
        });
        let json = serde_json::to_value(&figures).unwrap();
        assert_eq!(
            [&json["catalog_to_bare"], &json["orders_to_row"], &json["notifications_to_row"]],
            [0.8, 0.8, 0.0]
        );
        assert_eq!((figures.errors(), json["login"]["turned_away"].as_u64()), (3, Some(7)));
        assert!(figures.to_string().contains("aim: at least 0.7"));
    }
}
