//! Sending a proof of a bank transfer, and what staff get to see of it.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::Request,
};
use domain::role::Role;
use futures::StreamExt;
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use sqlx::PgPool;

use testkit::http::{Answer, Caller, Method, User, redacted};
use tower::ServiceExt;

use crate::{Shop, text};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\na picture";
const PDF: &[u8] = b"%PDF-1.7 a receipt";
const MIB: usize = 1024 * 1024;

/// One part of a form: its name, its type if it says one, its bytes.
type Part<'a> = (&'a str, Option<&'a str>, &'a [u8]);

fn form(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, kind, bytes) in parts {
        // The file's name is a lie, and nobody reads it.
        let head = format!(
            "--edge\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"receipt.exe\"\r\n{}\r\n",
            kind.map(|kind| format!("Content-Type: {kind}\r\n")).unwrap_or_default()
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--edge--\r\n");
    body
}

impl Shop {
    /// Begins a bank transfer for a new order.
    async fn transfer(&self) -> Value {
        let order = self.order().await;
        self.pay_again(&order, "transfer", &json!({ "payment_method": "MANUAL_TRANSFER" })).await.body
    }

    async fn send_form(&self, who: &Caller, payment: &Value, kind: &str, body: Vec<u8>) -> Answer {
        let path = format!("/payments/{}/proof", text(payment, "id"));
        who.request(Method::POST, &path).body(kind, body).await
    }

    async fn send(&self, payment: &Value, parts: &[Part<'_>]) -> Answer {
        self.send_form(&self.me, payment, "multipart/form-data; boundary=edge", form(parts)).await
    }

    async fn kept(&self) -> i64 {
        self.count("SELECT count(*) FROM payment_proofs").await
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_proof_goes_from_the_customer_to_staff(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let payment = shop.transfer().await;
    let sent = shop.send(&payment, &[("file", Some("image/png"), PNG)]).await;
    assert_eq!(sent.status, 201, "{:?}", sent.body);
    assert_eq!(sent.body["payment_id"], payment["id"]);
    assert_json_snapshot!(redacted(&sent.body));
    let again = shop.send(&payment, &[("file", Some("image/png"), PNG)]).await;
    assert_eq!((again.status.as_u16(), &again.body), (201, &sent.body));
    let mine = shop.me.get(&format!("/payments/{}", text(&payment, "id"))).await.body;
    assert_eq!(mine["proofs"], json!([sent.body]));

    let support = shop.user(Role::Support).await;
    let proofs = format!("/admin/payments/{}/proofs", text(&payment, "id"));
    let listed = support.get(&proofs).await.body;
    assert_eq!(listed["data"], json!([sent.body]));
    let waiting = support.get("/admin/payments?awaiting_approval=true").await.body;
    assert_eq!(waiting["data"].as_array().unwrap().len(), 1);
    assert_eq!((&waiting["data"][0]["id"], &waiting["data"][0]["proofs"]), (&payment["id"], &json!(1)));

    let answer = support.get(&format!("{proofs}/{}", text(&sent.body, "id"))).reply().await;
    assert_eq!(answer.status, 200);
    for (name, value) in [
        ("content-type", "image/png"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox; default-src 'none'"),
    ] {
        assert_eq!(answer.headers[name], value);
    }
    let named = answer.headers["content-disposition"].to_str().unwrap().to_owned();
    assert!(named.starts_with("attachment; filename=\"proof-") && named.ends_with(".png\""), "{named}");
    assert_eq!(answer.bytes, PNG);
    assert_eq!(shop.count("SELECT count(*) FROM audit_log WHERE action = 'payment_proof.read'").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_no_proof_is_refused_and_not_kept(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let payment = shop.transfer().await;
    let good: Part = ("file", Some("image/png"), PNG);
    let cases: [(&str, &[Part]); 13] = [
        ("proof_type", &[("file", Some("application/pdf"), PNG)]),
        ("proof_type", &[("file", Some("image/png"), PDF)]),
        ("proof_type", &[("file", Some("image/png"), b"<svg onload=alert(1)>")]),
        ("proof_type", &[("file", Some("image/svg+xml"), b"<svg onload=alert(1)>")]),
        ("proof_type", &[("file", Some("text/html"), b"<script>alert(1)</script>")]),
        ("proof_type", &[("file", Some("image/gif"), b"GIF89a")]),
        ("proof_type", &[("file", Some("application/octet-stream"), PNG)]),
        ("proof_type", &[("file", None, PNG)]),
        ("proof_empty", &[("file", Some("image/png"), b"")]),
        ("proof_missing", &[]),
        ("proof_repeated", &[good, good]),
        ("field_unknown", &[("proof", Some("image/png"), PNG)]),
        ("field_unknown", &[good, ("note", None, b"thanks")]),
    ];
    for (code, parts) in cases {
        let refused = shop.send(&payment, parts).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, code), "{parts:?}");
    }
    assert_eq!(shop.kept().await, 0);
    assert_eq!(shop.count("SELECT count(*) FROM order_timeline WHERE step = 'proof_uploaded'").await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_no_form_is_refused(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let payment = shop.transfer().await;
    let whole = form(&[("file", Some("image/png"), PNG)]);
    let half = whole[..whole.len() / 2].to_vec();
    for (status, code, kind, body) in [
        (415, "unsupported_media_type", "application/json", b"{}".to_vec()),
        (415, "unsupported_media_type", "image/png", PNG.to_vec()),
        (400, "malformed_multipart", "multipart/form-data", whole.clone()),
        (400, "malformed_multipart", "multipart/form-data; boundary=edge", half),
        (400, "malformed_multipart", "multipart/form-data; boundary=edge", b"no form".to_vec()),
        (422, "proof_missing", "multipart/form-data; boundary=edge", b"--edge--\r\n".to_vec()),
    ] {
        let refused = shop.send_form(&shop.me, &payment, kind, body).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (status, code), "{kind}");
    }
    assert_eq!(shop.kept().await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn five_mebibytes_fit_and_a_byte_more_does_not(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let payment = shop.transfer().await;
    let mut picture = PNG.to_vec();
    picture.resize(5 * MIB, 7);
    let fits = shop.send(&payment, &[("file", Some("image/png"), &picture)]).await;
    assert_eq!(fits.status, 201, "{:?}", fits.body);
    for size in [5 * MIB + 1, 6 * MIB] {
        picture.resize(size, 7);
        let refused = shop.send(&payment, &[("file", Some("image/png"), &picture)]).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (413, "body_too_large"), "{size}");
    }
    assert_eq!(shop.kept().await, 1);
    // Elsewhere the limit is what it was.
    let path = format!("/orders/{}/pay", text(&payment, "order_id"));
    let large = shop.me.request(Method::POST, &path).key("large");
    let large = large.body("application/json", vec![b' '; MIB]);
    assert_eq!(large.await.code(), "body_too_large");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_proof_is_for_ones_own_open_transfer(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let payment = shop.transfer().await;
    let stranger = shop.user(Role::Customer).await;
    let body = form(&[("file", Some("image/png"), PNG)]);
    let foreign = shop.send_form(&stranger, &payment, "multipart/form-data; boundary=edge", body).await;
    assert_eq!((foreign.status.as_u16(), foreign.code()), (404, "not_found"));

    let order = shop.order_again("qris", "web-2").await;
    let qris = shop.send(&order["payment"], &[("file", Some("image/png"), PNG)]).await;
    assert_eq!((qris.status.as_u16(), qris.code()), (409, "payment_conflict"));
    let admin = shop.user(Role::Admin).await;
    let reject = format!("/admin/orders/{}/reject-payment", text(&payment, "order_id"));
    let rejected = admin.post(&reject, &json!({ "reason": "Nothing arrived" })).await;
    assert_eq!(rejected.status, 200, "{:?}", rejected.body);
    let late = shop.send(&payment, &[("file", Some("image/png"), PNG)]).await;
    assert_eq!((late.status.as_u16(), late.code()), (409, "payment_conflict"));
    assert_eq!(shop.kept().await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn of_ten_uploads_at_once_five_are_kept(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let payment = shop.transfer().await;
    let files: Vec<Vec<u8>> = (0..10).map(|number: u8| [PDF, &[number]].concat()).collect();
    let parts: Vec<[Part; 1]> =
        files.iter().map(|bytes| [("file", Some("application/pdf"), bytes.as_slice())]).collect();
    let answers = futures::future::join_all(parts.iter().map(|parts| shop.send(&payment, parts))).await;
    let codes = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((codes(201), codes(409)), (5, 5), "{answers:?}");
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.code() == "too_many_proofs"));
    assert_eq!(shop.kept().await, 5);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_file_may_take_longer_to_arrive_than_other_bodies(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let payment = shop.transfer().await;
    let process = |upload_timeout| {
        let process = shop.beside(|mut state| {
            let limits = Arc::make_mut(&mut state.limits);
            (limits.body_timeout, limits.upload_timeout) = (Duration::from_millis(100), upload_timeout);
            state
        });
        process.router()
    };
    let upload = || {
        let path = format!("/payments/{}/proof", text(&payment, "id"));
        let file = form(&[("file", Some("image/png"), PNG)]);
        slow(&shop.me, &path, "multipart/form-data; boundary=edge", file)
    };
    let late = sent(process(Duration::from_millis(100)), upload()).await;
    assert_eq!((late.0, late.1["code"].as_str()), (408, Some("request_timeout")));
    let pay = format!("/orders/{}/pay", text(&payment, "order_id"));
    let body = json!({ "payment_method": "QRIS" }).to_string().into_bytes();
    let patient = process(Duration::from_secs(60));
    let late = sent(patient.clone(), slow(&shop.me, &pay, "application/json", body)).await;
    assert_eq!((late.0, late.1["code"].as_str()), (408, Some("request_timeout")));
    assert_eq!((shop.kept().await, shop.count("SELECT count(*) FROM payments").await), (0, 2));

    let (status, proof) = sent(patient, upload()).await;
    assert_eq!(status, 201, "{proof}");
}

/// A request whose body comes in two parts, with more than the usual time between them: no client sends one.
fn slow(who: &User, path: &str, kind: &str, body: Vec<u8>) -> Request<Body> {
    let (first, second) = body.split_at(body.len() / 2);
    let parts =
        futures::stream::iter([first.to_vec(), second.to_vec()]).enumerate().then(async |(place, part)| {
            tokio::time::sleep(Duration::from_millis(400 * place as u64)).await;
            Ok::<_, std::io::Error>(part)
        });
    Request::post(format!("/api/v1{path}"))
        .header("authorization", format!("Bearer {}", who.token))
        .header("content-type", kind)
        .header("idempotency-key", "slow")
        .body(Body::from_stream(Box::pin(parts)))
        .unwrap()
}

/// The answer's status and body.
async fn sent(router: Router, request: Request<Body>) -> (u16, Value) {
    let answer = router.oneshot(request).await.unwrap();
    let (status, body) = (answer.status().as_u16(), to_bytes(answer.into_body(), MIB).await.unwrap());
    (status, serde_json::from_slice(&body).unwrap_or_default())
}
