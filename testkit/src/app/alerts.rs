//! The alerts of each thread. `libtest` gives each test a thread of its own, and `#[sqlx::test]` runs all of a test on it.

use std::{cell::RefCell, fmt, sync::OnceLock};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::Interest,
};

/// The field whose value names an alert.
const FIELD: &str = "alert";

thread_local! {
    static RAISED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Begins to record, if that was not begun before, and forgets what this thread has raised so far. What is logged where a
/// test has a subscriber of its own goes to that one alone.
pub(crate) fn watch() {
    is_watching();
    taken();
}

/// Whether alerts are recorded; they are not when the program had a global subscriber before.
pub(crate) fn is_watching() -> bool {
    static WATCHING: OnceLock<bool> = OnceLock::new();
    *WATCHING.get_or_init(|| tracing::subscriber::set_global_default(Recorder).is_ok())
}

/// What this thread has raised since the last look.
pub(crate) fn taken() -> Vec<String> {
    RAISED.take()
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
            RAISED.with_borrow_mut(|raised| raised.push(value.to_owned()));
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
