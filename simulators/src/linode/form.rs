//! Reading a request's JSON body the way the vendor validates it: every wrong field is named, not only the first.

use serde_json::{Map, Value};

use super::error::{Error, Reason};

/// A body under validation. A null counts as absent, as official clients send it.
#[derive(Debug)]
pub(super) struct Form {
    fields: Map<String, Value>,
    reasons: Vec<Reason>,
}

impl Form {
    /// Reads a body; none at all is an empty one.
    pub(super) fn read(body: &[u8]) -> Result<Self, Error> {
        if body.trim_ascii().is_empty() {
            return Ok(Self { fields: Map::new(), reasons: Vec::new() });
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self { fields, reasons: Vec::new() }),
            Ok(Value::Null) => Ok(Self { fields: Map::new(), reasons: Vec::new() }),
            Ok(_) | Err(_) => Err(Error::bad_request("Invalid JSON")),
        }
    }

    /// Notes that a field is wrong.
    pub(super) fn refuse(&mut self, field: &str, reason: impl Into<String>) {
        self.reasons.push(Reason::of(field, reason));
    }

    /// Notes that the request as a whole is wrong.
    pub(super) fn refuse_whole(&mut self, reason: impl Into<String>) {
        self.reasons.push(Reason::whole(reason));
    }

    /// Whether a field is there.
    pub(super) fn has(&self, field: &str) -> bool {
        self.fields.get(field).is_some_and(|value| !value.is_null())
    }

    /// A field as it came.
    pub(super) fn value(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    pub(super) fn text(&mut self, field: &str) -> Option<String> {
        self.typed(field, "string", |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn required_text(&mut self, field: &str) -> Option<String> {
        self.require(field);
        self.text(field)
    }

    pub(super) fn flag(&mut self, field: &str) -> Option<bool> {
        self.typed(field, "boolean", Value::as_bool)
    }

    pub(super) fn integer(&mut self, field: &str) -> Option<u64> {
        self.typed(field, "integer", Value::as_u64)
    }

    pub(super) fn required_integer(&mut self, field: &str) -> Option<u64> {
        self.require(field);
        self.integer(field)
    }

    pub(super) fn texts(&mut self, field: &str) -> Option<Vec<String>> {
        self.typed(field, "list of strings", |value| {
            value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
        })
    }

    pub(super) fn integers(&mut self, field: &str) -> Option<Vec<u64>> {
        self.typed(field, "list of integers", |value| value.as_array()?.iter().map(Value::as_u64).collect())
    }

    /// A text inside an object, such as `metadata.user_data`.
    pub(super) fn inner_text(&mut self, field: &str, inner: &str) -> Option<String> {
        let object = self.typed(field, "object", |value| value.as_object().cloned())?;
        match object.get(inner) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => {
                self.refuse(&format!("{field}.{inner}"), format!("{inner} must be a string"));
                None
            }
        }
    }

    /// Refuses the request if anything was wrong.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        match std::mem::take(&mut self.reasons) {
            reasons if reasons.is_empty() => Ok(()),
            reasons => Err(Error::reasons(reasons)),
        }
    }

    fn require(&mut self, field: &str) {
        if !self.has(field) {
            self.refuse(field, format!("{field} is required"));
        }
    }

    fn typed<T>(&mut self, field: &str, kind: &str, read: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        let value = self.value(field)?;
        let read = read(value);
        if read.is_none() {
            self.refuse(field, format!("{field} must be a {kind}"));
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_field_is_named() {
        let mut form =
            Form::read(br#"{"label":5,"tags":["a",1],"booted":null,"metadata":{"user_data":1}}"#).unwrap();
        assert_eq!((form.text("label"), form.texts("tags"), form.flag("booted")), (None, None, None));
        assert_eq!((form.inner_text("metadata", "user_data"), form.required_text("type")), (None, None));
        let words = format!("{:?}", form.finish().unwrap_err());
        for field in ["label", "tags", "metadata.user_data", "type is required"] {
            assert!(words.contains(field), "{words}");
        }
        assert!(form.finish().is_ok());
    }

    #[test]
    fn no_body_is_an_empty_one() {
        assert!(!Form::read(b"").unwrap().has("label"));
        assert!(Form::read(b"[]").is_err());
        assert!(Form::read(b"{").is_err());
    }
}
