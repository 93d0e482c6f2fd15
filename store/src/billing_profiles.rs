//! Whom the invoices of a customer bill. The database copies it to an invoice when that is issued
//! (`invoices_keep_their_buyer`), so a change is for those that come.

use chrono::{DateTime, Utc};
use domain::{
    billing_profile::{BuyerKind, TaxId},
    ids::UserId,
};
use serde_json::json;

use crate::{
    Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed,
    users::about,
};

/// A profile as it is kept.
#[derive(Clone)]
pub struct BillingProfile {
    /// Person or company.
    pub kind: BuyerKind,
    /// As it stands on invoices.
    pub name: String,
    /// NPWP or NIK: 16 digits.
    pub tax_id: Option<String>,
    /// Street and number.
    pub street: String,
    /// City or regency.
    pub city: String,
    /// Province.
    pub province: String,
    /// Five digits.
    pub postal_code: String,
    /// The address for mail that stands on invoices; the account's if there is none.
    pub invoice_email: Option<String>,
    /// When it was written.
    pub updated_at: DateTime<Utc>,
}

/// A profile to be kept. A company has a number, the database sees to it.
#[derive(Clone)]
pub struct NewBillingProfile {
    /// Person or company.
    pub kind: BuyerKind,
    /// As it is to stand on invoices.
    pub name: String,
    /// NPWP or NIK.
    pub tax_id: Option<TaxId>,
    /// Street and number.
    pub street: String,
    /// City or regency.
    pub city: String,
    /// Province.
    pub province: String,
    /// Five digits.
    pub postal_code: String,
    /// An address for mail, if not the account's.
    pub invoice_email: Option<String>,
}

impl Store {
    /// A customer's profile, if they wrote one.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when they did not.
    #[boxed]
    pub async fn billing_profile(&self, user: UserId) -> Result<BillingProfile> {
        sqlx::query_as!(
            BillingProfile,
            r#"SELECT kind AS "kind: BuyerKind", name, tax_id, street, city, province, postal_code, invoice_email, updated_at
               FROM billing_profiles WHERE user_id = $1"#,
            user.0,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("billing profile"))
    }

    /// Writes a customer's profile, whole. Twice the same is once. The audit tells that it was written, not what: that is
    /// personal.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn set_billing_profile(
        &self,
        user: UserId,
        new: &NewBillingProfile,
        origin: &Origin,
    ) -> Result<BillingProfile> {
        let mut tx = self.pool.begin().await?;
        let kept = sqlx::query_as!(
            BillingProfile,
            r#"INSERT INTO billing_profiles AS b (user_id, kind, name, tax_id, street, city, province, postal_code, invoice_email)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
               ON CONFLICT (user_id) DO UPDATE
               SET kind = excluded.kind, name = excluded.name, tax_id = excluded.tax_id, street = excluded.street,
                   city = excluded.city, province = excluded.province, postal_code = excluded.postal_code,
                   invoice_email = excluded.invoice_email, updated_at = now()
               RETURNING kind AS "kind: BuyerKind", name, tax_id, street, city, province, postal_code, invoice_email, updated_at"#,
            user.0,
            new.kind.as_str(),
            new.name,
            new.tax_id.as_ref().map(TaxId::as_str),
            new.street,
            new.city,
            new.province,
            new.postal_code,
            new.invoice_email,
        )
        .fetch_one(&mut *tx)
        .await?;
        let after = json!({ "kind": kept.kind, "has_tax_id": kept.tax_id.is_some() });
        let act = AuditEntry { after: Some(after), ..about("billing_profile.written", user) };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        Ok(kept)
    }

    /// Removes a customer's profile; invoices to come bill them by their name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when they have none.
    #[boxed]
    pub async fn remove_billing_profile(&self, user: UserId, origin: &Origin) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let removed = sqlx::query!("DELETE FROM billing_profiles WHERE user_id = $1", user.0)
            .execute(&mut *tx)
            .await?
            .rows_affected();
        if removed == 0 {
            return Err(StoreError::NotFound("billing profile"));
        }
        audit::record(&mut tx, origin, &about("billing_profile.removed", user)).await?;
        tx.commit().await?;
        Ok(())
    }
}
