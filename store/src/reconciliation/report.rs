//! What a run found, and who hears of it.

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    event::ServersDiffer,
    ids::{InstanceId, OrderId, ReconciliationId},
    reconciliation::{FindingAction, FindingKind, FindingReason},
    upkeep::RunStatus,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, types::Decimal};
use uuid::Uuid;

use crate::{
    Result, Store, StoreError, boxed,
    events::Entry,
    new_id,
    page::{Page, PageRequest},
};

/// Something a run found, to be written.
#[derive(Debug, Clone)]
pub struct NewFinding {
    /// What is wrong.
    pub kind: FindingKind,
    /// Why it was found to be so.
    pub reason: FindingReason,
    /// What was done about it.
    pub action: FindingAction,
    /// The provider's id of the server.
    pub provider_instance_id: String,
    /// Its name at the provider.
    pub name: Option<String>,
    /// Tags it carries.
    pub tags: Vec<String>,
    /// The provider's slug of its size.
    pub size: Option<String>,
    /// The provider's slug of its region.
    pub region: Option<String>,
    /// The order it belongs or belonged to.
    pub order_id: Option<OrderId>,
    /// Our record of it.
    pub instance_id: Option<InstanceId>,
    /// When the provider made it.
    pub server_created_at: Option<DateTime<Utc>>,
    /// What it costs a month.
    pub monthly_cost: Option<Rupiah>,
    /// What else there is to say.
    pub detail: Value,
}

/// Something a run found.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Its id, also the cursor of lists.
    pub id: Uuid,
    /// What is wrong.
    pub kind: FindingKind,
    /// Why it was found to be so.
    pub reason: FindingReason,
    /// What was done about it.
    pub action: FindingAction,
    /// The provider's id of the server.
    pub provider_instance_id: String,
    /// Its name at the provider.
    pub name: Option<String>,
    /// Tags it carries.
    pub tags: Vec<String>,
    /// The provider's slug of its size.
    pub size: Option<String>,
    /// The provider's slug of its region.
    pub region: Option<String>,
    /// The order it belongs or belonged to.
    pub order_id: Option<OrderId>,
    /// Our record of it.
    pub instance_id: Option<InstanceId>,
    /// When the provider made it.
    pub server_created_at: Option<DateTime<Utc>>,
    /// What it costs a month.
    pub monthly_cost: Option<Rupiah>,
    /// What else there is to say.
    pub detail: Value,
}

impl Store {
    /// Writes what a run found and ends it. Administrators hear of findings that differ from those of the provider's
    /// run before. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such run.
    #[boxed]
    pub async fn complete_reconciliation(
        &self,
        run: ReconciliationId,
        usd_idr: Decimal,
        servers_listed: usize,
        findings: &[NewFinding],
    ) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let row = sqlx::query!(
            r#"SELECT r.provider_id, r.status AS "status: RunStatus", r.dry_run, p.name
               FROM reconciliations r JOIN providers p ON p.id = r.provider_id WHERE r.id = $1 FOR UPDATE OF r"#,
            run.0,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("reconciliation"))?;
        if row.status == RunStatus::Completed {
            return Ok(());
        }
        for finding in findings {
            insert(&mut tx, run, finding).await?;
        }
        let digest = digest(findings);
        let known = last_digest(&mut tx, row.provider_id).await?;
        sqlx::query!(
            "UPDATE reconciliations SET status = 'COMPLETED', error = NULL, finished_at = now(), usd_idr = $2,
                    servers_listed = $3, digest = $4 WHERE id = $1",
            run.0,
            usd_idr,
            i32::try_from(servers_listed).unwrap_or(i32::MAX),
            digest,
        )
        .execute(&mut *tx)
        .await?;
        if !findings.is_empty() && known.as_deref() != Some(&digest) {
            tell_staff(&mut tx, run, &row.name, row.dry_run, findings).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// What a run found, the last written first, on request only of one kind.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn findings(
        &self,
        run: ReconciliationId,
        kind: Option<FindingKind>,
        page: PageRequest,
    ) -> Result<Page<Finding>> {
        let rows = sqlx::query_as!(
            Finding,
            r#"SELECT id, kind AS "kind: FindingKind", reason AS "reason: FindingReason",
                      action AS "action: FindingAction", provider_instance_id, name, tags, size, region,
                      order_id AS "order_id: OrderId", instance_id AS "instance_id: InstanceId", server_created_at,
                      monthly_cost AS "monthly_cost: Rupiah", detail
               FROM reconciliation_findings
               WHERE reconciliation_id = $1 AND ($2::text IS NULL OR kind = $2) AND ($3::uuid IS NULL OR id < $3)
               ORDER BY id DESC LIMIT $4"#,
            run.0,
            kind.map(FindingKind::as_str),
            page.before,
            page.fetch(),
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(page.cut(rows, |row| row.id))
    }
}

async fn insert(tx: &mut PgConnection, run: ReconciliationId, finding: &NewFinding) -> Result<()> {
    sqlx::query!(
        "INSERT INTO reconciliation_findings (id, reconciliation_id, kind, reason, action, provider_instance_id, name,
             tags, size, region, order_id, instance_id, server_created_at, monthly_cost, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        new_id::<Uuid>(),
        run.0,
        finding.kind.as_str(),
        finding.reason.as_str(),
        finding.action.as_str(),
        finding.provider_instance_id,
        finding.name,
        &finding.tags,
        finding.size,
        finding.region,
        finding.order_id.map(|id| id.0),
        finding.instance_id.map(|id| id.0),
        finding.server_created_at,
        finding.monthly_cost.map(Rupiah::get),
        finding.detail,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Names a set of findings with what was done about them, whatever their order.
fn digest(findings: &[NewFinding]) -> String {
    let mut lines: Vec<String> = findings
        .iter()
        .map(|f| format!("{}\0{}\0{}\0{}\0{}", f.kind, f.reason, f.action, f.provider_instance_id, f.detail))
        .collect();
    lines.sort_unstable();
    Sha256::digest(lines.join("\n")).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn last_digest(tx: &mut PgConnection, provider: Uuid) -> Result<Option<String>> {
    let digest = sqlx::query_scalar!(
        "SELECT digest FROM reconciliations WHERE provider_id = $1 AND status = 'COMPLETED' ORDER BY id DESC LIMIT 1",
        provider,
    )
    .fetch_optional(tx)
    .await?;
    Ok(digest.flatten())
}

async fn tell_staff(
    tx: &mut PgConnection,
    run: ReconciliationId,
    provider: &str,
    dry_run: bool,
    findings: &[NewFinding],
) -> Result<()> {
    let count = |kind| findings.iter().filter(|finding| finding.kind == kind).count();
    let wasted: Rupiah = findings
        .iter()
        .filter(|finding| matches!(finding.kind, FindingKind::Orphan | FindingKind::Duplicate))
        .filter_map(|finding| finding.monthly_cost)
        .sum();
    let differ = ServersDiffer {
        reconciliation_id: run,
        provider: provider.to_owned(),
        findings: findings.len(),
        orphaned: count(FindingKind::Orphan),
        duplicate: count(FindingKind::Duplicate),
        missing: count(FindingKind::Ghost),
        drifted: count(FindingKind::Drifted),
        wasted,
        dry_run,
    };
    Entry::of(differ).tell_administrators(tx).await
}
