//! One search over everything that staff are told a piece of: an id, a number, an address, a name.

use domain::{
    ids::UserId,
    search::{HitField, HitKind},
};
use uuid::Uuid;

use crate::{Result, Store, boxed};

/// The fewest characters that are looked for: indexes know words by threes of letters.
pub const SEARCH_MINIMUM: usize = 3;

/// Most hits of one kind.
const MOST_OF_A_KIND: i64 = 10;

/// Something that was found.
#[derive(Debug, Clone)]
pub struct Hit {
    /// What it is.
    pub kind: HitKind,
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub customer_id: UserId,
    /// What to call it.
    pub label: String,
    /// What of it matched.
    pub field: HitField,
    /// What stands there.
    pub value: String,
}

impl Store {
    /// What has `words` in it, in any case: up to ten hits of each kind. Ids are found by their first eight digits or more.
    /// Fewer characters than [`SEARCH_MINIMUM`] find nothing.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn search_for_staff(&self, words: &str) -> Result<Vec<Hit>> {
        let words = words.trim();
        if words.chars().count() < SEARCH_MINIMUM {
            return Ok(Vec::new());
        }
        let (lowest, highest) = ids_beginning_with(words).unzip();
        // What matches is found by a query that is planned as if all of it were wanted, by way of the indexes; only then it
        // is cut. With the limit inside, Postgres would rather read a table through until it has met so many.
        Ok(sqlx::query_as!(
            Hit,
            r#"WITH people AS MATERIALIZED (
                   SELECT id, email, full_name, email_key LIKE lower($1) AS by_email FROM users
                   WHERE email_key LIKE lower($1) OR lower(full_name) LIKE lower($1)),
               ordered AS MATERIALIZED (SELECT id, user_id, hostname FROM orders WHERE hostname LIKE lower($1)),
               servers AS MATERIALIZED (
                   SELECT id, user_id, name, hostname, ipv4, ipv6, provider_instance_id,
                          CASE WHEN lower(name) LIKE lower($1) THEN 'name' WHEN ipv4 LIKE $1 THEN 'ipv4'
                               WHEN ipv6 LIKE lower($1) THEN 'ipv6' ELSE 'provider_instance_id' END AS field
                   FROM instances
                   WHERE lower(name) LIKE lower($1) OR ipv4 LIKE $1 OR ipv6 LIKE lower($1)
                      OR provider_instance_id LIKE $1),
               bills AS MATERIALIZED (
                   SELECT id, user_id, number FROM invoices WHERE number IS NOT NULL AND number LIKE upper($1)),
               paid AS MATERIALIZED (
                   SELECT id, user_id, va_number, bank FROM payments WHERE va_number IS NOT NULL AND va_number LIKE $1)
               SELECT kind AS "kind!: HitKind", id AS "id!", customer_id AS "customer_id!: UserId", label AS "label!",
                      field AS "field!: HitField", value AS "value!"
               FROM (
                   (SELECT 'order' AS kind, id, user_id AS customer_id, hostname AS label, 'id' AS field, id::text AS value
                    FROM orders WHERE id BETWEEN $2 AND $3 ORDER BY id LIMIT $4)
                   UNION ALL
                   (SELECT 'instance', id, user_id, hostname, 'id' AS field, id::text AS value
                    FROM instances WHERE id BETWEEN $2 AND $3 ORDER BY id LIMIT $4)
                   UNION ALL
                   (SELECT 'invoice', id, user_id, coalesce(number, 'DRAFT'), 'id' AS field, id::text AS value
                    FROM invoices WHERE id BETWEEN $2 AND $3 ORDER BY id LIMIT $4)
                   UNION ALL
                   (SELECT 'payment', id, user_id, gateway_order_id, 'id' AS field, id::text AS value
                    FROM payments WHERE id BETWEEN $2 AND $3 ORDER BY id LIMIT $4)
                   UNION ALL
                   (SELECT 'user', id, id, email, 'id' AS field, id::text AS value
                    FROM users WHERE id BETWEEN $2 AND $3 ORDER BY id LIMIT $4)
                   UNION ALL
                   (SELECT 'user', id, id, email, CASE WHEN by_email THEN 'email' ELSE 'full_name' END,
                           CASE WHEN by_email THEN email ELSE full_name END
                    FROM people LIMIT $4)
                   UNION ALL
                   (SELECT 'order', id, user_id, hostname, 'hostname', hostname FROM ordered LIMIT $4)
                   UNION ALL
                   (SELECT 'instance', id, user_id, hostname, field,
                           CASE field WHEN 'name' THEN name WHEN 'ipv4' THEN ipv4 WHEN 'ipv6' THEN ipv6
                                      ELSE provider_instance_id END
                    FROM servers LIMIT $4)
                   UNION ALL
                   (SELECT 'invoice', id, user_id, number, 'number', number FROM bills LIMIT $4)
                   UNION ALL
                   (SELECT 'payment', id, user_id, 'VA ' || bank, 'va_number', va_number FROM paid LIMIT $4)
               ) hits"#,
            containing(words),
            lowest,
            highest,
            MOST_OF_A_KIND,
        )
        .fetch_all(&self.pool)
        .await?)
    }
}

/// The pattern of LIKE for what has this in it.
pub(super) fn containing(words: &str) -> String {
    let mut pattern = String::from("%");
    for letter in words.trim().chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// The lowest and the highest id that begin with these digits, of which there have to be eight at least.
fn ids_beginning_with(words: &str) -> Option<(Uuid, Uuid)> {
    let digits: String = words.chars().filter(|letter| *letter != '-').collect();
    let known = (8..=32).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let end = |fill: &str| Uuid::parse_str(&format!("{digits}{}", fill.repeat(32 - digits.len()))).ok();
    known.then(|| Some((end("0")?, end("f")?))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_its_letters() {
        assert_eq!(containing(" 50%_off\\ "), r"%50\%\_off\\%");
    }

    #[test]
    fn ids_are_known_by_their_beginning() {
        let id = Uuid::now_v7();
        let text = id.to_string();
        for length in [8, 13, 20, 36] {
            let (lowest, highest) = ids_beginning_with(&text[..length]).unwrap();
            assert!(lowest <= id && id <= highest, "{length}");
        }
        assert_eq!(ids_beginning_with(&text), Some((id, id)));
        for words in ["0193e7d", "web-1.example.com", &format!("{text}0")] {
            assert_eq!(ids_beginning_with(words), None, "{words}");
        }
    }
}
