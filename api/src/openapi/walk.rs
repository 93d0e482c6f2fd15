//! Ways through a document.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Methods of operations, as they are written in a document.
pub(super) const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// Each operation with its method and path.
pub(super) fn operations(document: &mut Value, mut visit: impl FnMut(&str, &str, &mut Map<String, Value>)) {
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else { return };
    for (path, item) in paths {
        for method in METHODS {
            if let Some(operation) = item.get_mut(method).and_then(Value::as_object_mut) {
                visit(method, path, operation);
            }
        }
    }
}

/// The name of the component that a schema refers to.
pub(super) fn referred(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.rsplit('/').next()
}

/// A reference to a component.
pub(super) fn reference(kind: &str, name: &str) -> Value {
    serde_json::json!({ "$ref": format!("#/components/{kind}/{name}") })
}

/// The schemas of the document by name.
pub(super) fn schemas(document: &mut Value) -> Option<&mut Map<String, Value>> {
    document.pointer_mut("/components/schemas")?.as_object_mut()
}

/// The names of a schema's types.
pub(super) fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Whether `null` is a value of it.
pub(super) fn is_nullable(schema: &Value) -> bool {
    let alternatives = schema.get("oneOf").and_then(Value::as_array);
    types(schema).contains(&"null") || alternatives.is_some_and(|all| all.iter().any(is_nullable))
}

/// Visits a schema and all that is written inside of it, but not what it refers to.
pub(super) fn within(schema: &mut Value, visit: &mut impl FnMut(&mut Value)) {
    visit(schema);
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get_mut(key).filter(|inner| inner.is_object()) {
            within(inner, visit);
        }
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        for inner in schema.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
            within(inner, visit);
        }
    }
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for inner in properties.into_iter().flat_map(Map::values_mut) {
        within(inner, visit);
    }
}

/// Which way a body goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// To us.
    In,
    /// From us.
    Out,
}

/// The components that bodies going this way consist of.
pub(super) fn components_of(document: &Value, way: Way) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for item in document["paths"].as_object().into_iter().flat_map(Map::values) {
        for operation in METHODS.iter().filter_map(|method| item.get(*method)) {
            let bodies: Vec<&Value> = match way {
                Way::In => operation.pointer("/requestBody/content").into_iter().collect(),
                Way::Out => {
                    let responses = operation["responses"].as_object();
                    responses.into_iter().flat_map(Map::values).filter_map(|one| one.get("content")).collect()
                }
            };
            for body in bodies {
                collect(document, body, &mut found);
            }
        }
    }
    found
}

/// Adds the components that are referred to in `value`, and those that they refer to.
fn collect(document: &Value, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(name) = referred(value)
                && found.insert(name.to_owned())
            {
                collect(document, &document["components"]["schemas"][name], found);
            }
            for field in fields.values() {
                collect(document, field, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(document, item, found)),
        _ => {}
    }
}
