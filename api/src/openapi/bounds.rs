//! Bounds of what is sent to us that follow from its name: parameters, and fields that name something which is looked up. What has
//! a rule of its own says it where it is declared.

use domain::tag::{LONGEST_TAG, TAG_PATTERN};
use serde_json::{Value, json};

use super::walk::{Way, components_of, operations, schemas, types, within};

/// Names of things: no longer than any that there is.
const NAMES: [&str; 17] = [
    "action",
    "code",
    "gateway",
    "hostname",
    "image",
    "kind",
    "name",
    "number",
    "object_kind",
    "plan",
    "provider",
    "reference",
    "region",
    "scope",
    "search",
    "slug",
    "snapshot_id",
];
const LONGEST_NAME: u64 = 255;
/// More of anything than one has.
const MOST_ITEMS: u64 = 100;
/// Secrets and numbers of others, which have no bound that we would know, but for this.
const LONGEST_SECRET: u64 = 4096;

/// Adds them wherever a text has none.
pub(super) fn apply(document: &mut Value) {
    operations(document, |_, _, operation| {
        for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap_or_default().to_owned();
            bound(&name, &mut parameter["schema"]);
        }
    });
    let received = components_of(document, Way::In);
    for (component, schema) in schemas(document).into_iter().flatten() {
        if received.contains(component) {
            within(schema, &mut |part: &mut Value| bound_fields(part));
        }
    }
}

fn bound_fields(object: &mut Value) {
    let properties = object.get_mut("properties").and_then(Value::as_object_mut);
    for (name, schema) in properties.into_iter().flatten() {
        bound(name, schema);
        if types(schema).contains(&"array") && schema.get("maxItems").is_none() {
            schema["maxItems"] = json!(MOST_ITEMS);
        }
        if let Some(items) = schema.get_mut("items") {
            bound(name, items);
        }
    }
}

fn bound(name: &str, schema: &mut Value) {
    if !types(schema).contains(&"string") || is_bound(schema) {
        return;
    }
    let Some(fields) = schema.as_object_mut() else { return };
    let mut say = |bounds: Value| fields.extend(bounds.as_object().cloned().unwrap_or_default());
    match name {
        "cursor" => say(json!({ "pattern": "^[A-Za-z0-9_-]+$", "maxLength": 1000 })),
        "Idempotency-Key" => say(json!({ "pattern": "^[!-~]+$", "minLength": 1, "maxLength": 255 })),
        "tags" => say(json!({ "pattern": TAG_PATTERN, "maxLength": LONGEST_TAG })),
        "X-Session" => say(json!({ "enum": ["cookie"] })),
        "X-Requested-With" => say(json!({ "enum": ["webrana"] })),
        "cost_monthly_usd" => say(json!({ "pattern": "^[0-9]+(\\.[0-9]+)?$", "maxLength": 30 })),
        // 64 KiB, whatever the provider takes of it.
        "user_data" => say(json!({ "maxLength": 65_536 })),
        name if NAMES.contains(&name) => say(json!({ "maxLength": LONGEST_NAME })),
        _ => say(json!({ "maxLength": LONGEST_SECRET })),
    }
}

/// Whether a text has a rule.
pub(super) fn is_bound(schema: &Value) -> bool {
    ["maxLength", "enum", "format", "pattern", "const"].iter().any(|rule| schema.get(rule).is_some())
}
