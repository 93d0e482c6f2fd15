//! Orders as customers place, read and call them off. What happens to a paid order is in [`crate::provisioning`].

mod activation_times;
mod cancel;
mod offer;
mod place;
mod promo;
mod read;
mod ssh_keys;

pub use activation_times::Activation;
pub use offer::{Offer, Selection};
pub use place::{NewOrder, Placed};
pub use read::{InvoiceSummary, Order, OrderPromo, OwnOrderFilter};

pub(crate) use ssh_keys::public_keys;

use crate::StoreError;

/// Why an order can't be quoted or placed as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No plan has that id.
    #[error("there is no such plan")]
    UnknownPlan,
    /// The plan's whole provider is not on sale, or not set up here.
    #[error("this plan's provider is not on sale at the moment")]
    ProviderDisabled,
    /// The plan is not on sale.
    #[error("this plan is not on sale at the moment")]
    PlanInactive,
    /// The provider has no such size at present.
    #[error("the provider can't deliver this plan at the moment")]
    PlanUnavailable,
    /// No active region has that slug.
    #[error("there is no such region")]
    RegionUnknown,
    /// The plan is not offered there.
    #[error("this plan is not offered in this region")]
    RegionWithoutPlan,
    /// No active image has that slug.
    #[error("there is no such image")]
    ImageUnknown,
    /// The plan's provider does not have the image.
    #[error("the plan's provider does not offer this image")]
    ImageNotForProvider,
    /// Nobody can buy that many months.
    #[error("this term is not on offer")]
    TermNotOffered,
    /// One of the SSH keys is not the customer's.
    #[error("one of these SSH keys is not yours")]
    SshKeyUnknown,
    /// The SSH keys are more than a server can be told.
    #[error(transparent)]
    SshKeysTooLong(#[from] domain::user_data::KeysTooLong),
    /// cloud-init would not know what the user data is.
    #[error(transparent)]
    UserDataInvalid(#[from] domain::user_data::InvalidUserData),
    /// The user data is more than a server can be told beside its keys.
    #[error(transparent)]
    UserDataTooLong(#[from] domain::user_data::UserDataTooLong),
    /// As many are sold as may be.
    #[error("this plan is sold out at the moment")]
    OutOfStock,
    /// So much can't be paid in this way at once.
    #[error(transparent)]
    PaymentLimit(#[from] domain::payment_limits::OutsideLimits),
    /// The promo code does not apply.
    #[error(transparent)]
    Promo(#[from] domain::promo::PromoRefusal),
}

/// A failed quote or order. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// It can't be had as asked.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database or the request's idempotency key was in the way.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for OrderError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}
