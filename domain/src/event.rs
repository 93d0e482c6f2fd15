//! What people are told, and what stands on an order's timeline: an [`Event`] with its data, and never a word of it.
//! The words are files of the crate `messages`, rendered when somebody reads them.
//!
//! A new event is its data and its [`Facts`] in the file of its group, a line in [`every_event!`], and a folder of words
//! with the files of the channels named there.
//!
//! ```
//! use domain::event::{Event, EventKind, StepStatus};
//!
//! let event = Event::example(EventKind::OrderPlaced);
//! let facts = event.facts();
//! assert_eq!(facts.step.map(|step| (step.name, step.status)), Some(("order_placed", StepStatus::Done)));
//! assert_eq!(event.kind().as_str(), "order_placed");
//! ```

mod account;
mod example;
mod facts;
mod life;
mod order;
mod payment;
mod refund;
mod security;
mod server;
mod staff;
mod staff_money;

use crate::text_enum::text_enum;

pub use account::*;
pub use facts::{EventData, Facts, Step, StepStatus};
pub use life::*;
pub use order::*;
pub use payment::*;
pub use refund::*;
pub use security::*;
pub use server::*;
pub use staff::*;
pub use staff_money::*;

/// Calls the macro `$then` with every event: its variant, its name, and where it is told. `timeline` is an order's,
/// `customer` stands for all ways in which customers are told (in the app, by mail, by Telegram), `staff` for the app, and
/// `link` for a mail alone, which has a link that proves its reader.
#[macro_export]
macro_rules! every_event {
    ($then:ident) => {
        $then! {
            /// An order was placed.
            OrderPlaced = "order_placed" [timeline customer],
            /// An unpaid order nears its deadline.
            PaymentReminder = "payment_reminder" [timeline customer],
            /// An unpaid order was closed.
            OrderExpired = "order_expired" [timeline customer],
            /// A customer called an order off.
            OrderCancelled = "order_cancelled" [timeline],
            /// Our team called an order off.
            OrderCancelledByStaff = "order_cancelled_by_staff" [timeline customer],

            /// An order is paid.
            PaymentConfirmed = "payment_confirmed" [timeline customer],
            /// A gateway refused an attempt: another way to pay is to be chosen.
            PaymentRefused = "payment_refused" [timeline customer],
            /// An attempt will bring no money any more.
            PaymentClosed = "payment_closed" [timeline],
            /// A transfer was less than is due.
            PaymentIncomplete = "payment_incomplete" [timeline customer],
            /// Money that an order could not take went to the balance.
            PaymentCredited = "payment_credited" [timeline customer],
            /// A bill that belongs to no order is paid.
            InvoicePaid = "invoice_paid" [customer],
            /// Money that such a bill could not take went to the balance.
            InvoicePaymentCredited = "invoice_payment_credited" [customer],
            /// What was set aside for an order went to the balance.
            MoneyReleased = "money_released" [timeline customer],
            /// Our team did not accept a payment.
            PaymentRejected = "payment_rejected" [timeline customer],
            /// A proof of a bank transfer arrived.
            ProofReceived = "proof_received" [timeline],
            /// Money of a payment was taken back.
            PaymentTakenBack = "payment_taken_back" [timeline customer],

            /// An order was called off, and its money is on the balance.
            OrderMoneyReturned = "order_money_returned" [timeline customer],
            /// A refund went to the balance.
            RefundCredited = "refund_credited" [timeline customer],
            /// A refund is on its way through the gateway.
            RefundSent = "refund_sent" [timeline customer],
            /// The gateway gave a refund back.
            RefundCompleted = "refund_completed" [timeline customer],
            /// The gateway did not give a refund back, and it went to the balance.
            RefundReturned = "refund_returned" [timeline customer],

            /// A server is being set up.
            ProvisioningStarted = "provisioning_started" [timeline],
            /// The provider made the server.
            ServerCreated = "server_created" [timeline],
            /// The server is gone before it was the customer's.
            ServerLost = "server_lost" [timeline],
            /// The server takes long to come up.
            ServerNotReady = "server_not_ready" [timeline],
            /// Our team has the server replaced.
            ServerReplaced = "server_replaced" [timeline],
            /// The server runs.
            ServerActive = "server_active" [timeline customer],
            /// The server could not be set up.
            ProvisioningFailed = "provisioning_failed" [timeline customer],
            /// The server is set up at another provider than the one ordered from.
            ProvisioningMoved = "provisioning_moved" [timeline customer],
            /// Our team has it tried again.
            ProvisioningRetried = "provisioning_retried" [timeline],
            /// Our team has it tried again in another place.
            ProvisioningRetriedElsewhere = "provisioning_retried_elsewhere" [timeline customer],
            /// A further term of a server is paid.
            ServerRenewed = "server_renewed" [customer],
            /// A server's term nears its end.
            ServerExpiring = "server_expiring" [customer],
            /// A renewal that was to come from the balance can't be paid from it.
            RenewalLacksMoney = "renewal_lacks_money" [customer],
            /// A server's term is over, and it was not renewed.
            ServerInGrace = "server_in_grace" [customer],
            /// A server was switched off for want of money.
            ServerSuspended = "server_suspended" [customer],
            /// A server that was switched off is paid and on again.
            ServerResumed = "server_resumed" [customer],
            /// A server will be deleted.
            ServerDeletionNear = "server_deletion_near" [customer],
            /// A server has another plan.
            ServerResized = "server_resized" [customer],
            /// A server could not have another plan.
            ServerResizeFailed = "server_resize_failed" [customer],
            /// A server goes when its paid term ends.
            ServerCancellationPlanned = "server_cancellation_planned" [customer],
            /// It stays after all.
            ServerCancellationRevoked = "server_cancellation_revoked" [customer],
            /// A server was called off at once.
            ServerCancelled = "server_cancelled" [customer],
            /// A server is gone.
            ServerTerminated = "server_terminated" [customer],

            /// A deposit arrived.
            DepositReceived = "deposit_received" [customer],
            /// Our team corrected a balance.
            BalanceCorrected = "balance_corrected" [customer],
            /// A bill that our team made was issued.
            InvoiceIssued = "invoice_issued" [customer],
            /// A bill was withdrawn before it was paid.
            InvoiceVoided = "invoice_voided" [customer],
            /// News from us to all, in our own words.
            Announcement = "announcement" [customer],

            /// An account's password was changed.
            PasswordChanged = "password_changed" [customer],
            /// A forgotten password was replaced.
            PasswordReset = "password_reset" [customer],
            /// Logins of an account ask for a second factor.
            TwoFactorEnabled = "two_factor_enabled" [customer],
            /// They don't any more.
            TwoFactorDisabled = "two_factor_disabled" [customer],
            /// A recovery code stood in for the second factor.
            RecoveryCodeUsed = "recovery_code_used" [customer],
            /// A token for programs was made.
            ApiTokenMade = "api_token_made" [customer],
            /// Such a token was removed.
            ApiTokenRemoved = "api_token_removed" [customer],
            /// An account was logged in to from a device or a network that was not seen there before.
            NewDeviceLogin = "new_device_login" [customer],
            /// Our team began to look at an account as its owner sees it.
            ImpersonationBegun = "impersonation_begun" [customer],
            /// An account has another address.
            EmailChanged = "email_changed" [customer],
            /// Sessions were ended because a used key to them was shown again.
            SessionsRevoked = "sessions_revoked" [customer],

            /// An account's address is to be proven.
            EmailToVerify = "email_to_verify" [link],
            /// Somebody says that they forgot the password.
            PasswordResetAsked = "password_reset_asked" [link],
            /// An account is to have another address.
            EmailChangeAsked = "email_change_asked" [link],

            /// A proof of a bank transfer waits to be looked at.
            ProofReceivedForStaff = "proof_received_for_staff" [staff],
            /// A server could not be set up.
            ProvisioningFailedForStaff = "provisioning_failed_for_staff" [staff],
            /// A server does not come up.
            ServerNotReadyForStaff = "server_not_ready_for_staff" [staff],
            /// Failed orders wait for a person.
            OrdersWait = "orders_wait" [staff],
            /// Workflows were gone and were started again.
            WorkflowsRestarted = "workflows_restarted" [staff],
            /// Servers at a provider are not as we believe.
            ServersDiffer = "servers_differ" [staff],
            /// What we can offer changed.
            CatalogChanged = "catalog_changed" [staff],
            /// More servers were to be suspended or deleted than usual.
            StepsHeldBack = "steps_held_back" [staff],
            /// The database was put back to an earlier state.
            DatabasePutBack = "database_put_back" [staff],
            /// A server that is to be deleted is still there.
            ServerNotDeleted = "server_not_deleted" [staff],
            /// The books are not sound.
            LedgerUnsound = "ledger_unsound" [staff],
            /// A gateway took money back.
            PaymentDisputed = "payment_disputed" [staff],
            /// A gateway tells of money that does not fit.
            PaymentMismatched = "payment_mismatched" [staff],
            /// A gateway does not accept our credentials.
            GatewayRefuses = "gateway_refuses" [staff],
            /// A cloud turns our account away.
            ProviderRefuses = "provider_refuses" [staff],
            /// A message to Temporal could not be delivered.
            MessageUndelivered = "message_undelivered" [staff],
            /// The database refuses a step of a workflow.
            StepRefused = "step_refused" [staff],
            /// Messages to people could not be delivered.
            DeliveriesFailed = "deliveries_failed" [staff],
        }
    };
}

