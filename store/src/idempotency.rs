//! `Idempotency-Key`: the row is claimed by the transaction that does the work, so the work and the memory of it
//! commit together. Only the object's id is kept; the answer is rebuilt from the object. Keys are forgotten after a while
//! ([`domain::purge`]): from then on the same key is a new one.

use std::sync::atomic::{AtomicBool, Ordering};

use domain::ids::UserId;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Result, StoreError};

tokio::task_local! {
    static REPLAYED: AtomicBool;
}

/// Does `work`, and says whether what it answers with was made by an earlier request with the same key.
pub async fn watch<F: Future>(work: F) -> (F::Output, bool) {
    REPLAYED
        .scope(AtomicBool::new(false), async {
            let done = work.await;
            (done, REPLAYED.with(|replayed| replayed.load(Ordering::Relaxed)))
        })
        .await
}

/// Notes that an earlier request made what this one asks for.
pub(crate) fn note_replay() {
    // Where nobody watches nobody is told.
    let _ = REPLAYED.try_with(|replayed| replayed.store(true, Ordering::Relaxed));
}

/// One client's promise to mean the same thing by the same key.
#[derive(Debug, Clone)]
pub struct Idempotency {
    pub(crate) scope: String,
    pub(crate) key: String,
    pub(crate) request_hash: [u8; 32],
}

impl Idempotency {
    /// `scope` names the operation, such as `POST /orders`; a key counts only within it. `body` is the request in
    /// its typed form, so that white space, the order of fields and spelled-out defaults make no difference.
    ///
    /// # Errors
    /// [`StoreError::Document`] when the body can't be written as JSON.
    pub fn new(scope: &str, key: &str, body: &impl serde::Serialize) -> Result<Self> {
        let canonical = serde_json::to_vec(&serde_json::to_value(body)?)?;
        let request_hash =
            Sha256::new().chain_update(scope).chain_update([0]).chain_update(canonical).finalize();
        Ok(Self { scope: scope.to_owned(), key: key.to_owned(), request_hash: request_hash.into() })
    }
}

/// Who may do the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// This transaction, and it stores the object under the id it offered.
    Fresh,
    /// Nobody: it was done, and this is the object.
    Done(Uuid),
}

/// Claims the key for `object` within the caller's transaction. While another transaction holds the same key this
/// waits for its end: after a commit the answer is [`Claim::Done`], after a rollback [`Claim::Fresh`].
///
/// Fails with [`StoreError::IdempotencyMismatch`] when the key was used for another request.
pub(crate) async fn claim(
    tx: &mut PgConnection,
    user: UserId,
    request: &Idempotency,
    object: Uuid,
) -> Result<Claim> {
    loop {
        let inserted = sqlx::query!(
            "INSERT INTO idempotency_keys (user_id, scope, key, request_hash, object_id)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (user_id, scope, key) DO NOTHING",
            user.0,
            request.scope,
            request.key,
            request.request_hash.as_slice(),
            object,
        )
        .execute(&mut *tx)
        .await?;
        if inserted.rows_affected() == 1 {
            return Ok(Claim::Fresh);
        }
        // The row that was in the way is there, unless it is so old that it was forgotten just now.
        if let Some(done) = earlier(tx, user, request).await? {
            return Ok(Claim::Done(done));
        }
    }
}

/// The object that an earlier request with the same key made.
///
/// Fails with [`StoreError::IdempotencyMismatch`] when that was another request.
pub(crate) async fn earlier(
    connection: &mut PgConnection,
    user: UserId,
    request: &Idempotency,
) -> Result<Option<Uuid>> {
    let found = sqlx::query!(
        "SELECT request_hash, object_id FROM idempotency_keys WHERE user_id = $1 AND scope = $2 AND key = $3",
        user.0,
        request.scope,
        request.key,
    )
    .fetch_optional(connection)
    .await?;
    match found {
        Some(row) if row.request_hash == request.request_hash => {
            note_replay();
            Ok(Some(row.object_id))
        }
        Some(_) => Err(StoreError::IdempotencyMismatch),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::Idempotency;
    use serde_json::json;

    fn hash(scope: &str, body: &serde_json::Value) -> [u8; 32] {
        Idempotency::new(scope, "k", body).unwrap().request_hash
    }

    #[test]
    fn the_hash_tells_requests_apart() {
        let one = json!({"a": 1, "b": [true]});
        assert_eq!(hash("POST /orders", &one), hash("POST /orders", &json!({"b": [true], "a": 1})));
        assert_ne!(hash("POST /orders", &one), hash("POST /orders", &json!({"a": 2, "b": [true]})));
        assert_ne!(hash("POST /orders", &one), hash("POST /deposits", &one));
    }
}
