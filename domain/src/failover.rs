//! Where an order goes when the provider it was placed with is sold out: to a plan of another provider that is at
//! least as good, in the same country, and not too dear for us. The customer's price does not change.

use rust_decimal::Decimal;

use crate::{money::BasisPoints, text_enum::text_enum};

text_enum! {
    /// Why an order's server is bought where it is.
    PlacementReason {
        /// The customer picked it.
        Ordered = "ordered",
        /// What the customer picked was sold out.
        Failover = "failover",
        /// An admin picked it.
        Admin = "admin",
    }
}

/// Whether an order may go to another provider by itself, and what that may cost us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct FailoverPolicy {
    /// Off unless an operator turns it on.
    pub enabled: bool,
    /// How much more than the ordered plan the other one may cost us, in basis points of the ordered plan's cost at
    /// its provider. 0: not a cent more.
    pub margin_bp: BasisPoints,
}

impl FailoverPolicy {
    /// No failover.
    pub const OFF: Self = Self { enabled: false, margin_bp: 0 };

    /// The most a stand-in for a plan that costs us `ordered` may cost; `None` when it leaves the range of decimals.
    #[must_use]
    pub fn budget(self, ordered: Decimal) -> Option<Decimal> {
        let share = Decimal::new(i64::from(self.margin_bp), 4);
        ordered.checked_add(ordered.checked_mul(share)?)
    }
}

/// The size of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerSize {
    /// Virtual processors.
    pub vcpu: i32,
    /// Memory in MiB.
    pub memory_mb: i32,
    /// Disk in GiB.
    pub disk_gb: i32,
}

impl ServerSize {
    /// True when nothing of this is less than in `other`.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        self.vcpu >= other.vcpu && self.memory_mb >= other.memory_mb && self.disk_gb >= other.disk_gb
    }
}

/// A place on the map, as the catalog sorts them: the nearest to Indonesia first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// The region's place in the catalog.
    pub sort_order: i32,
}

/// What a person picked: the customer, or an admin after them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    /// The plan's size.
    pub size: ServerSize,
    /// The region's place.
    pub location: Location,
    /// What the plan cost us when provisioning began, US dollars a month.
    pub cost_monthly_usd: Decimal,
}

/// A plan in a region that can be had, has the order's image, and is at a provider that was not tried yet. `T` is
/// what the caller knows it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate<T> {
    /// What the caller knows it by.
    pub key: T,
    /// The plan's size.
    pub size: ServerSize,
    /// The region's place.
    pub location: Location,
    /// What the plan costs us, US dollars a month.
    pub cost_monthly_usd: Decimal,
}

/// The stand-in for what was ordered: of those that are big enough, in the same country and within the budget, the
/// nearest in the catalog's order, then the cheapest; of equals the first given. `None` when failover is off or
/// nothing fits. Another country is a decision for people, never made here.
#[must_use]
pub fn choose<'a, T>(
    policy: FailoverPolicy,
    ordered: &Ordered,
    candidates: &'a [Candidate<T>],
) -> Option<&'a Candidate<T>> {
    if !policy.enabled {
        return None;
    }
    let budget = policy.budget(ordered.cost_monthly_usd)?;
    let wanted = &ordered.location;
    candidates
        .iter()
        .filter(|c| c.size.covers(ordered.size) && c.cost_monthly_usd <= budget)
        .filter(|c| c.location.country == wanted.country)
        .min_by_key(|c| (c.location.sort_order.abs_diff(wanted.sort_order), c.cost_monthly_usd))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: FailoverPolicy = FailoverPolicy { enabled: true, margin_bp: 2_000 };

    fn ordered() -> Ordered {
        Ordered { size: size(1, 1024, 25), location: place("SG", 10), cost_monthly_usd: Decimal::new(600, 2) }
    }

    const fn size(vcpu: i32, memory_mb: i32, disk_gb: i32) -> ServerSize {
        ServerSize { vcpu, memory_mb, disk_gb }
    }

    fn place(country: &str, sort_order: i32) -> Location {
        Location { country: country.to_owned(), sort_order }
    }

    fn candidate(key: &'static str, cents: i64, country: &str, sort_order: i32) -> Candidate<&'static str> {
        Candidate {
            key,
            size: size(1, 1024, 25),
            location: place(country, sort_order),
            cost_monthly_usd: Decimal::new(cents, 2),
        }
    }

    fn chosen(policy: FailoverPolicy, candidates: &[Candidate<&'static str>]) -> Option<&'static str> {
        choose(policy, &ordered(), candidates).map(|c| c.key)
    }

    #[test]
    fn nothing_is_chosen_while_it_is_off() {
        let off = FailoverPolicy { enabled: false, ..ON };
        assert_eq!(chosen(off, &[candidate("vultr", 500, "SG", 11)]), None);
        assert_eq!(chosen(FailoverPolicy::OFF, &[candidate("vultr", 500, "SG", 11)]), None);
    }

    #[test]
    fn the_budget_is_a_share_of_what_was_ordered() {
        assert_eq!(ON.budget(Decimal::new(600, 2)), Some(Decimal::new(720, 2)));
        assert_eq!(chosen(ON, &[candidate("at the edge", 720, "SG", 11)]), Some("at the edge"));
        assert_eq!(chosen(ON, &[candidate("a cent more", 721, "SG", 11)]), None);
        let exact = FailoverPolicy { margin_bp: 0, ..ON };
        assert_eq!(chosen(exact, &[candidate("as dear", 600, "SG", 11)]), Some("as dear"));
        assert_eq!(chosen(exact, &[candidate("a cent more", 601, "SG", 11)]), None);
    }

    #[test]
    fn nothing_smaller_stands_in() {
        for smaller in [size(0, 1024, 25), size(1, 1023, 25), size(1, 1024, 24)] {
            let candidates = [Candidate { size: smaller, ..candidate("smaller", 500, "SG", 11) }];
            assert_eq!(chosen(ON, &candidates), None, "{smaller:?}");
        }
        let larger = [Candidate { size: size(2, 2048, 50), ..candidate("larger", 700, "SG", 11) }];
        assert_eq!(chosen(ON, &larger), Some("larger"));
    }

    #[test]
    fn the_country_stays() {
        assert_eq!(chosen(ON, &[candidate("sydney", 100, "AU", 10)]), None);
    }

    #[test]
    fn the_nearest_goes_before_the_cheapest_and_the_first_given_decides() {
        let near = candidate("near", 650, "SG", 11);
        let far = candidate("far", 500, "SG", 12);
        let cheap = candidate("cheap", 640, "SG", 9);
        assert_eq!(chosen(ON, &[far.clone(), near.clone()]), Some("near"));
        assert_eq!(chosen(ON, &[near.clone(), cheap, far]), Some("cheap"));
        let twin = Candidate { key: "twin", ..near.clone() };
        assert_eq!(chosen(ON, &[near, twin]), Some("near"));
    }

    #[test]
    fn a_budget_beyond_all_numbers_chooses_nothing() {
        let policy = FailoverPolicy { enabled: true, margin_bp: u32::MAX };
        assert_eq!(policy.budget(Decimal::MAX), None);
    }
}
