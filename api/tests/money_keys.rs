//! Whatever moves money takes an `Idempotency-Key`: every operation of the OpenAPI document that changes something either
//! wants one, or is listed here with why it needs none.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use domain::role::Role;
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::http::{Method, TestApi};

/// What changes something and moves no money, or what moves it once by itself.
const NEED_NO_KEY: &[(&str, &str, &str)] = &[
    ("POST", "/api/v1/admin/announcements/{id}/cancel", "is about news"),
    ("POST", "/api/v1/admin/bulk-retries", "an order is tried again once for each failure"),
    ("POST", "/api/v1/admin/bulk-retries/{id}/stop", "is about servers"),
    ("POST", "/api/v1/admin/deliveries/{id}/resend", "tells somebody something"),
    ("PUT", "/api/v1/admin/invoices/{id}/draft", "nobody owes or pays a draft"),
    ("POST", "/api/v1/admin/instances/{id}/holds", "is about the server, which is held once for each kind"),
    ("DELETE", "/api/v1/admin/instances/{id}/holds/{hold_id}", "is about the server"),
    ("POST", "/api/v1/admin/instances/{id}/waive-final-snapshot", "is about the server, and is done once"),
    ("POST", "/api/v1/admin/instances/{id}/wake", "is about the server"),
    ("POST", "/api/v1/admin/invoices/{id}/issue", "asks for money, moves none"),
    ("POST", "/api/v1/admin/invoices/{id}/void", "withdraws what is unpaid"),
    ("POST", "/api/v1/admin/ledger/checks", "reads the books"),
    ("POST", "/api/v1/admin/life/confirm-restore", "lets go on what is due"),
    ("PUT", "/api/v1/admin/life/pauses/{scope}/{process}", "keeps what is due waiting"),
    ("DELETE", "/api/v1/admin/life/pauses/{scope}/{process}", "lets go on what is due"),
    ("POST", "/api/v1/admin/life/releases", "names how many servers wait: a second one finds none"),
    ("POST", "/api/v1/admin/life/rules", "rules that hold already are not made again"),
    (
        "POST",
        "/api/v1/admin/orders/{id}/attach-server",
        "takes what was set aside once, with the order's first server",
    ),
    ("POST", "/api/v1/admin/orders/{id}/reject-payment", "what came in part stays set aside"),
    ("POST", "/api/v1/admin/orders/{id}/replace-server", "is about the server"),
    ("POST", "/api/v1/admin/orders/{id}/retry-provisioning", "is about the server"),
    ("POST", "/api/v1/admin/orders/{id}/wake", "has a workflow look where the order stands"),
    ("POST", "/api/v1/admin/outbox/requeue-dead", "tells workflows what is in the database"),
    ("POST", "/api/v1/admin/outbox/{id}/requeue", "tells a workflow what is in the database"),
    ("POST", "/api/v1/admin/outbox/{id}/skip", "keeps from a workflow what is in the database"),
    ("PUT", "/api/v1/admin/pauses/{scope}", "is about servers"),
    ("DELETE", "/api/v1/admin/pauses/{scope}", "is about servers"),
    ("POST", "/api/v1/admin/payments/{id}/check", "asks; what the gateway says takes effect once"),
    ("POST", "/api/v1/admin/plans", "is about the catalog"),
    ("PATCH", "/api/v1/admin/plans/{slug}", "is about the catalog: orders keep their price"),
    ("PATCH", "/api/v1/admin/regions/{slug}", "is about the catalog"),
    ("PATCH", "/api/v1/admin/images/{slug}", "is about the catalog"),
    ("PATCH", "/api/v1/admin/terms/{months}", "is about the catalog: what was bought keeps its price"),
    ("POST", "/api/v1/admin/promos", "a code is a promise, taken by who uses it"),
    ("PATCH", "/api/v1/admin/promos/{id}", "changes no discount that was given"),
    ("DELETE", "/api/v1/admin/promos/{id}", "of codes that nobody used"),
    ("PATCH", "/api/v1/admin/providers/{slug}", "is about the catalog"),
    ("POST", "/api/v1/admin/providers/{slug}/sync", "is about the catalog"),
    ("POST", "/api/v1/admin/quarantined-servers/{id}/release", "is about a server"),
    ("POST", "/api/v1/admin/reconciliations", "is about servers"),
    ("POST", "/api/v1/admin/refunds/{id}/retry", "asks again by the refund's id, which gives back once"),
    ("POST", "/api/v1/admin/users/{id}/notes", "is about colleagues"),
    ("POST", "/api/v1/admin/users/{id}/impersonate", "looks at the account, and changes nothing"),
    ("DELETE", "/api/v1/admin/users/{id}/impersonate", "is about looking at the account"),
    ("PUT", "/api/v1/admin/users/{id}/role", "is about the account"),
    ("POST", "/api/v1/admin/users/{id}/reset-2fa", "is about the account"),
    ("POST", "/api/v1/admin/users/{id}/suspend", "is about the account"),
    ("POST", "/api/v1/admin/users/{id}/unlock", "is about the account"),
    ("POST", "/api/v1/admin/users/{id}/unsuspend", "is about the account"),
    ("POST", "/api/v1/admin/webhooks/{id}/replay", "an event takes effect once, by its own identity"),
    ("POST", "/api/v1/instances/{id}/actions", "is about a server"),
    ("PUT", "/api/v1/instances/{id}/tags", "moves no money"),
    ("PUT", "/api/v1/instances/{id}/auto-renew", "is a wish; a term is renewed once, when it is due"),
    ("POST", "/api/v1/instances/{id}/console", "is about a server"),
    (
        "DELETE",
        "/api/v1/instances/{id}/cancel",
        "has the server stay; what was called off at once is not to be revoked",
    ),
    ("POST", "/api/v1/instances/{id}/resize/quote", "writes nothing"),
    ("POST", "/api/v1/internal/orders/{id}/retry-provisioning", "is about the server"),
    ("POST", "/api/v1/notifications/read-all", "is about reading"),
    ("POST", "/api/v1/notifications/{id}/read", "is about reading"),
    ("DELETE", "/api/v1/notifications/{id}", "is about reading"),
    ("POST", "/api/v1/orders/quote", "writes nothing"),
    (
        "POST",
        "/api/v1/orders/{id}/cancel",
        "an order is called off once; what it holds is its customer's own",
    ),
    ("POST", "/api/v1/payments/{id}/proof", "is a claim; the same file again is the same proof"),
    ("POST", "/api/v1/unsubscribe/{token}", "is about mails"),
    ("DELETE", "/internal/instances/{id}", "is about a server"),
    ("POST", "/internal/instances/{id}/action", "is about a server"),
    ("POST", "/internal/provision", "is about a server, once per order"),
];

