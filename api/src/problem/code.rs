//! Every code that an answer of the API may have. Programs go by them, so a word here is a promise: it never changes, and
//! always comes with the same status. `docs/API.md` lists them, held by a test.

use std::fmt;

use axum::http::StatusCode;

/// Declares the codes by status: name, word, and when it is answered.
macro_rules! codes {
    ($($status:ident { $(#[doc = $meaning:literal] $name:ident = $word:literal,)+ })+) => {
        /// What went wrong, for programs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[doc = $meaning] $name,)+)+
        }

        impl Code {
            /// All of them, by status.
            pub const ALL: &[Self] = &[$($(Self::$name,)+)+];

            /// The word in an answer's `code`.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $($(Self::$name => $word,)+)+
                }
            }

            /// The status that it comes with.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self {
                    $($(Self::$name)|+ => StatusCode::$status,)+
                }
            }

            /// When it is answered, in a sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self {
                    $($(Self::$name => $meaning,)+)+
                }
                .trim()
            }
        }
    };
}

codes! {
    BAD_REQUEST {
        /// The body could not be read to its end.
        BodyUnreadable = "body_unreadable",
        /// The header `Idempotency-Key` is not 1 to 255 visible ASCII characters.
        IdempotencyKeyInvalid = "idempotency_key_invalid",
        /// The header `Idempotency-Key` is missing.
        IdempotencyKeyRequired = "idempotency_key_required",
        /// The address has escapes that are no text.
        InvalidPath = "invalid_path",
        /// The query string can't be read, or its parameters don't go together.
        InvalidQuery = "invalid_query",
        /// The body is not JSON.
        MalformedJson = "malformed_json",
        /// The form can't be read to its end.
        MalformedMultipart = "malformed_multipart",
        /// A gateway's notification is not of the gateway's shape.
        MalformedNotification = "malformed_notification",
    }
    UNAUTHORIZED {
        /// The key in `X-API-Key` is not valid, or not any more.
        ApiKeyInvalid = "api_key_invalid",
        /// The header `X-API-Key` is missing.
        ApiKeyMissing = "api_key_missing",
        /// A gateway's notification is not signed by that gateway.
        BadSignature = "bad_signature",
        /// A login's challenge is none, ended, was answered, or too often wrongly.
        ChallengeInvalid = "challenge_invalid",
        /// The email address or the password is wrong.
        InvalidCredentials = "invalid_credentials",
        /// The refresh token has expired.
        RefreshTokenExpired = "refresh_token_expired",
        /// It is no refresh token of a session that is logged in.
        RefreshTokenInvalid = "refresh_token_invalid",
        /// The refresh token was used before; its session was ended.
        RefreshTokenReused = "refresh_token_reused",
        /// The session reached its longest life.
        SessionEnded = "session_ended",
        /// The session was logged out.
        SessionRevoked = "session_revoked",
        /// The access token has expired; a new one is to be had for the refresh token.
        TokenExpired = "token_expired",
        /// It is no access token of ours.
        TokenInvalid = "token_invalid",
        /// There is no access token in `Authorization`.
        TokenMissing = "token_missing",
    }
    FORBIDDEN {
        /// The account is suspended.
        AccountSuspended = "account_suspended",
        /// A cookie came without the header that shows that it was a page of ours.
        CsrfHeaderRequired = "csrf_header_required",
        /// The account's email address has to be proven first.
        EmailUnverified = "email_unverified",
        /// It is not for users of this role.
        Forbidden = "forbidden",
        /// Staff who look at an account in its owner's name may not do this.
        ImpersonationForbidden = "impersonation_forbidden",
        /// Staff have to have logged in within the last hour for this.
        LoginNotFresh = "login_not_fresh",
        /// Staff can't decide about their own account.
        OwnAccount = "own_account",
        /// Staff can't decide about their own money.
        OwnMoney = "own_money",
        /// The key, or the API token, lacks the scope that this takes.
        ScopeMissing = "scope_missing",
    }
    NOT_FOUND {
        /// There is no such thing, or it is somebody else's.
        NotFound = "not_found",
        /// There is nothing at this address.
        RouteNotFound = "route_not_found",
        /// There is no such provider: it stands in the address.
        UnknownProvider = "unknown_provider",
    }
    METHOD_NOT_ALLOWED {
        /// The address does not take this method; `Allow` lists those it takes.
        MethodNotAllowed = "method_not_allowed",
    }
    REQUEST_TIMEOUT {
        /// The request took too long to arrive.
        RequestTimeout = "request_timeout",
    }
    CONFLICT {
        /// The announcement is told, or called off already.
        AnnouncementConflict = "announcement_conflict",
        /// The provider's list is empty, which is not believed.
        CatalogConflict = "catalog_conflict",
        /// The delivery's state forbids it.
        DeliveryConflict = "delivery_conflict",
        /// The dispute's state forbids it.
        DisputeConflict = "dispute_conflict",
        /// The email address has an account already.
        EmailTaken = "email_taken",
        /// Another number of servers is held back than was to be let go.
        HeldChanged = "held_changed",
        /// The server's state forbids it.
        InstanceConflict = "instance_conflict",
        /// The balance does not suffice.
        InsufficientBalance = "insufficient_balance",
        /// The invoice's state forbids it.
        InvoiceConflict = "invoice_conflict",
        /// The message's state forbids it.
        MessageConflict = "message_conflict",
        /// The network is another customer's.
        NetworkConflict = "network_conflict",
        /// It can't be asked for yet.
        NotSupportedYet = "not_supported_yet",
        /// The order's state forbids it.
        OrderConflict = "order_conflict",
        /// The order is not paid.
        OrderNotPaid = "order_not_paid",
        /// As many of this plan are sold as may be.
        OutOfStock = "out_of_stock",
        /// A server may exist where it was tried, so it can't be tried elsewhere yet.
        OutcomePending = "outcome_pending",
        /// The payment's state forbids it.
        PaymentConflict = "payment_conflict",
        /// The payout was booked before.
        PayoutConflict = "payout_conflict",
        /// The provider can't deliver this plan at the moment.
        PlanUnavailable = "plan_unavailable",
        /// There is such a promo code already.
        PromoCodeTaken = "promo_code_taken",
        /// The promo code is used: what was promised can't be changed.
        PromoInUse = "promo_in_use",
        /// The provider is switched off here.
        ProviderDisabled = "provider_disabled",
        /// This installation has no credentials for the provider.
        ProviderNotSetUp = "provider_not_set_up",
        /// The last try to make the order's server failed.
        ProvisioningFailed = "provisioning_failed",
        /// The server was let go before, or its state forbids it.
        QuarantinedServerConflict = "quarantined_server_conflict",
        /// Money can't go back on this way.
        RefundChannelUnavailable = "refund_channel_unavailable",
        /// The refund's state forbids it.
        RefundConflict = "refund_conflict",
        /// It is more than there is to give back.
        RefundExceedsAvailable = "refund_exceeds_available",
        /// The server at the provider is another order's, or of another installation.
        ServerConflict = "server_conflict",
        /// Several payments wait: `payment_ids` are those of which one is to be named.
        SeveralPaymentsWait = "several_payments_wait",
        /// There is a plan of this size of the provider's already.
        SizeTaken = "size_taken",
        /// There is a plan of this slug already.
        SlugTaken = "slug_taken",
        /// The account has this SSH key already.
        SshKeyExists = "ssh_key_exists",
        /// This installation has no bot at Telegram.
        TelegramUnavailable = "telegram_unavailable",
        /// The account has as many API tokens as it may.
        TooManyApiTokens = "too_many_api_tokens",
        /// The payment, or its order, has as many proofs as it may.
        TooManyProofs = "too_many_proofs",
        /// As many unpaid orders or deposits as may hold this promo code or this plan, of which there are few.
        TooManyReservations = "too_many_reservations",
        /// The account has as many SSH keys as it may.
        TooManySshKeys = "too_many_ssh_keys",
        /// As many deposits wait for payment as may.
        TooManyUnpaidDeposits = "too_many_unpaid_deposits",
        /// As many orders wait for payment as may.
        TooManyUnpaidOrders = "too_many_unpaid_orders",
        /// The server's provider can't do this; `detail` says why.
        UnsupportedAction = "unsupported_action",
        /// The second factor is on already, or is not.
        TwoFactorConflict = "two_factor_conflict",
        /// The account's state forbids it.
        UserConflict = "user_conflict",
    }
    PRECONDITION_FAILED {
        /// `If-Match` names a version that it is not of (any more).
        PreconditionFailed = "precondition_failed",
    }
    PAYLOAD_TOO_LARGE {
        /// The body is larger than we accept.
        BodyTooLarge = "body_too_large",
    }
    UNSUPPORTED_MEDIA_TYPE {
        /// The body is not of the media type that the address takes.
        UnsupportedMediaType = "unsupported_media_type",
    }
    UNPROCESSABLE_ENTITY {
        /// A notification is not over its payment's amount.
        AmountMismatch = "amount_mismatch",
        /// The amount is less or more than may be.
        AmountOutOfRange = "amount_out_of_range",
        /// The amount that arrived has to be named.
        AmountRequired = "amount_required",
        /// The payment method takes no bank.
        BankNotAllowed = "bank_not_allowed",
        /// The payment method needs a bank.
        BankRequired = "bank_required",
        /// The fee is more than what was taken in.
        FeeTooLarge = "fee_too_large",
        /// The form has a part that it does not take.
        FieldUnknown = "field_unknown",
        /// There is no such gateway in use.
        GatewayUnknown = "gateway_unknown",
        /// The `Idempotency-Key` was used for another request.
        IdempotencyKeyReused = "idempotency_key_reused",
        /// The provider has no such image on offer.
        ImageNotForProvider = "image_not_for_provider",
        /// There is no such image.
        ImageUnknown = "image_unknown",
        /// A field is unknown, missing or of another type.
        InvalidBody = "invalid_body",
        /// It is no host name.
        InvalidHostname = "invalid_hostname",
        /// The action's parameters are not those that it takes.
        InvalidParams = "invalid_params",
        /// It is no SSH key that servers take.
        InvalidSshKey = "invalid_ssh_key",
        /// The rules of servers' lives don't fit together; `errors` names the one at fault.
        LifeRulesInvalid = "life_rules_invalid",
        /// A mailed link is none, was used, expired or was replaced by a later one.
        LinkInvalid = "link_invalid",
        /// cloud-init would not know what the user data is, or it has a NUL character.
        InvalidUserData = "invalid_user_data",
        /// People can't do without such notifications.
        NotificationRequired = "notification_required",
        /// The payment method does not take so much or so little; `detail` says what does.
        PaymentMethodLimit = "payment_method_limit",
        /// This can't be paid so, or not at the moment.
        PaymentMethodUnavailable = "payment_method_unavailable",
        /// The payment has to be named.
        PaymentRequired = "payment_required",
        /// The plan is not sold any more.
        PlanInactive = "plan_inactive",
        /// The server can't have this plan.
        PlanNotOffered = "plan_not_offered",
        /// The customer used the promo code already.
        PromoAlreadyUsed = "promo_already_used",
        /// The promo code has expired.
        PromoExpired = "promo_expired",
        /// The promo code is not active.
        PromoInactive = "promo_inactive",
        /// The promo code is for larger amounts.
        PromoMinimum = "promo_minimum",
        /// The promo code is for orders.
        PromoNotForDeposits = "promo_not_for_deposits",
        /// The promo code is for deposits.
        PromoNotForOrders = "promo_not_for_orders",
        /// The promo code is not valid yet.
        PromoNotStarted = "promo_not_started",
        /// There is no such promo code.
        PromoUnknown = "promo_unknown",
        /// The promo code is used up.
        PromoUsedUp = "promo_used_up",
        /// The file is empty.
        ProofEmpty = "proof_empty",
        /// The form has no file.
        ProofMissing = "proof_missing",
        /// The form has more than one file.
        ProofRepeated = "proof_repeated",
        /// The file is not PNG, JPEG, WebP or PDF, or not what its `Content-Type` says.
        ProofType = "proof_type",
        /// There is no such provider: it stands in the body.
        ProviderUnknown = "provider_unknown",
        /// The region has to be named.
        RegionRequired = "region_required",
        /// There is no such region.
        RegionUnknown = "region_unknown",
        /// The plan is not sold in this region.
        RegionWithoutPlan = "region_without_plan",
        /// The provider has no such server.
        ServerUnknown = "server_unknown",
        /// The server has no such snapshot.
        SnapshotUnknown = "snapshot_unknown",
        /// The account has no such SSH key.
        SshKeyUnknown = "ssh_key_unknown",
        /// The SSH keys are longer together than the provider takes.
        SshKeysTooLong = "ssh_keys_too_long",
        /// The plan is not sold for so many months.
        TermNotOffered = "term_not_offered",
        /// The gateway knows of no such payment of ours when it is asked.
        UnconfirmedPayment = "unconfirmed_payment",
        /// There is no such action.
        UnknownAction = "unknown_action",
        /// A notification is about no payment of ours.
        UnknownPayment = "unknown_payment",
        /// There is no such plan.
        UnknownPlan = "unknown_plan",
        /// A notification is authentic and can't be read.
        UnreadableNotification = "unreadable_notification",
        /// The user data is longer than the plan's provider takes beside the SSH keys; `detail` says how long it could be.
        UserDataTooLong = "user_data_too_long",
        /// A field is not acceptable; `errors` says which and why.
        ValidationFailed = "validation_failed",
        /// The code is wrong, or was used before.
        WrongCode = "wrong_code",
        /// It is not the present password.
        WrongPassword = "wrong_password",
    }
    UPGRADE_REQUIRED {
        /// The address speaks another protocol, which the request has to ask for.
        UpgradeRequired = "upgrade_required",
    }
    TOO_MANY_REQUESTS {
        /// Too many failed logins.
        LoginLocked = "login_locked",
        /// Too many requests of this kind from this network, account or API token.
        RateLimited = "rate_limited",
        /// As many actions were asked for within an hour as may be.
        TooManyActions = "too_many_actions",
        /// There were as many attempts to pay this within a day as there may be.
        TooManyAttempts = "too_many_attempts",
        /// The customer asked the provider for more than one may.
        TooManyCalls = "too_many_calls",
        /// Too many connections from this address, or too many open ones.
        TooManyConnections = "too_many_connections",
        /// As many exports as may be at once are under way.
        TooManyExports = "too_many_exports",
        /// As many links were mailed to the account as may be within an hour, or a day.
        TooManyLinks = "too_many_links",
        /// As many proofs, or as much, was sent within a day as may be.
        TooManyProofsToday = "too_many_proofs_today",
        /// Further terms and dearer plans of this server were asked for as often within a day as they may be.
        TooManyRenewals = "too_many_renewals",
    }
    INTERNAL_SERVER_ERROR {
        /// It went wrong on our side.
        Internal = "internal",
    }
    SERVICE_UNAVAILABLE {
        /// The payment could not be looked up at its gateway.
        GatewayUnavailable = "gateway_unavailable",
        /// The process starts or drains, or has no database.
        NotReady = "not_ready",
        /// The provider is asked for too much at the moment.
        ProviderBusy = "provider_busy",
        /// The provider does not answer.
        ProviderUnavailable = "provider_unavailable",
        /// The request took too long.
        Timeout = "timeout",
        /// The database does not answer.
        Unavailable = "unavailable",
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fmt::Write};

    use super::Code;

    const RULES: &str = include_str!("../../../docs/API.md");

    #[test]
    fn a_word_is_one_codes_in_snake_case() {
        let words: BTreeSet<_> = Code::ALL.iter().map(|code| code.word()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for word in words {
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{word}");
        }
    }

    #[test]
    fn the_rules_list_every_code() {
        let mut table = String::from("| code | status | when |\n|---|---|---|\n");
        for code in Code::ALL {
            writeln!(table, "| `{code}` | {} | {} |", code.status().as_u16(), code.meaning()).unwrap();
        }
        assert!(RULES.contains(&table), "docs/API.md has to have this table of codes:\n{table}");
    }
}
