//! A database whose clock differs from this machine's, for tests: what a worker's clock that runs fast or slow looks like
//! from the other side.

use sqlx::{
    AssertSqlSafe, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// Opens a migrated database in whose sessions the present is `seconds` later than on this machine, in every statement,
/// function, trigger and default.
pub(crate) async fn open(pool: PgPoolOptions, database: PgConnectOptions, seconds: i32) -> PgPool {
    let skewed = [("search_path", "skewed,pg_catalog,public")];
    let pool = pool.connect_with(database.options(skewed)).await.unwrap();
    let clocks = ["now", "clock_timestamp", "statement_timestamp", "transaction_timestamp"].map(|clock| {
        format!(
            "CREATE FUNCTION skewed.{clock}() RETURNS timestamptz LANGUAGE sql VOLATILE
                 RETURN pg_catalog.{clock}() + make_interval(secs => {seconds});"
        )
    });
    let setup = format!(
        "CREATE SCHEMA skewed;
         {}
         DO $$
         DECLARE found record;
         BEGIN
             FOR found IN SELECT d.adrelid::regclass AS name, a.attname FROM pg_attrdef d
                          JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
                          WHERE pg_get_expr(d.adbin, d.adrelid) IN ('now()', 'pg_catalog.now()') LOOP
                 EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT skewed.now()', found.name, found.attname);
             END LOOP;
         END $$;",
        clocks.join("\n"),
    );
    sqlx::raw_sql(AssertSqlSafe(setup)).execute(&pool).await.unwrap();
    pool
}
