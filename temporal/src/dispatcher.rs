//! Turns outbox rows into workflow starts and signals. It hears of new rows by LISTEN/NOTIFY and looks by itself once a
//! second; several dispatchers share the work, since a row is leased to one of them. Delivering twice is harmless.
//!
//! What somebody who paid waits for goes first, and what nobody paid for takes a few places only: the engine has to start
//! workflows for the one while it is asked for the other. A message that fails by its own fault is tried again later and
//! later and is dead in the end; when the engine is away, that is nobody's fault, and one message at a time tries
//! whether it is back.

use std::{sync::Arc, time::Duration};

use engine::TemporalConfig;
use store::{
    Store, StoreError,
    outbox::{self, Claimed, Room},
};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

mod deliverer;
mod pulse;
mod watchdog;

use crate::{
    boxed,
    canary::{self, StartDelay},
    roles::{self, Roles},
};
use deliverer::{Deliverer, Delivery};
use pulse::{Outcome, Pulse};

pub use watchdog::Stuck;

/// Deliveries under way at once.
const IN_FLIGHT: usize = 64;
/// Of these, deliveries that nobody who paid waits for.
const UNHURRIED_IN_FLIGHT: usize = 8;
/// How long a row is ours. A delivery that takes longer is done again by another dispatcher.
const LEASE_SECONDS: f64 = 30.0;
/// How often it looks without being told.
const POLL: Duration = Duration::from_secs(1);
/// How often what waits is counted.
const COUNT: Duration = Duration::from_secs(10);
/// Longest wait for the database's answer, of which it has bounds of its own: this one is for connections that a network
/// swallowed, on which no answer ever comes.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the database did not answer within {:?}", DATABASE_TIMEOUT)]
    Silent,
}

/// Delivers messages until `stop`, then finishes those under way.
///
/// Trouble with the database or the engine is waited out, not returned.
///
/// # Errors
/// [`Stuck`] when nothing is taken any more although messages wait: the process is then to end, and somebody to start it
/// again.
#[boxed]
pub async fn run(
    store: Store,
    config: TemporalConfig,
    roles: Roles,
    stop: CancellationToken,
) -> Result<(), Stuck> {
    watched(&store, config, &roles.dispatcher(), &stop, watchdog::LONGEST_SILENCE).await
}

async fn watched(
    store: &Store,
    config: TemporalConfig,
    role: &roles::Pulse,
    stop: &CancellationToken,
    longest_silence: Duration,
) -> Result<(), Stuck> {
    tokio::select! {
        () = dispatch(store, config, role, stop) => Ok(()),
        stuck = watchdog::until_stuck(store, role, longest_silence) => Err(stuck),
    }
}

