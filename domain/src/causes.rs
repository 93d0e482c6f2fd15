//! Errors with what is behind them.

use std::error::Error;

/// An error in words, followed by each of its causes that it does not name itself. Errors keep their causes
/// ([`Error::source`]) instead of writing them into their own words; whoever logs one or hands it on writes it by this.
///
/// ```
/// use domain::causes::in_full;
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("the price can't be read")]
/// struct Unreadable(#[source] std::num::ParseIntError);
///
/// let error = "12x".parse::<i64>().map_err(Unreadable).unwrap_err();
/// assert_eq!(in_full(&error), "the price can't be read: invalid digit found in string");
/// ```
#[must_use]
pub fn in_full(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        if !text.contains(&reason) {
            text.push_str(": ");
            text.push_str(&reason);
        }
        cause = error.source();
    }
    text
}
