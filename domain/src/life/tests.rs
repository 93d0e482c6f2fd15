use proptest::prelude::*;

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn end() -> DateTime<Utc> {
    at("2027-01-31T03:00:00Z")
}

fn days(days: i64) -> TimeDelta {
    TimeDelta::days(days)
}

/// What becomes of a server when decisions are carried out.
#[derive(Debug, Clone)]
struct World {
    facts: Facts,
    policy: LifePolicy,
    done: Vec<(DateTime<Utc>, Step)>,
}

impl World {
    fn new(facts: Facts) -> Self {
        Self { facts, policy: LifePolicy::default(), done: Vec::new() }
    }

    /// Carries out what is due at `now`; answers when to look again.
    fn look(&mut self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.facts.now = now;
        for _ in 0..20 {
            let decision = decide(&self.facts, &self.policy);
            assert_eq!(decision, decide(&self.facts, &self.policy));
            let Some(step) = decision.do_now else {
                assert!(decision.next_due.is_none_or(|at| at > now), "it would never sleep: {decision:?}");
                return decision.next_due;
            };
            self.done.push((now, step));
            self.carry_out(step);
        }
        panic!("it never ends: {:?}", self.done);
    }

    fn carry_out(&mut self, step: Step) {
        let facts = &mut self.facts;
        match step {
            Step::Tell(notice) => facts.told.push(Told { notice, at: facts.now }),
            Step::OpenInvoice => facts.renewal.is_billed = true,
            Step::Renew => {
                let price = facts.renewal.price.unwrap();
                facts.renewal.available = facts.renewal.available.minus(price).unwrap();
                self.extend();
            }
            Step::Suspend => {
                (facts.status, facts.suspended_at) = (InstanceStatus::Suspended, Some(facts.now));
                facts.told.push(Told { notice: Notice::Suspended, at: facts.now });
            }
            Step::Resume => (facts.status, facts.suspended_at) = (InstanceStatus::Active, None),
            Step::Terminate => facts.status = InstanceStatus::Terminating,
        }
    }

    fn extend(&mut self) {
        self.facts.expires_at += days(30);
        self.facts.renewal.is_billed = false;
        self.facts.told.clear();
    }

    /// Sleeps as it is told to, until `until`.
    fn live(&mut self, until: DateTime<Utc>) {
        while let Some(next) = self.look(self.facts.now).filter(|next| *next <= until) {
            self.facts.now = next;
        }
        self.facts.now = until;
        self.look(until);
    }

    fn steps(&self) -> Vec<(i64, Step)> {
        self.done.iter().map(|(at, step)| ((*at - end()).num_hours(), *step)).collect()
    }
}

fn renewing(available: i64) -> Facts {
    let renewal =
        Renewal { price: Some(Rupiah::new(100)), available: Rupiah::new(available), is_billed: false };
    Facts { auto_renew: true, renewal, ..Facts::paid_until(end(), end() - days(30)) }
}

#[test]
fn who_does_not_pay_is_reminded_warned_suspended_and_loses_the_server_last() {
    let mut world = World::new(Facts::paid_until(end(), end() - days(30)));
    world.live(end() + days(60));
    assert_eq!(
        world.steps(),
        [
            (-7 * 24, Step::Tell(Notice::Remind7)),
            (-3 * 24, Step::Tell(Notice::Remind3)),
            (-24, Step::Tell(Notice::Remind1)),
            (0, Step::Tell(Notice::Grace)),
            (3 * 24, Step::Suspend),
            (14 * 24, Step::Tell(Notice::Termination)),
            (17 * 24, Step::Terminate),
        ]
    );
}

#[test]
fn a_renewal_that_the_balance_covers_wakes_nobody_before_it_is_due() {
    let mut world = World::new(renewing(150));
    world.live(end() - days(1));
    assert_eq!(world.steps(), [(-3 * 24, Step::Renew)]);
    assert_eq!(world.facts.expires_at, end() + days(30));
    // The next one is not covered.
    world.live(end() + days(28));
    let asked = [Step::Tell(Notice::Remind7), Step::OpenInvoice, Step::Tell(Notice::LacksMoney)];
    assert_eq!(world.done[1..].iter().map(|(_, step)| *step).collect::<Vec<_>>(), asked);
}

