//! What customers sent to prove their bank transfers. Strangers made these files: they are handed out for download only.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, header},
};
use domain::ids::{PaymentId, ProofId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    AppState,
    auth::Staff,
    bodies::{FileBytes, PaymentProof},
    client::Client,
    extract::{Id, Ids},
    problem::Problem,
};

/// The proofs of a payment.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminProofs {
    /// The first first.
    data: Vec<PaymentProof>,
}

/// List what a customer sent to prove a bank transfer.
#[utoipa::path(
    get, path = "/admin/payments/{id}/proofs", tag = "admin", operation_id = "admin_list_payment_proofs",
    security(("bearer" = [])), params(("id" = PaymentId, Path, description = "The payment.")),
    responses((status = 200, description = "The proofs, at most five.", body = AdminProofs))
)]
pub(super) async fn list(
    _: Staff,
    State(state): State<AppState>,
    Id(payment): Id<PaymentId>,
) -> Result<Json<AdminProofs>, Problem> {
    let proofs = state.store.any_proofs(payment).await?;
    Ok(Json(AdminProofs { data: proofs.into_iter().map(PaymentProof::from).collect() }))
}

/// Download a proof of a bank transfer. The audit log says who did.
#[utoipa::path(
    get, path = "/admin/payments/{id}/proofs/{proof_id}", tag = "admin", operation_id = "admin_get_payment_proof",
    security(("bearer" = [])),
    params(
        ("id" = PaymentId, Path, description = "The payment."),
        ("proof_id" = ProofId, Path, description = "The proof."),
    ),
    responses((status = 200, description = "The file as it came, for download.", content(
        (FileBytes = "image/png"), (FileBytes = "image/jpeg"), (FileBytes = "image/webp"),
        (FileBytes = "application/pdf"),
    )))
)]
pub(super) async fn get(
    staff: Staff,
    client: Client,
    State(state): State<AppState>,
    Ids(payment, proof): Ids<PaymentId, ProofId>,
) -> Result<([(HeaderName, String); 4], Vec<u8>), Problem> {
    let file = state.store.read_proof(payment, proof, &client.origin(staff.actor())).await?;
    let name = format!("attachment; filename=\"proof-{proof}.{}\"", file.content_type.extension());
    let headers = [
        (header::CONTENT_TYPE, file.content_type.to_string()),
        (header::CONTENT_DISPOSITION, name),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'".to_owned()),
    ];
    Ok((headers, file.bytes))
}
