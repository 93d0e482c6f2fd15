//! What is due in a server's life: one pure function of facts, rules and the time.
//!
//! Whoever carries a [`Decision`] out records each [`Step`] in one transaction and asks again with the facts as they are
//! then, until nothing is to be done; [`Decision::next_due`] says when to ask again. So nothing is done twice, and what was
//! missed is caught up by what is due now, not by what was due then.
//!
//! ```
//! use chrono::{DateTime, TimeDelta, Utc};
//! use domain::{instance::InstanceStatus, life::{Facts, LifePolicy, Notice, Renewal, Step, decide}};
//!
//! let ends: DateTime<Utc> = "2027-01-31T03:00:00Z".parse()?;
//! let facts = Facts::paid_until(ends, ends - TimeDelta::days(8));
//! let rules = LifePolicy::default();
//! let asleep = decide(&facts, &rules);
//! assert_eq!((asleep.do_now, asleep.next_due), (None, Some(ends - TimeDelta::days(7))));
//! let facts = Facts { now: ends - TimeDelta::days(7), ..facts };
//! assert_eq!(decide(&facts, &rules).do_now, Some(Step::Tell(Notice::Remind7)));
//! # Ok::<(), chrono::ParseError>(())
//! ```

use chrono::{DateTime, TimeDelta, Utc};

use crate::{instance::InstanceStatus, money::Rupiah, text_enum::text_enum};

mod attempts;
mod clock;
mod policy;
mod turn;

pub use attempts::Attempt;
pub use clock::Hold;
pub use policy::{InvalidPolicy, LifePolicy};
pub use turn::{LifeLook, LifeTurn};

use clock::Clock;

text_enum! {
    /// What a server's owner is told about the end of a term, each once.
    Notice {
        /// The term ends within the first of [`LifePolicy::remind_before_ms`], a week.
        Remind7 = "remind_7",
        /// Within the second, three days.
        Remind3 = "remind_3",
        /// Within the third, a day.
        Remind1 = "remind_1",
        /// The renewal that is to come from the balance can't be paid from it.
        LacksMoney = "lacks_money",
        /// The term is over, and the server will be suspended.
        Grace = "grace",
        /// It was suspended, and will be deleted.
        Suspended = "suspended",
        /// It will be deleted soon.
        Termination = "termination",
        /// Its owner called it off for the end of the term, and was told that it will be deleted then.
        Cancellation = "cancellation",
    }
}

text_enum! {
    /// What takes something from a customer or from their balance, and so can be held back.
    Held {
        /// A renewal from the balance.
        Renew = "renew",
        /// A suspension.
        Suspend = "suspend",
        /// A deletion.
        Terminate = "terminate",
    }
}

text_enum! {
    /// What staff can have left undone, at one provider or everywhere.
    Process {
        /// Renewals from the balance.
        Renewals = "renewals",
        /// Suspensions for want of money.
        Suspensions = "suspensions",
        /// Deletions for want of money, and of what was called off for the end of its term.
        Terminations = "terminations",
    }
}

text_enum! {
    /// Why staff hold a server.
    HoldKind {
        /// It harms others.
        Abuse = "abuse",
        /// A court or an authority wants it kept.
        Legal = "legal",
        /// Something about its money is being cleared.
        Billing = "billing",
        /// Somebody of ours works on it.
        Support = "support",
    }
}

/// What a further term costs, and what there is to pay it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewal {
    /// What is to be paid: of the invoice that is open, else of one over as many months as the last term had. `None` when
    /// such a term is not on offer.
    pub price: Option<Rupiah>,
    /// What the customer can spend.
    pub available: Rupiah,
    /// Whether an invoice over it is open.
    pub is_billed: bool,
}

impl Renewal {
    fn is_covered(self) -> bool {
        self.price.is_some_and(|price| price <= self.available)
    }
}

/// What has been told, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
pub struct Told {
    /// What.
    pub notice: Notice,
    /// When it was delivered.
    pub at: DateTime<Utc>,
}

/// What keeps a step from being done, for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gates {
    /// No renewals from the balance.
    pub renew: bool,
    /// No suspensions.
    pub suspend: bool,
    /// No deletions.
    pub terminate: bool,
}

/// A server as it is, by the database's clock and under its lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The time.
    pub now: DateTime<Utc>,
    /// Where it stands.
    pub status: InstanceStatus,
    /// Its deletion is asked for.
    pub is_being_deleted: bool,
    /// The end of what is paid.
    pub expires_at: DateTime<Utc>,
    /// When it was suspended, if it is.
    pub suspended_at: Option<DateTime<Utc>>,
    /// It is renewed from the balance.
    pub auto_renew: bool,
    /// It goes when the term ends.
    pub cancels_at_period_end: bool,
    /// What a further term costs.
    pub renewal: Renewal,
    /// What its owner was told of this term.
    pub told: Vec<Told>,
    /// What staff hold or held it for.
    pub holds: Vec<Hold>,
    /// What is held back.
    pub closed: Gates,
}

