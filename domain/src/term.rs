//! Terms of servers: counted in months of Asia/Jakarta, whatever zone a machine or a database thinks it is in. Jakarta
//! has been seven hours ahead of UTC all year round since 1964.
//!
//! A server's terms end on one day of the month, its anchor: bought on 31 January, they end on 28 February, then on
//! 31 March. Without it every short month would shorten all terms after it.

use chrono::{DateTime, Datelike, FixedOffset, Months, NaiveDate, TimeZone, Utc};

/// Jakarta's distance from UTC in seconds.
const JAKARTA: i32 = 7 * 3_600;

/// The day of the month, 1 to 31, on which a server's terms end where the month has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AnchorDay(u32);

impl AnchorDay {
    /// The anchor of a server whose first term begins at `start`.
    #[must_use]
    pub fn of(start: DateTime<Utc>) -> Self {
        Self(in_jakarta(start).day())
    }

    /// An anchor that was kept; `None` unless it is a day of a month.
    #[must_use]
    pub fn kept(day: i16) -> Option<Self> {
        u32::try_from(day).ok().filter(|day| (1..=31).contains(day)).map(Self)
    }

    /// The day, 1 to 31.
    #[must_use]
    pub fn day(self) -> i16 {
        i16::try_from(self.0).unwrap_or(31)
    }

    /// The anchor of a term that begins at `start`: this one, unless `start` does not lie on it. Then the end of the
    /// term before was moved, and the terms are counted from there.
    #[must_use]
    pub fn at(self, start: DateTime<Utc>) -> Self {
        let date = in_jakarta(start).date_naive();
        if date.day() == self.0.min(days_in_month(date)) { self } else { Self::of(start) }
    }
}

/// When a term of `months` that begins at `start` ends: at the same time of day in Jakarta, on the anchor's day or the
/// last one of a month that is shorter. A term beyond the calendar's end has no end.
///
/// ```
/// use chrono::{DateTime, Utc};
/// use domain::term::{AnchorDay, end};
///
/// let start: DateTime<Utc> = "2027-01-31T03:00:00Z".parse()?;
/// let anchor = AnchorDay::of(start);
/// let february = end(start, 1, anchor);
/// assert_eq!(february.to_rfc3339(), "2027-02-28T03:00:00+00:00");
/// // A short month shortens no term after it.
/// assert_eq!(end(february, 1, anchor).to_rfc3339(), "2027-03-31T03:00:00+00:00");
/// # Ok::<(), chrono::ParseError>(())
/// ```
#[must_use]
pub fn end(start: DateTime<Utc>, months: u32, anchor: AnchorDay) -> DateTime<Utc> {
    ends_at(start, months, anchor.at(start)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn ends_at(start: DateTime<Utc>, months: u32, anchor: AnchorDay) -> Option<DateTime<Utc>> {
    let local = in_jakarta(start);
    let month = local.date_naive().with_day(1)?.checked_add_months(Months::new(months))?;
    let date = month.with_day(anchor.0.min(days_in_month(month)))?;
    local.timezone().from_local_datetime(&date.and_time(local.time())).single().map(|end| end.to_utc())
}

fn days_in_month(date: NaiveDate) -> u32 {
    (28..=31).rev().find(|day| date.with_day(*day).is_some()).unwrap_or(28)
}

/// The day in Jakarta that a moment lies on.
#[must_use]
pub fn day(at: DateTime<Utc>) -> NaiveDate {
    in_jakarta(at).date_naive()
}

/// A moment as clocks in Jakarta show it.
pub(crate) fn in_jakarta(at: DateTime<Utc>) -> DateTime<FixedOffset> {
    match FixedOffset::east_opt(JAKARTA) {
        Some(offset) => at.with_timezone(&offset),
        None => at.fixed_offset(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// The ends of `terms` in a row, in Jakarta.
    fn ends(start: &str, terms: &[u32]) -> Vec<String> {
        let anchor = AnchorDay::of(at(start));
        let mut from = at(start);
        let ends = terms.iter().map(|months| {
            from = end(from, *months, anchor);
            in_jakarta(from).format("%Y-%m-%d %H:%M").to_string()
        });
        ends.collect()
    }

    #[test]
    fn short_months_do_not_shorten_the_terms_after_them() {
        let month_by_month = ends("2027-01-31T10:00:00+07:00", &[1, 1, 1, 1]);
        assert_eq!(
            month_by_month,
            ["2027-02-28 10:00", "2027-03-31 10:00", "2027-04-30 10:00", "2027-05-31 10:00"]
        );
        assert_eq!(ends("2028-01-31T10:00:00+07:00", &[1, 1]), ["2028-02-29 10:00", "2028-03-31 10:00"]);
        assert_eq!(ends("2027-11-30T10:00:00+07:00", &[3, 12]), ["2028-02-29 10:00", "2029-02-28 10:00"]);
        assert_eq!(ends("2028-02-29T10:00:00+07:00", &[12, 1]), ["2029-02-28 10:00", "2029-03-29 10:00"]);
    }

    #[test]
    fn the_day_is_jakartas_not_utcs() {
        // 31 January there, 30 January in UTC.
        assert_eq!(ends("2027-01-30T17:30:00Z", &[1, 1]), ["2027-02-28 00:30", "2027-03-31 00:30"]);
        // 1 March there, 28 February in UTC.
        assert_eq!(ends("2027-02-28T18:00:00Z", &[1]), ["2027-04-01 01:00"]);
    }

    #[test]
    fn an_end_that_was_moved_is_an_anchor_itself() {
        let anchor = AnchorDay::of(at("2027-01-31T10:00:00+07:00"));
        let moved = at("2027-03-10T10:00:00+07:00");
        assert_eq!(end(moved, 1, anchor), at("2027-04-10T10:00:00+07:00"));
        assert_eq!(anchor.at(moved).day(), 10);
        assert_eq!(anchor.at(at("2027-04-30T10:00:00+07:00")), anchor);
    }

    #[test]
    fn a_term_beyond_the_calendar_has_no_end() {
        let start = at("2027-01-31T10:00:00Z");
        assert_eq!(end(start, u32::MAX, AnchorDay::of(start)), DateTime::<Utc>::MAX_UTC);
        assert_eq!(AnchorDay::kept(0), None);
        assert_eq!(AnchorDay::kept(32), None);
        assert_eq!(AnchorDay::kept(31).unwrap().day(), 31);
    }

    proptest! {
        #[test]
        fn terms_in_a_row_end_where_one_of_their_sum_does(
            seconds in 1_700_000_000_i64..2_500_000_000,
            terms in prop::collection::vec(1_u32..13, 1..12),
        ) {
            let start = DateTime::from_timestamp(seconds, 0).unwrap();
            let anchor = AnchorDay::of(start);
            let in_a_row = terms.iter().fold(start, |from, months| end(from, *months, anchor));
            prop_assert_eq!(in_a_row, end(start, terms.iter().sum(), anchor));
        }
    }
}
