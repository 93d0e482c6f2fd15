//! Rows by the thousand, with ids of a test's choice, for tests of the ledger alone: no way of the product makes them. What
//! is made so is not what the product would make; elsewhere orders and payments are made by the [`crate::TestApp`].

use sqlx::PgPool;
use uuid::Uuid;

/// Accounts with these ids.
///
/// # Panics
/// When the database refuses them.
pub async fn people(pool: &PgPool, ids: &[Uuid]) {
    sqlx::query(
        "INSERT INTO users (id, email, full_name, password_hash)
         SELECT id, id || '@example.com', 'Budi', 'x' FROM unnest($1::uuid[]) AS id",
    )
    .bind(ids)
    .execute(pool)
    .await
    .expect("rows");
}

/// A provider, a region, an image and a plan, all with the same id.
///
/// # Panics
/// When the database refuses them.
pub async fn catalog(pool: &PgPool) -> Uuid {
    let id = Uuid::now_v7();
    for sql in [
        "INSERT INTO providers (id, slug, name) VALUES ($1, 'cloud', 'A cloud')",
        "INSERT INTO regions (id, provider_id, slug, provider_slug, name, country) VALUES ($1, $1, 'r', 'r', 'R', 'SG')",
        "INSERT INTO images (id, slug, name, distribution, version) VALUES ($1, 'i', 'I', 'i', '1')",
        "INSERT INTO plans (id, slug, name, provider_id, provider_slug, vcpu, memory_mb, disk_gb, bandwidth_gb,
                            price_monthly, cost_monthly_usd) VALUES ($1, 'p', 'P', $1, 'p', 1, 1, 1, 1, 120000, 6)",
    ] {
        sqlx::query(sql).bind(id).execute(pool).await.expect("rows");
    }
    id
}

/// Orders of the given customers with their invoices; everything in rupiah.
///
/// # Panics
/// When the database refuses them.
pub async fn orders(pool: &PgPool, catalog: Uuid, rows: &[(Uuid, Uuid)], total: i64, tax: i64) {
    let (ids, users): (Vec<Uuid>, Vec<Uuid>) = rows.iter().copied().unzip();
    sqlx::query(
        "INSERT INTO orders (id, user_id, status, provider_id, plan_id, region_id, image_id, hostname, term_months, total,
                             policy, expires_at)
         SELECT o.id, o.user_id, 'PENDING_PAYMENT', $3, $3, $3, $3, 'web', 1, $4, '{}', now() + interval '1 day'
         FROM unnest($1::uuid[], $2::uuid[]) AS o (id, user_id)",
    )
    .bind(&ids)
    .bind(&users)
    .bind(catalog)
    .bind(total)
    .execute(pool)
    .await
    .expect("rows");
    sqlx::query(
        "INSERT INTO invoices (id, number, user_id, order_id, status, subtotal, discount, tax_base, tax, tax_bp, total, due_at)
         SELECT o.id, 'INV/' || o.id, o.user_id, o.id, 'OPEN', $3::bigint - $4::bigint, 0, $3::bigint - $4::bigint, $4, 1100, $3, now()
         FROM unnest($1::uuid[], $2::uuid[]) AS o (id, user_id)",
    )
    .bind(&ids)
    .bind(&users)
    .bind(total)
    .bind(tax)
    .execute(pool)
    .await
    .expect("rows");
}

/// Issued invoices of the given customers that belong to no order; everything in rupiah.
///
/// # Panics
/// When the database refuses them.
pub async fn invoices(pool: &PgPool, rows: &[(Uuid, Uuid)], total: i64, tax: i64) {
    let (ids, users): (Vec<Uuid>, Vec<Uuid>) = rows.iter().copied().unzip();
    sqlx::query(
        "INSERT INTO invoices (id, number, user_id, status, subtotal, discount, tax_base, tax, tax_bp, total, due_at)
         SELECT i.id, 'INV/' || i.id, i.user_id, 'OPEN', $3::bigint - $4::bigint, 0, $3::bigint - $4::bigint, $4, 1100, $3, now()
         FROM unnest($1::uuid[], $2::uuid[]) AS i (id, user_id)",
    )
    .bind(&ids)
    .bind(&users)
    .bind(total)
    .bind(tax)
    .execute(pool)
    .await
    .expect("rows");
}

/// Payments of such invoices, by QRIS and pending, over their price.
///
/// # Panics
/// When the database refuses them.
pub async fn payments_of_invoices(pool: &PgPool, rows: &[(Uuid, Uuid)]) {
    let (ids, invoices): (Vec<Uuid>, Vec<Uuid>) = rows.iter().copied().unzip();
    sqlx::query(
        "INSERT INTO payments (id, invoice_id, user_id, gateway, gateway_order_id, method, amount, status)
         SELECT p.id, i.id, i.user_id, 'midtrans', 'WI-' || p.id, 'QRIS', i.total, 'PENDING'
         FROM unnest($1::uuid[], $2::uuid[]) AS p (id, invoice_id) JOIN invoices i ON i.id = p.invoice_id",
    )
    .bind(&ids)
    .bind(&invoices)
    .execute(pool)
    .await
    .expect("rows");
}

/// Payments of orders, by QRIS and pending, over their price.
///
/// # Panics
/// When the database refuses them.
pub async fn payments(pool: &PgPool, rows: &[(Uuid, Uuid)]) {
    let (ids, orders): (Vec<Uuid>, Vec<Uuid>) = rows.iter().copied().unzip();
    sqlx::query(
        "INSERT INTO payments (id, invoice_id, order_id, user_id, gateway, gateway_order_id, method, amount, status)
         SELECT p.id, o.id, o.id, o.user_id, 'midtrans', 'WB-' || p.id, 'QRIS', o.total, 'PENDING'
         FROM unnest($1::uuid[], $2::uuid[]) AS p (id, order_id) JOIN orders o ON o.id = p.order_id",
    )
    .bind(&ids)
    .bind(&orders)
    .execute(pool)
    .await
    .expect("rows");
}
