//! `webrana worker`: workflows, activities, and the dispatcher that wakes them.

use crate::config::Config;
use crate::serve::metrics_listener;
use crate::tasks::Tasks;
use crate::{signals, telemetry, wiring, worker_health};
use adapters::providers::Registry;
use anyhow::{Result, bail};
use std::sync::Arc;
use std::time::Duration;
use temporal::roles::Roles;
use temporal::worker::{NotificationWork, PaymentWork, WorkerSettings};
use workflows::queues::WorkflowQueue;

const DISPATCHER: &str = "dispatcher";
const PAYMENTS: &str = "payments";
/// Closing what is left, such as idle database connections.
const CLOSING: Duration = Duration::from_secs(2);

/// What this worker does.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What to work on, separated by commas: orders, instances, upkeep, notifications, payments, dispatcher, lifecycle, or a provider's slug; everything when not set
    #[arg(
        id = "worker.queues",
        long = "queues",
        env = "WORKER_QUEUES",
        value_name = "QUEUE,…",
        value_delimiter = ',',
        help_heading = "Worker"
    )]
    queues: Vec<String>,

    /// The product's settings.
    #[command(flatten)]
    config: Config,
}

impl Arguments {
    fn wants(&self, queue: &str) -> bool {
        self.queues.is_empty() || self.queues.iter().any(|wanted| wanted == queue)
    }
}

/// Works until told to stop; then takes no more, lets running activities finish, and ends.
///
/// # Errors
/// When a setting is wrong, a queue is unknown, or the database is missing at the start.
pub async fn run(arguments: Arguments) -> Result<()> {
    let config = &arguments.config;
    config.validate()?;
    let slugs: Vec<&str> = config.providers.usable_slugs().collect();
    refuse_unknown(&arguments.queues, &slugs)?;

    telemetry::start(config, None)?;
    let stop = signals::stop_token()?;
    let stores = wiring::stores(config, arguments.wants(DISPATCHER)).await?;
    let store = stores.main.clone();
    store.claim_installation().await?;
    let temporal = wiring::temporal(config)?;
    let providers = Registry::clone(wiring::registry(config, &stores.leases)?.as_ref());
    let settings = WorkerSettings {
        temporal: temporal.clone(),
        store: store.clone(),
        providers: Arc::new(providers.only(|slug| arguments.wants(slug))),
        configured: wiring::configured(config),
        workflows: WorkflowQueue::ALL.into_iter().filter(|queue| arguments.wants(queue.as_str())).collect(),
        version: config.versions.settings(false),
        schedules: Some(config.upkeep.schedules()),
        ledger: Some(config.upkeep.ledger()),
        purge: Some(config.upkeep.purge()),
        sweep: Some(config.upkeep.sweep(config.payments.refund_policy())),
        payments: if arguments.wants(PAYMENTS) {
            wiring::gateways::payment_work(&config.payments, &store)?
        } else {
            PaymentWork::default()
        },
        notifications: if arguments.wants(WorkflowQueue::Notifications.as_str()) {
            wiring::notifications::notification_work(&config.notifications)?
        } else {
            NotificationWork::default()
        },
    };

    let mut tasks = Tasks::default();
    let (token, roles) = (tasks.stop_token(), Roles::default());
    let health = worker_health::routes(store.clone(), roles.clone());
    let port = metrics_listener(config).await?;
    tracing::info!(
        event = "worker.listening",
        address = %port.local_addr()?,
        "the worker's health and metrics are served"
    );
    let bounds = wiring::bounds(config);
    if config.observability.prometheus_enabled {
        tasks.spawn("metrics", wiring::serve_metrics(port, health, bounds, token.clone())?);
        tasks.spawn("the pools' figures", wiring::figures::show_pools(stores.named(), token.clone()));
        if settings.workflows.contains(&WorkflowQueue::Upkeep) {
            tasks.spawn("the orders' figures", wiring::figures::show_orders(store.clone(), token.clone()));
        }
        if !settings.notifications.channels.is_empty() {
            let shown = wiring::figures::show_deliveries(store.clone(), token.clone());
            tasks.spawn("the deliveries' figures", shown);
        }
    } else {
        tasks.spawn("health", wiring::serve_http(port, health, bounds, token.clone()));
    }
    if let Some(store) = stores.dispatcher.clone() {
        let (roles, stop) = (roles.clone(), token.clone());
        let watch = wiring::queue_watch(config, temporal.clone());
        let (watching, watched_until) = (stores.main.clone(), token.clone());
        tasks.spawn("the look at the queues", async move {
            temporal::queue_watch::run(watching, watch, watched_until).await;
            Ok(())
        });
        tasks.spawn("the dispatcher", async move {
            Ok(temporal::dispatcher::run(store, temporal, roles, stop).await?)
        });
    }
    if let Some(telegram) = settings.notifications.channels.telegram.clone() {
        let (store, stop) = (store.clone(), token.clone());
        tasks.spawn("the bot's reader", async move {
            activities::telegram_reader::run(store, telegram, stop).await;
            Ok(())
        });
    }
    tasks.spawn("the worker", async move {
        temporal::worker::run(settings, roles, token.clone()).await?;
        // With the dispatcher alone there is nothing to run, and nothing wrong.
        token.cancelled().await;
        Ok(())
    });
    tracing::info!(event = "worker.running", queues = ?arguments.queues, "the worker runs");

    let failure = tokio::select! {
        () = stop.cancelled() => None,
        failure = tasks.failure() => Some(failure),
    };
    tracing::info!(event = "process.stopping", "stopping");
    tasks.stop(config.api.shutdown_grace).await;
    let _ = tokio::time::timeout(CLOSING, stores.close()).await;
    failure.map_or(Ok(()), |failure| bail!("{failure}"))
}

fn refuse_unknown(queues: &[String], providers: &[&str]) -> Result<()> {
    let fixed = WorkflowQueue::ALL.map(WorkflowQueue::as_str).into_iter().chain([PAYMENTS, DISPATCHER]);
    let fixed: Vec<&str> = fixed.collect();
    let known = |queue: &str| fixed.contains(&queue) || providers.contains(&queue);
    match queues.iter().find(|queue| !known(queue)) {
        Some(unknown) => bail!(
            "there is no queue `{unknown}`: there are {} and one for each provider that has credentials ({})",
            fixed.join(", "),
            if providers.is_empty() { "none has".to_owned() } else { providers.join(", ") }
        ),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_nobody_serves_is_refused() {
        let queues = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert!(refuse_unknown(&queues(&["orders", "payments", "digitalocean"]), &["digitalocean"]).is_ok());
        let refusal = refuse_unknown(&queues(&["vultr"]), &["digitalocean"]).unwrap_err().to_string();
        assert!(refusal.contains("`vultr`") && refusal.contains("digitalocean"), "{refusal}");
    }
}
