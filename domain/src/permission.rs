//! What staff may do, as one table: every [`Permission`], and the roles that have it ([`Permission::roles`]). Which operation of the
//! API takes which permission is the API's own table.

use crate::{role::Role, text_enum::text_enum};

text_enum! {
    /// Something that staff may do, or may not, by their role.
    Permission {
        /// See the admin area: customers, orders, money, servers and queues.
        AdminRead = "admin:read",
        /// Take everything of a kind away as a table: people and money by the thousand.
        ExportsRead = "exports:read",
        /// Move customers' money, and decide what moves: approve, reject, refund, bill, correct, book.
        MoneyMove = "money:move",
        /// Step in where an order or a server is under way: retry, replace, attach, wake, hold, let go.
        ServersManage = "servers:manage",
        /// Say how servers' lives go, and let go what was held back.
        LifeManage = "life:manage",
        /// Say what is sold: plans, regions, images and terms.
        CatalogManage = "catalog:manage",
        /// Make promo codes and change them.
        PromosManage = "promos:manage",
        /// Suspend, unlock and note about customers' accounts.
        AccountsManage = "accounts:manage",
        /// See what a customer sees, in a session in their name.
        AccountsImpersonate = "accounts:impersonate",
        /// Tell customers news.
        AnnouncementsMake = "announcements:make",
        /// Keep the machinery going: messages, pauses, webhook events, checks, bulk retries.
        OperationsRun = "operations:run",
        /// Give roles, and decide about the accounts of staff.
        StaffManage = "staff:manage",
        /// Switch providers on and off.
        ProvidersManage = "providers:manage",
    }
}

impl Permission {
    /// The roles that have it: the table.
    #[must_use]
    pub const fn roles(self) -> &'static [Role] {
        match self {
            Self::AdminRead => &[Role::Support, Role::Admin, Role::Superadmin],
            Self::ExportsRead
            | Self::MoneyMove
            | Self::ServersManage
            | Self::LifeManage
            | Self::CatalogManage
            | Self::PromosManage
            | Self::AccountsManage
            | Self::AccountsImpersonate
            | Self::AnnouncementsMake
            | Self::OperationsRun => &[Role::Admin, Role::Superadmin],
            Self::StaffManage | Self::ProvidersManage => &[Role::Superadmin],
        }
    }
}

impl Role {
    /// Whether the table grants it.
    #[must_use]
    pub fn may(self, permission: Permission) -> bool {
        permission.roles().contains(&self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn support_reads_and_does_nothing_else() {
        let granted: Vec<_> = Permission::ALL.iter().filter(|one| Role::Support.may(**one)).collect();
        assert_eq!(granted, [&Permission::AdminRead]);
    }

    #[test]
    fn customers_may_nothing_and_each_role_what_the_one_below_may() {
        for permission in Permission::ALL.iter().copied() {
            assert!(!Role::Customer.may(permission), "{permission}");
            assert!(Role::Superadmin.may(permission), "{permission}");
            assert!(!Role::Support.may(permission) || Role::Admin.may(permission), "{permission}");
        }
    }
}
