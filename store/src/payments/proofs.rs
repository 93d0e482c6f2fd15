//! Files that customers send to prove a bank transfer, for administrators to look at.

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::{PaymentMethod, PaymentStatus},
    event::{ProofReceived, ProofReceivedForStaff},
    ids::{OrderId, PaymentId, ProofId, UserId},
    proof::{MOST_PROOFS, ProofKind},
};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use crate::{
    Object, Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed,
    events::Entry,
    locks::lock_account,
    new_id,
    unpaid::{self, Beginning},
};

/// A file without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Its id.
    pub id: ProofId,
    /// The bank transfer it proves.
    pub payment_id: PaymentId,
    /// What its bytes are.
    pub content_type: ProofKind,
    /// How many bytes.
    pub size: i32,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// When it came.
    pub uploaded_at: DateTime<Utc>,
}

/// A file with its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofFile {
    /// What its bytes are.
    pub content_type: ProofKind,
    /// The file.
    pub bytes: Vec<u8>,
}

/// A file to be kept.
#[derive(Debug, Clone, Copy)]
pub struct NewProof<'a> {
    /// The customer who sends it.
    pub customer: UserId,
    /// The bank transfer it proves.
    pub payment: PaymentId,
    /// What its bytes are.
    pub content_type: ProofKind,
    /// The file, not empty and at most [`domain::proof::LARGEST_PROOF`] long.
    pub bytes: &'a [u8],
}

/// Why a file was not kept.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The payment has as many as it may have.
    #[error("this payment has {MOST_PROOFS} proofs already; that is the most")]
    TooMany,
    /// The payment is none of the customer's, or waits for no bank transfer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for ProofError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Keeps a file that proves an open bank transfer, tells the administrators of it and, if an order is to be paid, its
    /// timeline. The same bytes again answer with the same proof and tell nobody.
    ///
    /// # Errors
    /// [`ProofError::TooMany`]; [`StoreError::TooMuchUnpaid`] when the order has, or the account has sent within a day,
    /// as many or as much as may be; [`StoreError::NotFound`] when the customer has no such payment, [`StoreError::Conflict`]
    /// naming its method or status when it is no bank transfer or not open.
    #[boxed]
    pub async fn add_proof(&self, new: &NewProof<'_>) -> Result<Proof, ProofError> {
        let sha256 = Sha256::digest(new.bytes);
        let mut tx = self.pool.begin().await?;
        lock_account(&mut tx, new.customer).await?;
        let payment = lock_own_payment(&mut tx, new).await?;
        let earlier = proofs_of(&mut tx, new.payment).await?;
        if let Some(same) = earlier.iter().find(|proof| proof.sha256 == format!("{sha256:x}")) {
            return Ok(same.clone());
        }
        payment.takes_proofs()?;
        let place = i32::try_from(earlier.len()).unwrap_or(i32::MAX).saturating_add(1);
        if place > MOST_PROOFS {
            return Err(ProofError::TooMany);
        }
        let bytes = u32::try_from(new.bytes.len()).unwrap_or(u32::MAX);
        let beginning = Beginning::Proof { order: payment.order_id, bytes };
        unpaid::allow(&mut tx, &self.unpaid_limits, new.customer, beginning).await?;
        let proof = insert(&mut tx, new, place, &sha256).await?;
        tell_of_proof(&mut tx, &payment, &proof).await?;
        tx.commit().await?;
        Ok(proof)
    }

    /// The files of a customer's payment, the first first.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the customer has no such payment.
    #[boxed]
    pub async fn proofs_of(&self, owner: UserId, payment: PaymentId) -> Result<Vec<Proof>> {
        self.payment_of(owner, payment).await?;
        proofs_of(&mut *self.pool.acquire().await?, payment).await
    }

    /// The files of anybody's payment, the first first.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such payment.
    #[boxed]
    pub async fn any_proofs(&self, payment: PaymentId) -> Result<Vec<Proof>> {
        self.any_payment(payment).await?;
        proofs_of(&mut *self.pool.acquire().await?, payment).await
    }

    /// One file of a payment, for staff. That they read it is logged.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the payment has no such proof.
    #[boxed]
    pub async fn read_proof(&self, payment: PaymentId, proof: ProofId, origin: &Origin) -> Result<ProofFile> {
        let mut tx = self.pool.begin().await?;
        let file = sqlx::query_as!(
            ProofFile,
            r#"SELECT content_type AS "content_type: ProofKind", bytes FROM payment_proofs
               WHERE id = $1 AND payment_id = $2"#,
            proof.0,
            payment.0,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("proof"))?;
        let act = AuditEntry {
            action: "payment_proof.read",
            object_kind: "payment_proof",
            object_id: Some(proof.0),
            before: None,
            after: Some(json!({ "payment_id": payment })),
        };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        Ok(file)
    }
}

