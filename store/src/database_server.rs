//! What the database server has for this process, and what it does with our sessions.

use crate::{PoolSettings, Result, Store, boxed};

impl Store {
    /// Most connections that the server lets this role have to this database, whoever has them.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn most_connections(&self) -> Result<u32> {
        let most = sqlx::query_scalar!(
            r#"SELECT least(
                   current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
                       - coalesce(current_setting('reserved_connections', true)::int, 0),
                   (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user),
                   (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())) AS "most!""#
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(u32::try_from(most).unwrap_or(0))
    }

    /// Where a session is not as `settings` want it, a sentence each. Behind a pooler nothing can be set for a session, so
    /// the role or the database has to have it.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn session_problems(&self, settings: &PoolSettings) -> Result<Vec<String>> {
        let mut problems = Vec::new();
        for (name, wanted) in settings.session() {
            // The server writes 3000ms as 3s; the value in its own words is compared.
            let is_so = sqlx::query_scalar!(
                r#"SELECT CASE WHEN s.unit IS NULL THEN s.setting = $2
                               ELSE s.setting::bigint || s.unit = $2 END AS "is_so!"
                   FROM pg_settings s WHERE s.name = $1"#,
                name,
                wanted,
            )
            .fetch_one(&self.pool)
            .await?;
            if !is_so {
                problems.push(format!("ALTER ROLE ... SET {name} = '{wanted}'"));
            }
        }
        Ok(problems)
    }
}
