//! Invoices and credit notes as papers. Everything here is pure: what the database says goes in ([`paper`] turns it into the
//! words and numbers of a paper in one language), HTML ([`html`]) or PDF ([`pdf`]) comes out, the same bytes for the same
//! paper. [`answer`] puts them into an HTTP answer.

pub(crate) mod answer;
mod html;
pub(crate) mod paper;
mod pdf;
mod phrases;
#[cfg(test)]
mod tests;

/// Who sells: what stands at the head of invoices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seller {
    /// The company's name.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// Its NPWP, Indonesia's tax number.
    pub tax_id: String,
}

impl Seller {
    /// A seller that nobody takes for a real one.
    #[must_use]
    pub fn of_development() -> Self {
        Self {
            name: "WeBrana Cloud (development)".to_owned(),
            address: "Jalan Contoh No. 1\nJakarta 10110, Indonesia".to_owned(),
            tax_id: "00.000.000.0-000.000".to_owned(),
        }
    }
}
