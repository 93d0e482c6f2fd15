//! Proofs of bank transfers: five at most, each file once, and who gets to know.

mod guards;

use domain::{
    billing::PaymentMethod,
    ids::{PaymentId, ProofId, UserId},
    proof::ProofKind,
    role::Role,
};
use sqlx::PgPool;
use store::{
    StoreError,
    payments::{NewProof, Proof, ProofError},
};

use crate::Shop;

impl Shop {
    async fn transfer(&self) -> PaymentId {
        self.order_by(PaymentMethod::ManualTransfer, "order").await.1.id
    }

    async fn prove(&self, payment: PaymentId, bytes: &[u8]) -> Result<Proof, ProofError> {
        self.prove_as(self.customer, payment, bytes).await
    }

    async fn prove_as(
        &self,
        customer: UserId,
        payment: PaymentId,
        bytes: &[u8],
    ) -> Result<Proof, ProofError> {
        let new = NewProof { customer, payment, content_type: ProofKind::Pdf, bytes };
        self.store.add_proof(&new).await
    }

    async fn kept(&self) -> i64 {
        self.count("SELECT count(*) FROM payment_proofs").await
    }
}

fn file(number: usize) -> Vec<u8> {
    format!("%PDF-1.7 receipt {number}").into_bytes()
}

#[sqlx::test(migrations = "../migrations")]
async fn a_proof_is_kept_and_told_of(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.account().email("support@example.com").role(Role::Support).await;
    let payment = shop.transfer().await;
    let proof = shop.prove(payment, &file(1)).await.unwrap();
    assert_eq!((proof.payment_id, proof.content_type), (payment, ProofKind::Pdf));
    assert_eq!(proof.size as usize, file(1).len());
    assert_eq!(proof.sha256.len(), 64);
    assert_eq!(shop.store.proofs_of(shop.customer, payment).await.unwrap(), [proof]);

    let steps = shop.texts("SELECT status FROM order_timeline WHERE step = 'proof_uploaded'").await;
    assert_eq!(steps, ["waiting"]);
    let told = "SELECT u.email FROM in_app_notifications n JOIN users u ON u.id = n.user_id
                WHERE n.type = 'PROOF_UPLOADED'";
    assert_eq!(shop.texts(told).await, ["admin@example.com"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_same_bytes_are_the_same_proof_also_when_the_transfer_is_approved(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment) = shop.order_by(PaymentMethod::ManualTransfer, "order").await;
    let first = shop.prove(payment.id, &file(1)).await.unwrap();
    assert_eq!(shop.prove(payment.id, &file(1)).await.unwrap(), first);
    shop.store.approve_payment(order, &Default::default(), &shop.anew()).await.unwrap();
    assert_eq!(shop.prove(payment.id, &file(1)).await.unwrap(), first);
    assert_eq!(shop.kept().await, 1);
    assert_eq!(
        shop.count("SELECT count(*) FROM in_app_notifications WHERE type = 'PROOF_UPLOADED'").await,
        1
    );

    let late = shop.prove(payment.id, &file(2)).await.unwrap_err();
    assert!(
        matches!(late, ProofError::Store(StoreError::Conflict { object: store::Object::Payment, .. })),
        "{late:?}"
    );
    assert!(late.to_string().contains("PAID"), "{late}");
    assert_eq!(shop.kept().await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn of_ten_at_once_five_are_kept(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let payment = shop.transfer().await;
    let files: Vec<Vec<u8>> = (0..10).map(file).collect();
    let outcomes = futures::future::join_all(files.iter().map(|bytes| shop.prove(payment, bytes))).await;
    let refused = outcomes.iter().filter(|outcome| matches!(outcome, Err(ProofError::TooMany))).count();
    assert_eq!((outcomes.iter().filter(|outcome| outcome.is_ok()).count(), refused), (5, 5), "{outcomes:?}");
    assert_eq!(shop.kept().await, 5);
    // One that is there already is no sixth.
    let there = outcomes.iter().position(Result::is_ok).unwrap();
    shop.prove(payment, &files[there]).await.unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn ten_times_the_same_file_at_once_is_one_proof(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let payment = shop.transfer().await;
    let bytes = file(1);
    let outcomes = futures::future::join_all((0..10).map(|_| shop.prove(payment, &bytes))).await;
    let first = outcomes[0].as_ref().unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().unwrap() == first));
    assert_eq!(shop.kept().await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn only_the_owner_proves_and_only_a_transfer(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let payment = shop.transfer().await;
    let stranger = shop.customer().email("eve@example.com").await;
    let refused = shop.prove_as(stranger, payment, &file(1)).await.unwrap_err();
    assert!(matches!(refused, ProofError::Store(StoreError::NotFound("payment"))), "{refused:?}");
    assert!(matches!(shop.store.proofs_of(stranger, payment).await, Err(StoreError::NotFound("payment"))));

    let (_, qris) = shop.order_by(PaymentMethod::Qris, "another").await;
    let refused = shop.prove(qris.id, &file(1)).await.unwrap_err();
    assert!(refused.to_string().contains("QRIS, no bank transfer"), "{refused}");
    assert_eq!(shop.kept().await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn reading_a_proof_is_logged(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let payment = shop.transfer().await;
    let proof = shop.prove(payment, &file(1)).await.unwrap();
    let read = shop.store.read_proof(payment, proof.id, &shop.admins_origin()).await.unwrap();
    assert_eq!((read.content_type, read.bytes), (ProofKind::Pdf, file(1)));
    let (_, other) = shop.order_by(PaymentMethod::ManualTransfer, "another").await;
    for (payment, proof) in [(other.id, proof.id), (payment, ProofId(uuid::Uuid::nil()))] {
        let missing = shop.store.read_proof(payment, proof, &shop.admins_origin()).await;
        assert!(matches!(missing, Err(StoreError::NotFound("proof"))), "{missing:?}");
    }
    let acts = shop.texts("SELECT actor_kind FROM audit_log WHERE action = 'payment_proof.read'").await;
    assert_eq!(acts, ["user"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn transfers_with_a_proof_wait_in_front(pool: PgPool) {
    use store::{admin::PaymentFilter, page::PageRequest};
    let shop = Shop::open(pool).await;
    let mut payments = Vec::new();
    for key in ["a", "b", "c", "d"] {
        payments.push(shop.order_by(PaymentMethod::ManualTransfer, key).await.1.id);
    }
    let (settled, done) = shop.order_by(PaymentMethod::ManualTransfer, "settled").await;
    shop.prove(done.id, &file(9)).await.unwrap();
    shop.store.approve_payment(settled, &Default::default(), &shop.anew()).await.unwrap();
    shop.order_by(PaymentMethod::Qris, "qris").await;
    shop.prove(payments[0], &file(1)).await.unwrap();
    shop.prove(payments[2], &file(1)).await.unwrap();
    shop.prove(payments[2], &file(2)).await.unwrap();

    let mut seen = Vec::new();
    let mut page = PageRequest { before: None, limit: 1 };
    loop {
        let part = shop.store.transfers_awaiting_approval(&PaymentFilter::default(), page).await.unwrap();
        seen.extend(part.data.iter().map(|payment| (payment.id, payment.proofs)));
        let Some(next) = part.next else { break };
        page.before = Some(next);
    }
    assert_eq!(seen, [(payments[2], 2), (payments[0], 1), (payments[3], 0), (payments[1], 0)]);
}
