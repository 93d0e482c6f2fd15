//! Proofs of bank transfers.

use chrono::{DateTime, Utc};
use domain::{
    ids::{PaymentId, ProofId},
    proof::ProofKind,
};
use serde::Serialize;
use store::payments::Proof;
use utoipa::ToSchema;

/// A file that proves a bank transfer, without its bytes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PaymentProof {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: ProofId,
    payment_id: PaymentId,
    content_type: ProofKind,
    /// In bytes.
    #[schema(example = 184_320)]
    size: i32,
    /// Of its bytes, in hexadecimal.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    sha256: String,
    uploaded_at: DateTime<Utc>,
}

impl From<Proof> for PaymentProof {
    fn from(proof: Proof) -> Self {
        Self {
            id: proof.id,
            payment_id: proof.payment_id,
            content_type: proof.content_type,
            size: proof.size,
            sha256: proof.sha256,
            uploaded_at: proof.uploaded_at,
        }
    }
}
