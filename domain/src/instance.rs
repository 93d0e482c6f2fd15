//! A server as we know it.

use crate::text_enum::text_enum;

text_enum! {
    /// Where a server stands with us.
    InstanceStatus {
        /// Ordered; the provider has not confirmed it runs.
        Provisioning = "PROVISIONING",
        /// Running for the customer.
        Active = "ACTIVE",
        /// Powered off by us for want of payment.
        Suspended = "SUSPENDED",
        /// The provider confirmed it is gone.
        Terminated = "TERMINATED",
    }
}

text_enum! {
    /// Whether the machine is on, as last told by the provider.
    PowerState {
        /// Running.
        On = "ON",
        /// Halted.
        Off = "OFF",
        /// Not told yet.
        Unknown = "UNKNOWN",
    }
}
