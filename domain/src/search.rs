//! What staff's one search finds, and by what.

use crate::text_enum::text_enum;

text_enum! {
    /// What kind of thing was found.
    HitKind {
        /// Somebody's account.
        User = "user",
        /// An order.
        Order = "order",
        /// A server.
        Instance = "instance",
        /// A bill.
        Invoice = "invoice",
        /// An attempt to pay.
        Payment = "payment",
    }
}

text_enum! {
    /// What of it has the words that were looked for.
    HitField {
        /// Its id, or the beginning of it.
        Id = "id",
        /// An account's address.
        Email = "email",
        /// An account's name.
        FullName = "full_name",
        /// An order's or a server's host name.
        Hostname = "hostname",
        /// A server's display name.
        Name = "name",
        /// A server's public address.
        Ipv4 = "ipv4",
        /// A server's public address.
        Ipv6 = "ipv6",
        /// The provider's own id of a server.
        ProviderInstanceId = "provider_instance_id",
        /// An invoice's number.
        Number = "number",
        /// The virtual account that a payment is to be made to.
        VaNumber = "va_number",
    }
}
