//! Who may call what: the one table has every operation of the documents and nothing more, and all of it is asked for by
//! everybody there is.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

use std::collections::{BTreeMap, BTreeSet};

use api::Access;
use domain::{api_key::Scope, api_token::TokenScope, permission::Permission, role::Role};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::http::{Caller, Method, StatusCode, TestApi};

const SOME_ID: &str = "0193e7d0-4362-7709-b262-4de1f9ad2f5e";

/// Codes of answers to who may not.
const TURNED_AWAY: [&str; 8] = [
    "api_key_invalid",
    "api_key_missing",
    "forbidden",
    "scope_missing",
    "session_revoked",
    "token_expired",
    "token_invalid",
    "token_missing",
];

/// Sessions end with these, so that whoever may do it is somebody made for it.
const END_THE_SESSION: [&str; 2] = ["/api/v1/auth/logout", "/api/v1/auth/logout-all"];

/// What in the admin area only looks, by a method that may do more.
const EXPORTS: &str = "/api/v1/admin/exports/";

#[derive(Debug, Clone, Copy)]
struct Operation {
    method: &'static str,
    path: &'static str,
    access: Access,
}

/// Whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Nobody,
    /// Logged in, and owns nothing that is asked for.
    User(Role),
    /// A program of a superadministrator's, with a token of this scope alone.
    Token(TokenScope),
    /// A program of ours, with a key of this right alone.
    Key(Scope),
}

fn table() -> impl Iterator<Item = Operation> {
    api::operations().map(|(method, path, access)| Operation { method, path, access })
}

/// Every operation of both documents, as (method, path) with its description there.
fn documented() -> BTreeMap<(String, String), Value> {
    let mut found = BTreeMap::new();
    for document in [api::document(), api::internal_document()] {
        let document = serde_json::to_value(document).unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in ["get", "put", "post", "delete", "patch"] {
                if !item[method].is_null() {
                    found.insert((method.to_uppercase(), path.clone()), item[method].clone());
                }
            }
        }
    }
    found
}

/// How somebody is turned away by the table; `None` where they may.
fn refusal(who: Who, access: Access) -> Option<(u16, &'static str)> {
    match (access, who) {
        (Access::Anybody, _) => None,
        (Access::Key(wanted), Who::Key(scope)) => (wanted != scope).then_some((403, "scope_missing")),
        (Access::Key(_), _) => Some((401, "api_key_missing")),
        (_, Who::Nobody | Who::Key(_)) => Some((401, "token_missing")),
        (Access::Own { .. }, Who::User(_)) => None,
        (Access::Own { token: Some(wanted), .. }, Who::Token(scope)) => {
            (wanted != scope).then_some((403, "scope_missing"))
        }
        (Access::Own { token: None, .. } | Access::Staff(_), Who::Token(_)) => Some((403, "forbidden")),
        (Access::Staff(permission), Who::User(role)) => {
            (!permission.roles().contains(&role)).then_some((403, "forbidden"))
        }
    }
}

