//! Who calls are made for, and how much of a vendor's windows each kind of caller may take.
//!
//! What keeps and frees servers needs no share: it may take all that the others leave, and they leave it half of every
//! window always and three quarters while it waits. Each other class has an [`Allowance`] per lane, and each customer one of
//! their own within it. An allowance never gives more than its share of any window, however long it was left alone. See
//! `docs/adr/0035-shares-of-the-rate-budget.md`.

mod allowance;

use std::fmt;

use uuid::Uuid;

use super::{Lane, Micros, Priority};
use crate::ids::{ApiKeyId, UserId};

pub use allowance::Allowance;
use allowance::{FEWEST, FEWEST_OF_ALL};

/// Somebody whose calls are capped: a customer, or a program's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Party(Uuid);

impl Party {
    /// As it is kept.
    #[must_use]
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<UserId> for Party {
    fn from(user: UserId) -> Self {
        Self(user.0)
    }
}

impl From<ApiKeyId> for Party {
    fn from(key: ApiKeyId) -> Self {
        Self(key.0)
    }
}

/// Who a call is made for. There is no call without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Caller {
    /// What keeps and frees servers, whoever asked for it: creates and what finishes them, deletes, suspensions.
    Servers,
    /// Keeping records straight: the reconciler, the catalog.
    Records,
    /// The action of somebody who waits for it: a reboot, a rebuild, a link to a screen.
    Action(Party),
    /// What is only shown to somebody.
    Display(Party),
}

impl Caller {
    /// The kind of caller.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Self::Servers => Class::Servers,
            Self::Records => Class::Records,
            Self::Action(_) => Class::Actions,
            Self::Display(_) => Class::Display,
        }
    }

    /// Whose cap it is counted against.
    #[must_use]
    pub const fn party(self) -> Option<Party> {
        match self {
            Self::Servers | Self::Records => None,
            Self::Action(party) | Self::Display(party) => Some(party),
        }
    }

    /// Its place in the line. An action that has a share left goes ahead of all that wait.
    #[must_use]
    pub const fn priority(self) -> Priority {
        match self {
            Self::Action(_) => Priority::Customers,
            Self::Servers | Self::Records | Self::Display(_) => Priority::Orders,
        }
    }
}

/// Kinds of callers that have a share of a vendor's windows each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// See [`Caller::Servers`].
    Servers,
    /// See [`Caller::Records`].
    Records,
    /// See [`Caller::Action`].
    Actions,
    /// See [`Caller::Display`].
    Display,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Servers, Self::Records, Self::Actions, Self::Display];

    /// As it is kept and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Servers => "servers",
            Self::Records => "records",
            Self::Actions => "actions",
            Self::Display => "display",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much of each window the classes may take, in per cent.
///
/// ```
/// use std::time::Duration;
///
/// use domain::rate_limit::{Allowances, Caller, Lane, Share, Shares, Window};
///
/// const WINDOWS: &[Window] = &[Window { calls: 1_000, period: Duration::from_secs(3_600) }];
/// let lane = Lane::new("all", WINDOWS);
/// let asks = |caller| Allowances::of(&lane, None, Shares::STANDARD, caller).share(&Vec::new(), 0, false);
/// // What keeps and frees servers is not bounded; records are, to 5 % of the window: half of it at once.
/// assert!(matches!(asks(Caller::Servers), Share::Given { left: None, .. }));
/// assert!(matches!(asks(Caller::Records), Share::Given { left: Some(24), .. }));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// Customers' actions while others wait.
    pub actions: u32,
    /// Reads for display, ever.
    pub display: u32,
    /// One customer, or one program: per cent of these shares.
    pub party: u32,
}

/// Per cent that the system's own records may take while others wait.
const RECORDS: u32 = 5;
/// Per cent that are lent, on top of their shares, to actions and records while nobody else wants them.
const LENT: u32 = 25;
/// Per cent of a window that is left to servers while they wait.
const FLOOR: u32 = 75;

impl Shares {
    /// The usual ones.
    pub const STANDARD: Self = Self { actions: 5, display: 15, party: 60 };

    /// Why these can't be.
    ///
    /// # Errors
    /// In words.
    pub fn check(&self) -> Result<(), String> {
        let most = 100 - FLOOR - RECORDS;
        if self.actions == 0 || self.display == 0 || self.actions + self.display > most {
            return Err(format!(
                "actions ({} %) and display ({} %) have to be above 0 and together at most {most} %: {FLOOR} % of \
                 every window are for servers and {RECORDS} % for the system's records",
                self.actions, self.display
            ));
        }
        if self.party == 0 || self.party > 90 {
            return Err(format!("one customer's part of a share has to be 1 to 90 %, not {} %", self.party));
        }
        Ok(())
    }

    /// What a class may take of a lane's windows, in hundredths of a per cent. [`None`]: all that is there.
    const fn of(self, lane: &Lane, class: Class) -> Option<u32> {
        match class {
            Class::Servers => None,
            Class::Records => Some(RECORDS * 100),
            Class::Actions => Some(self.actions * 100),
            Class::Display if lane.display_only => Some(10_000),
            Class::Display => Some(self.display * 100),
        }
    }
}