/// Something to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Its owner is told.
    Tell(Notice),
    /// A further term is billed, for its owner to pay in any way.
    OpenInvoice,
    /// A further term is paid from the balance.
    Renew,
    /// It is switched off.
    Suspend,
    /// It is paid and suspended, and goes on.
    Resume,
    /// It is deleted.
    Terminate,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// What is to be done at once. Then the facts are others, and it is to be asked again.
    pub do_now: Option<Step>,
    /// Since when what is to be done is due, if it takes something away.
    pub due_since: Option<DateTime<Utc>>,
    /// What is due and held back.
    pub held: Option<Held>,
    /// When to ask again, if nothing happens to the server before; `None`: not at all.
    pub next_due: Option<DateTime<Utc>>,
    /// When more than a reminder is due, if nothing happens before.
    pub changes_at: Option<DateTime<Utc>>,
}

impl Decision {
    const fn now(step: Step) -> Self {
        Self { do_now: Some(step), due_since: None, held: None, next_due: None, changes_at: None }
    }

    const fn at(next_due: Option<DateTime<Utc>>) -> Self {
        Self { do_now: None, due_since: None, held: None, next_due, changes_at: next_due }
    }
}

/// What is due for a server. The same facts give the same answer.
#[must_use]
pub fn decide(facts: &Facts, policy: &LifePolicy) -> Decision {
    let life = Life { facts, policy, clock: Clock::of(&facts.holds, facts.now) };
    if facts.is_being_deleted {
        return Decision::at(None);
    }
    match facts.status {
        InstanceStatus::Active if facts.cancels_at_period_end => life.called_off(),
        InstanceStatus::Active if facts.now < facts.expires_at => life.within_the_term(),
        InstanceStatus::Active => life.past_the_term(),
        InstanceStatus::Suspended => life.suspended(),
        InstanceStatus::Provisioning | InstanceStatus::Terminating | InstanceStatus::Terminated => {
            Decision::at(None)
        }
    }
}

struct Life<'a> {
    facts: &'a Facts,
    policy: &'a LifePolicy,
    clock: Clock<'a>,
}

