//! What a token may do that somebody made for their own programs.

use crate::text_enum::text_enum;

/// Tokens that one account may have.
pub const MOST_TOKENS: i64 = 20;

/// Longest life of one that has an end, in days.
pub const LONGEST_LIFE_DAYS: u32 = 365;

text_enum! {
    /// A right of a personal API token.
    TokenScope {
        /// See everything that its owner sees, but no passwords of servers.
        Read = "read",
        /// Place orders, pay and call them off, and pay invoices. What the balance holds can be spent.
        Orders = "orders",
        /// Put money into the balance.
        Wallet = "wallet",
        /// Everything about servers: actions, console, password, further terms, plans, calling off; and SSH keys.
        Instances = "instances",
        /// Mark notifications as read, and delete them.
        Notifications = "notifications",
    }
}
