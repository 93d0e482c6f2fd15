//! Query strings hold what the document says, and nothing else: a misspelt filter must not show everything.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use axum::{
    extract::{MatchedPath, Query, Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{extract::invalid_query, openapi::Document, problem::Problem};

/// Parameters by name, with the longest text that each may be.
type Known = BTreeMap<String, Option<usize>>;

/// What each operation takes.
#[derive(Debug, Clone)]
pub(crate) struct Queries(Arc<HashMap<String, HashMap<Method, Known>>>);

impl Queries {
    /// Those of a port's document. Gateways and whoever watches us may add what they like.
    pub(crate) fn of(document: &Document) -> Self {
        let mut queries: HashMap<String, HashMap<Method, Known>> = HashMap::new();
        for ((method, path), known) in document.queries() {
            let is_ours = path.starts_with("/api/v1/") || path.starts_with("/internal/");
            if let (true, Ok(method)) = (is_ours && !path.starts_with("/api/v1/webhooks/"), method.parse()) {
                queries.entry(path).or_default().insert(method, known);
            }
        }
        Self(Arc::new(queries))
    }

    fn check(&self, request: &Request) -> Result<(), Problem> {
        if request.uri().query().is_none_or(str::is_empty) {
            return Ok(());
        }
        let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        // What reads a thing reads its headers.
        let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
        let Some(known) = path.and_then(|path| self.0.get(path)?.get(method)) else { return Ok(()) };
        // What can't be read is refused by whoever reads it.
        let Ok(Query(given)) = Query::<Vec<(String, String)>>::try_from_uri(request.uri()) else {
            return Ok(());
        };
        for (name, value) in given {
            let Some(longest) = known.get(&name) else { return Err(unknown(&name, known)) };
            if longest.is_some_and(|longest| value.chars().count() > longest) {
                return Err(invalid_query(&format!("{name}: it is longer than what it could be of")));
            }
        }
        Ok(())
    }
}

fn unknown(name: &str, known: &Known) -> Problem {
    let there = match known.is_empty() {
        true => "it takes none".to_owned(),
        false => format!("there are {}", known.keys().cloned().collect::<Vec<_>>().join(", ")),
    };
    invalid_query(&format!("{name}: this address has no such parameter; {there}"))
}

/// The layer's function.
pub(crate) async fn refuse_unknown(State(queries): State<Queries>, request: Request, next: Next) -> Response {
    match queries.check(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}
