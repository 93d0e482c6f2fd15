//! What lists can be sorted by: staff's, and those of what customers have much of. A word with `-` before it is the other way round: the greatest first. What a list is
//! sorted by where nothing is said is declared first.

use crate::text_enum::text_enum;

/// What kind of value a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortValue {
    /// None but the id, which is made with the time: the row's age.
    Age,
    /// A time; rows without one are last in ascending order.
    Time,
    /// A whole number.
    Number,
    /// A text.
    Text,
}

/// A way to sort a list.
pub trait Sorting: Copy {
    /// How the list is sorted where nothing is said: the first one that is declared.
    const USUAL: Self;

    /// Its word.
    fn word(self) -> &'static str;

    /// What it goes by.
    fn value(self) -> SortValue;
}

macro_rules! sortings {
    ($($name:ident { $($variant:pat => $value:ident),+ $(,)? })+) => {
        $(impl Sorting for $name {
            const USUAL: Self = Self::ALL[0];

            fn word(self) -> &'static str {
                self.as_str()
            }

            fn value(self) -> SortValue {
                match self { $($variant => SortValue::$value),+ }
            }
        })+
    };
}

text_enum! {
    /// How a list of orders is sorted.
    OrderSort {
        /// The newest first.
        Newest = "-placed_at",
        /// The oldest first.
        Oldest = "placed_at",
        /// The dearest first.
        Dearest = "-total",
        /// The cheapest first.
        Cheapest = "total",
    }
}

text_enum! {
    /// How a list of payments is sorted.
    PaymentSort {
        /// The newest first.
        Newest = "-created_at",
        /// The oldest first.
        Oldest = "created_at",
        /// The largest first.
        Largest = "-amount",
        /// The smallest first.
        Smallest = "amount",
    }
}

text_enum! {
    /// How a list of invoices is sorted.
    InvoiceSort {
        /// The newest first.
        Newest = "-created_at",
        /// The oldest first.
        Oldest = "created_at",
        /// The largest first.
        Largest = "-total",
        /// The smallest first.
        Smallest = "total",
        /// What is due the soonest first.
        DueFirst = "due_at",
        /// What is due the latest first, and before it what is never due.
        DueLast = "-due_at",
    }
}

text_enum! {
    /// How a list of accounts is sorted.
    UserSort {
        /// The newest first.
        Newest = "-created_at",
        /// The oldest first.
        Oldest = "created_at",
        /// By address.
        Email = "email",
        /// By address, from the end of the alphabet.
        EmailBackwards = "-email",
    }
}

text_enum! {
    /// How a list of servers is sorted.
    InstanceSort {
        /// The newest first.
        Newest = "-created_at",
        /// The oldest first.
        Oldest = "created_at",
        /// Whose term ends the soonest first.
        ExpiresFirst = "expires_at",
        /// Whose term ends the latest first, and before them those without a term.
        ExpiresLast = "-expires_at",
        /// What has to be looked at the soonest first.
        DueFirst = "next_due_at",
        /// What has to be looked at the latest first, and before it what need not be.
        DueLast = "-next_due_at",
    }
}

text_enum! {
    /// How a list of deliveries is sorted.
    DeliverySort {
        /// The newest first.
        Newest = "-created_at",
        /// The oldest first.
        Oldest = "created_at",
        /// What was tried the most often first.
        MostAttempts = "-attempts",
        /// What was tried the least often first.
        FewestAttempts = "attempts",
    }
}

text_enum! {
    /// How the audit log is sorted.
    AuditSort {
        /// The newest first.
        Newest = "-at",
        /// The oldest first.
        Oldest = "at",
        /// By what was done.
        Action = "action",
        /// By what was done, from the end of the alphabet.
        ActionBackwards = "-action",
    }
}

text_enum! {
    /// How a list of plans is sorted.
    PlanSort {
        /// The newest first.
        Newest = "-created_at",
        /// The oldest first.
        Oldest = "created_at",
        /// The dearest first.
        Dearest = "-price_monthly",
        /// The cheapest first.
        Cheapest = "price_monthly",
    }
}

text_enum! {
    /// How a list of announcements is sorted.
    AnnouncementSort {
        /// The newest first.
        Newest = "-created_at",
        /// The oldest first.
        Oldest = "created_at",
        /// What is told the latest first.
        FirstToldLast = "-publish_at",
        /// What is told the soonest first.
        FirstToldFirst = "publish_at",
    }
}

text_enum! {
    /// How a list is sorted that has no order but its entries' age.
    AgeSort {
        /// The newest first.
        Newest = "-created_at",
        /// The oldest first.
        Oldest = "created_at",
    }
}

text_enum! {
    /// How a list of what has an amount is sorted.
    AmountSort {
        /// The newest first.
        Newest = "-created_at",
        /// The oldest first.
        Oldest = "created_at",
        /// The largest first.
        Largest = "-amount",
        /// The smallest first.
        Smallest = "amount",
    }
}

text_enum! {
    /// How a list of promo codes is sorted.
    PromoSort {
        /// The newest first.
        Newest = "-created_at",
        /// The oldest first.
        Oldest = "created_at",
        /// By code.
        Code = "code",
        /// By code, from the end of the alphabet.
        CodeBackwards = "-code",
    }
}

text_enum! {
    /// How a list of gateways' notifications is sorted.
    WebhookSort {
        /// The latest first.
        Newest = "-received_at",
        /// The earliest first.
        Oldest = "received_at",
    }
}

