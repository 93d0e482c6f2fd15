//! Tables as comma-separated values (RFC 4180), for spreadsheets and programs alike.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use csv::{Terminator, WriterBuilder};
use domain::{
    Rupiah,
    ids::{DepositId, InstanceId, InvoiceId, MovementId, OrderId, PaymentId, UserId},
};
use uuid::Uuid;

/// A column: its name, and what a row has in it.
pub(crate) type Column<R> = (&'static str, for<'a> fn(&'a R) -> Cell<'a>);

/// What stands in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell<'a> {
    /// Nothing.
    Empty,
    /// A whole number.
    Number(i64),
    /// Whatever else there is.
    Text(Cow<'a, str>),
}

impl Cell<'_> {
    fn written(self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => harmless(text).into_owned(),
        }
    }
}

/// A text that begins like a formula is computed by spreadsheets: a customer's name could then send the whole table away.
/// An apostrophe before it is what spreadsheets take for "this is a text".
fn harmless(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}").into() } else { text }
}

/// The first line.
pub(crate) fn header<R>(columns: &[Column<R>]) -> csv::Result<Vec<u8>> {
    lines([columns.iter().map(|(name, _)| (*name).to_owned())])
}

/// A line for each row.
pub(crate) fn rows<R>(columns: &[Column<R>], rows: &[R]) -> csv::Result<Vec<u8>> {
    lines(rows.iter().map(|row| columns.iter().map(move |(_, cell)| cell(row).written())))
}

fn lines<L: Iterator<Item = String>>(lines: impl IntoIterator<Item = L>) -> csv::Result<Vec<u8>> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    for line in lines {
        writer.write_record(line.map(String::into_bytes))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Cell<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Cell<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<i32> for Cell<'_> {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

impl From<Rupiah> for Cell<'_> {
    fn from(amount: Rupiah) -> Self {
        Self::Number(amount.get())
    }
}

impl From<bool> for Cell<'_> {
    fn from(is: bool) -> Self {
        if is { "true".into() } else { "false".into() }
    }
}

impl From<DateTime<Utc>> for Cell<'_> {
    fn from(at: DateTime<Utc>) -> Self {
        at.to_rfc3339_opts(SecondsFormat::AutoSi, true).into()
    }
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Empty, T::into)
    }
}

macro_rules! ids {
    ($($id:ident)+) => {
        $(impl From<$id> for Cell<'_> {
            fn from(id: $id) -> Self {
                id.to_string().into()
            }
        })+
    };
}
ids! { Uuid UserId OrderId InvoiceId PaymentId DepositId InstanceId MovementId }

#[cfg(test)]
mod tests {
    use super::*;

    struct Row {
        name: &'static str,
        amount: i64,
        note: Option<&'static str>,
    }

    const COLUMNS: &[Column<Row>] = &[
        ("name", |row| row.name.into()),
        ("amount", |row| row.amount.into()),
        ("note", |row| row.note.into()),
    ];

    fn table(all: &[Row]) -> String {
        let mut bytes = header(COLUMNS).unwrap();
        bytes.extend(rows(COLUMNS, all).unwrap());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_has_commas_quotes_and_lines_is_quoted() {
        let rows = [
            Row { name: "Budi, \"the\" man", amount: -25_000, note: None },
            Row { name: "two\r\nlines", amount: 0, note: Some("é") },
        ];
        assert_eq!(
            table(&rows),
            "name,amount,note\r\n\"Budi, \"\"the\"\" man\",-25000,\r\n\"two\r\nlines\",0,é\r\n"
        );
        assert_eq!(table(&[]), "name,amount,note\r\n", "without rows there is the header");
    }

    #[test]
    fn what_looks_like_a_formula_is_a_text_and_numbers_are_numbers() {
        for text in ["=1+1", "+62812", "-2", "@SUM(A1)", "\tx", "\rx"] {
            let Cell::Text(found) = Cell::from(text) else { panic!("{text} is a text") };
            assert_eq!(harmless(found), format!("'{text}"));
        }
        for text in ["a=b", "'=1", "", " =1", "1-2"] {
            assert_eq!(harmless(text.into()), text);
        }
        assert_eq!(Cell::from(-5_i64).written(), "-5");
        assert_eq!(Cell::from(Some(Rupiah::new(-5))).written(), "-5");
    }
}
