//! What a burst used of the vendor's limit, as a table for people and one JSON object for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::poller::Answers;
use crate::bench::{
    meter::Reading,
    samples::{Samples, rounded},
};

/// What was aimed at.
const AIM_SHARE: f64 = 0.9;
const AIM_FOR_SERVERS: f64 = 0.75;
const AIM_CALLS: f64 = 2.2;
const AIM_ACTION_MS: f64 = 2000.0;

/// The limit that a burst meets.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// The simulator's route of a create.
    pub create: &'static str,
    /// Its route of a list of servers.
    pub list: &'static str,
    /// Whether it counts creates only, or every call.
    pub creates_only: bool,
    /// So many calls in a window.
    pub calls: u32,
    /// The window.
    pub window: Duration,
}

impl Limit {
    /// Of these, the calls that get servers.
    fn for_servers(&self, reading: &Reading) -> u64 {
        let lists = if self.creates_only { 0 } else { reading.of(self.list) };
        reading.of(self.create) + lists
    }

    /// The calls in a reading that it counts.
    fn counted(&self, reading: &Reading) -> u64 {
        if self.creates_only { reading.of(self.create) } else { reading.total() }
    }
}

/// A burst in its raw form.
pub struct Measured {
    /// The provider.
    pub slug: &'static str,
    /// Its limit.
    pub limit: Limit,
    /// How many orders.
    pub orders: usize,
    /// From letting the workers loose until all were ACTIVE.
    pub elapsed: Duration,
    /// The simulator's counters before.
    pub before: Reading,
    /// The same meanwhile.
    pub readings: Vec<(Instant, Reading)>,
    /// The same afterwards.
    pub after: Reading,
    /// How long the customer's reboots took; the first began with the workers.
    pub reboots: Vec<Duration>,
    /// How the customer was answered who read without a pause.
    pub reads: Answers,
}

/// The figures of all bursts.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// Calls refused as too many, by all vendors.
    rate_limited: u64,
    providers: BTreeMap<&'static str, ProviderFigures>,
}

/// The figures of one burst.
#[derive(Debug, Serialize)]
struct ProviderFigures {
    orders: usize,
    seconds: f64,
    /// How many windows of the limit the creates took.
    windows: f64,
    /// Creates a minute while there were any to send.
    orders_per_min: f64,
    /// Orders a minute if every call that the limit allows were made, at the measured calls per order.
    ceiling_per_min: f64,
    /// Calls as a share of what the limit allows, while there were creates to send.
    share: f64,
    /// The same of calls that get servers.
    share_for_servers: f64,
    rate_limited: u64,
    calls_per_order: f64,
    /// Reboots while creates went on.
    reboots: usize,
    action_p95_ms: f64,
    /// The one before, while the workers started and took in all the orders at once.
    action_at_start_ms: f64,
    /// Reads of the customer who did nothing else: answered, and told to come back later.
    reads_answered: u64,
    reads_turned_away: u64,
}

impl From<Vec<Measured>> for Figures {
    fn from(bursts: Vec<Measured>) -> Self {
        let providers: BTreeMap<_, _> =
            bursts.into_iter().map(|burst| (burst.slug, ProviderFigures::from(burst))).collect();
        Self { rate_limited: providers.values().map(|figures| figures.rate_limited).sum(), providers }
    }
}

