//! In what language and by what clock somebody reads.

use crate::{language::Language, text_enum::text_enum};

text_enum! {
    /// A time zone of Indonesia, by its name in the tz database. None of them has a summer time.
    TimeZone {
        /// Western (WIB): Jakarta, Sumatra, Java.
        Jakarta = "Asia/Jakarta",
        /// Central (WITA): Bali, Sulawesi, Nusa Tenggara.
        Makassar = "Asia/Makassar",
        /// Eastern (WIT): Maluku, Papua.
        Jayapura = "Asia/Jayapura",
    }
}

impl TimeZone {
    /// Whole hours before UTC.
    #[must_use]
    pub const fn hours_before_utc(self) -> i32 {
        match self {
            Self::Jakarta => 7,
            Self::Makassar => 8,
            Self::Jayapura => 9,
        }
    }

    /// What people call it.
    #[must_use]
    pub const fn short_name(self) -> &'static str {
        match self {
            Self::Jakarta => "WIB",
            Self::Makassar => "WITA",
            Self::Jayapura => "WIT",
        }
    }
}

/// How somebody reads: their language, and the clock that times are told by. Papers and terms are Jakarta's whoever reads.
///
/// ```
/// use domain::{language::Language, locale::{Locale, TimeZone}};
///
/// assert_eq!(Locale::from(Language::English).time_zone, TimeZone::Jakarta);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locale {
    /// What they read.
    pub language: Language,
    /// By which clock.
    pub time_zone: TimeZone,
}

impl From<Language> for Locale {
    /// Of whom nothing more is known, by Jakarta's clock.
    fn from(language: Language) -> Self {
        Self { language, time_zone: TimeZone::Jakarta }
    }
}
