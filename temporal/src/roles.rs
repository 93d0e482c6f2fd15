//! The roles of a process and how they are: what `/readyz` of a worker answers, and what metrics show.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde::Serialize;

/// A poll for tasks comes back within a minute, with or without one. Twice that and a little is too long.
const SILENT_POLLER: Duration = Duration::from_secs(150);
/// A dispatcher looks for messages once a second.
const SILENT_DISPATCHER: Duration = Duration::from_secs(30);

/// All roles of a process. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Roles(Arc<Mutex<Vec<Arc<Pulse>>>>);

/// How one role is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RoleReport {
    /// Its name: `orders`, `instances`, `upkeep`, `lifecycle`, `payments`, `dispatcher` or a provider's slug.
    pub role: String,
    /// Whether it does its work.
    pub up: bool,
    /// What is wrong, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Seconds since it last heard from where its work comes from: a poll of the engine that came back, a look into the
    /// outbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard_seconds_ago: Option<u64>,
}

impl Roles {
    /// How each is.
    #[must_use]
    pub fn report(&self) -> Vec<RoleReport> {
        self.all().iter().map(|pulse| pulse.report()).collect()
    }

    /// A further role, which polls the engine.
    pub(crate) fn poller(&self, name: &str) -> Arc<Pulse> {
        self.add(Pulse::new(name, SILENT_POLLER))
    }

    /// The role that looks into the outbox.
    pub(crate) fn dispatcher(&self) -> Arc<Pulse> {
        self.add(Pulse::new("dispatcher", SILENT_DISPATCHER))
    }

    fn add(&self, pulse: Pulse) -> Arc<Pulse> {
        let pulse = Arc::new(pulse);
        self.all().push(Arc::clone(&pulse));
        pulse
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Pulse>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pulse of one role.
#[derive(Debug)]
pub(crate) struct Pulse {
    name: String,
    /// Longest silence of a role that is well.
    silence: Duration,
    made: Instant,
    /// Milliseconds from `made` to the last beat, plus one; 0 before the first.
    last_beat: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Connecting, and making sure that what it needs is there.
    Starting,
    /// At work since then.
    Working(Instant),
    /// Ended with an error; it is started again.
    Failed(String),
}

impl Pulse {
    fn new(name: &str, silence: Duration) -> Self {
        let pulse = Self {
            name: name.to_owned(),
            silence,
            made: Instant::now(),
            last_beat: AtomicU64::new(0),
            state: Mutex::new(State::Starting),
        };
        pulse.show(false);
        pulse
    }

    /// It heard from where its work comes from.
    #[expect(
        clippy::disallowed_methods,
        reason = "who reads metrics compares it with the present of machines, not of the database"
    )]
    pub(crate) fn beat(&self) {
        let since = u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.last_beat.store(since + 1, Ordering::Relaxed);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        metrics::gauge!("worker_role_heard_timestamp_seconds", "role" => self.name.clone())
            .set(now.as_secs_f64());
    }

    /// It is at work from now on.
    pub(crate) fn working(&self) {
        *self.state() = State::Working(Instant::now());
        self.show(true);
    }

    /// It ended, and why.
    pub(crate) fn failed(&self, why: impl std::fmt::Display) {
        *self.state() = State::Failed(why.to_string());
        self.show(false);
        metrics::counter!("worker_role_failures_total", "role" => self.name.clone()).increment(1);
    }

    /// How long it has heard nothing.
    pub(crate) fn silent_for(&self) -> Duration {
        self.heard().unwrap_or(self.made).elapsed()
    }

    fn show(&self, up: bool) {
        metrics::gauge!("worker_role_up", "role" => self.name.clone()).set(if up { 1.0 } else { 0.0 });
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn heard(&self) -> Option<Instant> {
        let beat = self.last_beat.load(Ordering::Relaxed).checked_sub(1)?;
        self.made.checked_add(Duration::from_millis(beat))
    }

    fn report(&self) -> RoleReport {
        let heard = self.heard();
        let problem = match &*self.state() {
            State::Starting => Some("it is starting".to_owned()),
            State::Failed(why) => Some(why.clone()),
            State::Working(since) => {
                let silent = heard.map_or(*since, |heard| heard.max(*since)).elapsed();
                (silent > self.silence).then(|| format!("nothing heard for {} s", silent.as_secs()))
            }
        };
        RoleReport {
            role: self.name.clone(),
            up: problem.is_none(),
            problem,
            heard_seconds_ago: heard.map(|heard| heard.elapsed().as_secs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_up_while_it_works_and_hears() {
        let roles = Roles::default();
        let pulse = roles.add(Pulse::new("payments", Duration::from_millis(40)));
        let problem = || roles.report()[0].problem.clone();
        assert_eq!(problem().as_deref(), Some("it is starting"));
        pulse.working();
        assert_eq!(problem(), None, "it has not heard anything yet, and need not");
        pulse.failed("the engine is away");
        assert_eq!(problem().as_deref(), Some("the engine is away"));
        pulse.working();
        while roles.report()[0].up {
            std::thread::yield_now();
        }
        assert_eq!(problem().as_deref(), Some("nothing heard for 0 s"));
        pulse.beat();
        assert!(roles.report()[0].up);
        assert_eq!(roles.report()[0].heard_seconds_ago, Some(0));
    }
}