#[test]
fn money_that_arrives_late_renews_and_brings_the_server_back() {
    let mut world = World::new(renewing(0));
    world.live(end() + days(5));
    assert_eq!(world.facts.status, InstanceStatus::Suspended);
    world.facts.renewal.available = Rupiah::new(100);
    world.look(end() + days(6));
    assert_eq!(world.facts.status, InstanceStatus::Active);
    let last: Vec<Step> = world.done.iter().rev().take(2).map(|(_, step)| *step).collect();
    assert_eq!(last, [Step::Resume, Step::Renew]);
}

#[test]
fn a_missed_week_is_one_catch_up() {
    let mut world = World::new(Facts::paid_until(end(), end() - days(30)));
    world.look(end() - TimeDelta::hours(3));
    assert_eq!(world.steps(), [(-3, Step::Tell(Notice::Remind1))]);
    // Asleep over the end, the grace and the retention: the days begin with the word.
    let mut world = World::new(Facts::paid_until(end(), end() + days(40)));
    world.live(end() + days(41));
    assert_eq!(world.steps(), [(40 * 24, Step::Tell(Notice::Grace))]);
    world.live(end() + days(43));
    assert_eq!(world.facts.status, InstanceStatus::Suspended);
}

#[test]
fn what_was_called_off_goes_at_the_end_of_its_term() {
    let facts = Facts { cancels_at_period_end: true, ..renewing(1_000) };
    let mut world = World::new(facts);
    world.live(end() + days(1));
    assert_eq!(
        world.steps().iter().map(|(_, step)| *step).collect::<Vec<_>>(),
        [Step::Tell(Notice::Cancellation), Step::Terminate]
    );
    assert_eq!(world.done[1].0, end());
}

#[test]
fn what_is_held_back_is_looked_at_again() {
    let mut world = World::new(renewing(100));
    world.facts.closed.renew = true;
    let next = world.look(end() - days(3));
    assert_eq!(next, Some(end() - days(3) + TimeDelta::hours(1)));
    world.facts =
        Facts { told: vec![Told { notice: Notice::Grace, at: end() }], ..Facts::paid_until(end(), end()) };
    world.facts.closed.suspend = true;
    let now = end() + days(4);
    assert_eq!(world.look(now), Some(now + TimeDelta::hours(1)));
    assert_eq!(decide(&world.facts, &world.policy).held, Some(Held::Suspend));
    assert!(world.done.is_empty());
}

#[test]
fn a_hold_stops_the_clock_or_only_the_hand() {
    let told = vec![Told { notice: Notice::Grace, at: end() }];
    let facts = Facts { told, ..Facts::paid_until(end(), end() + days(1)) };
    let held =
        |hold: Hold| decide(&Facts { holds: vec![hold], ..facts.clone() }, &LifePolicy::default()).next_due;
    let (from, until) = (end() + days(1), Some(end() + days(6)));
    assert_eq!(held(Hold { from, until, stops_clock: true }), Some(end() + days(8)));
    assert_eq!(held(Hold { from, until, stops_clock: false }), Some(end() + days(6)));
    assert_eq!(held(Hold { from, until: None, stops_clock: true }), None);
    assert_eq!(held(Hold { from, until: None, stops_clock: false }), None);
    // One that is over keeps nothing back.
    let over = Hold { from: end() - days(9), until: Some(end() - days(8)), stops_clock: true };
    assert_eq!(held(over), Some(end() + days(3)));
}

#[test]
fn rules_have_to_fit_together() {
    let good = LifePolicy::default();
    assert_eq!(good.check(), Ok(()));
    let field = |policy: LifePolicy| policy.check().unwrap_err().field;
    assert_eq!(field(LifePolicy { remind_before_ms: [1, 2, 3], ..good }), "remind_before_ms");
    assert_eq!(field(LifePolicy { grace_ms: 0, ..good }), "grace_ms");
    assert_eq!(field(LifePolicy { warn_before_ms: good.retention_ms + 1, ..good }), "warn_before_ms");
    assert_eq!(field(LifePolicy { put_off_ms: LifePolicy::LONGEST_MS + 1, ..good }), "put_off_ms");
}