/// The payment that a file is for.
struct Awaited {
    id: PaymentId,
    order_id: Option<OrderId>,
    gateway_order_id: String,
    method: PaymentMethod,
    status: PaymentStatus,
    amount: Rupiah,
}

impl Awaited {
    fn takes_proofs(&self) -> Result<()> {
        let state = match self.method {
            PaymentMethod::ManualTransfer if self.status.is_open() => return Ok(()),
            PaymentMethod::ManualTransfer => self.status.to_string(),
            other => format!("{other}, no bank transfer"),
        };
        Err(StoreError::Conflict { object: Object::Payment, state })
    }
}

/// Locked until the commit, so that the payment stays open and its files are counted one after the other.
async fn lock_own_payment(tx: &mut PgConnection, new: &NewProof<'_>) -> Result<Awaited> {
    sqlx::query_as!(
        Awaited,
        r#"SELECT id AS "id: PaymentId", order_id AS "order_id: OrderId", gateway_order_id,
                  method AS "method: PaymentMethod", status AS "status: PaymentStatus", amount AS "amount: Rupiah"
           FROM payments WHERE id = $1 AND user_id = $2 FOR NO KEY UPDATE"#,
        new.payment.0,
        new.customer.0,
    )
    .fetch_optional(tx)
    .await?
    .ok_or(StoreError::NotFound("payment"))
}

async fn proofs_of(connection: &mut PgConnection, payment: PaymentId) -> Result<Vec<Proof>> {
    Ok(sqlx::query_as!(
        Proof,
        r#"SELECT id AS "id: ProofId", payment_id AS "payment_id: PaymentId", content_type AS "content_type: ProofKind",
                  size, encode(sha256, 'hex') AS "sha256!", uploaded_at
           FROM payment_proofs WHERE payment_id = $1 ORDER BY place"#,
        payment.0,
    )
    .fetch_all(connection)
    .await?)
}

async fn insert(tx: &mut PgConnection, new: &NewProof<'_>, place: i32, sha256: &[u8]) -> Result<Proof> {
    Ok(sqlx::query_as!(
        Proof,
        r#"INSERT INTO payment_proofs (id, payment_id, place, content_type, size, sha256, bytes, uploaded_by)
           VALUES ($1, $2, $3, $4, length($6::bytea), $5, $6, $7)
           RETURNING id AS "id: ProofId", payment_id AS "payment_id: PaymentId",
                     content_type AS "content_type: ProofKind", size, encode(sha256, 'hex') AS "sha256!", uploaded_at"#,
        new_id::<ProofId>().0,
        new.payment.0,
        place,
        new.content_type.as_str(),
        sha256,
        new.bytes,
        new.customer.0,
    )
    .fetch_one(tx)
    .await?)
}

async fn tell_of_proof(tx: &mut PgConnection, payment: &Awaited, proof: &Proof) -> Result<()> {
    if let Some(order_id) = payment.order_id {
        let received = ProofReceived { order_id, payment_id: payment.id, proof_id: proof.id };
        let detail = json!({ "payment_id": payment.id, "proof_id": proof.id });
        Entry::of(received).detail(detail).record(tx).await?;
    }
    let for_staff = ProofReceivedForStaff {
        order_id: payment.order_id,
        payment_id: payment.id,
        proof_id: proof.id,
        amount: payment.amount,
        gateway_order_id: payment.gateway_order_id.clone(),
    };
    Entry::of(for_staff).tell_administrators(tx).await
}
