//! What a program with a key may do.

use crate::text_enum::text_enum;

text_enum! {
    /// A right of a key for the internal endpoints. Every such endpoint names the one it wants.
    Scope {
        /// See what the providers have.
        CatalogRead = "catalog:read",
        /// Have a paid order's server made.
        OrdersProvision = "orders:provision",
        /// Send a failed order back to provisioning.
        OrdersRetry = "orders:retry",
        /// See servers and what was asked for them.
        InstancesRead = "instances:read",
        /// Ask for something to be done to a server.
        InstancesAct = "instances:act",
        /// Have a server deleted at its provider, for good.
        InstancesDelete = "instances:delete",
    }
}

impl Scope {
    /// What a key may do unless more is said: everything but what can't be undone.
    #[must_use]
    pub fn usual() -> Vec<Self> {
        Self::ALL.iter().copied().filter(|scope| *scope != Self::InstancesDelete).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deleting_is_never_usual() {
        assert_eq!(Scope::usual().len(), Scope::ALL.len() - 1);
        assert!(!Scope::usual().contains(&Scope::InstancesDelete));
    }
}
