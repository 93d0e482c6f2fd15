//! What the vendor refuses, and how fast it may be asked.

use serde_json::{Value, json};
use simulators::provider::Settings;

use crate::Sim;

#[tokio::test]
async fn nonsense_is_refused_in_the_vendors_words() {
    let sim = Sim::start().await;
    sim.made(json!({ "label": "taken" })).await;
    let long = "QUFB".repeat(22_000);
    for (change, field, words) in [
        (json!({ "type": null }), "type", "type is required"),
        (json!({ "type": "huge" }), "type", "A valid plan type by that ID was not found"),
        (json!({ "type": 5 }), "type", "must be a string"),
        (json!({ "region": "mars" }), "region", "region is not valid"),
        (json!({ "region": "ap-south", "type": "g7-premium-2" }), "region", "No open slots for this plan!"),
        (json!({ "image": "linode/templeos" }), "image", "image is not valid"),
        (json!({ "image": "private/1" }), "image", "image is not valid"),
        (
            json!({ "root_pass": null }),
            "",
            "Must provide valid root_pass, authorized_keys, or authorized_users",
        ),
        (json!({ "root_pass": "short" }), "root_pass", "Length must be"),
        (json!({ "root_pass": "aaaaaaaaaaaa" }), "root_pass", "Password does not meet strength requirement"),
        (json!({ "authorized_keys": ["hello"] }), "authorized_keys", "key-type"),
        (json!({ "authorized_users": ["stranger"] }), "authorized_users", "stranger"),
        (json!({ "label": "taken" }), "label", "Label must be unique among your linodes"),
        (json!({ "label": "ab" }), "label", "Length must be 3-64 characters"),
        (json!({ "label": "a--b" }), "label", "Must begin with a letter"),
        (json!({ "tags": ["ab"] }), "tags", "Length must be 3-50 characters"),
        (json!({ "tags": "abc" }), "tags", "list of strings"),
        (json!({ "metadata": { "user_data": "#cloud-config" } }), "metadata.user_data", "base64"),
        (json!({ "metadata": { "user_data": long } }), "metadata.user_data", "65535"),
        (json!({ "ipv4": ["192.0.2.0"] }), "ipv4", "Must provide a single valid reserved ipv4 address"),
        (json!({ "maintenance_policy": "x" }), "maintenance_policy", "Unsupported maintenance policy slug"),
    ] {
        let answer = sim.create(change.clone()).await;
        assert_eq!(answer.status, 400, "{field}: {words}");
        let reasons = answer.reasons();
        assert!(
            reasons.iter().any(|(f, reason)| f == field && reason.contains(words)),
            "{words}: {reasons:?}"
        );
    }
    let both = sim.create(json!({ "type": "huge", "region": "mars" })).await.reasons();
    assert_eq!(both.iter().map(|(field, _)| field.as_str()).collect::<Vec<_>>(), ["type", "region"]);
    assert_eq!(sim.get("/v4/linode/instances").await.body["results"], 1);
}

#[tokio::test]
async fn official_clients_nulls_are_accepted() {
    let sim = Sim::start().await;
    let nulls = json!({
        "authorized_keys": null, "authorized_users": null, "tags": null, "interfaces": null, "booted": null,
        "placement_group": null, "metadata": null, "stackscript_data": null,
    });
    assert_eq!(sim.create(nulls).await.status, 200);
}

#[tokio::test]
async fn a_wrong_token_is_invalid() {
    let sim = Sim::start().await;
    for path in ["/v4/linode/instances", "/v4/regions"] {
        let answer =
            sim.client.get(format!("{}{path}", sim.handle.url())).bearer_auth("wrong").send().await.unwrap();
        assert_eq!(answer.status(), 401);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body, json!({ "errors": [{ "reason": "Invalid Token" }] }));
    }
    let anonymous = sim.client.get(format!("{}/v4/linode/instances", sim.handle.url())).send().await.unwrap();
    assert_eq!(anonymous.status(), 401);
}

#[tokio::test]
async fn an_account_has_a_limit() {
    let sim = Sim::start().await;
    sim.configure(json!({ "account_limit": 1 })).await;
    sim.made(json!({})).await;
    assert!(sim.create(json!({})).await.reasons()[0].1.starts_with("Account Limit reached."));
    sim.configure(json!({ "account_limit": null })).await;
    assert_eq!(sim.create(json!({})).await.status, 200);
}

#[tokio::test]
async fn each_group_of_calls_has_its_limit() {
    let sim = Sim::with(Settings { boot_seconds: 0.0, ..Settings::default() }).await;
    let header = |answer: &crate::Answer, name: &str| -> i64 {
        answer.headers[name].to_str().unwrap().parse().unwrap()
    };
    for left in (0..20).rev() {
        let made = sim.create(json!({})).await;
        assert_eq!((made.status, header(&made, "x-ratelimit-remaining")), (200, left));
        assert_eq!(header(&made, "x-ratelimit-limit"), 20);
    }
    let refused = sim.create(json!({})).await;
    assert_eq!((refused.status, &refused.reasons()[0].1[..]), (429, "Too many requests"));
    assert!((1..=15).contains(&header(&refused, "retry-after")));
    assert!(header(&refused, "x-ratelimit-reset") > 1_700_000_000);

    for (path, limit) in [
        ("/v4/linode/instances", 200),
        ("/v4/images", 20),
        ("/v4/linode/instances/1/stats", 50),
        ("/v4/linode/instances/1", 1600),
    ] {
        let answer = sim.get(path).await;
        assert_eq!(header(&answer, "x-ratelimit-limit"), limit, "{path}");
        assert!(answer.headers.get("retry-after").is_none());
    }
    let counters = sim.get("/__sim/counters").await.body;
    assert_eq!((&counters["rate_limited"], &counters["resources"]["linodes"]), (&json!(1), &json!(20)));
    assert_eq!(counters["calls"]["POST /v4/linode/instances"], 21);
    sim.configure(json!({ "rate_limits": false })).await;
    assert_eq!(sim.create(json!({})).await.status, 200);
}

#[tokio::test]
async fn maintenance_closes_everything() {
    let sim = Sim::start().await;
    sim.configure(json!({ "maintenance": true })).await;
    let closed = sim.create(json!({})).await;
    assert_eq!(closed.status, 503);
    assert!(closed.headers.contains_key("x-maintenance-mode"));
    sim.configure(json!({ "maintenance": false })).await;
    assert_eq!(sim.create(json!({})).await.status, 200);
}