/// Accounts and logins: no money there. What gateways tell: an event takes effect once, by its own identity.
const WITHOUT_KEYS: [&str; 2] = ["/api/v1/auth/", "/api/v1/webhooks/"];

struct Change {
    method: String,
    path: String,
    wants_key: bool,
}

/// Every operation of both documents that is not just a reading.
fn changes() -> Vec<Change> {
    let documents = [api::document(), api::internal_document()];
    let mut changes = Vec::new();
    for document in documents {
        let document = serde_json::to_value(document).unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in ["put", "post", "delete", "patch"] {
                let operation = &item[method];
                if !operation.is_null() && !WITHOUT_KEYS.iter().any(|area| path.starts_with(area)) {
                    let (method, path) = (method.to_uppercase(), path.clone());
                    changes.push(Change { method, path, wants_key: wants_key(operation) });
                }
            }
        }
    }
    changes
}

fn wants_key(operation: &Value) -> bool {
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    parameters.iter().any(|parameter| {
        parameter["in"] == "header" && parameter["name"] == "Idempotency-Key" && parameter["required"] == true
    })
}

#[test]
fn what_changes_something_wants_a_key_or_says_why_not() {
    let changes = changes();
    for Change { method, path, wants_key } in &changes {
        let listed = NEED_NO_KEY.iter().any(|(m, p, _)| (m, p) == (&method.as_str(), &path.as_str()));
        assert!(
            wants_key != &listed,
            "{method} {path}: takes an Idempotency-Key, or is listed with the reason"
        );
    }
    for (method, path, _) in NEED_NO_KEY {
        let exists = changes.iter().any(|change| change.method == *method && change.path == *path);
        assert!(exists, "{method} {path} is listed and not documented");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_wants_a_key_does_nothing_without_one(pool: PgPool) {
    let app = TestApi::setup(pool).unseeded().open().await;
    let customer = app.user(Role::Customer).await;
    let admin = app.user(Role::Superadmin).await;
    let mut asked = 0;
    for Change { method, path, .. } in changes().iter().filter(|change| change.wants_key) {
        let who = if path.starts_with("/api/v1/admin/") { &admin } else { &customer };
        let path =
            path.strip_prefix("/api/v1").unwrap().replace("{id}", "0193e7d0-4362-7709-b262-4de1f9ad2f5e");
        let method: Method = method.parse().unwrap();
        let refused = who.request(method, &path).json(&json!({})).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (400, "idempotency_key_required"), "{path}");
        asked += 1;
    }
    assert!(asked >= 11, "{asked}");
}
