//! Proving the books: every rule that the tables enforce, checked once more over all that is written.

use std::borrow::Cow;

use domain::{ledger::AccountKind, money::Rupiah};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::{Result, Store, boxed};

/// How many cases of one fault are listed.
const LISTED: usize = 20;

/// What must be true, with the query that finds where it is not.
const RULES: &[(&str, &str)] = &[
    (
        "every movement sums to zero",
        "SELECT 'movement ' || movement_id || ': ' || sum(amount) FROM ledger_entries
         GROUP BY movement_id HAVING sum(amount) <> 0",
    ),
    (
        "every movement has entries",
        "SELECT 'movement ' || m.id FROM ledger_movements m
         WHERE NOT EXISTS (SELECT FROM ledger_entries e WHERE e.movement_id = m.id)",
    ),
    (
        "every balance equals its entries",
        "SELECT 'account ' || a.id || ': balance ' || a.balance || ', entries ' || coalesce(sum(e.amount), 0)
         FROM ledger_accounts a LEFT JOIN ledger_entries e ON e.account_id = a.id WHERE a.owner_id IS NOT NULL
         GROUP BY a.id HAVING a.balance <> coalesce(sum(e.amount), 0)",
    ),
    (
        "every running balance follows its entries",
        "SELECT 'entry ' || id || ': says ' || coalesce(balance_after::text, 'nothing') || ', is ' || running
         FROM (SELECT e.id, e.balance_after, sum(e.amount) OVER (PARTITION BY e.account_id ORDER BY e.id) AS running
               FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id WHERE a.owner_id IS NOT NULL) r
         WHERE balance_after IS DISTINCT FROM running",
    ),
    (
        "no customer's account is below nothing",
        "SELECT 'account ' || id || ': ' || balance FROM ledger_accounts WHERE balance < 0",
    ),
    (
        "the total is zero",
        "SELECT 'all entries: ' || sum(amount) FROM ledger_entries HAVING sum(amount) <> 0",
    ),
    (
        "every paid payment is in the books",
        "SELECT 'payment ' || p.id FROM payments p WHERE p.status = 'PAID' AND NOT EXISTS (
             SELECT FROM ledger_movements m WHERE m.cause = 'payment/' || p.id
                 || CASE p.method WHEN 'WALLET' THEN '/hold' ELSE '/received' END)",
    ),
    (
        "what came in is what was paid",
        "SELECT 'payment ' || p.id || ': paid ' || p.brought || ', booked ' || coalesce(b.arrived, 0)
         FROM (SELECT id, method, coalesce(amount_received, CASE status WHEN 'PAID' THEN amount ELSE 0 END) AS brought
               FROM payments) p
         LEFT JOIN (SELECT m.payment_id, -sum(e.amount) AS arrived
                    FROM ledger_movements m JOIN ledger_entries e ON e.movement_id = m.id
                    JOIN ledger_accounts a ON a.id = e.account_id
                    WHERE m.kind IN ('DEPOSIT', 'PAYMENT', 'PART_PAYMENT', 'LATE_PAYMENT', 'SURPLUS')
                      AND a.kind IN ('BANK', 'GATEWAY_CLEARING')
                    GROUP BY m.payment_id) b ON b.payment_id = p.id
         WHERE p.method <> 'WALLET' AND p.brought <> coalesce(b.arrived, 0)",
    ),
    (
        "every fee that a payer paid is in the books, and no other",
        "SELECT coalesce('payment ' || p.id || ': paid ' || p.payer_fee, b.cause) || ', booked ' || coalesce(b.fee, 0)
         FROM (SELECT id, payer_fee FROM payments WHERE payer_fee <> 0) p
         FULL JOIN (SELECT m.cause, m.payment_id, e.amount AS fee
                    FROM ledger_movements m JOIN ledger_entries e ON e.movement_id = m.id
                    JOIN ledger_accounts a ON a.id = e.account_id
                    WHERE m.kind = 'PAYER_FEE' AND a.kind = 'GATEWAY_FEES') b ON b.payment_id = p.id
         WHERE p.payer_fee IS DISTINCT FROM b.fee",
    ),
    (
        "what is paid from the balance brings nothing in, and nothing comes in without a payment",
        "SELECT 'movement ' || m.id || ' (' || m.kind || ')' || coalesce(' of payment ' || p.id, '') || ': ' || a.kind || ' '
                || e.amount
         FROM ledger_movements m JOIN ledger_entries e ON e.movement_id = m.id
         JOIN ledger_accounts a ON a.id = e.account_id LEFT JOIN payments p ON p.id = m.payment_id
         WHERE a.kind IN ('BANK', 'GATEWAY_CLEARING')
           AND (p.method = 'WALLET' OR e.amount < 0 AND p.id IS NULL AND m.kind <> 'GATEWAY_PAYOUT')",
    ),
    (
        "what a transfer brought beyond its amount is on the balance",
        "SELECT 'payment ' || p.id || ': over ' || p.amount || ', brought ' || p.amount_received || ', credited '
                || coalesce(b.credited, 0)
         FROM payments p
         LEFT JOIN (SELECT m.payment_id, sum(e.amount) AS credited
                    FROM ledger_movements m JOIN ledger_entries e ON e.movement_id = m.id
                    JOIN ledger_accounts a ON a.id = e.account_id
                    WHERE m.kind IN ('LATE_PAYMENT', 'SURPLUS') AND a.kind = 'CUSTOMER_WALLET'
                    GROUP BY m.payment_id) b ON b.payment_id = p.id
         WHERE p.amount_received - p.amount > coalesce(b.credited, 0)",
    ),
    (
        "nothing is awaited of a transfer whose part is not set aside any more",
        "SELECT 'payment ' || p.id || ': ' || p.status || ', brought ' || p.amount_received || '; order ' || o.status
         FROM payments p JOIN orders o ON o.id = p.order_id
         WHERE p.status IN ('PENDING', 'UNKNOWN') AND p.amount_received IS NOT NULL AND o.status <> 'PENDING_PAYMENT'",
    ),
    (
        "an order's invoice is open exactly while the order waits for money",
        "SELECT 'order ' || o.id || ': ' || o.status || ', invoice ' || i.status
         FROM orders o JOIN invoices i ON i.order_id = o.id
         WHERE (o.status = 'PENDING_PAYMENT') <> (i.status = 'OPEN')",
    ),
    (
        "no further term is for sale of a server that is gone, being deleted or called off",
        "SELECT 'invoice ' || i.id || ': server ' || s.id || ' is ' || s.status
         FROM renewals r JOIN invoices i ON i.id = r.invoice_id JOIN instances s ON s.id = r.instance_id
         WHERE i.status = 'OPEN'
           AND (s.status IN ('TERMINATING', 'TERMINATED') OR s.cancels_at_period_end
                OR EXISTS (SELECT FROM instance_actions a WHERE a.instance_id = s.id AND a.action = 'delete'
                           AND a.status IN ('pending', 'in_progress')))",
    ),
    (
        "no plan is for sale to a server that is gone or has another one, and what is paid for is begun",
        "SELECT 'resize ' || z.id || ': ' || z.status || ', invoice ' || i.status
         FROM resizes z JOIN invoices i ON i.id = z.invoice_id JOIN instances s ON s.id = z.instance_id
         WHERE i.status = 'OPEN' AND (z.status <> 'OPEN' OR s.status = 'TERMINATED')
            OR i.status IN ('PAID', 'REFUNDED') AND z.status IN ('OPEN', 'LAPSED')",
    ),
    (
        "nothing has given back more than it brought",
        "SELECT 'order or invoice ' || service || ', ' || account || ': ' || sum(amount)
         FROM (SELECT coalesce(m.order_id, m.invoice_id) AS service, e.amount,
                      CASE a.kind WHEN 'REFUNDS' THEN 'REVENUE' ELSE a.kind END AS account
               FROM ledger_movements m JOIN ledger_entries e ON e.movement_id = m.id
               JOIN ledger_accounts a ON a.id = e.account_id
               WHERE coalesce(m.order_id, m.invoice_id) IS NOT NULL
                 AND a.kind IN ('CUSTOMER_HOLDS', 'DEFERRED_REVENUE', 'TAX_PAYABLE', 'REVENUE', 'REFUNDS')) o
         GROUP BY service, account HAVING sum(amount) < 0",
    ),
    (
        "every credited bonus is of a redeemed promo code, and the other way round",
        "SELECT coalesce('deposit ' || r.deposit_id, 'payment ' || b.payment_id) || ': promised '
                || coalesce(r.amount::text, 'nothing') || ', credited ' || coalesce(b.amount::text, 'nothing')
         FROM (SELECT y.id AS payment_id, y.deposit_id, y.user_id, e.amount
               FROM ledger_movements m JOIN payments y ON y.id = m.payment_id
               JOIN ledger_entries e ON e.movement_id = m.id JOIN ledger_accounts a ON a.id = e.account_id
               WHERE m.kind = 'PROMO_BONUS' AND a.kind = 'CUSTOMER_WALLET') b
         FULL JOIN (SELECT p.* FROM promo_redemptions p JOIN deposits d ON d.id = p.deposit_id
                    WHERE p.state = 'REDEEMED' OR p.state = 'RESERVED' AND d.credited_at IS NOT NULL) r
                ON r.deposit_id = b.deposit_id AND r.user_id = b.user_id
         WHERE r.amount IS DISTINCT FROM b.amount",
    ),
    (
        "every promo code is counted as often as it is used",
        "SELECT 'promo ' || p.id || ': counted ' || p.uses || ', used ' || count(r.id)
         FROM promos p LEFT JOIN promo_redemptions r ON r.promo_id = p.id AND r.state IN ('RESERVED', 'REDEEMED')
         GROUP BY p.id HAVING p.uses <> count(r.id)",
    ),
    (
        "every order's promo code is on its invoice and follows the order",
        "SELECT 'order ' || o.id || ': ' || o.status || ', code ' || r.state
         FROM promo_redemptions r JOIN orders o ON o.id = r.order_id JOIN promos p ON p.id = r.promo_id
         WHERE r.user_id <> o.user_id
            OR r.state IN ('RESERVED', 'HONOURED') AND o.status IN ('EXPIRED', 'CANCELLED', 'REFUNDED')
            OR r.state = 'RESERVED' AND o.status = 'ACTIVE'
            OR r.state = 'REDEEMED' AND o.status NOT IN ('ACTIVE', 'REFUNDED', 'CANCELLED')
            OR r.state = 'RELEASED' AND o.status NOT IN ('EXPIRED', 'CANCELLED', 'REFUNDED')
            OR NOT EXISTS (SELECT FROM invoices i JOIN invoice_lines l ON l.invoice_id = i.id
                           WHERE i.order_id = o.id AND l.kind = 'promo' AND l.params ->> 'code' = p.code
                             AND l.total = -r.amount)",
    ),
    (
        "every refund is in the books with its amount",
        "SELECT 'refund ' || r.id || ' of ' || r.amount || ': given ' || coalesce(b.given, 0) || ', ended ' || coalesce(b.ended, 0)
         FROM refunds r LEFT JOIN LATERAL (
             SELECT sum(e.amount) FILTER (WHERE m.cause LIKE '%/given' AND a.kind =
                        CASE r.destination WHEN 'WALLET' THEN 'CUSTOMER_WALLET' ELSE 'REFUNDS_PAYABLE' END) AS given,
                    sum(e.amount) FILTER (WHERE m.cause LIKE '%/ended' AND a.kind =
                        CASE r.status WHEN 'COMPLETED' THEN 'GATEWAY_CLEARING' ELSE 'CUSTOMER_WALLET' END) AS ended
             FROM ledger_movements m JOIN ledger_entries e ON e.movement_id = m.id
             JOIN ledger_accounts a ON a.id = e.account_id
             WHERE m.cause IN ('refund/' || r.id || '/given', 'refund/' || r.id || '/ended')) b ON true
         WHERE b.given IS DISTINCT FROM r.amount OR coalesce(b.ended, 0) <> CASE
             WHEN r.destination = 'GATEWAY' AND r.status IN ('COMPLETED', 'RETURNED_TO_WALLET') THEN r.amount ELSE 0 END",
    ),
    (
        "no payment gave back more through its gateway than it brought",
        "SELECT 'payment ' || p.id || ': brought ' || p.amount || ', gave back ' || sum(r.amount)
         FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE r.status <> 'RETURNED_TO_WALLET'
         GROUP BY p.id HAVING sum(r.amount) > p.amount",
    ),
    (
        "what is owed through gateways is what open refunds say",
        "SELECT 'owed ' || owed || ', open refunds ' || open
         FROM (SELECT (SELECT coalesce(sum(e.amount), 0) FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id
                       WHERE a.kind = 'REFUNDS_PAYABLE') AS owed,
                      (SELECT coalesce(sum(amount), 0) FROM refunds
                       WHERE destination = 'GATEWAY' AND status IN ('REQUESTED', 'SENT')) AS open) s
         WHERE owed <> open",
    ),
    (
        "every accepted dispute is in the books with its amount, and no other",
        "SELECT coalesce('dispute ' || d.id || ' of ' || d.amount, b.cause) || ': ' || coalesce(d.status, 'no dispute')
                || ', booked ' || coalesce(b.amount::text, 'nothing')
         FROM disputes d FULL JOIN (
             SELECT m.cause, m.customer_id, e.amount
             FROM ledger_movements m JOIN ledger_entries e ON e.movement_id = m.id
             JOIN ledger_accounts a ON a.id = e.account_id
             WHERE m.kind = 'DISPUTE' AND a.kind = 'GATEWAY_CLEARING') b ON b.cause = 'dispute/' || d.id || '/accepted'
         WHERE CASE d.status WHEN 'ACCEPTED' THEN d.amount + d.payer_fee END IS DISTINCT FROM b.amount
            OR b.customer_id IS DISTINCT FROM CASE d.status WHEN 'ACCEPTED' THEN d.user_id END",
    ),
    (
        "what customers owe us is what accepted disputes say",
        "SELECT 'owed ' || owed || ', disputes ' || said
         FROM (SELECT (SELECT coalesce(-sum(e.amount), 0) FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id
                       WHERE a.kind = 'CUSTOMER_RECEIVABLE') AS owed,
                      (SELECT coalesce(sum(receivable), 0) FROM disputes) AS said) s
         WHERE owed <> said",
    ),
    (
        "every report that takes paid money back has its dispute",
        "SELECT 'notification ' || w.id || ', payment ' || w.payment_id FROM webhook_events w
         WHERE w.outcome = 'DISPUTED' AND NOT EXISTS (SELECT FROM disputes d WHERE d.payment_id = w.payment_id)",
    ),
    (
        "no payment lost more than it brought",
        "SELECT 'payment ' || p.id || ': brought ' || p.amount || ', left ' || undisputed(p.id) FROM payments p
         WHERE (EXISTS (SELECT FROM disputes WHERE payment_id = p.id) OR EXISTS (SELECT FROM refunds WHERE payment_id = p.id))
           AND (undisputed(p.id) < 0 OR undisputed_payer_fee(p.id) < 0)",
    ),
    (
        "no invoice is credited with more than it billed",
        "SELECT 'invoice ' || i.id || ': ' || i.total || ', credited ' || sum(c.total)
         FROM credit_notes c JOIN invoices i ON i.id = c.invoice_id
         GROUP BY i.id HAVING sum(c.total) > i.total OR sum(c.tax) > i.tax
             OR i.status = 'REFUNDED' AND (sum(c.total), sum(c.tax)) <> (i.total, i.tax)",
    ),
];

