//! Answers without what differs from run to run, for snapshots.

use serde_json::Value;

/// Fields whose texts a vendor or chance makes up, and secrets.
const MADE_UP: &[&str] = &[
    "access_token",
    "gateway_order_id",
    "qr_string",
    "refresh_token",
    "request_id",
    "transaction_id",
    "va_number",
];
/// Characters of a UUID.
const UUID: usize = 36;

/// An answer with names instead of what differs from run to run: ids (`[id 1]`, the same one for the same id, also within
/// addresses and words), times (`[time]`), secrets and what vendors make up (`[access_token]`), and years in numbers of papers.
#[must_use]
pub fn redacted(body: &Value) -> Value {
    let mut ids = Vec::new();
    let mut body = body.clone();
    redact(&mut body, &mut ids);
    body
}

fn redact(value: &mut Value, ids: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if value.is_string() && MADE_UP.contains(&name.as_str()) {
                    *value = Value::String(format!("[{name}]"));
                } else {
                    redact(value, ids);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| redact(value, ids)),
        Value::String(text) if is_time(text) => "[time]".clone_into(text),
        Value::String(text) => *text = without_years(&named(text, ids)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `2026-11-30T02:06:34.123Z`
fn is_time(text: &str) -> bool {
    let shape = |pattern: &str| {
        pattern.bytes().zip(text.bytes()).all(|(p, c)| p == c || p == b'9' && c.is_ascii_digit())
    };
    text.len() >= 20 && text.ends_with('Z') && shape("9999-99-99T99:99:99")
}

/// The same with names instead of ids.
fn named(text: &str, ids: &mut Vec<String>) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        match rest.get(..UUID).filter(|start| is_uuid(start)) {
            Some(id) => {
                let place = ids.iter().position(|known| known == id).unwrap_or_else(|| {
                    ids.push(id.to_owned());
                    ids.len() - 1
                });
                out.push_str(&format!("[id {}]", place + 1));
                rest = &rest[UUID..];
            }
            None => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    out
}

fn is_uuid(text: &str) -> bool {
    text.bytes().enumerate().all(|(place, c)| match place {
        8 | 13 | 18 | 23 => c == b'-',
        _ => c.is_ascii_hexdigit(),
    })
}

/// `INV/2026/000001` is another one next year.
fn without_years(text: &str) -> String {
    match text.split('/').collect::<Vec<_>>().as_slice() {
        [kind, year, number] if year.len() == 4 && [year, number].iter().all(|digits| is_number(digits)) => {
            format!("{kind}/[year]/{number}")
        }
        _ => text.to_owned(),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_from_run_to_run_has_a_name() {
        let (one, two) = ("0193e7d0-4362-7709-b262-4de1f9ad2f5e", "0193e7d0-4362-7709-b262-4de1f9ad2f5f");
        let body = json!({
            "id": one, "at": "2026-11-30T02:06:34.123456Z", "number": "INV/2026/000001", "total": 7, "qr_string": null,
            "parts": [{ "id": two, "url": format!("/orders/{one}?é"), "access_token": "secret" }],
        });
        let expected = json!({
            "id": "[id 1]", "at": "[time]", "number": "INV/[year]/000001", "total": 7, "qr_string": null,
            "parts": [{ "id": "[id 2]", "url": "/orders/[id 1]?é", "access_token": "[access_token]" }],
        });
        assert_eq!(redacted(&body), expected);
        assert_eq!(redacted(&json!("no 2026-11-30 nor 1/2/3")), json!("no 2026-11-30 nor 1/2/3"));
    }
}