/// Something that happens to a server from outside, or nothing.
#[derive(Debug, Clone, Copy)]
enum Happens {
    Nothing,
    Pays,
    Deposits,
    WishesRenewal(bool),
    CallsOff(bool),
    Held { hours: i64, stops_clock: bool },
    Closed(bool),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => Just(Happens::Nothing),
        1 => Just(Happens::Pays),
        1 => Just(Happens::Deposits),
        1 => any::<bool>().prop_map(Happens::WishesRenewal),
        1 => any::<bool>().prop_map(Happens::CallsOff),
        1 => (1..300_i64, any::<bool>()).prop_map(|(hours, stops_clock)| Happens::Held { hours, stops_clock }),
        1 => any::<bool>().prop_map(Happens::Closed),
    ]
}

fn outside(world: &mut World, what: Happens) {
    let now = world.facts.now;
    match what {
        Happens::Nothing => {}
        Happens::Pays if matches!(world.facts.status, InstanceStatus::Active | InstanceStatus::Suspended) => {
            world.extend();
        }
        Happens::Pays => {}
        Happens::Deposits => world.facts.renewal.available = Rupiah::new(100),
        Happens::WishesRenewal(wish) => world.facts.auto_renew = wish,
        Happens::CallsOff(wish) => world.facts.cancels_at_period_end = wish,
        Happens::Held { hours, stops_clock } => world.facts.holds.push(Hold {
            from: now,
            until: Some(now + TimeDelta::hours(hours)),
            stops_clock,
        }),
        Happens::Closed(is) => world.facts.closed = Gates { renew: is, suspend: is, terminate: is },
    }
}

proptest! {
    /// Whatever happens, and however late it is looked at: nothing is taken without a word and the days between, nor from
    /// who paid, nor while it is held or held back; and nothing is told or charged twice.
    #[test]
    fn nothing_is_taken_without_warning(story in prop::collection::vec((0..240_i64, happens()), 1..60)) {
        let mut world = World::new(Facts { renewal: renewing(0).renewal, ..Facts::paid_until(end(), end() - days(10)) });
        let policy = world.policy;
        for (hours, what) in story {
            outside(&mut world, what);
            let now = world.facts.now + TimeDelta::hours(hours);
            let (told_before, done_before) = (world.facts.clone(), world.done.len());
            world.look(now);
            for (_, step) in world.done[done_before..].iter().copied() {
                let facts = &told_before;
                let told = |notice| facts.told.iter().find(|told| told.notice == notice).map(|told| told.at);
                match step {
                    Step::Suspend => {
                        prop_assert!(told(Notice::Grace).is_some_and(|at| now - at >= span(policy.grace_ms)));
                        prop_assert!(facts.expires_at <= now && !facts.closed.suspend);
                    }
                    Step::Terminate => {
                        let warned = told(Notice::Termination).or(told(Notice::Cancellation));
                        prop_assert!(warned.is_some() || facts.cancels_at_period_end);
                        prop_assert!(facts.expires_at <= now && !facts.closed.terminate);
                    }
                    Step::Renew => prop_assert!(facts.auto_renew && !facts.closed.renew),
                    _ => {}
                }
                if matches!(step, Step::Suspend | Step::Terminate) {
                    let held = facts.holds.iter().any(|hold| hold.until.is_some_and(|until| until > now));
                    prop_assert!(!held, "{step:?} while held");
                }
            }
            let mut told: Vec<_> = world.facts.told.iter().map(|told| told.notice).collect();
            told.sort();
            let all = told.len();
            told.dedup();
            prop_assert_eq!(told.len(), all, "told twice");
        }
    }

    /// A hold never brings anything nearer.
    #[test]
    fn a_hold_only_pushes_out(from in 0..400_i64, hours in 1..400_i64, stops_clock: bool, seen in 0..400_i64) {
        let told = vec![Told { notice: Notice::Grace, at: end() }];
        let now = end() + TimeDelta::hours(seen);
        let free = Facts { told, ..Facts::paid_until(end(), now) };
        let hold = Hold {
            from: end() + TimeDelta::hours(from),
            until: Some(end() + TimeDelta::hours(from + hours)),
            stops_clock,
        };
        let held = Facts { holds: vec![hold], ..free.clone() };
        let due = |facts: &Facts| match decide(facts, &LifePolicy::default()) {
            Decision { do_now: Some(_), .. } => now,
            decision => decision.next_due.unwrap(),
        };
        prop_assert!(due(&held) >= due(&free));
    }
}