async fn dispatch(store: &Store, config: TemporalConfig, role: &roles::Pulse, stop: &CancellationToken) {
    let start_delay = StartDelay::default();
    // Before the first order is started delayed.
    let tried = stop.run_until_cancelled(canary::look(&config, &start_delay)).await.unwrap_or(false);
    tokio::spawn(canary::watch(config.clone(), start_delay.clone(), tried, stop.clone()));
    while !stop.is_cancelled() {
        if let Err(error) = deliver_until(store, &config, role, &start_delay, stop).await {
            role.failed(&error);
            tracing::warn!(event = "outbox.unreachable", %error, "the outbox is out of reach; trying again");
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }
}

async fn deliver_until(
    store: &Store,
    config: &TemporalConfig,
    role: &roles::Pulse,
    start_delay: &StartDelay,
    stop: &CancellationToken,
) -> Result<(), Trouble> {
    let deliverer = Arc::new(Deliverer::new(store.clone(), config.clone(), start_delay.clone()));
    let mut listener = in_time(store.listen_outbox()).await?;
    role.working();
    let (mut under_way, mut pulse) = (UnderWay::default(), Pulse::default());
    let mut count_at = Instant::now();
    loop {
        let delivered = under_way.take_ended(&mut pulse);
        if !delivered.is_empty() {
            in_time(store.mark_dispatched(&delivered)).await?;
        }
        pulse.tell_of_failures(Instant::now());
        if count_at <= Instant::now() {
            in_time(count(store)).await?;
            // One that a network swallowed is silent, too, and would hear of nothing.
            in_time(outbox::hears(&mut listener)).await?;
            count_at = Instant::now() + COUNT;
        }
        let mut is_full = true;
        if !stop.is_cancelled()
            && let Some(room) = pulse.room(under_way.room(), Instant::now())
        {
            let claimed = in_time(store.claim_outbox(room, LEASE_SECONDS)).await?;
            is_full = claimed.len() == room.total;
            for message in claimed {
                under_way.begin(&deliverer, message);
            }
        }
        // Messages were taken, or must not be: all places are taken, or the engine is away. That the database answers other
        // questions is no sign of life.
        role.beat();
        if stop.is_cancelled() && under_way.is_empty() {
            return Ok(());
        }
        tokio::select! {
            () = under_way.one_ended(), if !under_way.is_empty() => {}
            heard = listener.recv(), if !is_full => { heard.map_err(StoreError::from)?; }
            () = tokio::time::sleep(POLL) => {}
            () = until(pulse.next_try()), if under_way.is_empty() => {}
            () = stop.cancelled(), if !stop.is_cancelled() => {}
        }
    }
}

async fn in_time<T>(asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, Trouble> {
    match tokio::time::timeout(DATABASE_TIMEOUT, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Trouble::Silent),
    }
}

/// Waits until then; for ever without a moment.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Shows what waits.
async fn count(store: &Store) -> Result<(), StoreError> {
    #[allow(clippy::cast_precision_loss, reason = "a number of rows is precise enough")]
    for of in store.outbox_by_class().await? {
        let class = of.class.as_str();
        metrics::gauge!("outbox_waiting", "class" => class).set(of.backlog.waiting as f64);
        metrics::gauge!("outbox_oldest_seconds", "class" => class).set(of.backlog.oldest_seconds);
        metrics::gauge!("outbox_dead", "class" => class).set(of.backlog.dead as f64);
    }
    Ok(())
}

/// The deliveries under way.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<Delivery>,
    ended: Vec<Delivery>,
    unhurried: usize,
}

impl UnderWay {
    fn room(&self) -> Room {
        let total = IN_FLIGHT - self.tasks.len();
        Room { total, unhurried: UNHURRIED_IN_FLIGHT.saturating_sub(self.unhurried) }
    }

    fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    fn begin(&mut self, deliverer: &Arc<Deliverer>, message: Claimed) {
        if is_unhurried(&message) {
            self.unhurried += 1;
        }
        let span = tracing::info_span!("delivery", outbox_id = %message.id, kind = message.kind);
        self.tasks.spawn(Arc::clone(deliverer).deliver(message).instrument(span));
    }

    /// Waits until one has ended.
    async fn one_ended(&mut self) {
        let ended = self.tasks.join_next().await;
        self.note(ended);
    }

    /// What is delivered and was not at the last call; of the rest, only the pulse is told.
    fn take_ended(&mut self, pulse: &mut Pulse) -> Vec<domain::ids::OutboxId> {
        while let ended @ Some(_) = self.tasks.try_join_next() {
            self.note(ended);
        }
        let ended = std::mem::take(&mut self.ended);
        ended
            .into_iter()
            .filter_map(|Delivery { claimed, outcome }| {
                let is_settled = matches!(outcome, Outcome::Delivered | Outcome::Superseded);
                pulse.note(&claimed, outcome, Instant::now());
                is_settled.then_some(claimed.id)
            })
            .collect()
    }

    fn note(&mut self, ended: Option<Result<Delivery, tokio::task::JoinError>>) {
        match ended {
            Some(Ok(delivery)) => {
                if is_unhurried(&delivery.claimed) {
                    self.unhurried -= 1;
                }
                self.ended.push(delivery);
            }
            // A delivery that panicked: nobody knows which, so all may be that are left.
            Some(Err(error)) => {
                tracing::error!(
                    event = "outbox.delivery_panicked",
                    %error,
                    "a delivery panicked; its lease runs out"
                );
                self.unhurried = self.unhurried.min(self.tasks.len());
            }
            None => {}
        }
    }
}

fn is_unhurried(message: &Claimed) -> bool {
    message.class != domain::outbox::MessageClass::Paid
}
