//! The OpenAPI 3.1 document: collected from the handlers, with what follows from a rule added once: statuses and headers
//! (`statuses`, `headers`), bounds of what is sent (`bounds`, `actions`), what is left out (`presence`), names (`names`), whole
//! examples (`examples`). `tests` asks of every operation whether it is so.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Value, json};
use utoipa::{
    OpenApi,
    openapi::{
        self, Components,
        path::{Operation, PathItem},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    AppState,
    auth::{Access, access},
    problem::{FieldError, Problem},
    routes,
};

mod actions;
mod bounds;
pub(crate) mod docs;
mod examples;
mod headers;
mod names;
mod presence;
mod shared;
mod statuses;
#[cfg(test)]
mod tests;
mod walk;

/// A finished document.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(transparent)]
pub struct Document(Value);

impl Document {
    /// The document as it is committed: indented, its fields sorted.
    ///
    /// # Errors
    /// None that are known of: it is JSON.
    pub fn to_pretty_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&self.0)
    }

    /// What each operation takes in the query string, with the longest text that it may be: by method and path, as the router has
    /// them.
    pub(crate) fn queries(&self) -> BTreeMap<(String, String), BTreeMap<String, Option<usize>>> {
        let mut found = BTreeMap::new();
        walk::operations(&mut self.0.clone(), |method, path, operation| {
            let parameters = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
            let query = parameters.filter(|one| one["in"] == "query").filter_map(|one| {
                let longest = one["schema"]["maxLength"].as_u64().and_then(|longest| longest.try_into().ok());
                Some((one["name"].as_str()?.to_owned(), longest))
            });
            found.insert((method.to_uppercase(), path.to_owned()), query.collect());
        });
        found
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "WeBrana Cloud",
        description = "Virtual servers in Indonesia, on top of other clouds.\n\n\
            Bodies are JSON in snake_case; unknown fields are refused. Times are RFC 3339 in UTC, amounts whole \
            rupiah, ids UUIDv7. Errors are problem details (RFC 9457): `code` is for programs, `detail` for people, \
            `errors` names the fields at fault, `instance` is the request's id. Lists come in parts: give \
            `next_cursor` as `cursor` to get the next one. `POST`s that create orders or move money take an \
            `Idempotency-Key`, so that a retry does not do it twice. A key is kept for 30 days, unless the installation says \
            otherwise; after that it is a new one. Every answer has `X-Request-Id`, and under \
            `/api/v1` `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`. `x-access` says of each operation whom it \
            is for: by which roles, or by which scope of an API token (null: after a login only), and \
            whether staff may do it in a customer's name.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "auth", description = "Accounts, logins and sessions"),
        (name = "catalog", description = "What is sold: providers, plans, regions, images"),
        (name = "orders", description = "Ordering a server"),
        (name = "billing", description = "Invoices, payments and the balance"),
        (name = "instances", description = "Servers"),
        (name = "notifications", description = "In-app notifications"),
        (name = "admin", description = "For staff"),
        (name = "internal", description = "For programs of ours, by key"),
        (name = "webhooks", description = "For payment gateways"),
        (name = "health", description = "For monitoring"),
    ),
    components(schemas(Problem, FieldError)),
)]
struct Base;

/// The whole document.
#[must_use]
pub fn document() -> Document {
    finish(described_routes().into_openapi())
}

/// Every documented route, at its full path.
pub(crate) fn described_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Base::openapi())
        .merge(routes::health())
        .merge(routes::live())
        .nest("/api/v1", routes::v1())
}

/// The document of the internal port.
#[must_use]
pub fn internal_document() -> Document {
    finish(described_internal_routes().into_openapi())
}

/// Every documented route of the internal port.
pub(crate) fn described_internal_routes() -> OpenApiRouter<AppState> {
    let mut base = Base::openapi();
    base.info.title = "WeBrana Cloud, for programs of ours".to_owned();
    let here = |tag: &openapi::Tag| ["internal", "health"].contains(&tag.name.as_str());
    base.tags.get_or_insert_default().retain(here);
    OpenApiRouter::with_openapi(base).merge(routes::health()).merge(routes::for_programs())
}

/// Adds what follows from rules.
pub(crate) fn finish(mut document: openapi::OpenApi) -> Document {
    add_security_schemes(document.components.get_or_insert_with(Components::new));
    for item in document.paths.paths.values_mut() {
        operations(item).for_each(describe);
    }
    // A document is JSON, and so are its parts.
    let mut document = serde_json::to_value(document).unwrap_or_default();
    let for_programs = document["paths"]
        .as_object()
        .is_some_and(|paths| paths.keys().any(|path| path.starts_with("/internal")));
    document["servers"] = servers(for_programs);
    add_access(&mut document);
    presence::apply(&mut document);
    names::apply(&mut document);
    actions::apply(&mut document, for_programs);
    bounds::apply(&mut document);
    statuses::apply(&mut document);
    headers::apply(&mut document);
    examples::apply(&mut document);
    shared::apply(&mut document);
    Document(sorted(document))
}

fn servers(for_programs: bool) -> Value {
    let port = if for_programs { 3007 } else { 3000 };
    json!([
        { "url": "/", "description": "Where this document was read." },
        { "url": format!("http://localhost:{port}"), "description": "`webrana dev` on one's own machine." },
    ])
}

/// The same with its fields in the order of the alphabet, whatever order the program's JSON keeps them in.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<String, Value> =
                fields.into_iter().map(|(name, field)| (name, sorted(field))).collect();
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

fn add_security_schemes(components: &mut Components) {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("`access_token` of a login. Expired ones are renewed at `/auth/refresh`."))
        .build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let key = ApiKeyValue::with_description(
        "X-API-Key",
        "A key for the internal endpoints. Each names the scope that the key must have.",
    );
    components.add_security_scheme("api_key", SecurityScheme::ApiKey(ApiKey::Header(key)));
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch]
        .into_iter()
        .filter_map(Option::as_mut)
}

/// Says of each operation whom it is for.
fn add_access(document: &mut Value) {
    walk::operations(document, |method, path, operation| {
        let access = method.to_uppercase().parse().ok().and_then(|method: Method| access(&method, path));
        if let Some(access) = access {
            operation.insert("x-access".to_owned(), in_words(access));
        }
    });
}

/// Whom an operation is for, as `x-access` says it.
fn in_words(access: Access) -> Value {
    match access {
        Access::Anybody => json!({ "for": "anybody" }),
        Access::Own { token, support } => json!({ "for": "users", "api_token": token, "support": support }),
        Access::Staff(permission) => {
            json!({ "for": "staff", "permission": permission, "roles": permission.roles() })
        }
        Access::Key(scope) => json!({ "for": "programs", "scope": scope }),
    }
}

/// A handler whose comment is one line long has it as its summary; then the first sentence is the summary, and the
/// whole the description.
fn describe(operation: &mut Operation) {
    if operation.description.is_some() {
        return;
    }
    let Some(text) = operation.summary.take() else { return };
    let sentence = text.split_once(". ").map_or(text.as_str(), |(first, _)| first);
    operation.summary = Some(sentence.trim_end_matches('.').to_owned());
    operation.description = Some(text);
}
