//! The DigitalOcean simulator, asked over HTTP as a client of the vendor would.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

use std::time::Duration;

use reqwest::{
    Client, Method,
    header::{HeaderMap, HeaderValue},
};
use serde_json::{Value, json};
use simulators::digitalocean::{Config, Handle, Settings};

struct Sim {
    handle: Handle,
    client: Client,
    token: String,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Sim {
    async fn start() -> Self {
        Self::with(Settings { boot_seconds: 0.0, action_seconds: 0.0, ..unlimited() }).await
    }

    async fn with(settings: Settings) -> Self {
        Self::of(Config { settings, ..Config::default() }).await
    }

    async fn of(config: Config) -> Self {
        let token = config.token.clone();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { handle: Handle::start(config).await.unwrap(), client, token }
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> reqwest::Result<Answer> {
        let request =
            self.client.request(method, format!("{}{path}", self.handle.url())).bearer_auth(&self.token);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        Ok(Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await.unwrap()
    }

    async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await.unwrap()
    }

    async fn create(&self, change: Value) -> Answer {
        let mut body =
            json!({ "name": "web-1", "region": "sgp1", "size": "s-1vcpu-1gb", "image": "ubuntu-24-04-x64" });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        self.post("/v2/droplets", body).await
    }

    /// Creates a droplet and gives its id.
    async fn made(&self, change: Value) -> u64 {
        self.create(change).await.body["droplet"]["id"].as_u64().unwrap()
    }

    /// Asks `path` until its answer is as wanted, for 10 seconds at most.
    async fn until(&self, path: &str, wanted: impl Fn(&Answer) -> bool) {
        let seen = async {
            while !wanted(&self.get(path).await) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), seen).await.expect(path);
    }

    async fn fault(&self, fault: Value) {
        assert_eq!(self.post("/__sim/faults", fault).await.status, 201);
    }

    async fn listed(&self, query: &str) -> Vec<u64> {
        let answer = self.get(&format!("/v2/droplets{query}")).await;
        answer.body["droplets"].as_array().unwrap().iter().map(|d| d["id"].as_u64().unwrap()).collect()
    }
}

/// Rate limits are for the test that is about them.
fn unlimited() -> Settings {
    Settings { rate_limits: false, ..Settings::default() }
}

#[tokio::test]
async fn a_droplet_is_born_locked_and_grows_up() {
    let sim = Sim::start().await;
    let change =
        json!({ "tags": ["webrana", "env:prod"], "ipv6": true, "monitoring": true, "ssh_keys": null });
    let born = sim.create(change).await;
    assert_eq!(born.status, 202);
    let droplet = &born.body["droplet"];
    assert_eq!((&droplet["status"], &droplet["locked"]), (&json!("new"), &json!(true)));
    assert_eq!(droplet["networks"], json!({ "v4": [], "v6": [] }));
    for required in [
        "id",
        "name",
        "memory",
        "vcpus",
        "disk",
        "created_at",
        "features",
        "backup_ids",
        "next_backup_window",
        "snapshot_ids",
        "image",
        "volume_ids",
        "size",
        "size_slug",
        "region",
        "tags",
    ] {
        assert!(droplet.get(required).is_some(), "{required}");
    }
    let action = &born.body["links"]["actions"][0];
    let id = action["id"].as_u64().unwrap();
    assert_eq!(action["href"], format!("{}/v2/actions/{id}", sim.handle.url()));
    assert_eq!(sim.get(&format!("/v2/actions/{id}")).await.body["action"]["status"], "completed");

    let path = format!("/v2/droplets/{}", droplet["id"]);
    let grown = sim.get(&path).await.body["droplet"].clone();
    assert_eq!((&grown["status"], &grown["locked"]), (&json!("active"), &json!(false)));
    assert_eq!(grown["features"], json!(["private_networking", "ipv6", "monitoring"]));
    let kinds: Vec<_> = grown["networks"]["v4"].as_array().unwrap().iter().map(|n| &n["type"]).collect();
    assert_eq!(kinds, ["private", "public"]);
    assert_eq!(grown["networks"]["v6"].as_array().unwrap().len(), 1);

    assert_eq!(sim.delete(&path).await.status, 204);
    let gone = sim.get(&path).await;
    assert_eq!((gone.status, &gone.body["id"]), (404, &json!("not_found")));
    assert_eq!(sim.delete(&path).await.status, 404);
}

#[tokio::test]
async fn a_boot_takes_its_time() {
    let sim = Sim::with(Settings { boot_seconds: 1.0, ..unlimited() }).await;
    let path = format!("/v2/droplets/{}", sim.made(json!({})).await);
    let young = sim.get(&path).await.body["droplet"].clone();
    assert_eq!((&young["status"], &young["locked"]), (&json!("new"), &json!(true)));
    sim.until(&path, |a| a.body["droplet"]["status"] == "active").await;
}

#[tokio::test]
async fn several_names_make_several_droplets() {
    let sim = Sim::start().await;
    let body = json!({ "names": ["a", "b"], "region": "nyc", "size": "c-2", "image": 195_412_640 });
    let answer = sim.post("/v2/droplets", body).await;
    let names: Vec<_> =
        answer.body["droplets"].as_array().unwrap().iter().map(|d| d["name"].clone()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(answer.body["droplets"][0]["region"]["slug"], "nyc1");
    assert_eq!(answer.body["droplets"][0]["image"]["slug"], "debian-12-x64");
    assert_eq!(answer.body["links"]["actions"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn nonsense_is_refused_in_the_vendors_words() {
    let sim = Sim::start().await;
    let long = "x".repeat(64 * 1024 + 1);
    for (change, words) in [
        (json!({ "name": null }), "Name can't be blank"),
        (json!({ "name": "web_1" }), "Only valid hostname characters"),
        (
            json!({ "name": null, "names": (0..11).map(|n| format!("w{n}")).collect::<Vec<_>>() }),
            "at most 10",
        ),
        (json!({ "size": "huge" }), "invalid size"),
        (json!({ "image": "templeos" }), "You specified an invalid image for Droplet creation."),
        (json!({ "image": null }), "invalid image"),
        (json!({ "region": "mars1" }), "Region is not available"),
        (json!({ "region": "ams2" }), "Region is not available"),
        (json!({ "region": "syd1", "size": "g-2vcpu-8gb" }), "Size is not available in this region."),
        (json!({ "ssh_keys": [1, "aa:bb"] }), "1, \"aa:bb\" are invalid key identifiers"),
        (json!({ "user_data": long }), "64 KiB"),
        (json!({ "tags": ["no spaces"] }), "Tag name"),
        (json!({ "public_networking": false, "ipv6": true }), "IPv6"),
        (json!({ "volumes": ["506f78a4-e098-11e5-ad9f-000f53306ae1"] }), "volume"),
    ] {
        let answer = sim.create(change.clone()).await;
        assert_eq!((answer.status, &answer.body["id"]), (422, &json!("unprocessable_entity")), "{change}");
        assert!(answer.body["message"].as_str().unwrap().contains(words), "{}", answer.body);
    }
    assert_eq!(sim.post("/v2/droplets", json!({ "name": 1 })).await.status, 400);
    assert_eq!(sim.get("/__sim/counters").await.body["resources"]["droplets"], 0);
}

#[tokio::test]
async fn strangers_and_wrong_paths_get_the_envelope() {
    let mut sim = Sim::start().await;
    assert_eq!(sim.get("/v2/volumes").await.body["id"], "not_found");
    assert_eq!(sim.call(Method::PATCH, "/v2/droplets", None).await.unwrap().body["id"], "method_not_allowed");
    sim.token = "wrong".to_owned();
    let refused = sim.get("/v2/droplets").await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.body, json!({ "id": "unauthorized", "message": "Unable to authenticate you." }));
    assert!(refused.headers.contains_key("x-request-id"));
}

#[tokio::test]
async fn lists_are_paged_and_filtered() {
    let sim = Sim::start().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        let tag = if n == 0 { "odd-one" } else { "fleet" };
        ids.push(sim.made(json!({ "name": format!("web-{n}"), "tags": [tag] })).await);
    }
    ids.reverse();
    let first = sim.get("/v2/droplets?per_page=2&tag_name=fleet").await.body;
    assert_eq!(first["meta"]["total"], 4);
    let next = first["links"]["pages"]["next"].as_str().unwrap();
    assert!(first["links"]["pages"].get("prev").is_none());
    let second = sim.listed(next.split_once("/v2/droplets").unwrap().1).await;
    assert_eq!(second, ids[2..4]);

    assert_eq!(sim.listed("?tag_name=odd-one").await, ids[4..]);
    assert_eq!(sim.listed("?tag_name=none").await, [0; 0]);
    assert_eq!(sim.listed("?name=WEB-0").await, ids[4..]);
    assert_eq!(sim.listed("?type=gpus").await, [0; 0]);
    assert_eq!(sim.get("/v2/droplets?name=a&tag_name=b").await.status, 422);

    assert_eq!(sim.delete("/v2/droplets?tag_name=fleet").await.status, 204);
    assert_eq!(sim.listed("").await, ids[4..]);
    assert_eq!(sim.delete("/v2/droplets").await.status, 400);
}

#[tokio::test]
async fn actions_take_turns() {
    let sim = Sim::with(Settings { boot_seconds: 0.0, action_seconds: 1.0, ..unlimited() }).await;
    let path = format!("/v2/droplets/{}", sim.made(json!({})).await);
    let actions = format!("{path}/actions");
    let off = sim.post(&actions, json!({ "type": "power_off" })).await;
    assert_eq!((off.status, &off.body["action"]["status"]), (201, &json!("in-progress")));
    let busy = sim.post(&actions, json!({ "type": "reboot" })).await;
    assert_eq!(
        (busy.status, busy.body["message"].as_str().unwrap()),
        (422, "Droplet already has a pending event.")
    );

    let action = format!("/v2/actions/{}", off.body["action"]["id"]);
    sim.until(&action, |a| a.body["action"]["status"] == "completed").await;
    assert_eq!(sim.get(&path).await.body["droplet"]["status"], "off");
    assert_eq!(sim.post(&actions, json!({ "type": "reboot" })).await.status, 422);
    assert_eq!(sim.post(&actions, json!({ "type": "dance" })).await.status, 422);

    let on = sim.post(&actions, json!({ "type": "power_on" })).await.body["action"]["id"].clone();
    sim.until(&format!("{actions}/{on}"), |a| !a.body["action"]["completed_at"].is_null()).await;
    assert_eq!(sim.get(&path).await.body["droplet"]["status"], "active");
    assert_eq!(sim.get(&actions).await.body["meta"]["total"], 3);
    assert_eq!(sim.get("/v2/actions").await.body["actions"][0]["type"], "power_on");
}

#[tokio::test]
async fn the_account_has_keys_limits_and_a_catalog() {
    let sim = Sim::start().await;
    let public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl test";
    let key = sim.post("/v2/account/keys", json!({ "name": "laptop", "public_key": public_key })).await;
    assert_eq!(key.status, 201);
    let (id, print) = (key.body["ssh_key"]["id"].clone(), key.body["ssh_key"]["fingerprint"].clone());
    assert_eq!(
        sim.get(&format!("/v2/account/keys/{}", print.as_str().unwrap())).await.body["ssh_key"]["id"],
        id
    );
    assert_eq!(sim.create(json!({ "ssh_keys": [id, print] })).await.status, 202);
    let again = sim.post("/v2/account/keys", json!({ "name": "x", "public_key": public_key })).await;
    assert_eq!(again.body["message"], "SSH Key is already in use on your account");
    assert_eq!(sim.post("/v2/account/keys", json!({ "name": "x", "public_key": "hello" })).await.status, 422);

    sim.post("/__sim/config", json!({ "account_limit": 1 })).await;
    assert_eq!(sim.get("/v2/account").await.body["account"]["droplet_limit"], 1);
    let refused = sim.create(json!({})).await;
    assert_eq!(refused.body["message"], "creating this/these droplet(s) will exceed your droplet limit");
    sim.post("/__sim/config", json!({ "account_limit": null })).await;
    assert_eq!(sim.create(json!({})).await.status, 202);

    assert_eq!(sim.get("/v2/regions").await.body["regions"][0]["slug"], "sgp1");
    let sizes = sim.get("/v2/sizes?per_page=200").await.body;
    let sgp1 = json!("sgp1");
    assert!(
        sizes["sizes"].as_array().unwrap().iter().all(|s| s["regions"].as_array().unwrap().contains(&sgp1))
    );
    assert_eq!(sim.get("/v2/images?type=application").await.body["images"], json!([]));
    assert_eq!(sim.get("/v2/images/debian-12-x64").await.body["image"]["distribution"], "Debian");
}

#[tokio::test]
async fn the_251st_call_of_a_minute_is_too_many() {
    let sim = Sim::with(Settings::default()).await;
    let first = sim.get("/v2/account").await;
    assert_eq!(
        (&first.headers["ratelimit-limit"], &first.headers["ratelimit-remaining"]),
        (&header("5000"), &header("4999"))
    );
    for _ in 1..250 {
        assert_eq!(sim.get("/v2/account").await.status, 200);
    }
    let refused = sim.get("/v2/account").await;
    assert_eq!((refused.status, &refused.body["id"]), (429, &json!("too_many_requests")));
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");

    let counters = sim.get("/__sim/counters").await.body;
    assert_eq!((&counters["rate_limited"], &counters["calls"]["GET /v2/account"]), (&json!(1), &json!(251)));
    sim.post("/__sim/config", json!({ "rate_limits": false })).await;
    assert_eq!(sim.get("/v2/account").await.status, 200);
}

fn header(text: &'static str) -> HeaderValue {
    HeaderValue::from_static(text)
}

#[tokio::test]
async fn faults_fail_as_ordered_and_then_no_more() {
    let sim = Sim::start().await;
    let create = "POST /v2/droplets";
    sim.fault(json!({ "route": create, "kind": "status", "status": 503, "seconds": 3, "times": 2 })).await;
    assert_eq!(sim.get("/__sim/faults").await.body["faults"][0]["times"], 2);
    for _ in 0..2 {
        let failed = sim.create(json!({})).await;
        assert_eq!((failed.status, &failed.headers["retry-after"]), (503, &header("3")));
        assert_eq!(failed.body["id"], "service_unavailable");
    }
    sim.fault(json!({ "route": create, "kind": "status", "status": 418, "body": { "id": "teapot" } })).await;
    assert_eq!(sim.create(json!({})).await.body, json!({ "id": "teapot" }));
    sim.fault(json!({ "route": create, "kind": "capacity" })).await;
    assert_eq!(sim.create(json!({})).await.body["message"], "Size is not available in this region.");
    assert_eq!(sim.listed("").await, [0; 0]);

    sim.fault(json!({ "route": create, "kind": "drop_after_create" })).await;
    let body = json!({ "name": "lost", "size": "s-1vcpu-1gb", "image": "debian-12-x64" });
    let lost = sim.call(Method::POST, "/v2/droplets", Some(body)).await;
    assert!(lost.err().unwrap().is_request());
    let lost = sim.listed("?name=lost").await;
    assert_eq!(lost.len(), 1);

    sim.fault(json!({ "route": format!("DELETE /v2/droplets/{}", lost[0]), "kind": "locked_on_delete" }))
        .await;
    let other = sim.made(json!({})).await;
    assert_eq!(sim.delete(&format!("/v2/droplets/{other}")).await.status, 204);
    assert_eq!(sim.delete(&format!("/v2/droplets/{}", lost[0])).await.status, 422);
    assert_eq!(sim.delete(&format!("/v2/droplets/{}", lost[0])).await.status, 204);

    sim.fault(json!({ "route": create, "kind": "capacity", "times": 9 })).await;
    assert_eq!(sim.delete("/__sim/faults").await.status, 204);
    assert_eq!(sim.create(json!({})).await.status, 202);
}

#[tokio::test]
async fn quirks_of_a_young_droplet() {
    let sim = Sim::start().await;
    let create = "POST /v2/droplets";
    sim.fault(json!({ "route": create, "kind": "listing_lag", "seconds": 1 })).await;
    let hidden = sim.made(json!({ "tags": ["t"] })).await;
    assert_eq!(sim.listed("?tag_name=t").await, [0; 0]);
    assert_eq!(sim.get(&format!("/v2/droplets/{hidden}")).await.status, 200);
    assert_eq!(sim.get("/__sim/droplets?tag_name=t").await.body["total"], 1);
    sim.until("/v2/droplets?tag_name=t", |a| a.body["droplets"][0]["id"] == hidden).await;

    sim.fault(json!({ "route": create, "kind": "not_found_after_create", "seconds": 1 })).await;
    let unknown = format!("/v2/droplets/{}", sim.made(json!({})).await);
    assert_eq!(sim.get(&unknown).await.status, 404);
    sim.until(&unknown, |a| a.status == 200).await;

    sim.fault(json!({ "route": create, "kind": "active_without_ip", "seconds": 1 })).await;
    let bare = format!("/v2/droplets/{}", sim.made(json!({})).await);
    let droplet = sim.get(&bare).await.body["droplet"].clone();
    assert_eq!((&droplet["status"], &droplet["networks"]["v4"]), (&json!("active"), &json!([])));
    sim.until(&bare, |a| a.body["droplet"]["networks"]["v4"] != json!([])).await;

    sim.fault(json!({ "route": "GET /v2/droplets/{id}", "kind": "not_found_after_create" })).await;
    assert_eq!(sim.get(&bare).await.status, 404);
    assert_eq!(sim.get(&bare).await.status, 200);
}

#[tokio::test]
async fn a_delayed_create_happens_at_once() {
    let sim = Sim::start().await;
    sim.fault(json!({ "route": "POST /v2/droplets", "kind": "delay", "seconds": 60 })).await;
    let body = json!({ "name": "slow", "size": "s-1vcpu-1gb", "image": "debian-12-x64" });
    let slow = sim.call(Method::POST, "/v2/droplets", Some(body));
    let seen = sim.until("/v2/droplets?name=slow", |a| a.body["meta"]["total"] == 1);
    tokio::select! {
        _ = slow => panic!("answered"),
        () = seen => {}
    }
}

#[tokio::test]
async fn the_control_api_explains_itself_and_refuses_what_it_does_not_know() {
    let sim = Sim::start().await;
    let help = sim.get("/__sim").await.body.as_str().unwrap().to_owned();
    for part in [
        "/__sim/config",
        "/__sim/faults",
        "/__sim/counters",
        "/__sim/reset",
        "drop_after_create",
        "/v2/sizes",
    ] {
        assert!(help.contains(part), "{part}");
    }
    for (path, body, words) in [
        (
            "/__sim/config",
            json!({ "boot_second": 1 }),
            "unknown field `boot_second`, expected one of `boot_seconds`",
        ),
        ("/__sim/config", json!({ "boot_seconds": -1 }), "boot_seconds must be between 0"),
        ("/__sim/config", json!({ "account_limit": "many" }), "neither a number nor null"),
        (
            "/__sim/faults",
            json!({ "route": "POST /v2/droplets", "kind": "meteor" }),
            "unknown variant `meteor`",
        ),
        (
            "/__sim/faults",
            json!({ "route": "POST /v2/x", "kind": "capacity" }),
            "no route `/v2/x`; there are /v2/droplets",
        ),
        (
            "/__sim/faults",
            json!({ "route": "POST /v2/droplets", "kind": "capacity", "x": 1 }),
            "unknown field `x`",
        ),
    ] {
        let refused = sim.post(path, body).await;
        assert_eq!(refused.status, 400);
        assert!(refused.body["error"].as_str().unwrap().contains(words), "{}", refused.body);
    }

    let changed =
        sim.post("/__sim/config", json!({ "listing_lag_seconds": 60, "boot_seconds": 0.5 })).await.body;
    assert_eq!((&changed["listing_lag_seconds"], &changed["boot_seconds"]), (&json!(60.0), &json!(0.5)));
    sim.made(json!({})).await;
    assert_eq!(sim.listed("").await, [0; 0]);
    assert_eq!(sim.post("/__sim/reset", json!(null)).await.status, 204);
    assert_eq!(sim.get("/__sim/config").await.body["boot_seconds"], 0.0);
    let fresh = sim.get("/__sim/counters").await.body;
    assert_eq!(
        fresh,
        json!({ "calls": {}, "rate_limited": 0, "resources": { "actions": 0, "droplets": 0, "keys": 0 } })
    );
}

#[tokio::test]
async fn state_survives_a_restart_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        settings: Settings { boot_seconds: 0.0, ..Settings::default() },
        state: Some(folder.path().join("digitalocean.jsonl")),
        ..Config::default()
    };
    let sim = Sim::of(config.clone()).await;
    let (kept, gone) = (sim.made(json!({ "tags": ["t"] })).await, sim.made(json!({})).await);
    sim.delete(&format!("/v2/droplets/{gone}")).await;
    sim.handle.stop().await.unwrap();

    let sim = Sim::of(config).await;
    assert_eq!(sim.listed("?tag_name=t").await, [kept]);
    assert!(sim.made(json!({})).await > gone, "no id comes twice");
    sim.delete(&format!("/__sim/droplets/{kept}")).await;
    assert_eq!(sim.get(&format!("/v2/droplets/{kept}")).await.status, 404);
}
