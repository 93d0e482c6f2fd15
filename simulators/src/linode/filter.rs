//! The vendor's `X-Filter` header: JSON conditions on filterable fields, combined and sorted.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::error::Error;

const HEADER: &str = "X-Filter";

/// What a list is narrowed to, and how it is sorted.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Filter {
    condition: Option<Condition>,
    order_by: Option<String>,
    descending: bool,
}

#[derive(Debug, PartialEq)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Field { path: String, test: Test, operand: Value },
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Test {
    Equals,
    Differs,
    Greater,
    AtLeast,
    Less,
    AtMost,
    Contains,
}

impl Filter {
    /// Reads a header's text; `filterable` are the fields that may be named in it.
    pub(super) fn parse(text: &str, filterable: &[&str]) -> Result<Self, Error> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let Ok(Value::Object(mut object)) = serde_json::from_str(text) else {
            return Err(Error::field(HEADER, "Filter not valid JSON"));
        };
        let order_by = match object.remove("+order_by") {
            None | Some(Value::Null) => None,
            Some(Value::String(field)) => Some(checked(&field, filterable)?.to_owned()),
            Some(_) => return Err(Error::field(HEADER, "+order_by must be a string")),
        };
        let descending = match object.remove("+order").as_ref().map(Value::as_str) {
            None | Some(Some("asc")) => false,
            Some(Some("desc")) => true,
            Some(_) => return Err(Error::field(HEADER, "+order must be one of asc, desc")),
        };
        let condition = (!object.is_empty()).then(|| conditions(&object, filterable)).transpose()?;
        Ok(Self { condition, order_by, descending })
    }

    /// The items that pass, in the order asked for.
    pub(super) fn apply(&self, items: Vec<Value>) -> Vec<Value> {
        let mut items = items;
        if let Some(condition) = &self.condition {
            items.retain(|item| condition.holds(item));
        }
        if let Some(field) = &self.order_by {
            items.sort_by(|a, b| compare(at(a, field), at(b, field)).unwrap_or(Ordering::Equal));
            if self.descending {
                items.reverse();
            }
        }
        items
    }
}

fn checked<'a>(field: &'a str, filterable: &[&str]) -> Result<&'a str, Error> {
    if filterable.contains(&field) {
        Ok(field)
    } else {
        Err(Error::field(HEADER, format!("Cannot filter on {field}")))
    }
}

/// All of an object's keys must hold.
fn conditions(object: &Map<String, Value>, filterable: &[&str]) -> Result<Condition, Error> {
    let several = |value: &Value| {
        let items = value.as_array().ok_or_else(|| Error::field(HEADER, "+and and +or take a list"))?;
        items
            .iter()
            .map(|item| match item {
                Value::Object(object) => conditions(object, filterable),
                _ => Err(Error::field(HEADER, "+and and +or take a list of objects")),
            })
            .collect::<Result<Vec<_>, _>>()
    };
    let all = object.iter().map(|(key, value)| match key.as_str() {
        "+and" => Ok(Condition::All(several(value)?)),
        "+or" => Ok(Condition::Any(several(value)?)),
        operator if operator.starts_with('+') => {
            Err(Error::field(HEADER, format!("Invalid operator {operator}")))
        }
        field => on_field(checked(field, filterable)?, value),
    });
    Ok(Condition::All(all.collect::<Result<_, _>>()?))
}

fn on_field(field: &str, wanted: &Value) -> Result<Condition, Error> {
    let condition =
        |test, operand: &Value| Condition::Field { path: field.to_owned(), test, operand: operand.clone() };
    let Value::Object(operators) = wanted else { return Ok(condition(Test::Equals, wanted)) };
    let all = operators.iter().map(|(operator, operand)| {
        let test = match operator.as_str() {
            "+eq" => Test::Equals,
            "+neq" => Test::Differs,
            "+gt" => Test::Greater,
            "+gte" => Test::AtLeast,
            "+lt" => Test::Less,
            "+lte" => Test::AtMost,
            "+contains" => Test::Contains,
            // These nest a list of alternatives for the one field.
            "+or" | "+and" => {
                let items = operand.as_array().cloned().unwrap_or_default();
                let inner = items.iter().map(|item| on_field(field, item)).collect::<Result<_, _>>()?;
                return Ok(if operator == "+or" { Condition::Any(inner) } else { Condition::All(inner) });
            }
            _ => return Err(Error::field(HEADER, format!("Invalid operator {operator}"))),
        };
        Ok(condition(test, operand))
    });
    Ok(Condition::All(all.collect::<Result<_, _>>()?))
}

