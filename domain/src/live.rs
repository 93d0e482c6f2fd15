//! What open connections are told of as it happens, and where in it a connection stands.
//!
//! Transactions commit in another order than they begin in, so a number alone is no place in what was committed: one of them
//! may come late with a small number. A place is therefore a [`Snapshot`] of the database, which shows some transactions and
//! not others. What a newer snapshot shows and an older one does not is what happened between the two: each transaction once.

use std::{fmt, str::FromStr};

use crate::text_enum::text_enum;

text_enum! {
    /// A kind of change.
    LiveKind {
        /// Somebody was told something.
        NotificationNew = "NOTIFICATION_NEW",
        /// They marked it as read.
        NotificationRead = "NOTIFICATION_READ",
        /// An order moved.
        OrderStatus = "ORDER_STATUS",
        /// A server's state, or whether it is switched on, changed.
        InstanceStatus = "INSTANCE_STATUS",
        /// A login, an API token or an account ended.
        AccessEnded = "ACCESS_ENDED",
        /// Too much to be told one by one: it is to be read anew.
        Resync = "RESYNC",
    }
}

/// No snapshot or no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no place in what happened")]
pub struct NotAPlace;

/// Which transactions the database shows at a moment: those before `xmax`, without the ones under way. The whole numbers are
/// Postgres' `xid8`, which never come again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    xmin: u64,
    xmax: u64,
    /// Under way, ascending.
    under_way: Vec<u64>,
}

impl Snapshot {
    /// As Postgres writes it: `xmin:xmax:under,way`.
    ///
    /// # Errors
    /// [`NotAPlace`] when it is none.
    pub fn of_postgres(text: &str) -> Result<Self, NotAPlace> {
        let mut parts = text.split(':');
        let (Some(xmin), Some(xmax), Some(rest), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NotAPlace);
        };
        let under_way =
            rest.split(',').filter(|xid| !xid.is_empty()).map(number).collect::<Result<_, _>>()?;
        Self { xmin: number(xmin)?, xmax: number(xmax)?, under_way }.checked()
    }

    /// The same, for Postgres to read.
    #[must_use]
    pub fn to_postgres(&self) -> String {
        let under_way: Vec<String> = self.under_way.iter().map(u64::to_string).collect();
        format!("{}:{}:{}", self.xmin, self.xmax, under_way.join(","))
    }

    /// Whether it shows what a transaction did.
    #[must_use]
    pub fn shows(&self, xid: u64) -> bool {
        xid < self.xmin || (xid < self.xmax && self.under_way.binary_search(&xid).is_err())
    }

    /// Whether it shows everything that `earlier` does.
    #[must_use]
    pub fn covers(&self, earlier: &Self) -> bool {
        // The last transaction before `xmax` has ended, so it is shown.
        earlier.xmax <= self.xmax && !self.under_way.iter().any(|xid| earlier.shows(*xid))
    }

    fn checked(self) -> Result<Self, NotAPlace> {
        let between = self.under_way.iter().all(|xid| (self.xmin..self.xmax).contains(xid));
        let ascending = self.under_way.windows(2).all(|pair| pair[0] < pair[1]);
        if 0 < self.xmin && self.xmin <= self.xmax && between && ascending {
            Ok(self)
        } else {
            Err(NotAPlace)
        }
    }
}

/// Numbers since the first: a server with hundreds of transactions under way still makes a short text.
impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.xmin, self.xmax - self.xmin)?;
        self.under_way.iter().try_for_each(|xid| write!(f, ".{}", xid - self.xmin))
    }
}

impl FromStr for Snapshot {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let mut numbers = text.split('.').map(number);
        let xmin = numbers.next().ok_or(NotAPlace)??;
        let since = |number: Result<u64, NotAPlace>| xmin.checked_add(number?).ok_or(NotAPlace);
        let xmax = numbers.next().map(since).ok_or(NotAPlace)??;
        Self { xmin, xmax, under_way: numbers.map(since).collect::<Result<_, _>>()? }.checked()
    }
}

/// How far somebody has been told: all that `from` shows, and of what `to` shows besides the changes up to a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// All of this was told.
    pub from: Snapshot,
    /// Of this, what has a number up to `after`; the same as `from` where a part was told to its end.
    pub to: Snapshot,
    /// The number of the last change that was told.
    pub after: i64,
}

impl Cursor {
    /// All that a snapshot shows was told.
    #[must_use]
    pub fn at(snapshot: Snapshot) -> Self {
        Self { to: snapshot.clone(), from: snapshot, after: 0 }
    }
}

/// The form of cursors that is made now.
const VERSION: &str = "1";

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION}~{}", self.from)?;
        if self.to == self.from { Ok(()) } else { write!(f, "~{}~{}", self.to, self.after) }
    }
}

impl FromStr for Cursor {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let parts: Vec<&str> = text.split('~').collect();
        match parts.as_slice() {
            [VERSION, at] => Ok(Self::at(at.parse()?)),
            [VERSION, from, to, after] => {
                let after = i64::try_from(number(after)?).map_err(|_| NotAPlace)?;
                Ok(Self { from: from.parse()?, to: to.parse()?, after })
            }
            _ => Err(NotAPlace),
        }
    }
}

fn number(text: &str) -> Result<u64, NotAPlace> {
    // `parse` alone takes a sign.
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_err(|_| NotAPlace)
    } else {
        Err(NotAPlace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Snapshot {
        Snapshot::of_postgres(text).unwrap()
    }

    #[test]
    fn a_snapshot_shows_what_ended_before_it() {
        let snapshot = of("10:20:10,14");
        let shown: Vec<u64> = (8..22).filter(|xid| snapshot.shows(*xid)).collect();
        assert_eq!(shown, [8, 9, 11, 12, 13, 15, 16, 17, 18, 19]);
        assert_eq!(snapshot.to_postgres(), "10:20:10,14");
    }

    #[test]
    fn a_later_snapshot_covers_an_earlier_one() {
        let (early, late) = (of("10:20:10,14"), of("14:22:14"));
        assert!(late.covers(&early) && early.covers(&early));
        assert!(!early.covers(&late), "it does not show 10");
        assert!(!of("10:20:10,14,15").covers(&early), "of two sessions' views neither need be the later one");
    }

    #[test]
    fn cursors_are_read_as_they_were_written() {
        let (from, to) = (of("10:20:10,14"), of("14:22:14"));
        let all = Cursor::at(from.clone());
        assert_eq!(all.to_string(), "1~10.10.0.4");
        let part = Cursor { from, to, after: 77 };
        assert_eq!(part.to_string(), "1~10.10.0.4~14.8.0~77");
        for cursor in [all, part] {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let texts = [
            "",
            "1",
            "1~",
            "2~10.10",
            "1~10",
            "1~0.10",
            "1~10.10.11",
            "1~10.10.4.4",
            "1~10.10.-1",
            "1~10.+1",
            "1~10.10~10.10",
            "1~10.10~10.11~x",
            "1~10.10~10.11~-1",
            "1~18446744073709551615.1",
            "1~10.10~10.11~18446744073709551615",
            "1~a.b",
        ];
        for text in texts {
            assert_eq!(text.parse::<Cursor>(), Err(NotAPlace), "{text}");
        }
        for text in ["", "10:20", "10:20::", "20:10:", "10:20:9", "10:20:20", "10:20:14,12"] {
            assert_eq!(Snapshot::of_postgres(text), Err(NotAPlace), "{text}");
        }
    }
}
