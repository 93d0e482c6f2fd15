//! News from us to customers: where one stands on its way to them.

use crate::text_enum::text_enum;

text_enum! {
    /// Where an announcement stands.
    AnnouncementStatus {
        /// It is not told yet, and can be called off.
        Scheduled = "SCHEDULED",
        /// It is being told.
        Delivering = "DELIVERING",
        /// Everybody it is for was told.
        Delivered = "DELIVERED",
        /// It was called off before anybody was told.
        Cancelled = "CANCELLED",
    }
}