text_enum! {
    /// How a list of payouts is sorted.
    PayoutSort {
        /// What was booked the latest first.
        Newest = "-at",
        /// What was booked the earliest first.
        Oldest = "at",
    }
}

text_enum! {
    /// How a list of servers in quarantine is sorted.
    QuarantineSort {
        /// The newest first.
        Newest = "-created_at",
        /// The oldest first.
        Oldest = "created_at",
        /// What is deleted the soonest first.
        DeletedFirst = "delete_after",
        /// What is deleted the latest first.
        DeletedLast = "-delete_after",
    }
}

text_enum! {
    /// How a list of servers is sorted of which a step is held back.
    HeldSort {
        /// What is held back since the latest first.
        Newest = "-since",
        /// What is held back since the earliest first.
        Oldest = "since",
    }
}

text_enum! {
    /// How a customer's list of orders is sorted.
    OwnOrderSort {
        /// The newest first.
        Newest = "-placed_at",
        /// The oldest first.
        Oldest = "placed_at",
        /// The dearest first.
        Dearest = "-total",
        /// The cheapest first.
        Cheapest = "total",
        /// By host name.
        Hostname = "hostname",
        /// By host name, from the end of the alphabet.
        HostnameBackwards = "-hostname",
        /// By the plan's slug.
        Plan = "plan",
        /// By the plan's slug, from the end of the alphabet.
        PlanBackwards = "-plan",
        /// By where they stand.
        Status = "status",
        /// By where they stand, from the end of the alphabet.
        StatusBackwards = "-status",
    }
}

text_enum! {
    /// How a customer's list of servers is sorted.
    OwnInstanceSort {
        /// The newest first.
        Newest = "-created_at",
        /// The oldest first.
        Oldest = "created_at",
        /// Whose term ends the soonest first.
        ExpiresFirst = "expires_at",
        /// Whose term ends the latest first, and before them those without a term.
        ExpiresLast = "-expires_at",
        /// By host name.
        Hostname = "hostname",
        /// By host name, from the end of the alphabet.
        HostnameBackwards = "-hostname",
        /// By the plan's slug.
        Plan = "plan",
        /// By the plan's slug, from the end of the alphabet.
        PlanBackwards = "-plan",
        /// By where they stand.
        Status = "status",
        /// By where they stand, from the end of the alphabet.
        StatusBackwards = "-status",
    }
}

text_enum! {
    /// How a list of credit notes is sorted.
    CreditNoteSort {
        /// The newest first.
        Newest = "-issued_at",
        /// The oldest first.
        Oldest = "issued_at",
        /// The largest first.
        Largest = "-total",
        /// The smallest first.
        Smallest = "total",
    }
}

sortings! {
    AgeSort { Self::Newest | Self::Oldest => Age }
    AmountSort { Self::Newest | Self::Oldest => Age, Self::Largest | Self::Smallest => Number }
    PromoSort { Self::Newest | Self::Oldest => Age, Self::Code | Self::CodeBackwards => Text }
    WebhookSort { Self::Newest | Self::Oldest => Age }
    PayoutSort { Self::Newest | Self::Oldest => Age }
    QuarantineSort { Self::Newest | Self::Oldest => Age, Self::DeletedFirst | Self::DeletedLast => Time }
    HeldSort { Self::Newest | Self::Oldest => Time }
    AnnouncementSort {
        Self::Newest | Self::Oldest => Age,
        Self::FirstToldLast | Self::FirstToldFirst => Time,
    }
    PlanSort { Self::Newest | Self::Oldest => Age, Self::Dearest | Self::Cheapest => Number }
    AuditSort { Self::Newest | Self::Oldest => Age, Self::Action | Self::ActionBackwards => Text }
    OwnOrderSort {
        Self::Newest | Self::Oldest => Age,
        Self::Dearest | Self::Cheapest => Number,
        Self::Hostname | Self::HostnameBackwards | Self::Plan | Self::PlanBackwards | Self::Status | Self::StatusBackwards
            => Text,
    }
    OwnInstanceSort {
        Self::Newest | Self::Oldest => Age,
        Self::ExpiresFirst | Self::ExpiresLast => Time,
        Self::Hostname | Self::HostnameBackwards | Self::Plan | Self::PlanBackwards | Self::Status | Self::StatusBackwards
            => Text,
    }
    CreditNoteSort { Self::Newest | Self::Oldest => Age, Self::Largest | Self::Smallest => Number }
    OrderSort { Self::Newest | Self::Oldest => Age, Self::Dearest | Self::Cheapest => Number }
    PaymentSort { Self::Newest | Self::Oldest => Age, Self::Largest | Self::Smallest => Number }
    InvoiceSort {
        Self::Newest | Self::Oldest => Age,
        Self::Largest | Self::Smallest => Number,
        Self::DueFirst | Self::DueLast => Time,
    }
    UserSort { Self::Newest | Self::Oldest => Age, Self::Email | Self::EmailBackwards => Text }
    DeliverySort { Self::Newest | Self::Oldest => Age, Self::MostAttempts | Self::FewestAttempts => Number }
    InstanceSort {
        Self::Newest | Self::Oldest => Age,
        Self::ExpiresFirst | Self::ExpiresLast | Self::DueFirst | Self::DueLast => Time,
    }
}
