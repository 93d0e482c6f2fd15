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

text_enum! {
    /// What a provider can do for a server beyond creating and deleting it.
    Capability {
        /// Start a stopped server.
        PowerOn = "power_on",
        /// Cut its power.
        PowerOff = "power_off",
        /// Ask its operating system to stop.
        Shutdown = "shutdown",
        /// Restart it.
        Reboot = "reboot",
        /// Cut its power and start it.
        PowerCycle = "power_cycle",
        /// Install an image afresh, keeping the addresses.
        Rebuild = "rebuild",
        /// Change its size.
        Resize = "resize",
        /// Keep a copy of its disk.
        Snapshot = "snapshot",
        /// Put a snapshot back.
        Restore = "restore",
        /// Change the name the provider shows.
        Rename = "rename",
        /// Turn the provider's regular backups on.
        EnableBackups = "enable_backups",
        /// Turn them off.
        DisableBackups = "disable_backups",
        /// CPU use over time.
        MetricsCpu = "metrics_cpu",
        /// Memory use over time.
        MetricsMemory = "metrics_memory",
        /// Disk activity over time.
        MetricsDisk = "metrics_disk",
        /// Traffic over time.
        MetricsNetwork = "metrics_network",
        /// A link to the server's screen.
        Console = "console",
    }
}
