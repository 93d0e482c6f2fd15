//! The figures and their two forms: a table for people, one JSON object for programs.

use std::fmt;

use serde::Serialize;

use super::{
    load::Run,
    samples::{Samples, rounded},
    shop::OrderTimes,
};

/// The concurrency at which placing is held to its aim.
pub const PLACING_CONCURRENCY: usize = 20;

/// What was aimed at.
const AIM_RATIO: f64 = 0.6;
const AIM_IDLE_MS: f64 = 100.0;
const AIM_PLACING_MS: f64 = 50.0;
/// Most of an order's time that may go into waiting for a provider's limit.
const MOST_WAITING: f64 = 0.01;

/// Everything that was measured, in its raw form.
pub struct Measured {
    /// The load asked for.
    pub concurrency: usize,
    /// Orders at that concurrency.
    pub orders: Run<OrderTimes>,
    /// Bare workflows at that concurrency.
    pub floor: Run<()>,
    /// Orders one by one.
    pub idle: Run<OrderTimes>,
    /// Orders at [`PLACING_CONCURRENCY`].
    pub twenty: Run<OrderTimes>,
    /// Calls to the provider for all of `orders`.
    pub provider_calls: u64,
    /// Seconds that these calls waited for their turn, all together.
    pub slot_waits: f64,
    /// Mean length of an order's workflow history.
    pub history_events: f64,
}

/// The figures. Rates are per second, times in milliseconds.
#[derive(Debug, Serialize)]
pub struct Figures {
    n: usize,
    concurrency: usize,
    orders_per_s: f64,
    floor_per_s: f64,
    ratio_to_floor: f64,
    place_p50_ms: f64,
    place_p95_ms: f64,
    place_p99_ms: f64,
    place_c20_p50_ms: f64,
    place_c20_p95_ms: f64,
    paid_to_active_p50_ms: f64,
    paid_to_active_p95_ms: f64,
    paid_to_active_p99_ms: f64,
    idle_place_p50_ms: f64,
    idle_paid_to_active_p50_ms: f64,
    idle_paid_to_active_p95_ms: f64,
    provider_calls_per_order: f64,
    /// How often an order was turned away for the moment (503) and sent again.
    turned_away: u32,
    /// Part of an order's time from paid to ACTIVE that its calls waited for their turn.
    slot_wait_share: f64,
    history_events_per_order: f64,
}

impl From<Measured> for Figures {
    fn from(measured: Measured) -> Self {
        let n = measured.orders.outcomes.len();
        let placing = placing(&measured.orders);
        let active = paid_to_active(&measured.orders);
        let idle = paid_to_active(&measured.idle);
        let twenty = self::placing(&measured.twenty);
        let (orders, floor) = (measured.orders.per_second(), measured.floor.per_second());
        let in_all: f64 =
            measured.orders.outcomes.iter().map(|order| order.paid_to_active.as_secs_f64()).sum();
        Self {
            n,
            concurrency: measured.concurrency,
            orders_per_s: rounded(orders),
            floor_per_s: rounded(floor),
            ratio_to_floor: rounded(if floor > 0.0 { orders / floor } else { 0.0 }),
            place_p50_ms: placing.percentile_ms(50),
            place_p95_ms: placing.percentile_ms(95),
            place_p99_ms: placing.percentile_ms(99),
            place_c20_p50_ms: twenty.percentile_ms(50),
            place_c20_p95_ms: twenty.percentile_ms(95),
            paid_to_active_p50_ms: active.percentile_ms(50),
            paid_to_active_p95_ms: active.percentile_ms(95),
            paid_to_active_p99_ms: active.percentile_ms(99),
            idle_place_p50_ms: self::placing(&measured.idle).percentile_ms(50),
            idle_paid_to_active_p50_ms: idle.percentile_ms(50),
            idle_paid_to_active_p95_ms: idle.percentile_ms(95),
            turned_away: [&measured.orders, &measured.idle, &measured.twenty]
                .iter()
                .flat_map(|run| &run.outcomes)
                .map(|order| order.turned_away)
                .sum(),
            provider_calls_per_order: rounded(measured.provider_calls as f64 / n.max(1) as f64),
            slot_wait_share: if in_all > 0.0 { measured.slot_waits / in_all } else { 0.0 },
            history_events_per_order: rounded(measured.history_events),
        }
    }
}

