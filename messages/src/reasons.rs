//! Why something happened to money, where nobody wrote a reason.

use domain::{dispute::MisfitReason, language::Language, refund::CreditReason};

/// Why a credit note was issued.
#[must_use]
pub fn credit_reason(reason: &CreditReason, language: Language) -> String {
    match (reason, language) {
        (CreditReason::PaymentTakenBack { gateway }, Language::English) => {
            format!("The payment was taken back through {gateway}")
        }
        (CreditReason::PaymentTakenBack { gateway }, Language::Indonesian) => {
            format!("Pembayaran ditarik kembali melalui {gateway}")
        }
        (CreditReason::ServerCancelled { server }, Language::English) => {
            format!("{server} was called off: what was not served of it")
        }
        (CreditReason::ServerCancelled { server }, Language::Indonesian) => {
            format!("{server} dihentikan: bagian yang belum dipakai")
        }
        (CreditReason::ServerResized { server, plan }, Language::English) => {
            format!("{server} has the plan {plan} now: the difference")
        }
        (CreditReason::ServerResized { server, plan }, Language::Indonesian) => {
            format!("{server} kini memakai paket {plan}: selisih harga")
        }
        (CreditReason::ResizeFailed { server, plan }, Language::English) => {
            format!("{server} could not be given the plan {plan}")
        }
        (CreditReason::ResizeFailed { server, plan }, Language::Indonesian) => {
            format!("{server} tidak dapat dialihkan ke paket {plan}")
        }
        (CreditReason::Written(text), _) => text.clone(),
    }
}

/// What does not fit about what a gateway tells, within a sentence.
#[must_use]
pub fn misfit_reason(reason: &MisfitReason, language: Language) -> String {
    use MisfitReason as R;
    match (reason, language) {
        (R::OtherAmount { told, expected }, Language::English) => format!("says {told}, not {expected}"),
        (R::OtherAmount { told, expected }, Language::Indonesian) => {
            format!("disebut {told}, bukan {expected}")
        }
        (R::UnknownPayment, Language::English) => "no payment has this order_id".to_owned(),
        (R::UnknownPayment, Language::Indonesian) => "tidak ada pembayaran dengan order_id ini".to_owned(),
        (R::MoreThanAll { reversal, amount }, Language::English) => {
            format!("{reversal} took back {amount}, and nothing of the payment is left to be taken")
        }
        (R::MoreThanAll { reversal, amount }, Language::Indonesian) => {
            format!("{reversal} menarik kembali {amount}, padahal tidak ada lagi sisa dari pembayaran ini")
        }
        (R::GivenUp { status }, Language::English) => {
            format!("it never said what became of it, and nobody asks any more; it is {status} here")
        }
        (R::GivenUp { status }, Language::Indonesian) => {
            format!("nasibnya tidak pernah dikabarkan, dan tidak akan ditanyakan lagi; di sini {status}")
        }
        (R::Written(text), _) => text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use domain::{Rupiah, billing::PaymentStatus};

    use super::*;

    #[test]
    fn reasons_are_worded_in_both_languages() {
        let taken = CreditReason::PaymentTakenBack { gateway: "midtrans".to_owned() };
        assert_eq!(credit_reason(&taken, Language::English), "The payment was taken back through midtrans");
        assert_eq!(
            credit_reason(&taken, Language::Indonesian),
            "Pembayaran ditarik kembali melalui midtrans"
        );
        let other = MisfitReason::OtherAmount { told: "1.00 IDR".to_owned(), expected: Rupiah::new(143_190) };
        assert_eq!(misfit_reason(&other, Language::English), "says 1.00 IDR, not Rp143.190");
        assert_eq!(misfit_reason(&other, Language::Indonesian), "disebut 1.00 IDR, bukan Rp143.190");
        let given_up = MisfitReason::GivenUp { status: PaymentStatus::Pending };
        assert!(misfit_reason(&given_up, Language::English).ends_with("it is PENDING here"));
        assert!(misfit_reason(&given_up, Language::Indonesian).ends_with("di sini PENDING"));
    }

    #[test]
    fn what_goes_back_for_a_server_names_it() {
        let (server, plan) = ("web-1".to_owned(), "Basic 1 GB".to_owned());
        for reason in [
            CreditReason::ServerCancelled { server: server.clone() },
            CreditReason::ServerResized { server: server.clone(), plan: plan.clone() },
            CreditReason::ResizeFailed { server, plan },
        ] {
            assert_eq!(CreditReason::from(reason.to_text()), reason);
            assert_eq!(reason.written(), None);
            let [en, id] = [Language::English, Language::Indonesian].map(|l| credit_reason(&reason, l));
            assert!(en.contains("web-1") && id.contains("web-1") && en != id, "{en} / {id}");
        }
    }

    #[test]
    fn what_somebody_wrote_stays() {
        let (credit, misfit) = (CreditReason::Written("x".to_owned()), MisfitReason::Written("y".to_owned()));
        for language in [Language::English, Language::Indonesian] {
            assert_eq!(credit_reason(&credit, language), "x");
            assert_eq!(misfit_reason(&misfit, language), "y");
        }
    }
}
