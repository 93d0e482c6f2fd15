//! The languages that customers read.

use crate::text_enum::text_enum;

text_enum! {
    /// A language, by its code (ISO 639-1).
    Language {
        /// Bahasa Indonesia.
        Indonesian = "id",
        /// English.
        English = "en",
    }
}
