//! What more than one audience shows or takes, once: as customers have it, staff and programs have it too.

mod files;
mod instances;
mod invoices;
mod proofs;
pub(crate) mod server_spec;
mod wallet;

pub(crate) use files::FileBytes;
pub(crate) use instances::Instance;
pub(crate) use invoices::{InvoiceCreditNote, InvoiceLine};
pub(crate) use proofs::PaymentProof;
pub(crate) use wallet::WalletBody;
