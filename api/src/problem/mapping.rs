//! Every error of other crates as a problem. All of them stand here, so that one thing has one code everywhere; an error
//! of this crate is mapped where it is declared.

use adapters::providers::{ProviderError, UnknownProvider};
use domain::{
    causes::in_full, ids::PaymentId, life::InvalidPolicy, promo::PromoRefusal, provisioning::FailureClass,
    rate_limit::HeldBy, unpaid::TooMuchUnpaid,
};
use store::{
    Object, StoreError,
    admin::{AnnouncementError, UserError},
    catalog::CatalogError,
    life::ReleaseError,
    orders::{OrderError, Refusal},
    payments::{ApprovalError, ProofError},
    placements::{ElsewhereRefusal, RetryError},
    promos::PromoError,
    refunds::RefundError,
    ssh_keys::SshKeyError,
};

use super::{Code, FieldError, Problem};

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(what) => Self::not_found(what),
            StoreError::Conflict { object, .. } => Self::new(of_conflict(object), error.to_string()),
            StoreError::IdempotencyMismatch => Self::new(Code::IdempotencyKeyReused, error.to_string()),
            StoreError::VersionDiffers => Self::new(Code::PreconditionFailed, error.to_string()),
            StoreError::OwnMoney => Self::new(Code::OwnMoney, error.to_string()),
            StoreError::InsufficientBalance => Self::new(Code::InsufficientBalance, error.to_string()),
            StoreError::PaymentLimit(outside) => Self::beyond_limit(&outside, None),
            StoreError::TooMuchUnpaid(refusal) => refusal.into(),
            StoreError::TooManyActions { frees_in_seconds, .. } => {
                Self::new(Code::TooManyActions, error.to_string()).retry_after(u64::from(frees_in_seconds))
            }
            StoreError::WrongCode => Self::field(Code::WrongCode, "code", error.to_string()),
            StoreError::TooManyApiTokens => Self::new(Code::TooManyApiTokens, error.to_string()),
            StoreError::LinkInvalid => Self::new(Code::LinkInvalid, error.to_string()),
            StoreError::TooManyLinks => Self::new(Code::TooManyLinks, error.to_string()).retry_after(15 * 60),
            StoreError::TooManyExports => Self::new(Code::TooManyExports, error.to_string()).retry_after(30),
            StoreError::Promo(refusal) => refusal.into(),
            error if error.is_transient() => {
                tracing::warn!(
                    event = "database.unavailable",
                    error = in_full(&error),
                    "database unavailable"
                );
                Self::new(Code::Unavailable, "please try again in a moment").retry_after(1)
            }
            error => Self::internal(&error),
        }
    }
}

impl From<ReleaseError> for Problem {
    fn from(error: ReleaseError) -> Self {
        match error {
            ReleaseError::OtherNumber { .. } => Self::new(Code::HeldChanged, error.to_string()),
            ReleaseError::Store(error) => error.into(),
        }
    }
}

/// Rules that don't fit together name the one at fault.
impl From<InvalidPolicy> for Problem {
    fn from(invalid: InvalidPolicy) -> Self {
        Self::field(Code::LifeRulesInvalid, invalid.field, invalid.message)
    }
}

/// The code of a thing whose state is in the way.
const fn of_conflict(object: Object) -> Code {
    match object {
        Object::Announcement => Code::AnnouncementConflict,
        Object::Catalog => Code::CatalogConflict,
        Object::Delivery => Code::DeliveryConflict,
        Object::Dispute => Code::DisputeConflict,
        Object::Instance => Code::InstanceConflict,
        Object::Invoice => Code::InvoiceConflict,
        Object::Message => Code::MessageConflict,
        Object::Network => Code::NetworkConflict,
        Object::Order => Code::OrderConflict,
        Object::Payment => Code::PaymentConflict,
        Object::Payout => Code::PayoutConflict,
        Object::QuarantinedServer => Code::QuarantinedServerConflict,
        Object::Refund => Code::RefundConflict,
        Object::SecondFactor => Code::TwoFactorConflict,
        Object::Server => Code::ServerConflict,
        Object::User => Code::UserConflict,
    }
}

impl From<PromoRefusal> for Code {
    fn from(refusal: PromoRefusal) -> Self {
        match refusal {
            PromoRefusal::Unknown => Self::PromoUnknown,
            PromoRefusal::Inactive => Self::PromoInactive,
            PromoRefusal::NotStarted => Self::PromoNotStarted,
            PromoRefusal::Expired => Self::PromoExpired,
            PromoRefusal::UsedUp => Self::PromoUsedUp,
            PromoRefusal::AlreadyUsed => Self::PromoAlreadyUsed,
            PromoRefusal::Minimum { .. } => Self::PromoMinimum,
            PromoRefusal::NotForOrders => Self::PromoNotForOrders,
            PromoRefusal::NotForDeposits => Self::PromoNotForDeposits,
        }
    }
}

