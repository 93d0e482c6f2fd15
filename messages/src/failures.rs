//! What customers read of trouble, whoever's words it was in.

use domain::{language::Language, provisioning::FailureClass};

/// Why something that was asked for a server was not done.
#[must_use]
pub const fn action_failure(class: FailureClass, language: Language) -> &'static str {
    use FailureClass as C;
    match (class, language) {
        (C::Retryable, Language::English) => {
            "The provider did not carry this out in time. Please look at the server and try again."
        }
        (C::Retryable, Language::Indonesian) => {
            "Penyedia tidak menyelesaikannya tepat waktu. Silakan periksa server Anda lalu coba lagi."
        }
        (C::Capacity, Language::English) => {
            "The provider has no room for this at the moment. Please try again later."
        }
        (C::Capacity, Language::Indonesian) => {
            "Penyedia sedang tidak memiliki kapasitas untuk ini. Silakan coba lagi nanti."
        }
        (C::Conflict, Language::English) => {
            "The server's state does not allow this, or the provider was busy with it. Please look at the server and \
             try again."
        }
        (C::Conflict, Language::Indonesian) => {
            "Keadaan server tidak memungkinkan hal ini, atau penyedia sedang mengerjakannya. Silakan periksa server \
             Anda lalu coba lagi."
        }
        (C::Unsupported, Language::English) => "This server's provider does not offer this.",
        (C::Unsupported, Language::Indonesian) => "Penyedia server ini tidak menawarkan hal ini.",
        (C::NotFound, Language::English) => {
            "The provider does not know what this is about any more. Our team can see this and will look into it."
        }
        (C::NotFound, Language::Indonesian) => {
            "Penyedia tidak lagi mengenali yang dimaksud. Tim kami dapat melihatnya dan akan menyelidikinya."
        }
        (C::Configuration | C::Permanent, Language::English) => {
            "The provider refused this. Our team can see the reason and will look into it."
        }
        (C::Configuration | C::Permanent, Language::Indonesian) => {
            "Penyedia menolaknya. Tim kami dapat melihat alasannya dan akan menyelidikinya."
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_words_in_both_languages() {
        for class in FailureClass::ALL {
            for words in [action_failure, order_failure] {
                let (id, en) = (words(*class, Language::Indonesian), words(*class, Language::English));
                assert!(id != en && id.ends_with('.') && en.ends_with('.'), "{class}: {id} {en}");
            }
        }
    }
}
