//! What waits, for metrics and health.

use domain::outbox::MessageClass;

use crate::{Result, Store, boxed};

/// Messages that wait to be delivered; dead ones don't.
#[derive(Debug, Clone, Copy)]
pub struct Backlog {
    /// How many.
    pub waiting: i64,
    /// Age of the oldest in seconds; 0 when none waits.
    pub oldest_seconds: f64,
    /// How many were given up and wait for staff.
    pub dead: i64,
}

/// The same of one class.
#[derive(Debug, Clone, Copy)]
pub struct ClassBacklog {
    /// Which.
    pub class: MessageClass,
    /// What waits of it.
    pub backlog: Backlog,
}

impl Store {
    /// How much waits of each class, none left out.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn outbox_by_class(&self) -> Result<Vec<ClassBacklog>> {
        let rows = sqlx::query!(
            r#"SELECT c.class AS "class!: MessageClass", count(o.id) FILTER (WHERE o.dead_at IS NULL) AS "waiting!",
                      coalesce(extract(epoch FROM now() - min(o.created_at) FILTER (WHERE o.dead_at IS NULL)), 0)::float8
                          AS "oldest_seconds!",
                      count(o.dead_at) AS "dead!"
               FROM unnest($1::text[]) AS c (class)
               LEFT JOIN outbox o ON o.class = c.class AND o.dispatched_at IS NULL
               GROUP BY c.class"#,
            &MessageClass::ALL.iter().map(|class| class.as_str().to_owned()).collect::<Vec<_>>(),
        )
        .fetch_all(&self.pool)
        .await?;
        let classes = rows.into_iter().map(|row| ClassBacklog {
            class: row.class,
            backlog: Backlog { waiting: row.waiting, oldest_seconds: row.oldest_seconds, dead: row.dead },
        });
        Ok(classes.collect())
    }

    /// How much waits in all.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn outbox_backlog(&self) -> Result<Backlog> {
        let nothing = Backlog { waiting: 0, oldest_seconds: 0.0, dead: 0 };
        let classes = self.outbox_by_class().await?;
        Ok(classes.iter().map(|class| class.backlog).fold(nothing, |all, class| Backlog {
            waiting: all.waiting + class.waiting,
            oldest_seconds: all.oldest_seconds.max(class.oldest_seconds),
            dead: all.dead + class.dead,
        }))
    }
}
