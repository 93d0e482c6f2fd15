//! The simulated provider, seen and steered from outside.

use serde_json::{Value, json};

use crate::stack::Stack;

/// How many droplets carry an order's tag.
pub async fn count_of(stack: &Stack, order: &Value) -> usize {
    let tag = format!("wb-{}", order["id"].as_str().expect("an id"));
    let url = format!("{}/__sim/droplets?tag_name={tag}", stack.provider.url());
    let listed: Value = ask(reqwest::Client::new().get(url)).await;
    listed["droplets"].as_array().expect("droplets").len()
}

/// Makes the provider misbehave.
pub async fn fault(stack: &Stack, fault: Value) {
    ask(reqwest::Client::new().post(format!("{}/__sim/faults", stack.provider.url())).json(&fault)).await;
}

/// Refuses the next `times` creates with a vendor's answer.
pub async fn refuse_creates(stack: &Stack, status: u16, message: &str, times: u32) {
    let body = json!({ "id": "unprocessable_entity", "message": message });
    fault(
        stack,
        json!({ "route": "POST /v2/droplets", "kind": "status", "status": status, "body": body, "times": times }),
    )
    .await;
}

/// Changes the provider's pace and limits.
pub async fn configure(stack: &Stack, change: Value) {
    ask(reqwest::Client::new().post(format!("{}/__sim/config", stack.provider.url())).json(&change)).await;
}

async fn ask(request: reqwest::RequestBuilder) -> Value {
    let response = request.send().await.expect("the simulator answers");
    let status = response.status();
    let text = response.text().await.expect("its body arrives");
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}
