//! What the lines of bills say.

use domain::{language::Language, pricing::LineDescription};

use crate::times::day;

/// What a line of a bill is for, in words.
#[must_use]
pub fn invoice_line(description: &LineDescription, language: Language) -> String {
    use LineDescription as D;
    match (description, language) {
        (D::Plan { plan, months }, language) => format!("{plan}, {}", term(*months, language)),
        (D::Renewal { server, plan, months }, Language::Indonesian) => {
            format!("Perpanjangan {server}: {plan}, {}", term(*months, language))
        }
        (D::Renewal { server, plan, months }, Language::English) => {
            format!("Renewal of {server}: {plan}, {}", term(*months, language))
        }
        (D::Resize { server, from, to, until }, Language::Indonesian) => {
            format!("{server} beralih dari {from} ke {to}, sampai {}", day(*until, language))
        }
        (D::Resize { server, from, to, until }, Language::English) => {
            format!("{server} from {from} to {to}, until {}", day(*until, language))
        }
        (D::TermDiscount { months }, Language::Indonesian) => {
            format!("Diskon untuk {}", term(*months, language))
        }
        (D::TermDiscount { months }, Language::English) => {
            format!("Discount for {}", term(*months, language))
        }
        (D::Promo { code }, Language::Indonesian) => format!("Kode promo {code}"),
        (D::Promo { code }, Language::English) => format!("Promo {code}"),
        (D::Written(text), _) => text.clone(),
    }
}

fn term(months: u32, language: Language) -> String {
    match (months, language) {
        (months, Language::Indonesian) => format!("{months} bulan"),
        (1, Language::English) => "1 month".to_owned(),
        (months, Language::English) => format!("{months} months"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_worded_in_both_languages() {
        let plan = |months| LineDescription::Plan { plan: "Basic 1 GB".to_owned(), months };
        let renewal =
            LineDescription::Renewal { server: "web-1".to_owned(), plan: "Basic 1 GB".to_owned(), months: 3 };
        for (description, id, en) in [
            (plan(1), "Basic 1 GB, 1 bulan", "Basic 1 GB, 1 month"),
            (plan(3), "Basic 1 GB, 3 bulan", "Basic 1 GB, 3 months"),
            (renewal, "Perpanjangan web-1: Basic 1 GB, 3 bulan", "Renewal of web-1: Basic 1 GB, 3 months"),
            (
                LineDescription::Resize {
                    server: "web-1".to_owned(),
                    from: "Basic 1 GB".to_owned(),
                    to: "Basic 2 GB".to_owned(),
                    until: chrono::DateTime::from_timestamp(1_795_876_200, 0).unwrap(),
                },
                "web-1 beralih dari Basic 1 GB ke Basic 2 GB, sampai 28 November 2026",
                "web-1 from Basic 1 GB to Basic 2 GB, until 28 November 2026",
            ),
            (LineDescription::TermDiscount { months: 3 }, "Diskon untuk 3 bulan", "Discount for 3 months"),
            (LineDescription::Promo { code: "HEMAT10".to_owned() }, "Kode promo HEMAT10", "Promo HEMAT10"),
            (
                LineDescription::Written("Promo for the family".to_owned()),
                "Promo for the family",
                "Promo for the family",
            ),
        ] {
            assert_eq!(invoice_line(&description, Language::Indonesian), id);
            assert_eq!(invoice_line(&description, Language::English), en);
        }
    }
}
