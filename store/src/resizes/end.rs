//! How a change of plans ends: with its action, or unpaid.

use domain::{
    Rupiah,
    event::{ServerResizeFailed, ServerResized},
    ids::{ActionId, InstanceId, InvoiceId, ResizeId, UserId},
    refund::CreditReason,
    resize::given_back,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Result, Store, boxed, events::Entry, refunds, server_terms};

/// A change of plans that is among its server's actions.
struct AtWork {
    id: ResizeId,
    instance_id: InstanceId,
    user_id: UserId,
    name: String,
    from_price: Rupiah,
    to_price: Rupiah,
    plan: String,
    invoice_id: Option<InvoiceId>,
}

/// The server has the plan that an action was about: of a cheaper one the difference goes to the balance. The server is
/// locked by the caller. What no customer asked for is none of this.
pub(crate) async fn applied(tx: &mut PgConnection, action: ActionId) -> Result<()> {
    let Some(resize) = at_work(tx, action).await? else { return Ok(()) };
    let reason = CreditReason::ServerResized { server: resize.name.clone(), plan: resize.plan.clone() };
    let (from, to) = (resize.from_price, resize.to_price);
    let credited = if to < from {
        let share = |unserved| Ok(given_back(unserved, from, to)?);
        refunds::give_back_unserved(tx, resize.instance_id, resize.user_id, &reason, share).await?
    } else {
        Rupiah::ZERO
    };
    end(tx, &resize, "COMPLETED", credited).await?;
    sqlx::query!("UPDATE instances SET next_due_at = now() WHERE id = $1", resize.instance_id.0)
        .execute(&mut *tx)
        .await?;
    let resized = ServerResized {
        resize_id: resize.id,
        instance_id: resize.instance_id,
        name: resize.name,
        plan: resize.plan,
        credited: (credited > Rupiah::ZERO).then_some(credited),
    };
    Entry::of(resized).tell(tx, resize.user_id).await
}

/// An action failed that was to bring another plan: what was paid for it goes to the balance. The server is locked by the
/// caller.
pub(crate) async fn failed(tx: &mut PgConnection, action: ActionId) -> Result<()> {
    let Some(resize) = at_work(tx, action).await? else { return Ok(()) };
    let reason = CreditReason::ResizeFailed { server: resize.name.clone(), plan: resize.plan.clone() };
    let returned = match resize.invoice_id {
        Some(invoice) => refunds::give_back_invoice(tx, invoice, resize.user_id, &reason).await?,
        None => Rupiah::ZERO,
    };
    end(tx, &resize, "FAILED", returned).await?;
    let failed = ServerResizeFailed {
        resize_id: resize.id,
        instance_id: resize.instance_id,
        action_id: action,
        name: resize.name,
        plan: resize.plan,
        returned: (returned > Rupiah::ZERO).then_some(returned),
    };
    Entry::of(failed).tell(tx, resize.user_id).await
}

async fn at_work(tx: &mut PgConnection, action: ActionId) -> Result<Option<AtWork>> {
    Ok(sqlx::query_as!(
        AtWork,
        r#"SELECT z.id AS "id: ResizeId", z.instance_id AS "instance_id: InstanceId", z.user_id AS "user_id: UserId",
                  s.name, z.from_price AS "from_price: Rupiah", z.to_price AS "to_price: Rupiah", l.name AS plan,
                  z.invoice_id AS "invoice_id: InvoiceId"
           FROM resizes z JOIN instances s ON s.id = z.instance_id JOIN plans l ON l.id = z.to_plan_id
           WHERE z.action_id = $1 AND z.status = 'APPLYING'"#,
        action.0,
    )
    .fetch_optional(tx)
    .await?)
}

async fn end(tx: &mut PgConnection, resize: &AtWork, status: &str, credited: Rupiah) -> Result<()> {
    sqlx::query!(
        "UPDATE resizes SET status = $2, credited = $3, ended_at = now() WHERE id = $1",
        resize.id.0,
        status,
        credited.get(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

impl Store {
    /// Withdraws up to `limit` changes of plans that were not paid in time, or whose invoice was withdrawn; answers how many.
    /// Money that comes all the same goes to the balance. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer; what was withdrawn by then stays.
    #[boxed]
    pub async fn lapse_resizes(&self, limit: i64) -> Result<usize> {
        let due: Vec<Uuid> = sqlx::query_scalar!(
            "SELECT z.instance_id FROM resizes z LEFT JOIN invoices v ON v.id = z.invoice_id
             WHERE z.status = 'OPEN' AND (z.lapses_at <= now() OR v.status = 'VOID') ORDER BY z.lapses_at LIMIT $1",
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        for instance in &due {
            let mut tx = self.pool.begin().await?;
            let still = sqlx::query_scalar!(
                "SELECT s.id FROM instances s WHERE s.id = $1 FOR NO KEY UPDATE",
                instance,
            );
            still.fetch_one(&mut *tx).await?;
            let is_due = sqlx::query_scalar!(
                r#"SELECT EXISTS (SELECT FROM resizes z LEFT JOIN invoices v ON v.id = z.invoice_id
                                  WHERE z.instance_id = $1 AND z.status = 'OPEN'
                                    AND (z.lapses_at <= now() OR v.status = 'VOID')) AS "is_due!""#,
                instance,
            )
            .fetch_one(&mut *tx)
            .await?;
            // Nothing else is open beside it: the last wish counts.
            if is_due {
                server_terms::withdraw_open(&mut tx, (*instance).into()).await?;
            }
            tx.commit().await?;
        }
        Ok(due.len())
    }
}
