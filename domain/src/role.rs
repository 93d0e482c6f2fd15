//! Who may do what.

use crate::text_enum::text_enum;

text_enum! {
    /// A user's role.
    Role {
        /// Buys and manages own servers.
        Customer = "customer",
        /// Reads everything, moves no money.
        Support = "support",
        /// Runs the business.
        Admin = "admin",
        /// Also manages admins, providers and keys.
        Superadmin = "superadmin",
    }
}

text_enum! {
    /// How an account stands.
    AccountStatus {
        /// Its address is proven, and it is not suspended.
        Active = "active",
        /// Its address is not proven yet.
        Unverified = "unverified",
        /// It was suspended.
        Suspended = "suspended",
    }
}

impl Role {
    /// May read the admin area.
    #[must_use]
    pub const fn is_staff(self) -> bool {
        !matches!(self, Self::Customer)
    }

    /// May approve, retry, refund and the like.
    #[must_use]
    pub const fn may_administer(self) -> bool {
        matches!(self, Self::Admin | Self::Superadmin)
    }

    /// May manage admins, providers and keys.
    #[must_use]
    pub const fn may_manage(self) -> bool {
        matches!(self, Self::Superadmin)
    }
}
