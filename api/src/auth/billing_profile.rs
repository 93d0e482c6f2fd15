//! Whom the user's invoices bill, where they say more than their name.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use domain::{
    billing_profile::{BuyerKind, TaxId, is_postal_code},
    email::EmailAddress,
    label::Label,
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::billing_profiles::{BillingProfile, NewBillingProfile};
use utoipa::ToSchema;

use super::{CurrentUser, LoggedIn};
use crate::{
    AppState,
    client::Client,
    extract::Body,
    problem::{Code, Problem},
};

/// Whom invoices are to bill from now on.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewProfile {
    /// A person or a company.
    #[garde(skip)]
    kind: BuyerKind,
    /// The name on the invoice: the person's or the company's.
    #[garde(custom(line::<200>))]
    #[schema(min_length = 1, max_length = 200, example = "PT Awan Nusantara")]
    name: String,
    /// NPWP of 16 digits, or a person's NIK; points, hyphens and spaces may be between the digits. A company has one.
    #[garde(custom(number_of(self.kind)))]
    #[schema(
        nullable = false,
        min_length = 16,
        max_length = 40,
        pattern = "^ *[0-9]([ .-]*[0-9]){15} *$",
        example = "0013.1234.5605.1000"
    )]
    tax_id: Option<String>,
    /// Street, number and whatever else finds the door.
    #[garde(custom(line::<200>))]
    #[schema(min_length = 1, max_length = 200, example = "Jl. Jenderal Sudirman Kav. 52-53")]
    street: String,
    /// City or regency.
    #[garde(custom(line::<100>))]
    #[schema(min_length = 1, max_length = 100, example = "Jakarta Selatan")]
    city: String,
    /// Province.
    #[garde(custom(line::<100>))]
    #[schema(min_length = 1, max_length = 100, example = "DKI Jakarta")]
    province: String,
    /// Five digits.
    #[garde(custom(five_digits))]
    #[schema(min_length = 5, max_length = 5, pattern = "^[1-9][0-9]{4}$", example = "12190")]
    postal_code: String,
    /// The email address that stands on invoices, if not the account's. Nothing is sent to it.
    #[garde(inner(custom(super::bodies::deliverable)))]
    #[schema(nullable = false, format = Email, max_length = 254, example = "keuangan@example.com")]
    invoice_email: Option<String>,
}

/// Whom the invoices bill.
#[derive(Serialize, ToSchema)]
pub(super) struct ProfileOfBuyer {
    /// A person or a company.
    kind: BuyerKind,
    /// The name on the invoice.
    #[schema(example = "PT Awan Nusantara")]
    name: String,
    /// NPWP or NIK: 16 digits.
    #[schema(example = "0013123456051000")]
    tax_id: Option<String>,
    #[schema(example = "Jl. Jenderal Sudirman Kav. 52-53")]
    street: String,
    #[schema(example = "Jakarta Selatan")]
    city: String,
    #[schema(example = "DKI Jakarta")]
    province: String,
    #[schema(example = "12190")]
    postal_code: String,
    /// The email address on invoices; `null`: the account's.
    #[schema(example = "keuangan@example.com")]
    invoice_email: Option<String>,
    updated_at: DateTime<Utc>,
}

impl From<BillingProfile> for ProfileOfBuyer {
    fn from(profile: BillingProfile) -> Self {
        let BillingProfile {
            kind,
            name,
            tax_id,
            street,
            city,
            province,
            postal_code,
            invoice_email,
            updated_at,
        } = profile;
        Self { kind, name, tax_id, street, city, province, postal_code, invoice_email, updated_at }
    }
}

impl NewProfile {
    fn read(self) -> Result<NewBillingProfile, Problem> {
        let tax_id = self.tax_id.map(|text| TaxId::parse(&text, self.kind)).transpose();
        let invoice_email = self.invoice_email.map(|text| EmailAddress::parse(&text)).transpose();
        let one_line = |text: String| text.trim().to_owned();
        Ok(NewBillingProfile {
            kind: self.kind,
            name: one_line(self.name),
            tax_id: tax_id
                .map_err(|why| Problem::field(Code::ValidationFailed, "tax_id", why.to_string()))?,
            street: one_line(self.street),
            city: one_line(self.city),
            province: one_line(self.province),
            postal_code: self.postal_code,
            invoice_email: invoice_email
                .map_err(|why| Problem::field(Code::ValidationFailed, "invoice_email", why.to_string()))?
                .map(|address| address.as_str().to_owned()),
        })
    }
}

/// Read the billing profile
///
/// Whom the user's invoices bill. Without a profile they bill the account's name and email address.
#[utoipa::path(get, path = "/auth/me/billing-profile", tag = "auth", operation_id = "get_billing_profile",
    security(("bearer" = [])), responses(
        (status = 200, description = "The profile", body = ProfileOfBuyer),
        (status = 404, description = "`not_found`: there is none yet", body = Problem,
            content_type = "application/problem+json"),
    ))]
pub(super) async fn get(
    State(state): State<AppState>,
    user: CurrentUser,
) -> Result<Json<ProfileOfBuyer>, Problem> {
    Ok(Json(state.store.billing_profile(user.id).await?.into()))
}

/// Write the billing profile
///
/// Replaces the whole profile. It stands on invoices that are issued from now on; those that are issued keep their buyer.
#[utoipa::path(put, path = "/auth/me/billing-profile", tag = "auth", operation_id = "set_billing_profile",
    security(("bearer" = [])), request_body = NewProfile, responses(
        (status = 200, description = "The profile as it is kept", body = ProfileOfBuyer),
    ))]
pub(super) async fn set(
    State(state): State<AppState>,
    client: Client,
    user: LoggedIn,
    Body(body): Body<NewProfile>,
) -> Result<Json<ProfileOfBuyer>, Problem> {
    let kept = state.store.set_billing_profile(user.id, &body.read()?, &client.origin(user.actor())).await?;
    Ok(Json(kept.into()))
}

/// Remove the billing profile
///
/// Invoices that are issued from now on bill the account's name and email address.
#[utoipa::path(delete, path = "/auth/me/billing-profile", tag = "auth", operation_id = "remove_billing_profile",
    security(("bearer" = [])), responses(
        (status = 204, description = "Removed"),
        (status = 404, description = "`not_found`: there is none", body = Problem,
            content_type = "application/problem+json"),
    ))]
pub(super) async fn remove(
    State(state): State<AppState>,
    client: Client,
    user: LoggedIn,
) -> Result<StatusCode, Problem> {
    state.store.remove_billing_profile(user.id, &client.origin(user.actor())).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The rule for what stands on one line of an invoice.
fn line<const LONGEST: usize>(text: &str, _: &()) -> garde::Result {
    Label::parse(text, LONGEST).map(drop).map_err(|why| garde::Error::new(why.to_string()))
}

fn number_of(kind: BuyerKind) -> impl FnOnce(&Option<String>, &()) -> garde::Result {
    move |text, _| match text {
        Some(text) => TaxId::parse(text, kind).map(drop).map_err(|why| garde::Error::new(why.to_string())),
        None if kind == BuyerKind::Company => Err(garde::Error::new("a company's invoices name its NPWP")),
        None => Ok(()),
    }
}

fn five_digits(text: &str, _: &()) -> garde::Result {
    if is_postal_code(text) { Ok(()) } else { Err(garde::Error::new("a postal code has five digits")) }
}