impl Life<'_> {
    /// Reminders, and the renewal from the balance.
    fn within_the_term(&self) -> Decision {
        let Facts { now, expires_at, closed, .. } = *self.facts;
        let renews_at = expires_at - span(self.policy.renew_before_ms);
        if self.renews_itself() && now >= renews_at {
            if !closed.renew {
                return Decision::now(Step::Renew);
            }
            return self.put_off(Held::Renew, Some(expires_at));
        }
        if self.lacks_money()
            && now >= renews_at
            && let Some(step) = self.ask_for_money()
        {
            return Decision::now(step);
        }
        if let Some(reminder) = self.reminder_due() {
            return Decision::now(Step::Tell(reminder));
        }
        let waits_for_balance = self.facts.auto_renew.then_some(renews_at);
        let changes_at = waits_for_balance.into_iter().chain([expires_at]).filter(|at| *at > now).min();
        let reminders = self.reminders().map(|(at, _)| at).filter(|at| *at > now);
        Decision { changes_at, ..Decision::at(reminders.chain(changes_at).min()) }
    }

    /// What is to be had of the balance is renewed late, too; else grace, then the suspension.
    fn past_the_term(&self) -> Decision {
        let Facts { expires_at, closed, .. } = *self.facts;
        if self.renews_itself() {
            return if closed.renew { self.put_off(Held::Renew, None) } else { Decision::now(Step::Renew) };
        }
        if self.lacks_money()
            && let Some(step) = self.ask_for_money()
        {
            return Decision::now(step);
        }
        let Some(told) = self.told(Notice::Grace) else { return Decision::now(Step::Tell(Notice::Grace)) };
        let due = self.clock.after(told.max(expires_at), span(self.policy.grace_ms));
        self.when_due(due, Step::Suspend, Held::Suspend, closed.suspend)
    }

    /// Who pays has it back; else it is warned of and goes.
    fn suspended(&self) -> Decision {
        let Facts { now, expires_at, suspended_at, closed, .. } = *self.facts;
        if expires_at > now {
            return Decision::now(Step::Resume);
        }
        if self.renews_itself() && !self.facts.cancels_at_period_end {
            return if closed.renew { self.put_off(Held::Renew, None) } else { Decision::now(Step::Renew) };
        }
        let Some(told) = self.told(Notice::Suspended) else {
            return Decision::now(Step::Tell(Notice::Suspended));
        };
        let since = suspended_at.map_or(told, |at| at.max(told));
        let warn_before = span(self.policy.warn_before_ms);
        let Some(warned) = self.told(Notice::Termination) else {
            let due = self.clock.after(since, span(self.policy.retention_ms) - warn_before);
            return match due {
                Some(due) if due <= now => Decision::now(Step::Tell(Notice::Termination)),
                due => Decision::at(due),
            };
        };
        let retained = self.clock.after(since, span(self.policy.retention_ms));
        let warned_long_enough = self.clock.after(warned, warn_before);
        let due = retained.zip(warned_long_enough).map(|(one, other)| one.max(other));
        self.when_due(due, Step::Terminate, Held::Terminate, closed.terminate)
    }

    /// Its owner wants it to go at the end of the term, and was told so.
    fn called_off(&self) -> Decision {
        if self.told(Notice::Cancellation).is_none() {
            return Decision::now(Step::Tell(Notice::Cancellation));
        }
        let due = self.clock.after(self.facts.expires_at, TimeDelta::zero());
        self.when_due(due, Step::Terminate, Held::Terminate, self.facts.closed.terminate)
    }

    /// A step that takes something away, at its time and when nothing keeps it back. `None`: its time never comes as
    /// things are.
    fn when_due(&self, due: Option<DateTime<Utc>>, step: Step, held: Held, is_closed: bool) -> Decision {
        match due {
            Some(due) if due <= self.facts.now && is_closed => self.put_off(held, None),
            Some(due) if due <= self.facts.now => Decision { due_since: Some(due), ..Decision::now(step) },
            due => Decision::at(due),
        }
    }

    /// Looked at again soon, and not later than `latest`.
    fn put_off(&self, held: Held, latest: Option<DateTime<Utc>>) -> Decision {
        let again = self.facts.now + span(self.policy.put_off_ms);
        let next_due = latest.map_or(again, |latest| latest.min(again));
        Decision { held: Some(held), ..Decision::at(Some(next_due)) }
    }

    fn renews_itself(&self) -> bool {
        self.facts.auto_renew && self.facts.renewal.is_covered()
    }

    /// A term that is not on offer any more is reminded of like one that nobody wished to renew.
    fn lacks_money(&self) -> bool {
        self.facts.auto_renew && self.facts.renewal.price.is_some() && !self.renews_itself()
    }

    /// The bill first: the notice names it.
    fn ask_for_money(&self) -> Option<Step> {
        let renewal = self.facts.renewal;
        if !renewal.is_billed {
            return Some(Step::OpenInvoice);
        }
        self.told(Notice::LacksMoney).is_none().then_some(Step::Tell(Notice::LacksMoney))
    }

    /// When the term is reminded of. Whose renewal the balance covers needs no reminder: they are told of the renewal.
    fn reminders(&self) -> impl Iterator<Item = (DateTime<Utc>, Notice)> {
        let notices = [Notice::Remind7, Notice::Remind3, Notice::Remind1];
        let of_use = !self.renews_itself();
        let ends = self.facts.expires_at;
        notices
            .into_iter()
            .zip(self.policy.remind_before_ms)
            .filter(move |_| of_use)
            .map(move |(notice, before)| (ends - span(before), notice))
    }

    /// The latest reminder that is due, unless something was told since it became so.
    fn reminder_due(&self) -> Option<Notice> {
        let (due, notice) = self.reminders().filter(|(at, _)| *at <= self.facts.now).last()?;
        let told_since = self.facts.told.iter().any(|told| told.notice == notice || told.at >= due);
        (!told_since).then_some(notice)
    }

    fn told(&self, notice: Notice) -> Option<DateTime<Utc>> {
        self.facts.told.iter().find(|told| told.notice == notice).map(|told| told.at)
    }
}

impl Facts {
    /// A server that runs, paid until `expires_at`, of which nothing else is known.
    #[must_use]
    pub const fn paid_until(expires_at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self {
            now,
            status: InstanceStatus::Active,
            is_being_deleted: false,
            expires_at,
            suspended_at: None,
            auto_renew: false,
            cancels_at_period_end: false,
            renewal: Renewal { price: None, available: Rupiah::ZERO, is_billed: false },
            told: Vec::new(),
            holds: Vec::new(),
            closed: Gates { renew: false, suspend: false, terminate: false },
        }
    }
}

/// A duration of the rules; what is beyond every calendar counts as its longest.
fn span(ms: u64) -> TimeDelta {
    TimeDelta::milliseconds(i64::try_from(ms.min(LifePolicy::LONGEST_MS)).unwrap_or_default())
}

#[cfg(test)]
mod tests;
