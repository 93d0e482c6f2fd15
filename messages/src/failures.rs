//! What customers read of trouble, whoever's words it was in.

use domain::{language::Language, provisioning::FailureClass};

/// Why an order has no server.
#[must_use]
pub const fn order_failure(class: FailureClass, language: Language) -> &'static str {
    match (class, language) {
        (FailureClass::Capacity, Language::English) => {
            "The region or size you chose is sold out at the moment. Our team has been told and will get you a \
             server or your money back; there is nothing you need to do."
        }
        (FailureClass::Capacity, Language::Indonesian) => {
            "Wilayah atau ukuran yang Anda pilih sedang habis. Tim kami sudah diberi tahu dan akan menyediakan server \
             atau mengembalikan dana Anda; Anda tidak perlu melakukan apa pun."
        }
        (FailureClass::Retryable, Language::English) => {
            "The provider was out of order for too long. Our team has been told and will try again; there is \
             nothing you need to do."
        }
        (FailureClass::Retryable, Language::Indonesian) => {
            "Penyedia mengalami gangguan terlalu lama. Tim kami sudah diberi tahu dan akan mencoba lagi; Anda tidak \
             perlu melakukan apa pun."
        }
        (
            FailureClass::Configuration
            | FailureClass::NotFound
            | FailureClass::Conflict
            | FailureClass::Permanent
            | FailureClass::Unsupported,
            Language::English,
        ) => {
            "Something went wrong while we set up your server. Our team has been told and is working on it; \
             there is nothing you need to do."
        }
        (
            FailureClass::Configuration
            | FailureClass::NotFound
            | FailureClass::Conflict
            | FailureClass::Permanent
            | FailureClass::Unsupported,
            Language::Indonesian,
        ) => {
            "Terjadi kesalahan saat kami menyiapkan server Anda. Tim kami sudah diberi tahu dan sedang menanganinya; \
             Anda tidak perlu melakukan apa pun."
        }
    }
}
