//! Words that many texts share.

use domain::{
    billing::{Bank, PaymentMethod},
    language::Language,
};

/// What a way of paying is called within a sentence: `QRIS`, `virtual account BCA`, `bank transfer`.
#[must_use]
pub fn payment_method(method: PaymentMethod, bank: Option<Bank>, language: Language) -> String {
    let words = match (method, language) {
        (PaymentMethod::Qris, _) => "QRIS",
        (PaymentMethod::VirtualAccount, _) => "virtual account",
        (PaymentMethod::ManualTransfer, Language::Indonesian) => "transfer bank",
        (PaymentMethod::ManualTransfer, Language::English) => "bank transfer",
        (PaymentMethod::Wallet, Language::Indonesian) => "saldo WeBrana",
        (PaymentMethod::Wallet, Language::English) => "WeBrana balance",
    };
    match bank {
        None => words.to_owned(),
        Some(Bank::Mandiri) => format!("{words} Mandiri"),
        Some(Bank::Permata) => format!("{words} Permata"),
        Some(bank @ (Bank::Bca | Bank::Bni | Bank::Bri)) => format!("{words} {bank}"),
    }
}

/// A text that begins with a capital letter.
#[must_use]
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_pay_have_names_in_both_languages() {
        let name = |method, bank, language| capital(&payment_method(method, bank, language));
        for (method, bank, id, en) in [
            (PaymentMethod::Qris, None, "QRIS", "QRIS"),
            (PaymentMethod::VirtualAccount, None, "Virtual account", "Virtual account"),
            (PaymentMethod::VirtualAccount, Some(Bank::Bca), "Virtual account BCA", "Virtual account BCA"),
            (
                PaymentMethod::VirtualAccount,
                Some(Bank::Mandiri),
                "Virtual account Mandiri",
                "Virtual account Mandiri",
            ),
            (PaymentMethod::ManualTransfer, None, "Transfer bank", "Bank transfer"),
            (PaymentMethod::Wallet, None, "Saldo WeBrana", "WeBrana balance"),
        ] {
            assert_eq!(name(method, bank, Language::Indonesian), id);
            assert_eq!(name(method, bank, Language::English), en);
        }
    }
}