impl From<Measured> for ProviderFigures {
    fn from(burst: Measured) -> Self {
        let Measured { limit, orders, before, after, reads, .. } = burst;
        let creates = |reading: &Reading| reading.of(limit.create) - before.of(limit.create);
        // Not those of reads and reboots, which are other customers'.
        let got = |reading: &Reading| reading.of(limit.create) + reading.of(limit.list);
        let last = creates(&after);
        // Before the first create workers start, after the last one orders wait for their servers to boot.
        let idle = burst.readings.iter().rev().find(|(_, reading)| creates(reading) == 0);
        let full = burst.readings.iter().find(|(_, reading)| creates(reading) == last);
        let (seconds, counted, for_servers, created) = match (idle, full) {
            (Some((from, first)), Some((until, end))) => (
                (*until - *from).as_secs_f64(),
                limit.counted(end) - limit.counted(first),
                limit.for_servers(end) - limit.for_servers(first),
                creates(end),
            ),
            _ => (0.0, 0, 0, 0),
        };
        let per_second = |count: f64| if seconds > 0.0 { count / seconds } else { 0.0 };
        let allowed = f64::from(limit.calls) / limit.window.as_secs_f64();
        let counted_per_order = for_servers as f64 / created.max(1) as f64;
        let (at_start, reboots) = burst.reboots.split_at(burst.reboots.len().min(1));
        let samples = |reboots: &[Duration]| reboots.iter().copied().collect::<Samples>();
        Self {
            orders,
            seconds: rounded(burst.elapsed.as_secs_f64()),
            windows: rounded(seconds / limit.window.as_secs_f64()),
            orders_per_min: rounded(per_second(created as f64) * 60.0),
            ceiling_per_min: rounded(allowed * 60.0 / counted_per_order.max(1.0)),
            share: rounded(per_second(counted as f64) / allowed),
            share_for_servers: rounded(per_second(for_servers as f64) / allowed),
            rate_limited: after.rate_limited - before.rate_limited,
            calls_per_order: rounded(got(&after).saturating_sub(got(&before)) as f64 / orders.max(1) as f64),
            reboots: reboots.len(),
            action_p95_ms: samples(reboots).percentile_ms(95),
            action_at_start_ms: samples(at_start).percentile_ms(100),
            reads_answered: reads.answered,
            reads_turned_away: reads.turned_away,
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (slug, figures) in &self.providers {
            let ProviderFigures { orders, seconds, windows, .. } = figures;
            writeln!(
                f,
                "{slug}: {orders} orders in {seconds:.1} s, creates over {windows:.1} windows of the limit\n"
            )?;
            let mut row =
                |what: &str, value: String, aim: &str| writeln!(f, "  {what:<38}{value:>12}   {aim}");
            row("orders/min", format!("{:.1}", figures.orders_per_min), "")?;
            row("orders/min the limit allows", format!("{:.1}", figures.ceiling_per_min), "")?;
            row(
                "share of the limit used",
                format!("{:.3}", figures.share),
                &format!("aim: at least {AIM_SHARE}"),
            )?;
            row(
                "of that, for servers",
                format!("{:.3}", figures.share_for_servers),
                &format!("aim: at least {AIM_FOR_SERVERS}"),
            )?;
            row("calls refused as too many", figures.rate_limited.to_string(), "aim: 0")?;
            row(
                "calls per order",
                format!("{:.2}", figures.calls_per_order),
                &format!("aim: at most {AIM_CALLS}"),
            )?;
            let aim = format!("aim: at most {AIM_ACTION_MS:.0} ms, {} reboots", figures.reboots);
            row("a customer's reboot: p95", format!("{:.1} ms", figures.action_p95_ms), &aim)?;
            row("the same while workers start", format!("{:.1} ms", figures.action_at_start_ms), "")?;
            let turned_away = format!("{} told to come back later", figures.reads_turned_away);
            row("a flood of reads: answered", figures.reads_answered.to_string(), &turned_away)?;
            writeln!(f)?;
        }
        write!(f, "calls refused as too many: {}", self.rate_limited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(creates: u64, lists: u64) -> Reading {
        let calls = [("POST /servers".to_owned(), creates), ("GET /servers".to_owned(), lists)];
        Reading { calls: calls.into(), rate_limited: 0 }
    }

    #[test]
    fn the_share_is_measured_while_there_are_creates_to_send() {
        let begun = Instant::now();
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        let limit = Limit {
            create: "POST /servers",
            list: "GET /servers",
            creates_only: false,
            calls: 30,
            window: Duration::from_secs(10),
        };
        let measured = |limit| Measured {
            slug: "cloud",
            limit,
            orders: 50,
            elapsed: Duration::from_secs(60),
            before: reading(5, 1),
            readings: vec![
                (at(0), reading(5, 1)),
                (at(5), reading(5, 2)),
                (at(15), reading(30, 5)),
                (at(25), reading(55, 6)),
                (at(60), reading(55, 40)),
            ],
            after: reading(55, 40),
            reboots: vec![Duration::from_millis(900), Duration::from_millis(300)],
            reads: Answers { answered: 900, turned_away: 12 },
        };
        let all = ProviderFigures::from(measured(limit));
        assert_eq!((all.share_for_servers, all.reads_answered), (0.9, 900));
        assert_eq!((all.share, all.windows, all.orders_per_min), (0.9, 2.0, 150.0));
        assert_eq!((all.calls_per_order, all.ceiling_per_min), (1.78, 166.667));
        let creates = ProviderFigures::from(measured(Limit { creates_only: true, ..limit }));
        assert_eq!((creates.share, creates.ceiling_per_min), (0.833, 180.0));

        let figures = Figures::from(vec![measured(limit)]);
        let json = serde_json::to_value(&figures).unwrap();
        assert_eq!(json["rate_limited"], 0);
        assert_eq!(json["providers"]["cloud"]["action_p95_ms"], 300.0);
        assert_eq!(json["providers"]["cloud"]["action_at_start_ms"], 900.0);
        assert!(figures.to_string().contains("aim: at least 0.9"));
    }
}
