//! What customers are told about money that goes back.

use domain::{Rupiah, ids::OrderId, notification::NotificationKind, refund::RefundDestination};
use serde_json::json;
use sqlx::PgConnection;

use super::{Billed, Refund, paper::Issued};
use crate::{
    Result,
    notifications::{self, Notice},
    payments::LockedOrder,
    timeline::{self, Step},
};

/// An order was called off, and its money is on the balance.
pub(super) async fn of_order_called_off(
    tx: &mut PgConnection,
    order: &LockedOrder,
    event: &str,
    amount: Rupiah,
    credit_note: Option<&Issued>,
) -> Result<()> {
    let key = format!("money_returned/{event}");
    let message = format!("{amount} of this order went back to your balance.");
    let number = credit_note.map(|note| &note.number);
    let step = Step {
        key: &key,
        detail: json!({ "amount": amount, "credit_note": number }),
        ..Step::done("money_returned", &message)
    };
    timeline::record(tx, order.id, &step).await?;
    let notice = Notice {
        kind: NotificationKind::OrderRefunded,
        title: "Your money is back on your balance",
        message: &format!("{amount} of your order for {} went back to your balance.", order.hostname),
        action_url: Some("/wallet"),
        metadata: json!({ "order_id": order.id, "amount": amount, "credit_note": number }),
        dedupe_key: &format!("order/{}/{key}", order.id),
    };
    notifications::notify(tx, order.user_id, &notice).await
}

/// Something happened to a refund.
struct News<'a> {
    /// Which of its news it is: told once each.
    event: &'a str,
    step: &'a str,
    title: &'a str,
    /// What became of the amount, after `Rp 1.000 of your order `.
    what: &'a str,
    action_url: Option<&'a str>,
}

/// It was booked: it is on the balance, or on its way.
pub(super) async fn of_beginning(tx: &mut PgConnection, billed: &Billed, refund: &Refund) -> Result<()> {
    let news = match refund.destination {
        RefundDestination::Wallet => News {
            event: "ended",
            step: "money_returned",
            title: "Your money is back on your balance",
            what: "went back to your balance",
            action_url: Some("/wallet"),
        },
        RefundDestination::Gateway => News {
            event: "begun",
            step: "money_on_its_way",
            title: "Your money is on its way back",
            what: "is on its way back to where you paid from",
            action_url: None,
        },
    };
    tell(tx, refund, &billed.words, &news).await
}

/// The gateway gave it back.
pub(super) async fn of_completion(tx: &mut PgConnection, refund: &Refund) -> Result<()> {
    let news = News {
        event: "ended",
        step: "money_returned",
        title: "Your money is back",
        what: "went back to where you paid from",
        action_url: None,
    };
    tell_by_name(tx, refund, &news).await
}

/// The gateway did not give it back.
pub(super) async fn of_return(tx: &mut PgConnection, refund: &Refund) -> Result<()> {
    let news = News {
        event: "ended",
        step: "money_returned",
        title: "Your money is back on your balance",
        what: "could not be sent back to where you paid from, and went to your balance",
        action_url: Some("/wallet"),
    };
    tell_by_name(tx, refund, &news).await
}

async fn tell_by_name(tx: &mut PgConnection, refund: &Refund, news: &News<'_>) -> Result<()> {
    let words = sqlx::query_scalar!(
        r#"SELECT coalesce('your order for ' || o.hostname, 'your invoice ' || i.number) AS "words!"
           FROM invoices i LEFT JOIN orders o ON o.id = i.order_id WHERE i.id = $1"#,
        refund.invoice_id.0,
    )
    .fetch_one(&mut *tx)
    .await?;
    tell(tx, refund, &words, news).await
}

async fn tell(tx: &mut PgConnection, refund: &Refund, words: &str, news: &News<'_>) -> Result<()> {
    if let Some(order) = refund.order_id {
        step(tx, order, refund, news).await?;
    }
    let kind = match refund.order_id {
        Some(_) => NotificationKind::OrderRefunded,
        None => NotificationKind::InvoiceRefunded,
    };
    let notice = Notice {
        kind,
        title: news.title,
        message: &format!("{} of {words} {}.", refund.amount, news.what),
        action_url: news.action_url,
        metadata: json!({
            "refund_id": refund.id,
            "order_id": refund.order_id,
            "invoice_id": refund.invoice_id,
            "amount": refund.amount,
            "credit_note": refund.credit_note,
        }),
        dedupe_key: &format!("refund/{}/{}", refund.id, news.event),
    };
    notifications::notify(tx, refund.customer_id, &notice).await
}

async fn step(tx: &mut PgConnection, order: OrderId, refund: &Refund, news: &News<'_>) -> Result<()> {
    let key = format!("refund/{}/{}", refund.id, news.event);
    let message = format!("{} of this order {}.", refund.amount, news.what);
    let detail = json!({
        "refund_id": refund.id,
        "amount": refund.amount,
        "credit_note": refund.credit_note,
        "gateway_refund_id": refund.gateway_refund_id,
    });
    timeline::record(tx, order, &Step { key: &key, detail, ..Step::done(news.step, &message) }).await
}
