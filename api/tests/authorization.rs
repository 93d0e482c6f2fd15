//! Who may call what: every operation of the OpenAPI document is called without any right to it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

use adapters::payments;
use domain::{api_key::Scope, role::Role};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::http::{Caller, Method, StatusCode, TestApi};

/// What anybody may call, besides gateways. Everything else wants to know who is asking.
const PUBLIC: &[(&str, &str)] = &[
    ("GET", "/health"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    // Whose it is is said in its first message: `api/tests/live`.
    ("GET", "/ws/notifications"),
    ("POST", "/api/v1/auth/register"),
    ("POST", "/api/v1/auth/login"),
    // The second step of a login.
    ("POST", "/api/v1/auth/login/2fa"),
    ("POST", "/api/v1/auth/refresh"),
    // A link from a mail proves itself, and asking for one tells nothing.
    ("POST", "/api/v1/auth/verify-email"),
    ("POST", "/api/v1/auth/resend-verification"),
    ("POST", "/api/v1/auth/forgot-password"),
    ("POST", "/api/v1/auth/reset-password"),
    ("POST", "/api/v1/auth/confirm-email-change"),
    ("GET", "/api/v1/providers"),
    ("GET", "/api/v1/providers/{slug}"),
    ("GET", "/api/v1/plans"),
    ("GET", "/api/v1/plans/{slug}"),
    ("GET", "/api/v1/regions"),
    ("GET", "/api/v1/images"),
    ("GET", "/api/v1/payment-methods"),
    // What a link ends in says which mails are meant.
    ("GET", "/api/v1/unsubscribe/{token}"),
    ("POST", "/api/v1/unsubscribe/{token}"),
];

/// The same, with an address for each gateway: it proves what it tells.
fn public() -> Vec<(&'static str, String)> {
    let listed = PUBLIC.iter().map(|(method, path)| (*method, (*path).to_owned()));
    let told = payments::ALL.iter().map(|gateway| ("POST", format!("/api/v1/webhooks/{}", gateway.slug)));
    listed.chain(told).collect()
}

/// What in the admin area administrators may not do either.
const FOR_SUPERADMINS: &[(&str, &str)] =
    &[("PATCH", "/api/v1/admin/providers/{slug}"), ("PUT", "/api/v1/admin/users/{id}/role")];

/// What of the admin area support may not even read: people and money by the thousand.
const EXPORTS: &str = "/api/v1/admin/exports/";

/// Who an operation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    /// Any logged-in user.
    Customers,
    /// Staff to read, administrators to act.
    Staff,
    /// Programs with a key.
    Programs,
}

#[derive(Debug)]
struct Operation {
    method: Method,
    /// As documented.
    template: String,
    /// Relative to `/api/v1`, with something in the place of each parameter.
    path: String,
    audience: Audience,
    /// Names of the security schemes it is documented to want.
    schemes: Vec<String>,
    /// The rights it is documented to want of a key.
    scopes: Vec<String>,
}