macro_rules! events {
    ($($(#[$doc:meta])* $event:ident = $name:tt [$($channel:ident)*]),+ $(,)?) => {
        text_enum! {
            /// Which event it is, by the name of the folder of its words.
            EventKind { $($(#[$doc])* $event = $name),+ }
        }

        impl EventKind {
            /// Whether customers are told of it, by every way there is.
            #[must_use]
            pub fn is_for_customers(self) -> bool {
                let told: &[&str] = match self { $(Self::$event => &[$(stringify!($channel)),*]),+ };
                told.contains(&"customer")
            }

            /// Whether it is a mail alone, sent for the sake of the link in it.
            #[must_use]
            pub fn is_a_link(self) -> bool {
                let told: &[&str] = match self { $(Self::$event => &[$(stringify!($channel)),*]),+ };
                told.contains(&"link")
            }
        }

        /// Something that happened, with its data.
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "kind", content = "data")]
        pub enum Event {
            $($(#[$doc])* #[serde(rename = $name)] $event($event),)+
        }

        impl Event {
            /// Which event it is.
            #[must_use]
            pub const fn kind(&self) -> EventKind {
                match self { $(Self::$event(_) => EventKind::$event),+ }
            }

            /// What is known of it besides its words.
            #[must_use]
            pub fn facts(&self) -> Facts {
                match self { $(Self::$event(event) => event.facts()),+ }
            }

            /// One such event, for previews of its words.
            #[must_use]
            pub fn example(kind: EventKind) -> Self {
                match kind { $(EventKind::$event => Self::$event($event::example())),+ }
            }

            /// What happened, as it is kept and as programs read it.
            ///
            /// # Errors
            /// When the data can't be written as JSON.
            pub fn data(&self) -> serde_json::Result<serde_json::Value> {
                match self { $(Self::$event(event) => serde_json::to_value(event)),+ }
            }

            /// The event that was kept as `data` under its kind's name.
            ///
            /// # Errors
            /// When the name or the data is none that this program knows: a newer one may have written it.
            pub fn read(kind: &str, data: serde_json::Value) -> serde_json::Result<Self> {
                let kind: EventKind = kind.parse().map_err(serde::de::Error::custom)?;
                match kind { $(EventKind::$event => serde_json::from_value(data).map(Self::$event)),+ }
            }
        }

        $(impl From<$event> for Event {
            fn from(event: $event) -> Self {
                Self::$event(event)
            }
        })+
    };
}
every_event!(events);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn examples() -> impl Iterator<Item = Event> {
        EventKind::ALL.iter().map(|kind| Event::example(*kind))
    }

    #[test]
    fn what_is_kept_is_read_back() {
        for event in examples() {
            let kept = event.data().unwrap();
            assert!(kept.is_object(), "{kept}");
            assert_eq!(Event::read(event.kind().as_str(), kept).unwrap(), event);
        }
        assert!(Event::read("of_another_version", serde_json::json!({})).is_err());
        assert!(Event::read("order_placed", serde_json::json!({})).is_err());
    }

    #[test]
    fn no_two_events_have_the_same_key() {
        let keys: BTreeSet<String> = examples().map(|event| event.facts().dedupe_key).collect();
        assert_eq!(keys.len(), EventKind::ALL.len());
        assert!(keys.iter().all(|key| !key.is_empty() && key.len() < 300));
    }

    #[test]
    fn every_event_is_told_where_the_list_says() {
        macro_rules! channels {
            ($($(#[$doc:meta])* $event:ident = $name:tt [$($channel:ident)*]),+ $(,)?) => {
                [$((EventKind::$event, &[$(stringify!($channel)),*] as &[&str])),+]
            };
        }
        for (kind, channels) in every_event!(channels) {
            let facts = Event::example(kind).facts();
            let told = ["customer", "staff", "link"].iter().any(|way| channels.contains(way));
            assert_eq!(facts.step.is_some(), channels.contains(&"timeline"), "{kind}");
            assert_eq!(facts.notification.is_some(), told, "{kind}");
        }
    }

    #[test]
    fn paths_in_the_app_fit_their_column() {
        for event in examples() {
            let Some(url) = event.facts().action_url else { continue };
            assert!(url.starts_with('/') && url.len() <= 500, "{url}");
        }
    }
}