impl Figures {
    /// Fails when orders waited for a provider's limit: then that was measured, and not us.
    ///
    /// # Errors
    /// Says how much they waited.
    pub fn refuse_if_limited(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.slot_wait_share <= MOST_WAITING,
            "calls waited for their turn {:.1} % of an order's time: this measures a provider's limit, not us",
            self.slot_wait_share * 100.0
        );
        Ok(())
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} orders, {} at a time, the simulated server boots in 0 s\n",
            self.n, self.concurrency
        )?;
        let mut row = |what: &str, value: String, aim: &str| writeln!(f, "  {what:<34}{value:>28}   {aim}");
        let three = |p50: f64, p95: f64, p99: f64| format!("{p50:.1} / {p95:.1} / {p99:.1} ms");
        row("", "p50 / p95 / p99".to_owned(), "")?;
        let placing = three(self.place_p50_ms, self.place_p95_ms, self.place_p99_ms);
        row("POST /orders until its 201", placing, "")?;
        let active =
            three(self.paid_to_active_p50_ms, self.paid_to_active_p95_ms, self.paid_to_active_p99_ms);
        row("paid to ACTIVE", active, "")?;
        row("orders/s", format!("{:.1}", self.orders_per_s), "")?;
        row("bare workflows/s, the floor", format!("{:.1}", self.floor_per_s), "")?;
        let aim = format!("aim: at least {AIM_RATIO}");
        row("orders/s to the floor", format!("{:.2}", self.ratio_to_floor), &aim)?;
        row("history events per order", format!("{:.1}", self.history_events_per_order), "")?;
        row("provider calls per order", format!("{:.2}", self.provider_calls_per_order), "")?;
        row("orders turned away for the moment", self.turned_away.to_string(), "aim: 0")?;
        let aim = format!("aim: p95 at most {AIM_PLACING_MS:.0} ms");
        let twenty = format!("{:.1} / {:.1} ms", self.place_c20_p50_ms, self.place_c20_p95_ms);
        row("POST /orders, 20 at a time: p50/p95", twenty, &aim)?;
        let aim = format!("aim: p50 at most {AIM_IDLE_MS:.0} ms");
        let idle =
            format!("{:.1} / {:.1} ms", self.idle_paid_to_active_p50_ms, self.idle_paid_to_active_p95_ms);
        row("idle paid to ACTIVE: p50/p95", idle, &aim)?;
        row("idle POST /orders: p50", format!("{:.1} ms", self.idle_place_p50_ms), "")
    }
}

fn placing(run: &Run<OrderTimes>) -> Samples {
    run.outcomes.iter().map(|order| order.placing).collect()
}

fn paid_to_active(run: &Run<OrderTimes>) -> Samples {
    run.outcomes.iter().map(|order| order.paid_to_active).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Measured {
        let empty = || Run::<OrderTimes>::default();
        Measured {
            concurrency: 1,
            orders: empty(),
            floor: Run::default(),
            idle: empty(),
            twenty: empty(),
            provider_calls: 0,
            slot_waits: 0.0,
            history_events: 0.0,
        }
    }

    #[test]
    fn the_json_has_the_promised_keys() {
        let figures = Figures::from(nothing());
        figures.refuse_if_limited().unwrap();
        let limited = Figures { slot_wait_share: 0.02, ..Figures::from(nothing()) };
        assert!(limited.refuse_if_limited().unwrap_err().to_string().contains("2.0 %"));
        let json = serde_json::to_value(&figures).unwrap();
        for key in [
            "orders_per_s",
            "floor_per_s",
            "ratio_to_floor",
            "place_p50_ms",
            "place_p95_ms",
            "paid_to_active_p50_ms",
            "paid_to_active_p95_ms",
            "provider_calls_per_order",
            "history_events_per_order",
        ] {
            assert!(json[key].is_number(), "{key}");
        }
        assert!(figures.to_string().contains("aim: at least 0.6"));
    }
}