impl From<PromoRefusal> for Problem {
    fn from(refusal: PromoRefusal) -> Self {
        Self::field(refusal.into(), "promo_code", refusal.to_string())
    }
}

/// 409 where somebody has to pay or call something off, 429 where time alone helps.
impl From<TooMuchUnpaid> for Problem {
    fn from(refusal: TooMuchUnpaid) -> Self {
        let code = match refusal {
            TooMuchUnpaid::Orders { .. } => Code::TooManyUnpaidOrders,
            TooMuchUnpaid::Deposits { .. } => Code::TooManyUnpaidDeposits,
            TooMuchUnpaid::OfPlan { .. } | TooMuchUnpaid::OfCode { .. } => Code::TooManyReservations,
            TooMuchUnpaid::Attempts { .. } => Code::TooManyAttempts,
            TooMuchUnpaid::Renewals { .. } => Code::TooManyRenewals,
            TooMuchUnpaid::ProofsOfOrder { .. } => Code::TooManyProofs,
            TooMuchUnpaid::Proofs { .. } | TooMuchUnpaid::ProofBytes { .. } => Code::TooManyProofsToday,
        };
        let problem = Self::new(code, refusal.to_string());
        match refusal.frees_in_seconds() {
            None => problem,
            Some(seconds) => problem.retry_after(u64::from(seconds)),
        }
    }
}

/// A provider's trouble while somebody waits for an answer. Its words are for the log: they tell how we are set up.
impl From<ProviderError> for Problem {
    fn from(error: ProviderError) -> Self {
        if error.class == FailureClass::Unsupported {
            return Self::new(Code::UnsupportedAction, error.message);
        }
        if let Some(by @ (HeldBy::Class | HeldBy::Party)) = error.held_by {
            return Self::no_share(by, error.retry_after.unwrap_or_default());
        }
        tracing::warn!(
            event = "provider.no_answer",
            provider = error.provider,
            class = %error.class,
            code = error.code,
            status = error.status,
            provider_request_id = error.request_id,
            error = error.message,
            "a provider did not answer"
        );
        Self::provider_unavailable()
    }
}

impl From<UnknownProvider> for Problem {
    fn from(error: UnknownProvider) -> Self {
        Self::new(Code::ProviderDisabled, format!("{} is switched off here", error.slug))
    }
}

impl From<SshKeyError> for Problem {
    fn from(error: SshKeyError) -> Self {
        let code = match error {
            SshKeyError::Exists => Code::SshKeyExists,
            SshKeyError::TooMany => Code::TooManySshKeys,
            SshKeyError::Store(error) => return error.into(),
        };
        Self::new(code, error.to_string())
    }
}

impl From<OrderError> for Problem {
    fn from(error: OrderError) -> Self {
        let refusal = match error {
            OrderError::Store(error) => return error.into(),
            OrderError::Refused(refusal) => refusal,
        };
        let refused = |code| Self::new(code, refusal.to_string());
        let (code, field) = match refusal {
            Refusal::UnknownPlan => (Code::UnknownPlan, "plan_id"),
            Refusal::PlanInactive => (Code::PlanInactive, "plan_id"),
            Refusal::RegionUnknown => (Code::RegionUnknown, "region"),
            Refusal::RegionWithoutPlan => (Code::RegionWithoutPlan, "region"),
            Refusal::ImageUnknown => (Code::ImageUnknown, "image"),
            Refusal::ImageNotForProvider => (Code::ImageNotForProvider, "image"),
            Refusal::TermNotOffered => (Code::TermNotOffered, "term_months"),
            Refusal::SshKeyUnknown => (Code::SshKeyUnknown, "ssh_key_ids"),
            Refusal::SshKeysTooLong(_) => (Code::SshKeysTooLong, "ssh_key_ids"),
            Refusal::UserDataInvalid(_) => (Code::InvalidUserData, "user_data"),
            Refusal::UserDataTooLong(_) => (Code::UserDataTooLong, "user_data"),
            Refusal::ProviderDisabled => return refused(Code::ProviderDisabled),
            Refusal::PlanUnavailable => return refused(Code::PlanUnavailable),
            Refusal::OutOfStock => return refused(Code::OutOfStock),
            Refusal::PaymentLimit(outside) => return Self::beyond_limit(&outside, None),
            Refusal::Promo(refusal) => return refusal.into(),
        };
        Self::field(code, field, refusal.to_string())
    }
}

impl From<ProofError> for Problem {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::TooMany => Self::new(Code::TooManyProofs, error.to_string()),
            ProofError::Store(error) => error.into(),
        }
    }
}