/// The sums of the books, and what is wrong with them.
#[derive(Debug, Clone, Serialize)]
pub struct LedgerReport {
    /// Whether every rule holds.
    pub sound: bool,
    /// How many movements there are.
    pub movements: i64,
    /// How many entries they have.
    pub entries: i64,
    /// The trial balance: what each kind of account sums up to.
    pub accounts: Vec<AccountTotal>,
    /// Each rule, with the cases where it does not hold.
    pub findings: Vec<Finding>,
}

/// All accounts of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountTotal {
    /// The kind.
    pub account: AccountKind,
    /// How many there are.
    pub accounts: i64,
    /// Sum of the debits, as a positive number of rupiah.
    pub debits: Rupiah,
    /// Sum of the credits.
    pub credits: Rupiah,
    /// Credits less debits.
    pub balance: Rupiah,
}

/// One rule and where it does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule.
    pub rule: Cow<'static, str>,
    /// The first cases, in words; none when the rule holds.
    pub cases: Vec<String>,
    /// How many cases there are.
    pub count: usize,
}

impl Store {
    /// What each kind of account sums up to now: adds up every entry.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn trial_balance(&self) -> Result<Vec<AccountTotal>> {
        trial_balance(&mut *self.pool.acquire().await?).await
    }

    /// Checks the books as they are at one moment.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn check_ledger(&self) -> Result<LedgerReport> {
        let mut tx = self.pool.begin_long().await?;
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").execute(&mut *tx).await?;
        let accounts = trial_balance(&mut tx).await?;
        let counted = sqlx::query!(
            r#"SELECT (SELECT count(*) FROM ledger_movements) AS "movements!",
                      (SELECT count(*) FROM ledger_entries) AS "entries!""#
        )
        .fetch_one(&mut *tx)
        .await?;
        let mut findings = Vec::with_capacity(RULES.len());
        for (rule, query) in RULES {
            let mut cases: Vec<String> = sqlx::query_scalar(*query).fetch_all(&mut *tx).await?;
            let count = cases.len();
            cases.truncate(LISTED);
            findings.push(Finding { rule: Cow::Borrowed(rule), cases, count });
        }
        Ok(LedgerReport {
            sound: findings.iter().all(|finding| finding.count == 0),
            movements: counted.movements,
            entries: counted.entries,
            accounts,
            findings,
        })
    }
}

async fn trial_balance(tx: &mut PgConnection) -> Result<Vec<AccountTotal>> {
    let mut totals = sqlx::query_as!(
        AccountTotal,
        r#"SELECT a.kind AS "account: AccountKind", count(DISTINCT a.id) AS "accounts!",
                  coalesce(-sum(e.amount) FILTER (WHERE e.amount < 0), 0)::bigint AS "debits!: Rupiah",
                  coalesce(sum(e.amount) FILTER (WHERE e.amount > 0), 0)::bigint AS "credits!: Rupiah",
                  coalesce(sum(e.amount), 0)::bigint AS "balance!: Rupiah"
           FROM ledger_accounts a LEFT JOIN ledger_entries e ON e.account_id = a.id GROUP BY a.kind"#
    )
    .fetch_all(tx)
    .await?;
    totals.sort_by_key(|total| total.account);
    Ok(totals)
}
