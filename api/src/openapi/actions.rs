//! What can be done to a server: which parameters an action takes is in the schema, one alternative for each kind of them.

use domain::instance::ActionKind;
use serde_json::{Value, json};

use super::walk::{reference, schemas};

/// An action's parameters.
struct Takes {
    /// Name of the alternative.
    name: &'static str,
    /// What it is.
    meaning: &'static str,
    /// The parameter, its meaning and an example of it; `None` where there is none.
    param: Option<(&'static str, &'static str, Value)>,
}

/// The alternatives. Those of programs alone are not for customers.
fn takes(kind: ActionKind) -> Takes {
    let text = |name, param, about: &'static str, example: &str| {
        let schema = json!({ "type": "string", "minLength": 1, "maxLength": 255, "description": about, "example": example });
        Takes { name, meaning: "An action with what it is done with.", param: Some((param, about, schema)) }
    };
    match kind {
        ActionKind::Rebuild => {
            text("RebuildRequest", "image", "Slug of an image of our catalog.", "debian-12")
        }
        ActionKind::Snapshot => {
            text("SnapshotRequest", "name", "What the snapshot is to be called.", "before-upgrade")
        }
        ActionKind::Rename => text("RenameRequest", "name", "What the server is to be called.", "web-1"),
        ActionKind::Restore => {
            text("RestoreRequest", "snapshot_id", "One of the server's snapshots.", "7555620")
        }
        ActionKind::DeleteSnapshot => {
            text("DeleteSnapshotRequest", "snapshot_id", "One of the server's snapshots.", "7555620")
        }
        ActionKind::Resize => {
            let about = "The plan that the server is to have.";
            let id = "0193e7d0-4362-7709-b262-4de1f9ad2f5e";
            let schema = json!({ "type": "string", "format": "uuid", "description": about, "example": id });
            Takes {
                name: "ResizeActionRequest",
                meaning: "An action with what it is done with.",
                param: Some(("plan_id", about, schema)),
            }
        }
        _ => {
            Takes { name: "PlainActionRequest", meaning: "An action that takes no parameters.", param: None }
        }
    }
}

/// Writes the alternatives. `for_programs` has those, too, that customers can't ask for so.
pub(super) fn apply(document: &mut Value, for_programs: bool) {
    let Some(all) = schemas(document) else { return };
    let Some(request) = all.get("ActionRequest") else { return };
    let description = request["description"].clone();
    let mut alternatives: Vec<(Takes, Vec<&str>)> = Vec::new();
    for kind in ActionKind::ALL.iter().filter(|kind| for_programs || kind.is_for_customers()) {
        let takes = takes(*kind);
        match alternatives.iter_mut().find(|(other, _)| other.name == takes.name) {
            Some((_, words)) => words.push(kind.as_str()),
            None => alternatives.push((takes, vec![kind.as_str()])),
        }
    }
    let mut mapping = serde_json::Map::new();
    for (takes, words) in &alternatives {
        for word in words {
            mapping.insert((*word).to_owned(), reference("schemas", takes.name)["$ref"].clone());
        }
        all.insert(takes.name.to_owned(), alternative(takes, words));
    }
    let references: Vec<Value> =
        alternatives.iter().map(|(takes, _)| reference("schemas", takes.name)).collect();
    let discriminator = json!({ "propertyName": "action", "mapping": mapping });
    let request = json!({ "description": description, "oneOf": references, "discriminator": discriminator });
    all.insert("ActionRequest".to_owned(), request);
}

fn alternative(takes: &Takes, words: &[&str]) -> Value {
    let action = json!({ "type": "string", "enum": words, "example": words.first() });
    let (params, required) = match &takes.param {
        Some((name, about, schema)) => (
            json!({ "type": "object", "description": about, "properties": { (*name): schema }, "required": [name],
                    "additionalProperties": false }),
            json!(["action", "params"]),
        ),
        None => (
            json!({ "type": ["object", "null"], "description": "There are none.", "maxProperties": 0 }),
            json!(["action"]),
        ),
    };
    json!({
        "type": "object",
        "description": takes.meaning,
        "properties": { "action": action, "params": params },
        "required": required,
        "additionalProperties": false,
    })
}
