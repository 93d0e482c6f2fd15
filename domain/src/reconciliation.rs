//! Comparing what a provider has with what we believe: the rules by which a server is found unwanted, and by which one
//! is left in peace. They would rather miss a server in this run than accuse one that somebody uses or is waiting for.

use chrono::{DateTime, Utc};
use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};

use crate::{
    Rupiah,
    ids::{InstanceId, OrderId},
    instance::{InstanceStatus, PowerState},
    money::AmountOverflow,
    order::OrderStatus,
    server::ProviderServer,
    text_enum::text_enum,
};

text_enum! {
    /// What is wrong with a server.
    FindingKind {
        /// The provider has it, and nobody uses it.
        Orphan = "orphan",
        /// We believe it runs, and the provider does not know it.
        Ghost = "ghost",
        /// Its order has another server.
        Duplicate = "duplicate",
        /// It is not as we believe.
        Drifted = "drifted",
    }
}

text_enum! {
    /// Why a server was found to be so.
    FindingReason {
        /// It carries our tag, but no order's that we know.
        NoOrder = "no_order",
        /// Its order is closed or was never paid.
        OrderClosed = "order_closed",
        /// Its order failed; another try, or an administrator, may still take it.
        OrderFailed = "order_failed",
        /// Its order failed and has it all the same: it is paid for, and nobody uses it until a person decides.
        OrderFailedWithServer = "order_failed_with_server",
        /// Its order's server is another's or gone.
        NoLiveInstance = "no_live_instance",
        /// We ended it, and it is still there.
        StillCostsMoney = "still_costs_money",
        /// Its order uses another server.
        OtherServerAttached = "other_server_attached",
        /// Its order failed, and an older server of that order is the one another try would take.
        OlderServerKept = "older_server_kept",
        /// It can neither be read nor listed.
        NotAtProvider = "not_at_provider",
        /// It lacks the tag by which we list our servers.
        NotTagged = "not_tagged",
        /// Size, region, power or address differ.
        Differs = "differs",
    }
}

text_enum! {
    /// What a run did about a finding.
    FindingAction {
        /// Nothing: it is for people to decide.
        None = "none",
        /// Nothing, because of the dry run; otherwise it would have been powered off.
        WouldQuarantine = "would_quarantine",
        /// Powered off.
        Quarantined = "quarantined",
        /// Was powered off before, and its time is not over.
        InQuarantine = "in_quarantine",
        /// Nothing, because of the dry run; otherwise it would have been deleted.
        WouldDelete = "would_delete",
        /// The provider was asked to delete it.
        Deleted = "deleted",
        /// Nothing: so many servers at once look like our own mistake, such as a database restored from a backup. A run
        /// that an administrator asks for acts on them when it names their number.
        Held = "held",
        /// Nothing: an administrator let it go.
        Released = "released",
        /// Nothing, because of the dry run; otherwise our record would have been corrected.
        WouldCorrect = "would_correct",
        /// Our record of its power and addresses was corrected.
        Corrected = "corrected",
        /// The provider refused what was tried; `detail` says why. The next run tries again.
        Refused = "refused",
    }
}

/// An order with its server as we believe them to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownOrder {
    /// The order.
    pub order_id: OrderId,
    /// Where the order stands.
    pub order_status: OrderStatus,
    /// Our record of its server; `None` before provisioning.
    pub instance: Option<KnownInstance>,
}

/// Our record of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownInstance {
    /// Its id.
    pub id: InstanceId,
    /// Where it stands.
    pub status: InstanceStatus,
    /// The provider it is at (slug).
    pub provider: String,
    /// The provider's id of it, once known.
    pub server: Option<String>,
    /// The provider's slug of its size.
    pub size: String,
    /// The provider's slug of its region.
    pub region: String,
    /// Its public IPv4.
    pub ipv4: Option<String>,
    /// Its public IPv6.
    pub ipv6: Option<String>,
    /// Whether it is on.
    pub power: PowerState,
    /// Whether something is being done to it right now.
    pub busy: bool,
}

/// What is to be thought of a listed server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is its order's server.
    Wanted,
    /// It may be about to become somebody's: too young, or its order is being provisioned.
    NotYetJudged,
    /// Nobody should pay for it.
    Unwanted(FindingKind, FindingReason),
}

impl FindingReason {
    /// Whether an unwanted server may be powered off and deleted by itself. Where another try may still take it, people
    /// decide.
    #[must_use]
    pub const fn may_be_quarantined(self) -> bool {
        !matches!(
            self,
            Self::OrderFailed
                | Self::OrderFailedWithServer
                | Self::NotAtProvider
                | Self::NotTagged
                | Self::Differs
        )
    }
}

