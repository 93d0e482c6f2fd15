//! Other people's things: every operation that names a thing is asked by somebody else about a real one.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use webrana_tests::{
    customer::{Customer, Expect},
    stack::{Options, Stack},
};

use crate::document::{Document, Operation};

/// Areas that are not customers', each with tests of its own.
const AREAS: [&str; 4] = ["/admin/", "/internal/", "/webhooks/", "/dev/"];
/// Names of what belongs to nobody, or proves itself by what it is.
const NOBODYS: [&str; 3] = ["slug", "code", "token"];

/// A customer with one thing of each kind.
struct Owner<'a> {
    customer: Customer<'a>,
    /// Ids by the collection that they are in.
    things: BTreeMap<&'static str, String>,
}

fn id(of: &Value) -> String {
    of["id"].as_str().unwrap_or_else(|| panic!("an id: {of}")).to_owned()
}

impl<'a> Owner<'a> {
    async fn with_everything(stack: &'a Stack) -> Self {
        let customer = Customer::register(stack).await;
        let order = customer.place_order().await;
        customer.pay(&order).await;
        let active = customer.await_status(&order, "ACTIVE").await;
        let instance = active["instance_id"].as_str().expect("a server").to_owned();
        let renewed = json!({ "term_months": 1, "payment_method": "QRIS" });
        customer.post(&format!("/instances/{instance}/renew"), &renewed).await.expect_success();
        let action =
            customer.act(&instance, &json!({ "action": "snapshot", "params": { "name": "before" } })).await;
        let first =
            async |path: String| -> Value { customer.get(&path).await.expect(200)["data"][0].clone() };
        let deposit = json!({ "amount": 50_000, "payment_method": "QRIS" });
        let deposit = customer.post("/wallet/deposits", &deposit).await.expect(201);
        let public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK7TPi7rWMd5azZCiSUy9WIDks1vL0nkzTmiaCB16KLg";
        let key = json!({ "name": "laptop", "public_key": public_key });
        let laptop = customer.post("/auth/me/ssh-keys", &key).await.expect(201);
        let token = json!({ "name": "script", "scopes": ["read"] });
        let api_token = customer.post("/auth/me/api-tokens", &token).await.expect(201);
        let things = BTreeMap::from([
            ("orders", id(&order)),
            ("invoices", id(&order["invoice"])),
            ("payments", id(&order["payment"])),
            ("actions", id(&action)),
            ("renewals", id(&first(format!("/instances/{instance}/renewals")).await)),
            ("notifications", id(&first("/notifications".to_owned()).await)),
            ("deposits", id(&deposit)),
            ("sessions", id(&first("/auth/me/sessions".to_owned()).await)),
            ("ssh-keys", id(&laptop)),
            ("api-tokens", id(&api_token)),
            ("instances", instance),
        ]);
        Self { customer, things }
    }

    /// Where the operation finds this owner's thing; `None` where it is about none.
    fn path_to(&self, operation: &Operation) -> Option<String> {
        let mut collection = "";
        let mut is_about_one = false;
        let segments = operation.path.split('/').map(|segment| {
            let Some(name) = segment.strip_prefix('{') else {
                collection = segment;
                return segment.to_owned();
            };
            if NOBODYS.contains(&name.trim_end_matches('}')) {
                return "nothing".to_owned();
            }
            is_about_one |= self.things.contains_key(collection);
            // What this owner has none of is below a thing of theirs, or asked about as one that does not exist.
            self.things.get(collection).cloned().unwrap_or_else(|| uuid::Uuid::nil().to_string())
        });
        let path = segments.collect::<Vec<_>>().join("/");
        is_about_one.then_some(path)
    }

    /// Everything of theirs, as they see it.
    async fn belongings(&self) -> Vec<Value> {
        let mut seen = Vec::new();
        for path in [
            "/orders",
            "/invoices",
            "/payments",
            "/instances",
            "/notifications?limit=100",
            "/wallet",
            "/wallet/deposits",
            "/auth/me/ssh-keys",
            "/auth/me/api-tokens",
            "/auth/me/sessions",
        ] {
            seen.push(self.customer.get(path).await.expect(200));
        }
        seen
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_or_moves_a_thing_of_somebody_else() {
    let stack = Stack::start(Options::default()).await.expect("a system");
    let owner = Owner::with_everything(&stack).await;
    let thief = Customer::register(&stack).await;
    let before = owner.belongings().await;
    let mut asked = 0;
    for operation in Document::of(&thief).await.operations() {
        if AREAS.iter().any(|area| operation.path.starts_with(area)) {
            continue;
        }
        let Some(path) = owner.path_to(&operation) else { continue };
        let request = thief.request(operation.method.clone(), &path);
        let answer = match &operation.body {
            Some(body) => request.json(body).key(&uuid::Uuid::now_v7().to_string()).await,
            None => request.key(&uuid::Uuid::now_v7().to_string()).await,
        };
        let (status, code) = answer.problem();
        // Whether a thing exists must not be told either, so nothing about the request may come before it, but its shape.
        assert!(
            matches!(status, 404 | 415 | 422) || (status, code) == (400, "invalid_query"),
            "{operation} of somebody else's: {status} {code}"
        );
        let unknown = operation.filled(|_| uuid::Uuid::now_v7().to_string());
        let request = thief.request(operation.method.clone(), &unknown);
        let nothing = match &operation.body {
            Some(body) => request.json(body).key(&uuid::Uuid::now_v7().to_string()).await,
            None => request.key(&uuid::Uuid::now_v7().to_string()).await,
        };
        assert_eq!(
            nothing.problem(),
            (status, code),
            "{operation}: what exists is answered as what does not"
        );
        asked += 1;
    }
    assert!(asked > 30, "{asked} operations are about a thing");
    assert_eq!(owner.belongings().await, before);
}
