//! The API's document, as an attacker reads it: what can be asked, and what a body looks like that is taken.

use serde_json::{Map, Value, json};
use testkit::http::Method;
use webrana_tests::customer::Customer;

/// Deeper than any body.
const DEEPEST: usize = 12;

/// The document.
pub struct Document(Value);

/// One operation of it.
pub struct Operation {
    /// Its method.
    pub method: Method,
    /// Its path below `/api/v1`, with names in braces.
    pub path: String,
    /// A JSON body that fits its schema, where it takes one.
    pub body: Option<Value>,
    /// JSON pointers to the texts of that body that people write.
    pub texts: Vec<String>,
    /// Names of query parameters that are texts.
    pub words: Vec<String>,
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

impl Operation {
    /// The path with `named` in place of each name in braces.
    pub fn filled(&self, mut named: impl FnMut(&str) -> String) -> String {
        let segments = self.path.split('/').map(|segment| match segment.strip_prefix('{') {
            Some(name) => named(name.trim_end_matches('}')),
            None => segment.to_owned(),
        });
        segments.collect::<Vec<_>>().join("/")
    }
}

impl Document {
    /// Reads it from a system.
    pub async fn of(somebody: &Customer<'_>) -> Self {
        let answer = somebody.at_root().get("/api/openapi.json").await;
        assert_eq!(answer.status, 200);
        Self(answer.body)
    }

    /// Everything that can be asked below `/api/v1`.
    pub fn operations(&self) -> Vec<Operation> {
        let paths = self.0["paths"].as_object().expect("paths");
        let each = paths.iter().filter_map(|(path, item)| Some((path.strip_prefix("/api/v1")?, item)));
        each.flat_map(|(path, item)| {
            ["get", "put", "post", "delete", "patch"].into_iter().filter_map(move |method| {
                let described = item.get(method)?;
                let schema = described.pointer("/requestBody/content/application~1json/schema");
                let mut texts = Vec::new();
                let body = schema.map(|schema| {
                    self.texts(schema, String::new(), &mut texts);
                    self.example(schema, DEEPEST)
                });
                let parameters = described["parameters"].as_array().into_iter().flatten();
                let words = parameters
                    .filter(|parameter| parameter["in"] == "query" && self.is_text(&parameter["schema"]))
                    .filter_map(|parameter| parameter["name"].as_str().map(str::to_owned));
                Some(Operation {
                    method: method.to_uppercase().parse().expect("a method"),
                    path: path.to_owned(),
                    body,
                    texts,
                    words: words.collect(),
                })
            })
        })
        .collect()
    }

    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(name) => self.0.pointer(name.trim_start_matches('#')).expect("a schema"),
            None => schema,
        }
    }

    /// What may be `null` or something else, as that.
    fn chosen<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let schema = self.resolved(schema);
        let choices = ["oneOf", "anyOf"].iter().find_map(|of| schema[*of].as_array());
        match choices.and_then(|choices| choices.iter().find(|choice| choice["type"] != "null")) {
            Some(choice) => self.chosen(choice),
            None => schema,
        }
    }

    fn is_of(schema: &Value, kind: &str) -> bool {
        schema["type"] == kind
            || schema["type"].as_array().is_some_and(|kinds| kinds.iter().any(|of| *of == kind))
    }

    /// Whether it is a text that somebody writes, not one of some words, and not a time or an id.
    fn is_text(&self, schema: &Value) -> bool {
        let schema = self.chosen(schema);
        let is_technical =
            matches!(schema["format"].as_str(), Some("date-time" | "uuid" | "date" | "binary"));
        Self::is_of(schema, "string") && schema["enum"].is_null() && !is_technical
    }

    fn properties<'a>(&'a self, schema: &'a Value) -> Vec<(&'a String, &'a Value)> {
        let parts = schema["allOf"].as_array().into_iter().flatten().map(|part| self.resolved(part));
        let objects = std::iter::once(schema).chain(parts);
        objects.filter_map(|object| object["properties"].as_object()).flatten().collect()
    }

    fn texts(&self, schema: &Value, at: String, found: &mut Vec<String>) {
        if at.matches('/').count() > DEEPEST {
            return;
        }
        if self.is_text(schema) {
            found.push(at);
            return;
        }
        let schema = self.chosen(schema);
        for (name, property) in self.properties(schema) {
            self.texts(property, format!("{at}/{name}"), found);
        }
        if Self::is_of(schema, "array") {
            self.texts(&schema["items"], format!("{at}/0"), found);
        }
    }

    fn example(&self, schema: &Value, depth: usize) -> Value {
        let schema = self.resolved(schema);
        let given = [schema.get("example"), schema.pointer("/examples/0")];
        if let Some(example) = given.into_iter().flatten().next() {
            return example.clone();
        }
        let schema = self.chosen(schema);
        if let Some(example) = schema.get("example") {
            return example.clone();
        }
        if let Some(word) = schema.pointer("/enum/0") {
            return word.clone();
        }
        let properties = self.properties(schema);
        if depth > 0 && !properties.is_empty() {
            let fields = properties.into_iter().map(|(name, of)| (name.clone(), self.example(of, depth - 1)));
            return Value::Object(fields.collect::<Map<_, _>>());
        }
        match schema["format"].as_str() {
            Some("uuid") => return json!("0193e7d0-4362-7709-b262-4de1f9ad2f5e"),
            Some("date-time") => return json!("2027-01-01T00:00:00Z"),
            Some("email") => return json!("siti@example.com"),
            _ => {}
        }
        if Self::is_of(schema, "array") {
            json!([self.example(&schema["items"], depth.saturating_sub(1))])
        } else if Self::is_of(schema, "integer") || Self::is_of(schema, "number") {
            schema.get("minimum").cloned().unwrap_or(json!(1))
        } else if Self::is_of(schema, "boolean") {
            json!(false)
        } else if Self::is_of(schema, "object") {
            json!({})
        } else {
            json!("text")
        }
    }
}
