//! A server as we know it.

use crate::{
    policy::{OrderPolicy, StepPolicy},
    text_enum::text_enum,
};

mod action;

pub use action::{ActionKind, ActionStatus, ActionTurn, ActionWork, InstanceAction, InvalidParam};

text_enum! {
    /// Where a server stands with us.
    InstanceStatus {
        /// Ordered; the provider has not confirmed it runs.
        Provisioning = "PROVISIONING",
        /// Running for the customer.
        Active = "ACTIVE",
        /// Powered off by us for want of payment.
        Suspended = "SUSPENDED",
        /// Being deleted at the provider, for good.
        Terminating = "TERMINATING",
        /// The provider confirmed it is gone.
        Terminated = "TERMINATED",
    }
}

text_enum! {
    /// When a server goes that its owner calls off.
    CancelWhen {
        /// At once; what is not served of what was paid goes to the balance.
        Now = "now",
        /// When the paid term ends; until then it can be revoked.
        PeriodEnd = "period_end",
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
        /// Give root a new password.
        ResetPassword = "reset_password",
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

/// How patiently a server's provider is asked. All durations are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct InstancePolicy {
    /// How patiently an action is tried; one that is not done by then has failed. Deletes go on until the server is gone.
    #[serde(flatten)]
    pub steps: StepPolicy,
    /// A provider that is busy with the server is asked again for this long.
    pub busy_patience_ms: u64,
}

impl InstancePolicy {
    /// The rules of a server bought by an order of these rules.
    #[must_use]
    pub fn of_order(order: &OrderPolicy) -> Self {
        Self {
            steps: order.steps,
            busy_patience_ms: (order.steps.give_up_after_ms / 2).min(Self::default().busy_patience_ms),
        }
    }
}

impl Default for InstancePolicy {
    /// The production values. Snapshots of large disks take hours.
    fn default() -> Self {
        const SECOND: u64 = 1_000;
        Self {
            steps: StepPolicy {
                heartbeat_timeout_ms: 30 * SECOND,
                retry_initial_ms: SECOND,
                retry_max_ms: 60 * SECOND,
                give_up_after_ms: 4 * 3_600 * SECOND,
            },
            busy_patience_ms: 300 * SECOND,
        }
    }
}