/// Every operation of the document as (method, path, its description there).
fn documented() -> Vec<(String, String, Value)> {
    let document = serde_json::to_value(api::document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let methods = ["get", "put", "post", "delete", "patch"];
    paths
        .iter()
        .flat_map(|(path, item)| {
            methods
                .iter()
                .filter(|method| !item[**method].is_null())
                .map(|method| (method.to_uppercase(), path.clone(), item[*method].clone()))
        })
        .collect()
}

fn guarded() -> Vec<Operation> {
    let public = public();
    documented()
        .into_iter()
        .filter(|(method, path, _)| !public.iter().any(|(m, p)| (m, p) == (&method.as_str(), path)))
        .map(|(method, template, operation)| Operation {
            method: method.parse().unwrap(),
            path: filled_in(&template),
            audience: audience(&template),
            schemes: schemes(&operation),
            scopes: serde_json::from_value(operation["security"][0]["api_key"].clone()).unwrap_or_default(),
            template,
        })
        .collect()
}

fn filled_in(template: &str) -> String {
    let relative = template.strip_prefix("/api/v1").unwrap_or_else(|| panic!("{template} is not public"));
    let segments = relative.split('/').map(|segment| match segment.starts_with('{') {
        true => "0193e7d0-4362-7709-b262-4de1f9ad2f5e",
        false => segment,
    });
    segments.collect::<Vec<_>>().join("/")
}

fn audience(template: &str) -> Audience {
    match template.strip_prefix("/api/v1/").and_then(|rest| rest.split('/').next()) {
        Some("admin") => Audience::Staff,
        Some("internal") => Audience::Programs,
        _ => Audience::Customers,
    }
}

fn schemes(operation: &Value) -> Vec<String> {
    let requirements = operation["security"].as_array().cloned().unwrap_or_default();
    requirements.iter().filter_map(Value::as_object).flat_map(|one| one.keys().cloned()).collect()
}

/// Sends what the operation would never accept, except for who is asking.
async fn refusal(who: &Caller, operation: &Operation) -> (StatusCode, String) {
    let body = if operation.method == Method::GET { Value::Null } else { json!({}) };
    let answer = who.request(operation.method.clone(), &operation.path).json(&body).await;
    let code = answer.code().to_owned();
    (answer.status, code)
}

#[test]
fn what_is_listed_as_public_exists_and_wants_nobody() {
    let documented = documented();
    for (method, path) in public() {
        let operation = documented.iter().find(|(m, p, _)| *m == method && *p == path);
        let (_, _, operation) = operation.unwrap_or_else(|| panic!("{method} {path} is not documented"));
        assert!(schemes(operation).is_empty(), "{method} {path} is documented to want a login");
    }
}

#[test]
fn the_document_says_what_each_audience_needs() {
    let all = guarded();
    for audience in [Audience::Customers, Audience::Staff, Audience::Programs] {
        assert!(all.iter().any(|operation| operation.audience == audience), "nothing for {audience:?}");
    }
    for operation in all {
        let expected = if operation.audience == Audience::Programs { "api_key" } else { "bearer" };
        assert_eq!(operation.schemes, [expected], "{} {}", operation.method, operation.template);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn nobody_gets_in_without_credentials(pool: PgPool) {
    let app = TestApi::setup(pool).unseeded().open().await;
    for operation in guarded() {
        let expected = match operation.audience {
            Audience::Programs => "api_key_missing",
            Audience::Customers | Audience::Staff => "token_missing",
        };
        let refused = refusal(&app.nobody(), &operation).await;
        assert_eq!(refused, (StatusCode::UNAUTHORIZED, expected.to_owned()), "{operation:?}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn wrong_credentials_open_nothing(pool: PgPool) {
    let app = TestApi::setup(pool).unseeded().open().await;
    let superadmin = app.user(Role::Superadmin).await;
    let key = app.api_key().await;
    for operation in guarded() {
        let nobody = app.nobody();
        let wrong: [(&Caller, &str); 2] = match operation.audience {
            Audience::Programs => [
                (&nobody.with_key("wbk_not-a-key-of-ours"), "api_key_invalid"),
                (&superadmin, "api_key_missing"),
            ],
            Audience::Customers | Audience::Staff => {
                [(&nobody.as_user("not.a.token"), "token_invalid"), (&nobody.with_key(&key), "token_missing")]
            }
        };
        for (who, code) in wrong {
            let refused = refusal(who, &operation).await;
            assert_eq!(refused, (StatusCode::UNAUTHORIZED, code.to_owned()), "{operation:?} as {who:?}");
        }
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn programs_do_what_their_key_is_for(pool: PgPool) {
    let app = TestApi::setup(pool).unseeded().open().await;
    let programs: Vec<_> = guarded().into_iter().filter(|one| one.audience == Audience::Programs).collect();
    for (number, operation) in programs.iter().enumerate() {
        let [scope] = operation.scopes.as_slice() else { panic!("{operation:?} names no scope") };
        let others: Vec<Scope> = Scope::ALL.iter().copied().filter(|other| other.as_str() != scope).collect();
        assert_eq!(others.len(), Scope::ALL.len() - 1, "{scope} is no scope");
        let without = app.api_key_for(&format!("without {number}"), &others).await;
        let refused = refusal(&app.nobody().with_key(&without), operation).await;
        assert_eq!(refused, (StatusCode::FORBIDDEN, "scope_missing".to_owned()), "{operation:?}");
        let with = app.api_key_for(&format!("with {number}"), &[scope.parse().unwrap()]).await;
        let (allowed, _) = refusal(&app.nobody().with_key(&with), operation).await;
        assert!(![StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&allowed), "{operation:?}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn the_admin_area_is_for_staff_and_its_acts_for_administrators(pool: PgPool) {
    let app = TestApi::setup(pool).unseeded().open().await;
    let customer = app.user(Role::Customer).await;
    let support = app.user(Role::Support).await;
    let admin = app.user(Role::Admin).await;
    let superadmin = app.user(Role::Superadmin).await;
    let forbidden = (StatusCode::FORBIDDEN, "forbidden".to_owned());
    for operation in guarded().iter().filter(|operation| operation.audience == Audience::Staff) {
        assert_eq!(refusal(&customer, operation).await, forbidden, "{operation:?}");
        let for_support = refusal(&support, operation).await;
        let for_administrators = operation.method != Method::GET || operation.template.starts_with(EXPORTS);
        assert_eq!(for_support == forbidden, for_administrators, "{operation:?} as support");
        let mut highest = &admin;
        if FOR_SUPERADMINS.contains(&(operation.method.as_str(), operation.template.as_str())) {
            assert_eq!(refusal(highest, operation).await, forbidden, "{operation:?} as admin");
            highest = &superadmin;
        }
        let (allowed, _) = refusal(highest, operation).await;
        let turned_away = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&allowed);
        assert!(!turned_away && !allowed.is_server_error(), "{operation:?}: {allowed}");
    }
}