/// Which allowance: a class's or what is lent to all, a party's or that of all together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AllowanceId {
    /// `actions`, `display`, `records` or `lent`.
    pub class: &'static str,
    /// Whose.
    pub party: Option<Party>,
}

/// What is lent belongs to no class.
const BORROWED: &str = "lent";

/// What the allowances that a caller may draw on hold: moments at which their buckets are full.
pub type Balances = Vec<(AllowanceId, Vec<Micros>)>;

/// Who is in the way of a call that is not made for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldBy {
    /// The vendor: it is out of order, asked for silence, or its limit is used up. Or our database.
    Vendor,
    /// Others of the same class: together they have had their share.
    Class,
    /// The one who calls has had their part of the share, and others still have theirs.
    Party,
}

/// Whether a call has a share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Share {
    /// It has, at this place in the line. These allowances hold less now.
    Given {
        /// Which place.
        priority: Priority,
        /// What they hold now.
        balances: Balances,
        /// Calls left to the class of its own, unless it is not bounded.
        left: Option<u32>,
    },
    /// It has none now.
    Full {
        /// When to ask again.
        until: Micros,
        /// Who is in the way.
        by: HeldBy,
    },
}

/// The allowances of one caller in one lane.
#[derive(Debug, Clone)]
pub struct Allowances {
    caller: Caller,
    /// Each with the part of it that one party may take.
    own: Option<Pair>,
    lent: Option<Pair>,
}

#[derive(Debug, Clone)]
struct Pair(Vec<(AllowanceId, Allowance)>);

/// What is lent is asked for again this often while others are at it.
const UNTIL_IDLE: Micros = 500_000;

impl Allowances {
    /// Those of `caller` in `lane`, whose one window holds `observed` calls where the vendor told so.
    #[must_use]
    pub fn of(lane: &Lane, observed: Option<u32>, shares: Shares, caller: Caller) -> Self {
        let windows = lane.windows_as(observed);
        let pair = |class, hundredths: u32| {
            let all =
                (AllowanceId { class, party: None }, Allowance::of(&windows, hundredths, FEWEST_OF_ALL));
            let party = caller.party().map(|party| {
                (
                    AllowanceId { class, party: Some(party) },
                    Allowance::of(&windows, hundredths * shares.party / 100, FEWEST),
                )
            });
            Pair([Some(all), party].into_iter().flatten().collect())
        };
        let class = caller.class();
        let own = shares.of(lane, class).map(|hundredths| pair(class.as_str(), hundredths));
        let borrows = matches!(class, Class::Actions | Class::Records);
        Self { caller, own, lent: borrows.then(|| pair(BORROWED, LENT * 100)) }
    }

    /// The allowances there are.
    pub fn ids(&self) -> impl Iterator<Item = AllowanceId> {
        self.own.iter().chain(&self.lent).flat_map(|pair| pair.0.iter().map(|(id, _)| *id))
    }

    /// Takes a share for one call: of the caller's own allowances, or of what is lent when the line `is_idle`.
    #[must_use]
    pub fn share(&self, balances: &Balances, now: Micros, is_idle: bool) -> Share {
        let Some(own) = &self.own else {
            return Share::Given { priority: self.caller.priority(), balances: Vec::new(), left: None };
        };
        let refused = match own.take(balances, now) {
            Ok(taken) => {
                let left = own.left(&taken, now);
                return Share::Given { priority: self.caller.priority(), balances: taken, left };
            }
            Err(refused) => refused,
        };
        let until = match self.lent.as_ref().map(|lent| lent.take(balances, now)) {
            Some(Ok(taken)) if is_idle => {
                return Share::Given { priority: Priority::Orders, balances: taken, left: Some(0) };
            }
            Some(Ok(_)) => refused.0.min(now + UNTIL_IDLE),
            Some(Err((until, _))) => refused.0.min(until),
            None => refused.0,
        };
        Share::Full { until, by: refused.1 }
    }
}

impl Pair {
    /// Takes one call out of both, or says when both have one, and which of them has not.
    fn take(&self, balances: &Balances, now: Micros) -> Result<Balances, (Micros, HeldBy)> {
        let mut taken = Balances::new();
        let mut refused: Option<(Micros, HeldBy)> = None;
        for (id, allowance) in &self.0 {
            match allowance.take(full_at(balances, *id), now) {
                Ok(full_at) => taken.push((*id, full_at)),
                Err(at) => {
                    let by = if id.party.is_some() { HeldBy::Party } else { HeldBy::Class };
                    refused = Some(refused.map_or((at, by), |(before, by)| (before.max(at), by)));
                }
            }
        }
        refused.map_or(Ok(taken), Err)
    }

    fn left(&self, balances: &Balances, now: Micros) -> Option<u32> {
        let (id, allowance) = self.0.first()?;
        Some(allowance.left(full_at(balances, *id), now))
    }
}

fn full_at(balances: &Balances, id: AllowanceId) -> &[Micros] {
    balances.iter().find(|(kept, _)| *kept == id).map_or(&[], |(_, full_at)| full_at.as_slice())
}

#[cfg(test)]
mod tests;
