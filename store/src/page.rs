//! Cursor paging. Most lists are newest first, and their cursor is the last id seen; a list that can be sorted has a cursor
//! that says the last row's value of what it is sorted by, too.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

/// What part of a list is wanted.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest {
    /// Only rows with an id below this one.
    pub before: Option<Uuid>,
    /// At most this many rows.
    pub limit: i64,
}

/// A part of a list.
#[derive(Debug, Clone)]
pub struct Page<T, C = Uuid> {
    /// The rows.
    pub data: Vec<T>,
    /// Where the next part begins; `None` at the end.
    pub next: Option<C>,
}

/// A row's value of what its list is sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortKey {
    /// The id alone.
    Age,
    /// A time, or none.
    Time(Option<DateTime<Utc>>),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
}

/// Where a sorted list goes on: behind the row with this value and this id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortCursor {
    /// The value.
    pub key: SortKey,
    /// The id, which tells rows of one value apart.
    pub id: Uuid,
}

/// What part of a sorted list is wanted.
#[derive(Debug, Clone)]
pub struct SortedRequest {
    /// Only rows behind this one.
    pub after: Option<SortCursor>,
    /// At most this many rows.
    pub limit: i64,
}

impl SortKey {
    /// The value as Postgres reads it; no time is later than all times.
    fn as_sql(&self) -> Cow<'_, str> {
        match self {
            Self::Age => "".into(),
            Self::Time(None) => "infinity".into(),
            Self::Time(Some(at)) => at.to_rfc3339_opts(SecondsFormat::Micros, true).into(),
            Self::Number(number) => number.to_string().into(),
            Self::Text(text) => text.into(),
        }
    }
}

impl SortedRequest {
    /// The beginning of a list.
    #[must_use]
    pub const fn first(limit: i64) -> Self {
        Self { after: None, limit }
    }

    /// The last row's value, to be cast by the query.
    pub(crate) fn key(&self) -> Option<String> {
        self.after.as_ref().map(|after| after.key.as_sql().into_owned())
    }

    /// The last row's id.
    pub(crate) fn id(&self) -> Option<Uuid> {
        self.after.as_ref().map(|after| after.id)
    }

    /// How many rows to ask the database for, as [`PageRequest::fetch`].
    pub(crate) const fn fetch(&self) -> i64 {
        self.limit + 1
    }

    /// Cuts the rows of [`Self::fetch`] to the wanted part.
    pub(crate) fn cut<T>(&self, rows: Vec<T>, cursor: impl Fn(&T) -> SortCursor) -> Page<T, SortCursor> {
        cut(rows, self.limit, cursor)
    }

    /// The same of a list that is sorted by age.
    pub(crate) fn cut_by_age<T>(&self, rows: Vec<T>, id: impl Fn(&T) -> Uuid) -> Page<T, SortCursor> {
        self.cut(rows, |row| SortCursor { key: SortKey::Age, id: id(row) })
    }
}

impl PageRequest {
    /// How many rows to ask the database for: one more than wanted tells whether there is a next part.
    #[must_use]
    pub const fn fetch(&self) -> i64 {
        self.limit + 1
    }

    /// Cuts the rows of [`Self::fetch`] to the wanted part.
    #[must_use]
    pub fn cut<T>(&self, rows: Vec<T>, id: impl Fn(&T) -> Uuid) -> Page<T> {
        cut(rows, self.limit, id)
    }
}

fn cut<T, C>(mut rows: Vec<T>, limit: i64, cursor: impl Fn(&T) -> C) -> Page<T, C> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = if more { rows.last().map(cursor) } else { None };
    Page { data: rows, next }
}