fn filled_in(path: &str) -> String {
    let segments = path.split('/').map(|segment| if segment.starts_with('{') { SOME_ID } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

/// Sends what the operation would never accept, except for who is asking.
async fn asked(who: &Caller, operation: Operation) -> (StatusCode, String) {
    let method: Method = operation.method.parse().unwrap();
    let body = if method == Method::GET { Value::Null } else { json!({}) };
    let answer = who.request(method, &filled_in(operation.path)).json(&body).await;
    // What is no problem has no code: a table of values, a page, a success.
    let code = answer.body["code"].as_str().unwrap_or_default().to_owned();
    (answer.status, code)
}

/// Everybody there is, by name.
async fn everybody(app: &TestApi) -> Vec<(Who, String)> {
    let mut people = vec![(Who::Nobody, String::new())];
    for role in Role::ALL.iter().copied() {
        people.push((Who::User(role), app.user(role).await.token));
    }
    let owner = app.user(Role::Superadmin).await;
    for scope in TokenScope::ALL.iter().copied() {
        let body = json!({ "name": scope.as_str(), "scopes": [scope] });
        let made = owner.post("/auth/me/api-tokens", &body).await;
        people.push((Who::Token(scope), made.body["token"].as_str().unwrap().to_owned()));
    }
    for scope in Scope::ALL.iter().copied() {
        people.push((Who::Key(scope), app.api_key_for(scope.as_str(), &[scope]).await));
    }
    people
}

fn caller(app: &TestApi, operation: Operation, who: Who, credential: &str) -> Caller {
    let is_internal = operation.path.starts_with("/internal/");
    let nobody = if is_internal { app.internal_root() } else { app.root() };
    match who {
        Who::Nobody => nobody,
        Who::Key(_) => nobody.with_key(credential),
        Who::User(_) | Who::Token(_) => nobody.as_user(credential),
    }
}

#[test]
fn the_table_has_every_operation_and_nothing_more() {
    let documented = documented();
    let documented: BTreeSet<_> =
        documented.keys().map(|(method, path)| (method.as_str(), path.as_str())).collect();
    let decided: BTreeSet<_> = table().map(|one| (one.method, one.path)).collect();
    assert_eq!(decided.len(), table().count(), "an operation stands in api/src/auth/access.rs twice");
    let undecided: Vec<_> = documented.difference(&decided).collect();
    assert!(undecided.is_empty(), "say in api/src/auth/access.rs whom they are for: {undecided:?}");
    let gone: Vec<_> = decided.difference(&documented).collect();
    assert!(gone.is_empty(), "there is no such operation: {gone:?}");
}

#[test]
fn the_document_says_what_the_table_says() {
    let documented = documented();
    for Operation { method, path, access } in table() {
        let operation = &documented[&(method.to_owned(), path.to_owned())];
        let security = match access {
            Access::Anybody => Value::Null,
            Access::Own { .. } | Access::Staff(_) => json!([{ "bearer": [] }]),
            Access::Key(scope) => json!([{ "api_key": [scope] }]),
        };
        assert_eq!(operation["security"], security, "{method} {path}");
        let audience = operation["x-access"]["for"].as_str();
        let expected = match access {
            Access::Anybody => "anybody",
            Access::Own { .. } => "users",
            Access::Staff(_) => "staff",
            Access::Key(_) => "programs",
        };
        assert_eq!(audience, Some(expected), "{method} {path}");
    }
}

#[test]
fn areas_are_for_whom_they_say_and_what_changes_something_is_more_than_reading() {
    for Operation { method, path, access } in table() {
        let is_staffs = matches!(access, Access::Staff(_));
        assert_eq!(is_staffs, path.starts_with("/api/v1/admin/"), "{method} {path}");
        let is_programs = matches!(access, Access::Key(_));
        assert_eq!(is_programs, path.contains("/internal/"), "{method} {path}");
        if let Access::Staff(permission) = access {
            let reads = method == "GET" && !path.starts_with(EXPORTS);
            assert_eq!(reads, permission == Permission::AdminRead, "{method} {path}");
        }
    }
}

/// The table in docs/API.md is this one.
#[test]
fn the_rules_show_which_role_may_what() {
    let rules = include_str!("../../docs/API.md");
    for permission in Permission::ALL.iter().copied() {
        let mark = |role| if permission.roles().contains(&role) { "yes" } else { "" };
        let row = rules.lines().find(|line| line.starts_with(&format!("| `{permission}` |")));
        let cells: Vec<&str> = row.unwrap_or_default().split('|').map(str::trim).collect();
        let expected = [mark(Role::Support), mark(Role::Admin), mark(Role::Superadmin)];
        assert_eq!(cells.get(3..6), Some(&expected[..]), "{permission} in docs/API.md");
    }
    let names = rules.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let gone: Vec<_> =
        names.filter(|name| name.contains(':') && name.parse::<Permission>().is_err()).collect();
    assert!(gone.is_empty(), "docs/API.md has permissions that there are not: {gone:?}");
}

#[sqlx::test(migrations = "../migrations")]
async fn everybody_may_what_the_table_grants_them_and_nothing_else(pool: PgPool) {
    let app = TestApi::setup(pool).unseeded().open().await;
    let everybody = everybody(&app).await;
    for operation in table() {
        for (who, credential) in &everybody {
            let refusal = refusal(*who, operation.access);
            let ends_the_session = END_THE_SESSION.contains(&operation.path);
            let somebody_else = match who {
                Who::User(role) if ends_the_session => Some(app.user(*role).await.token),
                _ => None,
            };
            let credential = somebody_else.as_ref().unwrap_or(credential);
            let (status, code) = asked(&caller(&app, operation, *who, credential), operation).await;
            match refusal {
                Some(expected) => {
                    assert_eq!((status.as_u16(), code.as_str()), expected, "{operation:?} as {who:?}");
                }
                None => {
                    assert!(
                        !TURNED_AWAY.contains(&code.as_str()),
                        "{operation:?} as {who:?}: {status} {code}"
                    );
                    let may_fail = operation.access == Access::Anybody;
                    assert!(
                        may_fail || !status.is_server_error(),
                        "{operation:?} as {who:?}: {status} {code}"
                    );
                }
            }
        }
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn wrong_credentials_open_nothing(pool: PgPool) {
    let app = TestApi::setup(pool).unseeded().open().await;
    let superadmin = app.user(Role::Superadmin).await;
    let key = app.api_key().await;
    for operation in table() {
        let wrong = match operation.access {
            Access::Anybody => continue,
            Access::Key(scope) => [
                (Who::Key(scope), "wbk_not-a-key-of-ours", "api_key_invalid"),
                (Who::User(Role::Superadmin), superadmin.token.as_str(), "api_key_missing"),
            ],
            Access::Own { .. } | Access::Staff(_) => [
                (Who::User(Role::Superadmin), "not.a.token", "token_invalid"),
                (Who::Key(Scope::CatalogRead), key.as_str(), "token_missing"),
            ],
        };
        for (who, credential, code) in wrong {
            let refused = asked(&caller(&app, operation, who, credential), operation).await;
            assert_eq!(refused, (StatusCode::UNAUTHORIZED, code.to_owned()), "{operation:?} as {who:?}");
        }
    }
}
