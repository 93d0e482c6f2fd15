//! Invoices and credit notes as papers: who gets them, in which language, and what comes with them.

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request},
};
use domain::role::Role;
use serde_json::{Value, json};
use sqlx::PgPool;
use tower::ServiceExt;

use crate::{Shop, support::As, text};

/// An answer that is no JSON.
struct Paper {
    status: u16,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl Paper {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Whether it has this text; pages of PDFs are not compressed.
    fn says(&self, text: &str) -> bool {
        self.bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }

    fn code(&self) -> String {
        serde_json::from_slice::<Value>(&self.bytes).unwrap()["code"].as_str().unwrap().to_owned()
    }
}

impl Shop {
    async fn paper(&self, token: &str, path: &str, known: &str) -> Paper {
        let request = Request::get(format!("/api/v1{path}"))
            .header("authorization", format!("Bearer {token}"))
            .header("if-none-match", known)
            .body(Body::empty());
        let answer = self.app.router().oneshot(request.unwrap()).await.unwrap();
        let (parts, body) = answer.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Paper { status: parts.status.as_u16(), headers: parts.headers, bytes }
    }

    async fn my_paper(&self, path: &str) -> Paper {
        self.paper(&self.token, path, "\"other\"").await
    }

    /// Places and pays an order; answers with its invoice's path.
    async fn paid_invoice(&self) -> (Value, String) {
        let order = self.order().await;
        self.pay(&json!({ "order_id": order["payment"]["gateway_order_id"] })).await;
        let path = format!("/invoices/{}", text(&order["invoice"], "id"));
        (order, path)
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn an_invoice_is_a_page_and_a_file_in_the_customers_language(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, path) = shop.paid_invoice().await;
    let number = text(&order["invoice"], "number");

    let page = shop.my_paper(&format!("{path}/html")).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert_eq!((page.header("content-language"), page.header("cache-control")), ("id", "no-store"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; style-src 'sha256-"));
    assert!(page.says("Lunas") && page.says("Rp143.190") && page.says("PT WeBrana Cloud"));

    let file = shop.my_paper(&format!("{path}/pdf")).await;
    assert_eq!((file.status, file.header("content-type")), (200, "application/pdf"));
    let name = format!("inline; filename=\"{}.pdf\"", number.replace('/', "-"));
    assert_eq!(
        (file.header("content-disposition"), file.header("x-content-type-options")),
        (name.as_str(), "nosniff")
    );
    assert!(file.bytes.starts_with(b"%PDF-") && file.says("(LUNAS)") && file.says("(Rp143.190)"));
    assert!(file.says(&format!("({number})")) && file.says("(QRIS, "));

    let english = shop.my_paper(&format!("{path}/pdf?lang=en")).await;
    assert!(english.says("(PAID)") && english.header("content-language") == "en");
    let wish = json!({ "language": "en" });
    let changed = shop.app.call(Method::PATCH, "/auth/me", shop.me(), &wish).await;
    assert_eq!(changed.status, 200, "{:?}", changed.body);
    assert_eq!(shop.my_paper(&format!("{path}/pdf")).await.bytes, english.bytes);
    assert_eq!(shop.my_paper(&format!("{path}/pdf?lang=id")).await.bytes, file.bytes);
    let wrong = shop.my_paper(&format!("{path}/pdf?lang=de")).await;
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "invalid_query"));
}

#[sqlx::test(migrations = "../migrations")]
async fn what_a_client_has_is_not_sent_again(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, path) = shop.paid_invoice().await;
    for kind in ["html", "pdf"] {
        let path = format!("{path}/{kind}");
        let first = shop.my_paper(&path).await;
        let again = shop.paper(&shop.token, &path, first.header("etag")).await;
        assert_eq!((again.status, again.bytes.len()), (304, 0));
        assert_eq!(again.header("etag"), first.header("etag"));
        let other = shop.paper(&shop.token, &format!("{path}?lang=en"), first.header("etag")).await;
        assert_eq!(other.status, 200);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn papers_are_for_their_customer_and_for_staff(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, path) = shop.paid_invoice().await;
    let (_, stranger) = shop.app.user(Role::Customer).await;
    let (_, support) = shop.app.user(Role::Support).await;
    for kind in ["html", "pdf"] {
        let mine = shop.my_paper(&format!("{path}/{kind}")).await;
        for path in [format!("{path}/{kind}"), format!("/invoices/{}/{kind}", uuid::Uuid::nil())] {
            let foreign = shop.paper(&stranger, &path, "").await;
            assert_eq!((foreign.status, foreign.code().as_str()), (404, "not_found"), "{path}");
        }
        assert_eq!(shop.paper(&support, &format!("{path}/{kind}"), "").await.status, 404);
        let theirs = shop.paper(&support, &format!("/admin{path}/{kind}"), "").await;
        assert_eq!((theirs.status, &theirs.bytes), (200, &mine.bytes));
        assert_eq!(shop.paper(&stranger, &format!("/admin{path}/{kind}"), "").await.status, 403);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_name_is_text_wherever_it_stands(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let rename = "UPDATE users SET full_name = '<script>alert(1)</script> 北京' WHERE role = 'customer'";
    sqlx::query(rename).execute(&shop.pool).await.unwrap();
    let (_, path) = shop.paid_invoice().await;
    let page = shop.my_paper(&format!("{path}/html")).await;
    assert!(!page.says("<script") && page.says("&lt;script&gt;alert(1)"));
    let file = shop.my_paper(&format!("{path}/pdf")).await;
    assert!(file.says("<script>alert(1)</script> Bei Jing"));
    // An issued invoice names whom it billed, whatever they are called later.
    sqlx::query("UPDATE users SET full_name = 'Dewi'").execute(&shop.pool).await.unwrap();
    assert_eq!(shop.my_paper(&format!("{path}/pdf")).await.bytes, file.bytes);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_was_called_off_or_went_back_is_stamped(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let open = shop.order_again("open", "web-2").await;
    let path = format!("/invoices/{}", text(&open["invoice"], "id"));
    assert!(shop.my_paper(&format!("{path}/pdf")).await.says("(BELUM DIBAYAR)"));
    let cancel = format!("/orders/{}/cancel", text(&open, "id"));
    assert_eq!(shop.app.post(&cancel, shop.me(), &Value::Null).await.status, 200);
    assert!(shop.my_paper(&format!("{path}/pdf")).await.says("(DIBATALKAN)"));
    assert!(shop.my_paper(&format!("{path}/html?lang=en")).await.says(">Void<"));

    let (order, path) = shop.paid_invoice().await;
    let before = shop.my_paper(&format!("{path}/pdf")).await;
    let (_, admin) = shop.app.user(Role::Admin).await;
    let refund = format!("/admin/orders/{}/refund", text(&order, "id"));
    let refunded = shop
        .app
        .post_anew(&refund, As::Token(&admin), &json!({ "reason": "Sold out at the provider" }))
        .await;
    assert_eq!(refunded.status, 200, "{:?}", refunded.body);
    let after = shop.my_paper(&format!("{path}/pdf")).await;
    assert_ne!(before.header("etag"), after.header("etag"));
    assert!(
        after.says("(DIKEMBALIKAN)") && after.says("Sold out at the provider") && after.says("(-Rp143.190)")
    );

    let invoice = shop.app.get(&path, shop.me()).await.body;
    let note = format!("/credit-notes/{}", text(&invoice["credit_notes"][0], "id"));
    let file = shop.my_paper(&format!("{note}/pdf")).await;
    let name = text(&invoice["credit_notes"][0], "number").replace('/', "-");
    assert_eq!(file.header("content-disposition"), format!("inline; filename=\"{name}.pdf\""));
    assert!(file.says("(NOTA KREDIT)") && file.says(text(&invoice, "number")) && file.says("(Rp143.190)"));
    assert!(shop.my_paper(&format!("{note}/html?lang=en")).await.says("Credit Note"));
    let (_, stranger) = shop.app.user(Role::Customer).await;
    for kind in ["html", "pdf"] {
        assert_eq!(shop.paper(&stranger, &format!("{note}/{kind}"), "").await.status, 404);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn staff_find_invoices(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, path) = shop.paid_invoice().await;
    let open = shop.order_again("open", "web-2").await;
    let draft: uuid::Uuid = sqlx::query_scalar(
        "INSERT INTO invoices (id, user_id, status, subtotal, discount, tax, tax_bp, total, note, issued_at)
         SELECT gen_random_uuid(), user_id, 'DRAFT', 1000, 0, 0, 0, 1000, 'by hand', NULL FROM invoices LIMIT 1
         RETURNING id",
    )
    .fetch_one(&shop.pool)
    .await
    .unwrap();
    let (_, support) = shop.app.user(Role::Support).await;
    let (stranger, _) = shop.app.user(Role::Customer).await;
    let number = text(&order["invoice"], "number");
    let tail = number.rsplit('/').next().unwrap();
    let customer =
        shop.app.get(&format!("/admin{path}"), As::Token(&support)).await.body["customer_id"].clone();
    for (query, found) in [
        (String::new(), 3),
        ("?status=PAID".to_owned(), 1),
        ("?status=OPEN".to_owned(), 1),
        ("?status=DRAFT".to_owned(), 1),
        ("?number=inv/".to_owned(), 2),
        (format!("?number={tail}"), 1),
        ("?number=%25".to_owned(), 0),
        (format!("?customer_id={}", customer.as_str().unwrap()), 3),
        (format!("?customer_id={stranger}"), 0),
    ] {
        let list = shop.app.get(&format!("/admin/invoices{query}"), As::Token(&support)).await;
        assert_eq!(list.body["data"].as_array().map(Vec::len), Some(found), "{query}: {:?}", list.body);
    }
    let newest = shop.app.get("/admin/invoices?limit=1&status=OPEN", As::Token(&support)).await.body;
    assert_eq!(newest["data"][0]["number"], open["invoice"]["number"]);
    assert_eq!(
        shop.app.get("/admin/invoices?status=LOST", As::Token(&support)).await.code(),
        "invalid_query"
    );

    let one = shop.app.get(&format!("/admin{path}"), As::Token(&support)).await.body;
    assert_eq!((text(&one, "number"), one["lines"].as_array().unwrap().len()), (number, 1));
    assert!(text(&one, "customer_email").contains('@'));
    // A draft is staff's alone, and no paper yet.
    let unissued = shop.app.get(&format!("/admin/invoices/{draft}"), As::Token(&support)).await;
    assert_eq!((unissued.status.as_u16(), &unissued.body["number"]), (200, &Value::Null));
    assert_eq!(shop.paper(&support, &format!("/admin/invoices/{draft}/pdf"), "").await.status, 404);
    assert_eq!(shop.my_paper(&format!("/invoices/{draft}/pdf")).await.status, 404);
}
