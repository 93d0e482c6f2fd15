//! Invoices and credit notes as papers: who gets them, in which language, and what comes with them.

use domain::{Rupiah, role::Role};
use std::ops::Deref;

use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::http::{Caller, Reply};

use crate::{Shop, text};

/// An answer that is no JSON.
struct Paper(Reply);

impl Deref for Paper {
    type Target = Reply;

    fn deref(&self) -> &Reply {
        &self.0
    }
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
    async fn paper(&self, who: &Caller, path: &str, known: &str) -> Paper {
        Paper(who.get(path).header("if-none-match", known).reply().await)
    }

    async fn my_paper(&self, path: &str) -> Paper {
        self.paper(&self.own_language(), path, "\"other\"").await
    }

    /// The customer, who says nothing of a language: it is the profile's.
    fn own_language(&self) -> Caller {
        self.me.reading(None)
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
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert_eq!((page.header("content-language"), page.header("cache-control")), ("id", "no-store"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; style-src 'sha256-"));
    assert!(page.says("Lunas") && page.says("Rp143.190") && page.says("PT WeBrana Cloud"));

    let file = shop.my_paper(&format!("{path}/pdf")).await;
    assert_eq!((file.status.as_u16(), file.header("content-type")), (200, "application/pdf"));
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
    let changed = shop.me.patch("/auth/me", &wish).await;
    assert_eq!(changed.status.as_u16(), 200, "{:?}", changed.body);
    assert_eq!(shop.my_paper(&format!("{path}/pdf")).await.bytes, english.bytes);
    assert_eq!(shop.my_paper(&format!("{path}/pdf?lang=id")).await.bytes, file.bytes);
    let wrong = shop.my_paper(&format!("{path}/pdf?lang=de")).await;
    assert_eq!((wrong.status.as_u16(), wrong.code().as_str()), (400, "invalid_query"));
}

#[sqlx::test(migrations = "../migrations")]
async fn what_a_client_has_is_not_sent_again(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, path) = shop.paid_invoice().await;
    for kind in ["html", "pdf"] {
        let path = format!("{path}/{kind}");
        let first = shop.my_paper(&path).await;
        let again = shop.paper(&shop.own_language(), &path, first.header("etag")).await;
        assert_eq!((again.status.as_u16(), again.bytes.len()), (304, 0));
        assert_eq!(again.header("etag"), first.header("etag"));
        let other = shop.paper(&shop.own_language(), &format!("{path}?lang=en"), first.header("etag")).await;
        assert_eq!(other.status.as_u16(), 200);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn papers_are_for_their_customer_and_for_staff(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, path) = shop.paid_invoice().await;
    let stranger = shop.user(Role::Customer).await;
    let support = shop.user(Role::Support).await;
    for kind in ["html", "pdf"] {
        let mine = shop.my_paper(&format!("{path}/{kind}")).await;
        for path in [format!("{path}/{kind}"), format!("/invoices/{}/{kind}", uuid::Uuid::nil())] {
            let foreign = shop.paper(&stranger, &path, "").await;
            assert_eq!((foreign.status.as_u16(), foreign.code().as_str()), (404, "not_found"), "{path}");
        }
        assert_eq!(shop.paper(&support, &format!("{path}/{kind}"), "").await.status, 404);
        let theirs = shop.paper(&support, &format!("/admin{path}/{kind}"), "").await;
        assert_eq!((theirs.status.as_u16(), &theirs.bytes), (200, &mine.bytes));
        assert_eq!(shop.paper(&stranger, &format!("/admin{path}/{kind}"), "").await.status, 403);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_name_is_text_wherever_it_stands(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let rename = "UPDATE users SET full_name = '<script>alert(1)</script> 北京' WHERE role = 'customer'";
    shop.run(rename).await;
    let (_, path) = shop.paid_invoice().await;
    let page = shop.my_paper(&format!("{path}/html")).await;
    assert!(!page.says("<script") && page.says("&lt;script&gt;alert(1)"));
    let file = shop.my_paper(&format!("{path}/pdf")).await;
    assert!(file.says("<script>alert(1)</script> Bei Jing"));
    // An issued invoice names whom it billed, whatever they are called later.
    shop.run("UPDATE users SET full_name = 'Dewi'").await;
    assert_eq!(shop.my_paper(&format!("{path}/pdf")).await.bytes, file.bytes);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_was_called_off_or_went_back_is_stamped(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let open = shop.order_again("open", "web-2").await;
    let path = format!("/invoices/{}", text(&open["invoice"], "id"));
    assert!(shop.my_paper(&format!("{path}/pdf")).await.says("(BELUM DIBAYAR)"));
    let cancel = format!("/orders/{}/cancel", text(&open, "id"));
    assert_eq!(shop.me.post(&cancel, &Value::Null).await.status, 200);
    assert!(shop.my_paper(&format!("{path}/pdf")).await.says("(DIBATALKAN)"));
    assert!(shop.my_paper(&format!("{path}/html?lang=en")).await.says(">Void<"));

    let (order, path) = shop.paid_invoice().await;
    let before = shop.my_paper(&format!("{path}/pdf")).await;
    let admin = shop.user(Role::Admin).await;
    let refund = format!("/admin/orders/{}/refund", text(&order, "id"));
    let refunded = admin.post(&refund, &json!({ "reason": "Sold out at the provider" })).await;
    assert_eq!(refunded.status.as_u16(), 200, "{:?}", refunded.body);
    let after = shop.my_paper(&format!("{path}/pdf")).await;
    assert_ne!(before.header("etag"), after.header("etag"));
    assert!(
        after.says("(DIKEMBALIKAN)") && after.says("Sold out at the provider") && after.says("(-Rp143.190)")
    );

    let invoice = shop.me.get(&path).await.body;
    let note = format!("/credit-notes/{}", text(&invoice["credit_notes"][0], "id"));
    let file = shop.my_paper(&format!("{note}/pdf")).await;
    let name = text(&invoice["credit_notes"][0], "number").replace('/', "-");
    assert_eq!(file.header("content-disposition"), format!("inline; filename=\"{name}.pdf\""));
    assert!(file.says("(NOTA KREDIT)") && file.says(text(&invoice, "number")) && file.says("(Rp143.190)"));
    assert!(shop.my_paper(&format!("{note}/html?lang=en")).await.says("Credit Note"));
    let stranger = shop.user(Role::Customer).await;
    for kind in ["html", "pdf"] {
        assert_eq!(shop.paper(&stranger, &format!("{note}/{kind}"), "").await.status, 404);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn staff_find_invoices(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, path) = shop.paid_invoice().await;
    let open = shop.order_again("open", "web-2").await;
    let draft = shop.draft(shop.me.id, Rupiah::new(1_000)).await;
    let support = shop.user(Role::Support).await;
    let stranger = shop.user(Role::Customer).await.id;
    let number = text(&order["invoice"], "number");
    let tail = number.rsplit('/').next().unwrap();
    let customer = support.get(&format!("/admin{path}")).await.body["customer_id"].clone();
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
        let list = support.get(&format!("/admin/invoices{query}")).await;
        assert_eq!(list.body["data"].as_array().map(Vec::len), Some(found), "{query}: {:?}", list.body);
    }
    let newest = support.get("/admin/invoices?limit=1&status=OPEN").await.body;
    assert_eq!(newest["data"][0]["number"], open["invoice"]["number"]);
    assert_eq!(support.get("/admin/invoices?status=LOST").await.code(), "invalid_query");

    let one = support.get(&format!("/admin{path}")).await.body;
    assert_eq!((text(&one, "number"), one["lines"].as_array().unwrap().len()), (number, 1));
    assert!(text(&one, "customer_email").contains('@'));
    // A draft is staff's alone, and no paper yet.
    let unissued = support.get(&format!("/admin/invoices/{draft}")).await;
    assert_eq!((unissued.status.as_u16(), &unissued.body["number"]), (200, &Value::Null));
    assert_eq!(shop.paper(&support, &format!("/admin/invoices/{draft}/pdf"), "").await.status, 404);
    assert_eq!(shop.my_paper(&format!("/invoices/{draft}/pdf")).await.status, 404);
}