/// Judges a server that `provider` lists under our tag. `attached` is the record that names it, `tagged` the order
/// whose tag it carries. Servers made after `young_after` may still be on their way into the database.
#[must_use]
pub fn judge(
    server: &ProviderServer,
    attached: Option<&KnownOrder>,
    tagged: Option<&KnownOrder>,
    young_after: DateTime<Utc>,
) -> Verdict {
    use FindingKind::{Duplicate, Orphan};
    use FindingReason as Reason;
    if let Some((known, instance)) = attached.and_then(|k| k.instance.as_ref().map(|i| (k, i))) {
        return match instance.status {
            InstanceStatus::Terminated => Verdict::Unwanted(Orphan, Reason::StillCostsMoney),
            InstanceStatus::Provisioning if is_closed(known.order_status) => {
                Verdict::Unwanted(Orphan, Reason::OrderClosed)
            }
            InstanceStatus::Provisioning if known.order_status == OrderStatus::ProvisioningFailed => {
                Verdict::Unwanted(Orphan, Reason::OrderFailedWithServer)
            }
            _ => Verdict::Wanted,
        };
    }
    if server.created_at > young_after {
        return Verdict::NotYetJudged;
    }
    let Some(known) = tagged else { return Verdict::Unwanted(Orphan, Reason::NoOrder) };
    if matches!(known.order_status, OrderStatus::Paid | OrderStatus::Provisioning) {
        return Verdict::NotYetJudged;
    }
    let lives_elsewhere =
        known.instance.as_ref().is_some_and(|i| i.server.is_some() && i.status != InstanceStatus::Terminated);
    match known.order_status {
        status if is_closed(status) => Verdict::Unwanted(Orphan, Reason::OrderClosed),
        _ if lives_elsewhere => Verdict::Unwanted(Duplicate, Reason::OtherServerAttached),
        OrderStatus::ProvisioningFailed => Verdict::Unwanted(Orphan, Reason::OrderFailed),
        _ => Verdict::Unwanted(Orphan, Reason::NoLiveInstance),
    }
}

/// Whether no server will be made for the order, or used by it, unless it is revived by a payment first.
const fn is_closed(status: OrderStatus) -> bool {
    matches!(
        status,
        OrderStatus::PendingPayment | OrderStatus::Expired | OrderStatus::Cancelled | OrderStatus::Refunded
    )
}

/// How many servers a run may put into quarantine, of so many that are listed: a tenth, and five at least.
/// More at once are more likely our mistake than theirs, and need somebody who has seen their number.
#[must_use]
pub fn most_at_once(listed: usize) -> usize {
    (listed / 10).max(5)
}

/// One respect in which a server is not as we believe.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Difference {
    /// `size`, `region`, `power`, `ipv4` or `ipv6`.
    pub field: String,
    /// What we believe.
    pub ours: Option<String>,
    /// What the provider says.
    pub theirs: Option<String>,
}

/// How an attached, living server differs from our record of it. One that is being worked on, or whose provider tells
/// nothing, does not differ.
#[must_use]
pub fn differences(server: &ProviderServer, instance: &KnownInstance) -> Vec<Difference> {
    if instance.busy || !matches!(instance.status, InstanceStatus::Active | InstanceStatus::Suspended) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut compare = |field: &str, ours: Option<&str>, theirs: Option<&str>| {
        if theirs.is_some() && ours != theirs {
            let (ours, theirs) = (ours.map(str::to_owned), theirs.map(str::to_owned));
            found.push(Difference { field: field.to_owned(), ours, theirs });
        }
    };
    compare("size", Some(&instance.size), Some(&server.size));
    compare("region", Some(&instance.region), Some(&server.region));
    let told = (server.power != PowerState::Unknown).then_some(server.power.as_str());
    compare("power", Some(instance.power.as_str()), told);
    let (ipv4, ipv6) = (server.ipv4.map(|ip| ip.to_string()), server.ipv6.map(|ip| ip.to_string()));
    compare("ipv4", instance.ipv4.as_deref(), ipv4.as_deref());
    compare("ipv6", instance.ipv6.as_deref(), ipv6.as_deref());
    found
}

/// Whether a difference is one of our record only, which a look at the provider corrects.
#[must_use]
pub fn is_correctable(difference: &Difference) -> bool {
    matches!(difference.field.as_str(), "power" | "ipv4" | "ipv6")
}

/// A month's price in rupiah, rounded half away from zero.
///
/// # Errors
/// [`AmountOverflow`] when it does not fit.
pub fn monthly_cost(price_usd: Decimal, usd_idr: Decimal) -> Result<Rupiah, AmountOverflow> {
    price_usd
        .checked_mul(usd_idr)
        .map(|cost| cost.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero))
        .and_then(|cost| cost.to_i64())
        .map(Rupiah::new)
        .ok_or(AmountOverflow)
}

#[cfg(test)]
mod tests;
