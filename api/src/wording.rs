//! What people are told, in their language and by their clock. The words are those of [`messages`].

use domain::{event::Event, locale::Locale};
use messages::Letter;
use store::timeline::TimelineEntry;

use crate::problem::Problem;

/// A notification of type `kind`. An event that this version does not know is shown by that word.
///
/// # Errors
/// 500 when the words can't be rendered.
pub(crate) fn in_app(event: Option<&Event>, kind: &str, reader: Locale) -> Result<Letter, Problem> {
    match event {
        Some(event) => messages::in_app(event, reader).map_err(|error| Problem::internal(&error)),
        None => Ok(Letter { title: spaced(kind), message: String::new() }),
    }
}

/// A step of a timeline. An event that this version does not know is shown by the step's name.
///
/// # Errors
/// 500 when the words can't be rendered.
pub(crate) fn on_timeline(entry: &TimelineEntry, reader: Locale) -> Result<String, Problem> {
    match &entry.event {
        Some(event) => messages::timeline(event, reader).map_err(|error| Problem::internal(&error)),
        None => Ok(spaced(&entry.step)),
    }
}

fn spaced(word: &str) -> String {
    word.replace('_', " ").to_lowercase()
}