impl Condition {
    fn holds(&self, item: &Value) -> bool {
        match self {
            Self::All(all) => all.iter().all(|condition| condition.holds(item)),
            Self::Any(any) => any.iter().any(|condition| condition.holds(item)),
            Self::Field { path, test: Test::Differs, operand } => {
                !passes(at(item, path), Test::Equals, operand)
            }
            Self::Field { path, test, operand } => passes(at(item, path), *test, operand),
        }
    }
}

/// A list passes when one of its elements does.
fn passes(value: &Value, test: Test, operand: &Value) -> bool {
    if let Value::Array(elements) = value {
        return elements.iter().any(|element| passes(element, test, operand));
    }
    let order = || compare(value, operand);
    match test {
        Test::Equals => order() == Some(Ordering::Equal),
        Test::Differs => order() != Some(Ordering::Equal),
        Test::Greater => order() == Some(Ordering::Greater),
        Test::AtLeast => matches!(order(), Some(Ordering::Greater | Ordering::Equal)),
        Test::Less => order() == Some(Ordering::Less),
        Test::AtMost => matches!(order(), Some(Ordering::Less | Ordering::Equal)),
        Test::Contains => match (value.as_str(), operand.as_str()) {
            (Some(text), Some(part)) => text.to_lowercase().contains(&part.to_lowercase()),
            _ => false,
        },
    }
}

/// A value by its dotted path, such as `entity.id`.
fn at<'a>(item: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(item, |value, key| &value[key])
}

/// Numbers by size, also when one is written as text; texts (also dates) by their letters.
fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => number(a)?.partial_cmp(&number(b)?),
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FIELDS: &[&str] = &["id", "label", "tags", "created", "entity.id", "up"];

    fn ids(filter: Value) -> Vec<u64> {
        let item = |id: u64, label: &str, tags: &[&str], up: bool| {
            json!({ "id": id, "label": label, "tags": tags, "up": up, "entity": { "id": 100 + id },
                    "created": format!("2026-01-0{id}T00:00:00") })
        };
        let items = vec![
            item(1, "web-1", &["a"], true),
            item(2, "db", &["a", "b"], false),
            item(3, "web-3", &[], true),
        ];
        let filter = Filter::parse(&filter.to_string(), FIELDS).unwrap();
        filter.apply(items).iter().map(|item| item["id"].as_u64().unwrap()).collect()
    }

    #[test]
    fn fields_are_compared_by_their_kind() {
        assert_eq!(ids(json!({ "label": "db" })), [2]);
        assert_eq!(ids(json!({ "id": "2" })), [2]);
        assert_eq!(ids(json!({ "id": { "+gte": 2 } })), [2, 3]);
        assert_eq!(ids(json!({ "id": { "+gt": 1, "+lt": 3 } })), [2]);
        assert_eq!(ids(json!({ "id": { "+neq": 2 } })), [1, 3]);
        assert_eq!(ids(json!({ "created": { "+lte": "2026-01-02T00:00:00" } })), [1, 2]);
        assert_eq!(ids(json!({ "entity.id": 103 })), [3]);
        assert_eq!(ids(json!({ "up": true })), [1, 3]);
    }

    #[test]
    fn a_list_passes_by_any_of_its_elements() {
        assert_eq!(ids(json!({ "tags": "a" })), [1, 2]);
        assert_eq!(ids(json!({ "tags": { "+contains": "b" } })), [2]);
        assert_eq!(ids(json!({ "tags": { "+neq": "a" } })), [3]);
    }

    #[test]
    fn conditions_combine_and_sort() {
        assert_eq!(ids(json!({ "+or": [{ "label": "db" }, { "id": 3 }] })), [2, 3]);
        assert_eq!(ids(json!({ "+and": [{ "tags": "a" }, { "label": { "+contains": "WEB" } }] })), [1]);
        assert_eq!(ids(json!({ "label": { "+or": ["db", "web-3"] } })), [2, 3]);
        assert_eq!(ids(json!({ "+order_by": "label", "+order": "desc" })), [3, 1, 2]);
        assert_eq!(ids(json!({})), [1, 2, 3]);
    }

    #[test]
    fn what_cannot_be_filtered_is_refused() {
        for (text, words) in [
            (r#"{"foo":"bar"}"#, "Cannot filter on foo"),
            (r#"{"+or":[{"foo":1}]}"#, "Cannot filter on foo"),
            (r#"{"+order_by":"foo"}"#, "Cannot filter on foo"),
            (r#"{"id":{"+like":1}}"#, "Invalid operator +like"),
            (r#"{"+order_by":"id","+order":"up"}"#, "asc, desc"),
            ("tags=a", "Filter not valid JSON"),
            ("[]", "Filter not valid JSON"),
        ] {
            let error = format!("{:?}", Filter::parse(text, FIELDS).unwrap_err());
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
