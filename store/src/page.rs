//! Cursor paging: newest first, the cursor is the last id seen.

/// What part of a list is wanted.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest {
    /// Only rows with an id below this one.
    pub before: Option<uuid::Uuid>,
    /// At most this many rows.
    pub limit: i64,
}

/// A part of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Where the next part begins; `None` at the end.
    pub next: Option<uuid::Uuid>,
}

impl PageRequest {
    /// How many rows to ask the database for: one more than wanted tells whether there is a next part.
    #[must_use]
    pub const fn fetch(&self) -> i64 {
        self.limit + 1
    }

    /// Cuts the rows of [`Self::fetch`] to the wanted part.
    #[must_use]
    pub fn cut<T>(&self, mut rows: Vec<T>, id: impl Fn(&T) -> uuid::Uuid) -> Page<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(id) } else { None };
        Page { data: rows, next }
    }
}