impl From<ApprovalError> for Problem {
    fn from(error: ApprovalError) -> Self {
        let message = error.to_string();
        match error {
            ApprovalError::Store(error) => error.into(),
            ApprovalError::AmountRequired => Self::field(Code::AmountRequired, "amount_received", message),
            ApprovalError::PaymentRequired => Self::field(Code::PaymentRequired, "payment_id", message),
            ApprovalError::SeveralWait(payments) => {
                let mut problem = Self::new(Code::SeveralPaymentsWait, message);
                let choice =
                    |id: &PaymentId| FieldError { field: "payment_id".to_owned(), message: id.to_string() };
                problem.errors = payments.iter().map(choice).collect();
                problem.payment_ids = payments;
                problem
            }
        }
    }
}

impl From<RetryError> for Problem {
    fn from(error: RetryError) -> Self {
        let refusal = match error {
            RetryError::Store(error) => return error.into(),
            RetryError::Refused(refusal) => refusal,
        };
        let (code, field) = match refusal {
            ElsewhereRefusal::UnknownPlan => (Code::UnknownPlan, "plan_id"),
            ElsewhereRefusal::PlanInactive => (Code::PlanInactive, "plan_id"),
            ElsewhereRefusal::RegionUnknown => (Code::RegionUnknown, "region"),
            ElsewhereRefusal::RegionWithoutPlan => (Code::RegionWithoutPlan, "region"),
            ElsewhereRefusal::RegionRequired => (Code::RegionRequired, "region"),
            ElsewhereRefusal::ImageNotForProvider => (Code::ImageNotForProvider, "plan_id"),
            ElsewhereRefusal::ImageUnknown => (Code::ImageUnknown, "image"),
            ElsewhereRefusal::SshKeyUnknown => (Code::SshKeyUnknown, "ssh_key_ids"),
            ElsewhereRefusal::UserDataTooLong => (Code::UserDataTooLong, "plan_id"),
            ElsewhereRefusal::SshKeysTooLong => (Code::SshKeysTooLong, "ssh_key_ids"),
            ElsewhereRefusal::ProviderDisabled => {
                return Self::new(Code::ProviderDisabled, refusal.to_string());
            }
            ElsewhereRefusal::OutcomePending => {
                return Self::new(Code::OutcomePending, refusal.to_string());
            }
        };
        Self::field(code, field, refusal.to_string())
    }
}

impl From<RefundError> for Problem {
    fn from(error: RefundError) -> Self {
        let code = match error {
            RefundError::Store(error) => return error.into(),
            RefundError::ChannelUnavailable(_) => Code::RefundChannelUnavailable,
            RefundError::TooMuch { .. } => Code::RefundExceedsAvailable,
        };
        Self::new(code, error.to_string())
    }
}

impl From<PromoError> for Problem {
    fn from(error: PromoError) -> Self {
        let code = match error {
            PromoError::Store(error) => return error.into(),
            PromoError::Terms(fault) => {
                return Self::field(Code::ValidationFailed, fault.field(), fault.to_string());
            }
            PromoError::CodeTaken => Code::PromoCodeTaken,
            PromoError::Used | PromoError::Undeletable | PromoError::LimitBelowUses { .. } => {
                Code::PromoInUse
            }
        };
        Self::new(code, error.to_string())
    }
}

impl From<AnnouncementError> for Problem {
    fn from(error: AnnouncementError) -> Self {
        let message = error.to_string();
        let (code, field) = match error {
            AnnouncementError::Store(error) => return error.into(),
            AnnouncementError::ProviderUnknown => (Code::ProviderUnknown, "audience.provider"),
            AnnouncementError::RegionUnknown => (Code::RegionUnknown, "audience.region"),
            AnnouncementError::PublishAt => (Code::ValidationFailed, "publish_at"),
        };
        Self::field(code, field, message)
    }
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Self {
        let message = error.to_string();
        match error {
            CatalogError::Store(error) => error.into(),
            CatalogError::SlugTaken => Self::field(Code::SlugTaken, "slug", message),
            CatalogError::SizeTaken => Self::field(Code::SizeTaken, "provider_slug", message),
            CatalogError::ProviderUnknown => Self::field(Code::ProviderUnknown, "provider", message),
            CatalogError::RegionUnknown(_) => Self::field(Code::RegionUnknown, "regions", message),
            CatalogError::Unavailable(_) => Self::new(Code::PlanUnavailable, message),
        }
    }
}

impl From<UserError> for Problem {
    fn from(error: UserError) -> Self {
        let code = match error {
            UserError::Store(error) => return error.into(),
            UserError::OwnAccount => Code::OwnAccount,
            UserError::OfStaff | UserError::NoCustomer => Code::Forbidden,
            UserError::StaleSession => Code::LoginNotFresh,
        };
        Self::new(code, error.to_string())
    }
}
