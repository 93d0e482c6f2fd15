//! Refusals that several operations have in the same words are written once.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Map, Value};

use super::{
    statuses,
    walk::{operations, reference},
};

/// Moves them to the components.
pub(super) fn apply(document: &mut Value) {
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    each(document, |_, response| *uses.entry(response.to_string()).or_default() += 1);
    let mut components = Map::new();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    each(document, |status, response| {
        let text = response.to_string();
        if uses.get(&text).is_none_or(|uses| *uses < 2) {
            return;
        }
        let name = names.entry(text).or_insert_with(|| {
            let name = free(&components, &name_of(status, response));
            components.insert(name.clone(), response.clone());
            name
        });
        *response = reference("responses", name);
    });
    document["components"]["responses"] = Value::Object(components);
}

fn each(document: &mut Value, mut visit: impl FnMut(&str, &mut Value)) {
    operations(document, |_, _, operation| {
        let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
        for (status, response) in responses.into_iter().flatten() {
            if status.as_str() >= "400" {
                visit(status, response);
            }
        }
    });
}

/// The first code that it names, else its status, in one word.
fn name_of(status: &str, response: &Value) -> String {
    let codes = statuses::named(response["description"].as_str().unwrap_or_default(), status);
    let words = match codes.first() {
        Some(code) => code.word().to_owned(),
        None => {
            let status: Option<StatusCode> = status.parse().ok();
            status.and_then(|status| status.canonical_reason()).unwrap_or("refused").to_lowercase()
        }
    };
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    words.split(['_', ' ']).filter(|word| !word.is_empty()).map(capital).collect()
}

fn free(taken: &Map<String, Value>, name: &str) -> String {
    let numbered = (2..).map(|number| format!("{name}{number}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    names.find(|name| !taken.contains_key(name)).unwrap_or_default()
}
