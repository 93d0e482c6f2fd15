//! What customers read of promo codes before they use one.

use domain::{
    Rupiah,
    language::Language,
    promo::{PromoRefusal, Purpose},
};

/// What a code gives.
#[must_use]
pub fn promo_gives(purpose: Purpose, amount: Rupiah, language: Language) -> String {
    match (purpose, language) {
        (Purpose::Order, Language::English) => format!("This code takes {amount} off."),
        (Purpose::Order, Language::Indonesian) => format!("Kode ini memotong {amount}."),
        (Purpose::Deposit, Language::English) => format!("This code gives {amount} on top."),
        (Purpose::Deposit, Language::Indonesian) => format!("Kode ini memberi tambahan {amount}."),
    }
}

/// Why a code does not apply.
#[must_use]
pub fn promo_refusal(refusal: PromoRefusal, language: Language) -> String {
    let words = match (refusal, language) {
        (PromoRefusal::Unknown, Language::English) => "There is no such promo code.",
        (PromoRefusal::Unknown, Language::Indonesian) => "Kode promo ini tidak ada.",
        (PromoRefusal::Inactive, Language::English) => "This promo code is not active.",
        (PromoRefusal::Inactive, Language::Indonesian) => "Kode promo ini sedang tidak aktif.",
        (PromoRefusal::NotStarted, Language::English) => "This promo code is not valid yet.",
        (PromoRefusal::NotStarted, Language::Indonesian) => "Kode promo ini belum berlaku.",
        (PromoRefusal::Expired, Language::English) => "This promo code has expired.",
        (PromoRefusal::Expired, Language::Indonesian) => "Kode promo ini sudah berakhir.",
        (PromoRefusal::UsedUp, Language::English) => "This promo code is used up.",
        (PromoRefusal::UsedUp, Language::Indonesian) => "Kuota kode promo ini sudah habis.",
        (PromoRefusal::AlreadyUsed, Language::English) => "You have used this promo code already.",
        (PromoRefusal::AlreadyUsed, Language::Indonesian) => "Anda sudah memakai kode promo ini.",
        (PromoRefusal::Minimum { least }, Language::English) => {
            return format!("This promo code is for amounts from {least}.");
        }
        (PromoRefusal::Minimum { least }, Language::Indonesian) => {
            return format!("Kode promo ini berlaku mulai dari {least}.");
        }
        (PromoRefusal::NotForOrders, Language::English) => "This promo code is for deposits, not for orders.",
        (PromoRefusal::NotForOrders, Language::Indonesian) => {
            "Kode promo ini untuk pengisian saldo, bukan untuk pesanan."
        }
        (PromoRefusal::NotForDeposits, Language::English) => {
            "This promo code is for orders, not for deposits."
        }
        (PromoRefusal::NotForDeposits, Language::Indonesian) => {
            "Kode promo ini untuk pesanan, bukan untuk pengisian saldo."
        }
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_words_are_those_that_programs_read() {
        for refusal in [
            PromoRefusal::Unknown,
            PromoRefusal::Inactive,
            PromoRefusal::NotStarted,
            PromoRefusal::Expired,
            PromoRefusal::UsedUp,
            PromoRefusal::AlreadyUsed,
            PromoRefusal::Minimum { least: Rupiah::new(100_000) },
            PromoRefusal::NotForOrders,
            PromoRefusal::NotForDeposits,
        ] {
            let words = format!("{}.", crate::capital(&refusal.to_string()));
            assert_eq!(promo_refusal(refusal, Language::English), words);
            assert_ne!(promo_refusal(refusal, Language::Indonesian), words);
        }
        let least = PromoRefusal::Minimum { least: Rupiah::new(100_000) };
        assert_eq!(
            promo_refusal(least, Language::Indonesian),
            "Kode promo ini berlaku mulai dari Rp100.000."
        );
    }
}
