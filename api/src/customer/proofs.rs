//! Proofs of bank transfers: the customer's receipts as pictures or PDF. What a file is, its bytes must say and its sender
//! too; its name is never looked at.

use axum::{
    Json,
    extract::{
        DefaultBodyLimit, Multipart, State,
        multipart::{Field, MultipartError, MultipartRejection},
    },
    http::{HeaderMap, StatusCode, header},
};
use domain::{
    ids::PaymentId,
    proof::{LARGEST_PROOF, ProofKind},
};
use store::payments::NewProof;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    auth::CurrentUser,
    bodies::PaymentProof,
    extract::Id,
    problem::{Code, Problem},
};

/// The route as the router names it: its bodies may take longer to arrive.
pub(crate) const UPLOAD: &str = "/api/v1/payments/{id}/proof";

/// What the form around a file may take, in bytes.
const ENVELOPE: usize = 64 * 1024;

/// `/payments/{id}/proof`, which takes larger bodies than all others.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(upload)).layer(DefaultBodyLimit::max(LARGEST_PROOF + ENVELOPE))
}

/// The form.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes the body, which is read part by part")]
struct ProofForm {
    /// PNG, JPEG, WebP or PDF with its `Content-Type`, at most 5 MiB.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Send a proof of a bank transfer that waits for our approval: PNG, JPEG, WebP or PDF, at most 5 MiB, as the only part
/// `file` of a form. The same file again answers with the same proof. A payment takes five.
#[utoipa::path(
    post, path = "/payments/{id}/proof", tag = "billing", operation_id = "upload_payment_proof",
    security(("bearer" = [])), params(("id" = PaymentId, Path, description = "The bank transfer.")),
    request_body(content = ProofForm, content_type = "multipart/form-data"),
    responses(
        (status = 201, description = "The proof is kept, now or before, and our team is told.", body = PaymentProof),
        (status = 400, description = "`malformed_multipart`: the form can't be read to its end.",
         body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`payment_conflict`: it is no bank transfer, or not open any more; `detail` says \
         which. `too_many_proofs`: it has five, or its order as many as it may.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`: more than 5 MiB.",
         body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`: not `multipart/form-data`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`proof_type`: not PNG, JPEG, WebP or PDF, or not what its `Content-Type` says. \
         `proof_empty`, `proof_missing`, `proof_repeated`, or `field_unknown`: the form has another part.",
         body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_proofs_today`: I sent as many, or as much, within a day as I may. Or \
         `rate_limited`.",
         body = Problem, content_type = "application/problem+json",
         headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
async fn upload(
    customer: CurrentUser,
    State(state): State<AppState>,
    Id(payment): Id<PaymentId>,
    headers: HeaderMap,
    form: Result<Multipart, MultipartRejection>,
) -> Result<(StatusCode, Json<PaymentProof>), Problem> {
    state.store.payment_of(customer.id, payment).await?;
    let file = only_file(form_of(&headers, form)?).await?;
    let content_type = file.kind()?;
    let new = NewProof { customer: customer.id, payment, content_type, bytes: &file.bytes };
    Ok((StatusCode::CREATED, Json(state.store.add_proof(&new).await?.into())))
}

/// A file as it came.
struct Upload {
    /// What its sender says it is, without parameters.
    declared: Option<String>,
    bytes: Vec<u8>,
}

impl Upload {
    /// What it is, if its bytes and its sender agree.
    fn kind(&self) -> Result<ProofKind, Problem> {
        if self.bytes.is_empty() {
            return Err(Problem::field(Code::ProofEmpty, "file", "the file is empty"));
        }
        let declared = self.declared.as_deref();
        ProofKind::of(&self.bytes).filter(|kind| declared == Some(kind.as_str())).ok_or_else(|| {
            let message = "send a PNG, JPEG, WebP or PDF file, with the Content-Type of what it is";
            Problem::field(Code::ProofType, "file", message)
        })
    }
}

fn form_of(headers: &HeaderMap, form: Result<Multipart, MultipartRejection>) -> Result<Multipart, Problem> {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(essence);
    if sent.as_deref() != Some("multipart/form-data") {
        return Err(Problem::new(
            Code::UnsupportedMediaType,
            "send the file as multipart/form-data, in the part `file`",
        ));
    }
    form.map_err(|_| malformed())
}

/// A media type without its parameters.
fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The one part `file` of a form that has no other.
async fn only_file(mut form: Multipart) -> Result<Upload, Problem> {
    let mut file = None;
    while let Some(part) = form.next_field().await.map_err(|error| unreadable(&error))? {
        if part.name() != Some("file") {
            let name = part.name().unwrap_or_default().chars().take(100).collect::<String>();
            return Err(Problem::field(
                Code::FieldUnknown,
                &name,
                "the form has the part `file` and no other",
            ));
        }
        if file.is_some() {
            return Err(Problem::field(Code::ProofRepeated, "file", "send one file at a time"));
        }
        let declared = part.content_type().map(essence);
        file = Some(Upload { declared, bytes: read(part).await? });
    }
    file.ok_or_else(|| Problem::field(Code::ProofMissing, "file", "send the file in the part `file`"))
}

/// The bytes of a part, as long as they are no more than a proof may have.
async fn read(mut part: Field<'_>) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    while let Some(chunk) = part.chunk().await.map_err(|error| unreadable(&error))? {
        if bytes.len() + chunk.len() > LARGEST_PROOF {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn unreadable(error: &MultipartError) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE { too_large() } else { malformed() }
}

fn too_large() -> Problem {
    Problem::new(Code::BodyTooLarge, "a proof has at most 5 MiB")
}

fn malformed() -> Problem {
    Problem::new(Code::MalformedMultipart, "the form could not be read to its end")
}
