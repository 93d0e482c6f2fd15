//! Invoices and credit notes as papers. Everything here is pure: what the database says goes in ([`paper`] turns it into the
//! words and numbers of a paper in one language), HTML ([`html`]) or PDF ([`pdf`]) comes out, the same bytes for the same
//! paper. [`answer`] puts them into an HTTP answer.

pub(crate) mod answer;
mod html;
pub(crate) mod paper;
mod pdf;
#[cfg(test)]
mod tests;
