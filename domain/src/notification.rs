//! What customers and admins are told about.

use crate::text_enum::text_enum;

text_enum! {
    /// The kind of a notification.
    NotificationKind {
        /// An order was placed.
        OrderCreated = "ORDER_CREATED",
        /// An unpaid order nears its deadline.
        PaymentReminder = "PAYMENT_REMINDER",
        /// The money arrived.
        PaymentConfirmed = "PAYMENT_CONFIRMED",
        /// A gateway refused a payment: another method is to be chosen.
        PaymentFailed = "PAYMENT_FAILED",
        /// An admin did not accept a payment.
        PaymentRejected = "PAYMENT_REJECTED",
        /// A transfer was less than the price; the rest is awaited.
        PaymentIncomplete = "PAYMENT_INCOMPLETE",
        /// A customer sent a proof of a bank transfer, for administrators.
        ProofUploaded = "PROOF_UPLOADED",
        /// A gateway told of money that does not fit any payment, for administrators.
        PaymentAlert = "PAYMENT_ALERT",
        /// A gateway took money of a paid payment back, for administrators.
        PaymentDisputed = "PAYMENT_DISPUTED",
        /// Money of a payment was taken back, for its customer.
        PaymentTakenBack = "PAYMENT_TAKEN_BACK",
        /// A gateway does not accept our credentials, for administrators.
        GatewayAlert = "GATEWAY_ALERT",
        /// A cloud turns our account away, for administrators.
        ProviderAlert = "PROVIDER_ALERT",
        /// A deposit arrived.
        DepositReceived = "DEPOSIT_RECEIVED",
        /// Money went to the balance: from an order, or by an admin.
        WalletCredited = "WALLET_CREDITED",
        /// An admin took money off the balance.
        WalletDebited = "WALLET_DEBITED",
        /// An order's money went back, or is on its way.
        OrderRefunded = "ORDER_REFUNDED",
        /// The same of an invoice that belongs to no order.
        InvoiceRefunded = "INVOICE_REFUNDED",
        /// An unpaid order was closed.
        OrderExpired = "ORDER_EXPIRED",
        /// Our team called an order off.
        OrderCancelled = "ORDER_CANCELLED",
        /// The server runs.
        VpsActive = "VPS_ACTIVE",
        /// The server is set up at another provider than the one ordered from.
        ProvisioningMoved = "PROVISIONING_MOVED",
        /// Provisioning needs an admin.
        ProvisioningFailed = "PROVISIONING_FAILED",
        /// A further term of a server is paid.
        VpsRenewed = "VPS_RENEWED",
        /// A bill that our team made was issued.
        InvoiceIssued = "INVOICE_ISSUED",
        /// A bill was withdrawn before it was paid.
        InvoiceVoided = "INVOICE_VOIDED",
        /// A server's term nears its end.
        VpsExpiring = "VPS_EXPIRING",
        /// A server's term is over.
        VpsExpired = "VPS_EXPIRED",
        /// A server was switched off, or will be deleted, for want of money.
        VpsSuspended = "VPS_SUSPENDED",
        /// A server that was switched off is on again.
        VpsResumed = "VPS_RESUMED",
        /// What is done to servers by itself is held back, for administrators.
        StepsHeldBack = "STEPS_HELD_BACK",
        /// What we can offer changed, for administrators.
        CatalogChanged = "CATALOG_CHANGED",
        /// Servers at a provider are not as we believe, for administrators.
        ReconciliationReport = "RECONCILIATION_REPORT",
        /// A message to Temporal could not be delivered, for administrators.
        MessageUndelivered = "MESSAGE_UNDELIVERED",
        /// The database refuses a step of a workflow, for administrators.
        StepRefused = "STEP_REFUSED",
        /// A server was made and does not come up, for administrators.
        ServerNotReady = "SERVER_NOT_READY",
        /// An order failed and waits for a person, for administrators.
        OrderWaits = "ORDER_WAITS",
        /// Workflows were gone and were started again, for administrators.
        WorkflowsRestarted = "WORKFLOWS_RESTARTED",
        /// The books are not sound, for administrators.
        LedgerUnsound = "LEDGER_UNSOUND",
        /// A server has another plan, or could not have it.
        VpsResized = "VPS_RESIZED",
        /// A server was called off by its owner, or that was revoked.
        VpsCancelled = "VPS_CANCELLED",
        /// A server is gone.
        VpsTerminated = "VPS_TERMINATED",
        /// A server that is to be deleted is still there and costs money, for administrators.
        VpsNotDeleted = "VPS_NOT_DELETED",
        /// Somebody's account is or may be used by another. Nobody can do without these.
        SecurityNotice = "SECURITY_NOTICE",
        /// Messages to customers could not be delivered, for administrators.
        DeliveriesFailed = "DELIVERIES_FAILED",
        /// News from us to all.
        SystemAnnouncement = "SYSTEM_ANNOUNCEMENT",
    }
}

impl NotificationKind {
    /// Whether nobody can do without: what concerns the safety of an account, money, and what somebody is about to lose.
    /// People choose by which channels they are told of the rest.
    #[must_use]
    pub const fn is_required(self) -> bool {
        match self {
            Self::SecurityNotice
            | Self::PaymentConfirmed
            | Self::PaymentFailed
            | Self::PaymentRejected
            | Self::PaymentIncomplete
            | Self::PaymentTakenBack
            | Self::DepositReceived
            | Self::WalletCredited
            | Self::WalletDebited
            | Self::OrderRefunded
            | Self::InvoiceRefunded
            | Self::InvoiceIssued
            | Self::InvoiceVoided
            | Self::VpsExpired
            | Self::VpsSuspended
            | Self::VpsTerminated => true,
            Self::OrderCreated
            | Self::PaymentReminder
            | Self::ProofUploaded
            | Self::PaymentAlert
            | Self::PaymentDisputed
            | Self::GatewayAlert
            | Self::ProviderAlert
            | Self::OrderExpired
            | Self::OrderCancelled
            | Self::VpsActive
            | Self::ProvisioningMoved
            | Self::ProvisioningFailed
            | Self::VpsRenewed
            | Self::VpsExpiring
            | Self::VpsResumed
            | Self::StepsHeldBack
            | Self::CatalogChanged
            | Self::ReconciliationReport
            | Self::MessageUndelivered
            | Self::StepRefused
            | Self::ServerNotReady
            | Self::OrderWaits
            | Self::WorkflowsRestarted
            | Self::LedgerUnsound
            | Self::VpsResized
            | Self::VpsCancelled
            | Self::VpsNotDeleted
            | Self::DeliveriesFailed
            | Self::SystemAnnouncement => false,
        }
    }
}
