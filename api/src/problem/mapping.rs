//! Every error of other crates as a problem. All of them stand here, so that one thing has one code everywhere; an error
//! of this crate is mapped where it is declared.

use adapters::providers::{ProviderError, UnknownProvider};
use axum::http::StatusCode;
use domain::{ids::PaymentId, provisioning::FailureClass, rate_limit::HeldBy};
use store::{
    StoreError,
    orders::{OrderError, Refusal},
    payments::{ApprovalError, ProofError},
    placements::{ElsewhereRefusal, RetryError},
    promos::PromoError,
    refunds::RefundError,
    ssh_keys::SshKeyError,
};

use super::{FieldError, Problem};

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(what) => Self::not_found(what),
            StoreError::Conflict { object, .. } => {
                Self::new(StatusCode::CONFLICT, &format!("{object}_conflict"), error.to_string())
            }
            StoreError::IdempotencyMismatch => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", error.to_string())
            }
            StoreError::OwnMoney => Self::new(StatusCode::FORBIDDEN, "own_money", error.to_string()),
            StoreError::InsufficientBalance => {
                Self::new(StatusCode::CONFLICT, "insufficient_balance", error.to_string())
            }
            StoreError::PaymentLimit(outside) => Self::beyond_limit(&outside, None),
            StoreError::TooMuchUnpaid(refusal) => Self::too_much_unpaid(refusal),
            StoreError::TooManyActions { frees_in_seconds, .. } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_actions", error.to_string())
                    .retry_after(u64::from(frees_in_seconds))
            }
            StoreError::Promo(refusal) => Self::field(refusal.code(), "promo_code", refusal.to_string()),
            error if error.is_transient() => {
                tracing::warn!(event = "database.unavailable", %error, "database unavailable");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "please try again in a moment")
                    .retry_after(1)
            }
            error => Self::internal(&error),
        }
    }
}

/// A provider's trouble while somebody waits for an answer. Its words are for the log: they tell how we are set up.
impl From<ProviderError> for Problem {
    fn from(error: ProviderError) -> Self {
        if error.class == FailureClass::Unsupported {
            return Self::new(StatusCode::CONFLICT, "unsupported_action", error.message);
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
        Self::new(StatusCode::CONFLICT, "provider_disabled", format!("{} is switched off here", error.slug))
    }
}

impl From<SshKeyError> for Problem {
    fn from(error: SshKeyError) -> Self {
        let code = match error {
            SshKeyError::Exists => "ssh_key_exists",
            SshKeyError::TooMany => "too_many_ssh_keys",
            SshKeyError::Store(error) => return error.into(),
        };
        Self::new(StatusCode::CONFLICT, code, error.to_string())
    }
}

impl From<OrderError> for Problem {
    fn from(error: OrderError) -> Self {
        let refusal = match error {
            OrderError::Store(error) => return error.into(),
            OrderError::Refused(refusal) => refusal,
        };
        let refused = |code| Self::new(StatusCode::CONFLICT, code, refusal.to_string());
        let (code, field) = match refusal {
            Refusal::UnknownPlan => ("unknown_plan", "plan_id"),
            Refusal::PlanInactive => ("plan_inactive", "plan_id"),
            Refusal::RegionUnknown => ("region_unknown", "region"),
            Refusal::RegionWithoutPlan => ("region_without_plan", "region"),
            Refusal::ImageUnknown => ("image_unknown", "image"),
            Refusal::ImageNotForProvider => ("image_not_for_provider", "image"),
            Refusal::TermNotOffered => ("term_not_offered", "term_months"),
            Refusal::SshKeyUnknown => ("ssh_key_unknown", "ssh_key_ids"),
            Refusal::SshKeysTooLong(_) => ("ssh_keys_too_long", "ssh_key_ids"),
            Refusal::ProviderDisabled => return refused("provider_disabled"),
            Refusal::PlanUnavailable => return refused("plan_unavailable"),
            Refusal::OutOfStock => return refused("out_of_stock"),
            Refusal::PaymentLimit(outside) => return Self::beyond_limit(&outside, None),
            Refusal::Promo(refusal) => (refusal.code(), "promo_code"),
        };
        Self::field(code, field, refusal.to_string())
    }
}

impl From<ProofError> for Problem {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::TooMany => Self::new(StatusCode::CONFLICT, "too_many_proofs", error.to_string()),
            ProofError::Store(error) => error.into(),
        }
    }
}

impl From<ApprovalError> for Problem {
    fn from(error: ApprovalError) -> Self {
        let message = error.to_string();
        match error {
            ApprovalError::Store(error) => error.into(),
            ApprovalError::AmountRequired => Self::field("amount_required", "amount_received", message),
            ApprovalError::PaymentRequired => Self::field("payment_required", "payment_id", message),
            ApprovalError::SeveralWait(payments) => {
                let mut problem = Self::new(StatusCode::CONFLICT, "several_payments_wait", message);
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
            ElsewhereRefusal::UnknownPlan => ("unknown_plan", "plan_id"),
            ElsewhereRefusal::PlanInactive => ("plan_inactive", "plan_id"),
            ElsewhereRefusal::RegionUnknown => ("region_unknown", "region"),
            ElsewhereRefusal::RegionWithoutPlan => ("region_without_plan", "region"),
            ElsewhereRefusal::RegionRequired => ("region_required", "region"),
            ElsewhereRefusal::ImageNotForProvider => ("image_not_for_provider", "plan_id"),
            ElsewhereRefusal::ImageUnknown => ("image_unknown", "image"),
            ElsewhereRefusal::SshKeyUnknown => ("ssh_key_unknown", "ssh_key_ids"),
            ElsewhereRefusal::SshKeysTooLong => ("ssh_keys_too_long", "ssh_key_ids"),
            ElsewhereRefusal::ProviderDisabled => {
                return Self::new(StatusCode::CONFLICT, "provider_disabled", refusal.to_string());
            }
            ElsewhereRefusal::OutcomePending => {
                return Self::new(StatusCode::CONFLICT, "outcome_pending", refusal.to_string());
            }
        };
        Self::field(code, field, refusal.to_string())
    }
}

impl From<RefundError> for Problem {
    fn from(error: RefundError) -> Self {
        let code = match error {
            RefundError::Store(error) => return error.into(),
            RefundError::ChannelUnavailable(_) => "refund_channel_unavailable",
            RefundError::TooMuch { .. } => "refund_exceeds_available",
        };
        Self::new(StatusCode::CONFLICT, code, error.to_string())
    }
}

impl From<PromoError> for Problem {
    fn from(error: PromoError) -> Self {
        let code = match error {
            PromoError::Store(error) => return error.into(),
            PromoError::Terms(fault) => {
                return Self::field("validation_failed", fault.field(), fault.to_string());
            }
            PromoError::CodeTaken => "promo_code_taken",
            PromoError::Used | PromoError::Undeletable | PromoError::LimitBelowUses { .. } => "promo_in_use",
        };
        Self::new(StatusCode::CONFLICT, code, error.to_string())
    }
}
