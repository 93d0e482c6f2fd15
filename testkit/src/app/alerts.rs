//! The alerts of each thread: `libtest` gives each test a thread of its own, and `#[sqlx::test]` runs all of a test on it. A whole
//! system gathers those of all threads that work for it alone ([`RaisedAlerts`]).

use std::{
    cell::RefCell,
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::Interest,
};

/// The field whose value names an alert.
const FIELD: &str = "alert";

thread_local! {
    static RAISED: RefCell<RaisedAlerts> = RefCell::new(RaisedAlerts::default());
}

/// Names of alerts that were raised. A clone is the same.
#[derive(Debug, Clone, Default)]
pub struct RaisedAlerts(Arc<Mutex<Vec<String>>>);

impl RaisedAlerts {
    /// Those that are raised on this thread from now on are these.
    ///
    /// # Panics
    /// When something else in the program takes all log events: alerts can't be watched then.
    pub fn gather_here(&self) {
        assert!(is_watching(), "another subscriber takes all log events: alerts can't be watched");
        RAISED.set(self.clone());
    }

    /// Those that were raised since the last look.
    #[must_use]
    pub fn taken(&self) -> Vec<String> {
        std::mem::take(&mut *held(&self.0))
    }
}

/// What a test says of alerts.
#[derive(Debug, Default)]
pub struct ExpectedAlerts {
    expected: Mutex<BTreeSet<&'static str>>,
    allowed: Mutex<BTreeSet<&'static str>>,
}

impl ExpectedAlerts {
    /// The test makes this alert be raised. That it never is fails it.
    ///
    /// # Panics
    /// When something else in the program takes all log events: alerts can't be watched then.
    pub fn expect(&self, name: &'static str) {
        assert!(is_watching(), "another subscriber takes all log events: alerts can't be watched");
        held(&self.expected).insert(name);
    }

    /// What the test does may raise this alert, depending on who comes first.
    pub fn allow(&self, name: &'static str) {
        held(&self.allowed).insert(name);
    }

    /// What is wrong with what was raised.
    #[must_use]
    pub fn weigh(&self, raised: &[String]) -> Vec<String> {
        let (expected, allowed) = (held(&self.expected), held(&self.allowed));
        let raised: BTreeSet<&str> = raised.iter().map(String::as_str).collect();
        let unexpected = raised.iter().filter(|name| !expected.contains(*name) && !allowed.contains(*name));
        let missing = expected.difference(&raised);
        let mut wrong: Vec<String> =
            unexpected.map(|name| format!("the alert `{name}` was raised")).collect();
        wrong.extend(missing.map(|name| format!("the alert `{name}` was expected and not raised")));
        wrong
    }
}

fn held<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins to record, if that was not begun before, and forgets what this thread has raised so far. What is logged where a
/// test has a subscriber of its own goes to that one alone.
pub(crate) fn watch() {
    is_watching();
    taken();
}

/// Whether alerts are recorded; they are not when the program had a global subscriber before.
fn is_watching() -> bool {
    static WATCHING: OnceLock<bool> = OnceLock::new();
    *WATCHING.get_or_init(|| tracing::subscriber::set_global_default(Recorder).is_ok())
}

/// What this thread has raised since the last look.
pub(crate) fn taken() -> Vec<String> {
    RAISED.with_borrow(RaisedAlerts::taken)
}

/// Takes events that are alerts and nothing else.
struct Recorder;

impl Subscriber for Recorder {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.fields().field(FIELD).is_some()
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Name);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Notes the alert's name.
struct Name;

impl Visit for Name {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == FIELD {
            RAISED.with_borrow(|raised| held(&raised.0).push(value.to_owned()));
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
