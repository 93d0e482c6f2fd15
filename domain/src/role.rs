//! Whose account it is. What a role may do is [`crate::permission`].

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
    /// Whether it is one of ours, and no customer's.
    #[must_use]
    pub const fn is_staff(self) -> bool {
        !matches!(self, Self::Customer)
    }
}
