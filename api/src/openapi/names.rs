//! Types are called by one pattern: a thing by its noun, what is sent to have it made or changed `…Request`, a part of a list
//! `…Page`, a whole list `…List`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::walk::{METHODS, Way, components_of, reference, referred, schemas};

/// Gives all types their names.
pub(super) fn apply(document: &mut Value) {
    name_entries(document);
    let names = names(document);
    if let Some(all) = schemas(document) {
        let renamed = std::mem::take(all).into_iter().map(|(name, schema)| (called(&names, &name), schema));
        *all = renamed.collect::<Map<String, Value>>();
    }
    rename_references(document, &names);
}

fn called(names: &BTreeMap<String, String>, name: &str) -> String {
    names.get(name).cloned().unwrap_or_else(|| name.to_owned())
}

/// The entries of a page are written out in it; they have a name of their own.
fn name_entries(document: &mut Value) {
    let Some(all) = schemas(document) else { return };
    let mut found = Vec::new();
    for (name, schema) in all.iter_mut() {
        let Some(entry) = name.strip_prefix("Paged_").or_else(|| name.strip_prefix("Listing_")) else {
            continue;
        };
        let Some(items) = schema.pointer_mut("/properties/data/items") else { continue };
        if referred(items).is_none() {
            found.push((entry.to_owned(), std::mem::replace(items, reference("schemas", entry))));
        }
    }
    for (name, schema) in found {
        all.entry(name).or_insert(schema);
    }
}

fn names(document: &Value) -> BTreeMap<String, String> {
    let noun = |name: &str| name.strip_suffix("Body").unwrap_or(name).to_owned();
    let sent = components_of(document, Way::Out);
    let asked = asked_for(document);
    let all = document["components"]["schemas"].as_object().into_iter().flat_map(Map::keys);
    all.map(|name| {
        let new = if let Some(entry) = name.strip_prefix("Paged_") {
            format!("{}Page", noun(entry))
        } else if let Some(entry) = name.strip_prefix("Listing_") {
            format!("{}List", noun(entry))
        } else if asked.contains(name) && !sent.contains(name) && !name.ends_with("Request") {
            format!("{}Request", noun(name))
        } else {
            noun(name)
        };
        (name.clone(), new)
    })
    .collect()
}

/// The schemas that whole bodies to us are of.
fn asked_for(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for item in document["paths"].as_object().into_iter().flat_map(Map::values) {
        for operation in METHODS.iter().filter_map(|method| item.get(*method)) {
            let content = operation.pointer("/requestBody/content").and_then(Value::as_object);
            for schema in content.into_iter().flat_map(Map::values).filter_map(|body| body.get("schema")) {
                let alternatives = schema["oneOf"].as_array().into_iter().flatten();
                found.extend(alternatives.chain([schema]).filter_map(referred).map(str::to_owned));
            }
        }
    }
    found
}

fn rename_references(value: &mut Value, names: &BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(target)) = fields.get_mut("$ref")
                && let Some((head, name)) = target.rsplit_once('/')
                && head == "#/components/schemas"
            {
                *target = format!("{head}/{}", called(names, name));
            }
            fields.values_mut().for_each(|field| rename_references(field, names));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename_references(item, names)),
        _ => {}
    }
}
