//! What is done without anybody asking: reading the providers' catalogs, comparing them with the database, checking the
//! books, deleting what serves nobody any more, and starting workflows that are missing.

use std::time::Duration;

use domain::{
    policy::StepPolicy,
    purge::{PurgeRule, PurgeStart, Purgeable},
    refund::RefundPolicy,
    sweep::SweepStart,
    upkeep::ReconcileSettings,
};
use rust_decimal::Decimal;
use temporal::schedules::{LedgerUpkeepSettings, PurgeSettings, ScheduleSettings, SweepSettings};

/// What is done without anybody asking.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Upkeep")]
pub struct UpkeepConfig {
    /// How often each provider's regions, sizes and images are read
    #[arg(
        id = "upkeep.catalog_sync_every",
        long = "catalog-sync-every",
        env = "CATALOG_SYNC_EVERY",
        value_name = "DURATION",
        default_value = "24h",
        value_parser = super::value::duration
    )]
    catalog_sync_every: Duration,

    /// How often each provider's servers are compared with the database
    #[arg(
        id = "upkeep.reconcile_every",
        long = "reconcile-every",
        env = "RECONCILE_EVERY",
        value_name = "DURATION",
        default_value = "1h",
        value_parser = super::value::duration
    )]
    reconcile_every: Duration,

    /// Whether a comparison only reports; otherwise it quarantines servers that no order owns, and deletes them later
    #[arg(
        id = "upkeep.reconcile_dry_run",
        long = "reconcile-dry-run",
        env = "RECONCILE_DRY_RUN",
        value_name = "BOOL",
        action = clap::ArgAction::Set,
        default_value_t = true
    )]
    reconcile_dry_run: bool,

    /// How long a server stays powered off in quarantine before it is deleted
    #[arg(
        id = "upkeep.reconcile_quarantine",
        long = "reconcile-quarantine",
        env = "RECONCILE_QUARANTINE",
        value_name = "DURATION",
        default_value = "7d",
        value_parser = super::value::duration
    )]
    reconcile_quarantine: Duration,

    /// Rupiah to the US dollar, for what servers cost us
    #[arg(
        id = "upkeep.usd_idr_rate",
        long = "usd-idr-rate",
        env = "USD_IDR_RATE",
        value_name = "RUPIAH",
        default_value = "16500"
    )]
    usd_idr_rate: Decimal,

    /// How often earned revenue is recognised and the books are checked
    #[arg(
        id = "upkeep.ledger_check_every",
        long = "ledger-check-every",
        env = "LEDGER_CHECK_EVERY",
        value_name = "DURATION",
        default_value = "24h",
        value_parser = super::value::duration
    )]
    ledger_check_every: Duration,

    /// How often what serves nobody any more is deleted
    #[arg(
        id = "upkeep.purge_every",
        long = "purge-every",
        env = "PURGE_EVERY",
        value_name = "DURATION",
        default_value = "24h",
        value_parser = super::value::duration
    )]
    purge_every: Duration,

    /// How often orders, servers and refunds are compared with their workflows, and missing ones started
    #[arg(
        id = "upkeep.workflow_sweep_every",
        long = "workflow-sweep-every",
        env = "WORKFLOW_SWEEP_EVERY",
        value_name = "DURATION",
        default_value = "1m",
        value_parser = super::value::duration
    )]
    workflow_sweep_every: Duration,

    /// How long a request may be repeated under its Idempotency-Key
    #[arg(
        id = "upkeep.keep_idempotency_keys",
        long = "keep-idempotency-keys",
        env = "KEEP_IDEMPOTENCY_KEYS",
        value_name = "DURATION",
        default_value = "30d",
        value_parser = super::value::duration
    )]
    keep_idempotency_keys: Duration,

    /// How long delivered messages to Temporal are kept that no living workflow could be made again from
    #[arg(
        id = "upkeep.keep_delivered_messages",
        long = "keep-delivered-messages",
        env = "KEEP_DELIVERED_MESSAGES",
        value_name = "DURATION",
        default_value = "30d",
        value_parser = super::value::duration
    )]
    keep_delivered_messages: Duration,

    /// How long ended sessions are kept, without the refresh tokens, which go a week after their own end
    #[arg(
        id = "upkeep.keep_ended_sessions",
        long = "keep-ended-sessions",
        env = "KEEP_ENDED_SESSIONS",
        value_name = "DURATION",
        default_value = "30d",
        value_parser = super::value::duration
    )]
    keep_ended_sessions: Duration,
}

/// Clients rely on repeating a request that long after they sent it first.
const SHORTEST_PROMISE: Duration = Duration::from_secs(24 * 3600);

impl UpkeepConfig {
    /// What a comparison goes by.
    pub fn reconcile(&self) -> ReconcileSettings {
        ReconcileSettings {
            usd_idr: self.usd_idr_rate,
            quarantine_ms: milliseconds(self.reconcile_quarantine),
            dry_run: self.reconcile_dry_run,
            confirmed_unwanted: None,
        }
    }

    /// What is due when.
    pub fn schedules(&self) -> ScheduleSettings {
        ScheduleSettings {
            catalog_sync_every: self.catalog_sync_every,
            reconcile_every: self.reconcile_every,
            reconcile: self.reconcile(),
            policy: StepPolicy::OF_UPKEEP,
        }
    }

    /// When the books are checked.
    pub fn ledger(&self) -> LedgerUpkeepSettings {
        LedgerUpkeepSettings { every: self.ledger_check_every, ..LedgerUpkeepSettings::default() }
    }

    /// When what serves nobody any more is deleted, and what that is.
    pub fn purge(&self) -> PurgeSettings {
        let kept_for = |what: Purgeable| match what {
            Purgeable::IdempotencyKeys => milliseconds(self.keep_idempotency_keys),
            Purgeable::DeliveredMessages => milliseconds(self.keep_delivered_messages),
            Purgeable::Sessions => milliseconds(self.keep_ended_sessions),
            Purgeable::LoginThrottles
            | Purgeable::LoginChallenges
            | Purgeable::RefreshTokens
            | Purgeable::MailedLinks
            | Purgeable::LiveChanges
            | Purgeable::UnsubscribeTokens => what.kept_for_ms(),
        };
        let rules = Purgeable::ALL
            .iter()
            .map(|what| PurgeRule { what: *what, kept_for_ms: kept_for(*what) })
            .collect();
        PurgeSettings { every: self.purge_every, start: PurgeStart { rules, ..PurgeStart::default() } }
    }

    /// When workflows are looked for that are missing; refunds that are begun again are as patient as `refund` says.
    pub fn sweep(&self, refund: RefundPolicy) -> SweepSettings {
        SweepSettings { every: self.workflow_sweep_every, start: SweepStart::of(refund) }
    }

    /// What is wrong with these settings.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let intervals = [
            ("CATALOG_SYNC_EVERY", self.catalog_sync_every),
            ("RECONCILE_EVERY", self.reconcile_every),
            ("LEDGER_CHECK_EVERY", self.ledger_check_every),
            ("PURGE_EVERY", self.purge_every),
            ("WORKFLOW_SWEEP_EVERY", self.workflow_sweep_every),
        ];
        for (name, every) in intervals {
            if every < Duration::from_secs(60) {
                problems.push(format!("{name} is shorter than a minute"));
            }
        }
        if self.keep_idempotency_keys < SHORTEST_PROMISE {
            problems.push("KEEP_IDEMPOTENCY_KEYS is shorter than a day".to_owned());
        }
        if self.usd_idr_rate <= Decimal::ZERO {
            problems.push("USD_IDR_RATE is not above zero".to_owned());
        }
        problems
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
