//! The OpenAPI 3.1 document: collected from the handlers, with what all of them share added once.

use utoipa::{
    OpenApi, ToSchema,
    openapi::{
        self, Components, Content, Ref, RefOr, Response, ResponseBuilder,
        header::HeaderBuilder,
        path::{Operation, PathItem},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    AppState,
    problem::{FieldError, Problem},
    routes,
};

pub(crate) mod docs;
#[cfg(test)]
mod tests;

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
            `/api/v1` `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`.",
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
pub fn document() -> openapi::OpenApi {
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
pub fn internal_document() -> openapi::OpenApi {
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

/// Adds what every operation shares.
pub(crate) fn finish(mut document: openapi::OpenApi) -> openapi::OpenApi {
    let components = document.components.get_or_insert_with(Components::new);
    add_security_schemes(components);
    for (path, item) in &mut document.paths.paths {
        for operation in operations(item) {
            describe(operation);
            add_common_problems(path, operation);
        }
    }
    document
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

/// Documents the problems that come from the extractors and layers, where the handler's own documentation does not
/// say more about that status.
fn add_common_problems(path: &str, operation: &mut Operation) {
    if !path.starts_with("/api/v1") && !path.starts_with("/internal") {
        return;
    }
    for (status, description) in common_problems(path, operation) {
        let response = || RefOr::T(problem_response(status, description));
        operation.responses.responses.entry(status.to_owned()).or_insert_with(response);
    }
}

fn common_problems(path: &str, operation: &Operation) -> Vec<(&'static str, &'static str)> {
    let mut problems = vec![("503", "`unavailable` or `timeout`: try again after `Retry-After` seconds")];
    if path.starts_with("/api/v1") && !path.contains("/webhooks/") {
        problems.push(("429", "`rate_limited`: try again after `Retry-After` seconds"));
    }
    if requires(operation, "bearer") {
        problems.push((
            "401",
            "`token_missing`, `token_expired`, `token_invalid`, `session_revoked` or `session_ended`",
        ));
        problems.push((
            "403",
            "`account_suspended`; `forbidden`: not with this role, or not with an API token; `scope_missing`: not with this \
             API token",
        ));
    }
    if requires(operation, "api_key") {
        problems.push(("401", "`api_key_missing` or `api_key_invalid`"));
        problems.push(("403", "`scope_missing`: not with this key"));
    }
    if operation.request_body.is_some() {
        problems.push(("400", "`malformed_json`"));
        problems.push(("408", "`request_timeout`: the body took too long to arrive"));
        problems.push(("413", "`body_too_large`"));
        problems.push(("415", "`unsupported_media_type`"));
        problems.push((
            "422",
            "`invalid_body`: a field is unknown, missing or of another type; `validation_failed`",
        ));
    }
    if operation.parameters.as_ref().is_some_and(|parameters| has_query(parameters)) {
        problems.push(("400", "`invalid_query`"));
    }
    if path.contains('{') {
        problems.push(("404", "`not_found`: there is no such thing, or it is not yours"));
    }
    problems
}

fn requires(operation: &Operation, scheme: &str) -> bool {
    // A requirement's schemes can only be read from its serialised form.
    let names =
        |requirement| serde_json::to_value(requirement).is_ok_and(|value| value.get(scheme).is_some());
    operation.security.as_ref().is_some_and(|all| all.iter().any(names))
}

fn has_query(parameters: &[RefOr<openapi::path::Parameter>]) -> bool {
    parameters.iter().any(|parameter| {
        matches!(parameter, RefOr::T(p) if matches!(p.parameter_in, openapi::path::ParameterIn::Query))
    })
}

fn problem_response(status: &str, description: &str) -> Response {
    let schema = Ref::from_schema_name(Problem::name());
    let mut response = ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", Content::new(Some(schema)));
    if matches!(status, "429" | "503") {
        let header = HeaderBuilder::new().description(Some("Seconds to wait")).build();
        response = response.header("Retry-After", header);
    }
    response.build()
}
