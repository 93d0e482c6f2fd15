//! What staff's lists can be sorted by. A word with `-` before it is the other way round: the greatest first.

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
    /// Its word.
    fn word(self) -> &'static str;

    /// What it goes by.
    fn value(self) -> SortValue;
}

macro_rules! sortings {
    ($($name:ident { $($variant:pat => $value:ident),+ $(,)? })+) => {
        $(impl Sorting for $name {
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

sortings! {
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
