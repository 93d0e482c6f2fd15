//! Steps of workflows that the database refuses for no reason that passes: a bug of ours, or of its schema.

use domain::{event::StepRefused, ids::OrderId, provisioning::FailureClass};

use crate::{Result, Store, boxed, events::Entry};

impl Store {
    /// Notes with the order, if the workflow is one's, why it does not go on, and tells administrators, of each step once an
    /// hour. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn note_refused_step(&self, workflow_id: &str, step: &str, error: &str) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let order = workflow_id.strip_prefix("order/").and_then(|id| id.parse::<OrderId>().ok());
        if let Some(order) = order {
            sqlx::query!(
                "UPDATE provisioning_tasks SET last_error_class = $2, last_error = $3, last_error_code = NULL,
                        provider_request_id = NULL, updated_at = now() WHERE order_id = $1",
                order.0,
                FailureClass::Retryable.as_str(),
                format!("the step {step} can't be recorded: {error}"),
            )
            .execute(&mut *tx)
            .await?;
        }
        let hour = sqlx::query_scalar!(r#"SELECT to_char(now(), 'YYYYMMDDHH24') AS "hour!""#)
            .fetch_one(&mut *tx)
            .await?;
        let refused = StepRefused {
            workflow_id: workflow_id.to_owned(),
            step: step.to_owned(),
            order_id: order,
            error: error.to_owned(),
            hour,
        };
        Entry::of(refused).tell_administrators(&mut tx).await?;
        Ok(tx.commit().await?)
    }
}
