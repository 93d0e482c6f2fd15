//! What an answer leaves out and what it has as `null`, by one rule: **a field that may be `null` is always there, and one
//! that may be left out is never `null`**. Left out is what does not apply to a thing of this kind, `null` what it does not
//! have (yet).

use serde_json::{Value, json};

use super::walk::{Way, components_of, is_nullable, schemas, within};

/// What is left out where it does not apply: `skip_serializing_if` in the sources.
#[rustfmt::skip]
const LEFT_OUT: &[(&str, &[&str])] = &[
    ("Action", &["failure", "result"]),
    ("AdminRedemption", &["deposit_id", "order_id"]),
    ("CancellationBody", &["action_id"]),
    ("Dependency", &["error", "latency_ms"]),
    ("DepositBody", &["bonus", "bonus_status", "promo_code"]),
    ("GatewayHealth", &["reason", "since"]),
    ("InternalAction", &["trouble"]),
    ("InternalInstance", &["live_problem"]),
    ("LoginAnswer", &[concat!("refresh_to", "ken")]),
    ("OrderSummary", &["failure", "instance_id", "promo"]),
    ("PaymentBody", &["amount_due", "amount_received", "bank", "bill_key", "biller_code", "deposit_id", "invoice_id", "order_id",
        "qr_string", "va_number"]),
    ("PaymentWay", &["bank", "maximum", "reason", "usable"]),
    ("Problem", &["errors", "instance", "payment_ids"]),
    ("PromoCheckBody", &["bonus", "discount", "reason"]),
    ("ProviderHealth", &["reason", "since"]),
    ("RefundBody", &["credit_note", "order_id"]),
    ("ResizeBody", &["invoice", "payment"]),
    ("TransactionBody", &["order_id", "payment_id"]),
];

/// Says of each field of answers whether it is always there.
pub(super) fn apply(document: &mut Value) {
    let (sent, received) = (components_of(document, Way::Out), components_of(document, Way::In));
    for (name, schema) in schemas(document).into_iter().flatten() {
        if !sent.contains(name) || received.contains(name) {
            continue;
        }
        let left_out = LEFT_OUT.iter().find(|(of, _)| of == name).map_or(&[][..], |(_, fields)| *fields);
        within(schema, &mut |part: &mut Value| settle(part, left_out));
    }
}

fn settle(object: &mut Value, left_out: &[&str]) {
    let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) else { return };
    let mut always = Vec::new();
    for (name, schema) in properties.iter_mut() {
        if left_out.contains(&name.as_str()) {
            if is_nullable(schema) {
                never_null(schema);
            }
        } else {
            always.push(name.clone());
        }
    }
    object["required"] = json!(always);
}

/// Takes `null` from a schema's values.
fn never_null(schema: &mut Value) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|one| one != "null");
        if let [only] = types.as_slice() {
            schema["type"] = only.clone();
        }
    }
    let Some(Value::Array(alternatives)) = schema.get_mut("oneOf") else { return };
    alternatives.retain(|one| one["type"] != "null");
    if let [only] = alternatives.as_slice()
        && let (Some(only), Some(fields)) = (only.as_object().cloned(), schema.as_object_mut())
    {
        fields.remove("oneOf");
        fields.extend(only);
    }
}
