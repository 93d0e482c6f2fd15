//! What no endpoint takes, each of the OpenAPI document asked.

use domain::role::Role;
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::http::{Answer, Caller, Expect, TestApi, User};

use crate::calls::open;

/// A day that `chrono` knows and Postgres does not, and one that is merely nonsense.
const BEYOND: [&str; 2] = ["-262143-01-01T00:00:00Z", "0001-01-01T00:00:00Z"];

/// All there is, called as somebody who may.
struct Everything {
    /// Audited at the end.
    _app: TestApi,
    superadmin: User,
    program: Caller,
    document: Value,
}

struct Operation {
    method: String,
    path: String,
    description: Value,
}

impl Everything {
    async fn new(pool: PgPool) -> Self {
        let app = open(pool).await;
        let superadmin = app.user(Role::Superadmin).await;
        let program = app.nobody().with_key(&app.api_key().await);
        let document = serde_json::to_value(api::document()).unwrap();
        Self { _app: app, superadmin, program, document }
    }

    fn operations(&self) -> Vec<Operation> {
        let paths = self.document["paths"].as_object().unwrap();
        let methods = ["get", "put", "post", "delete", "patch"];
        let each = paths.iter().flat_map(|(path, item)| {
            methods.iter().filter_map(move |method| {
                let description = item.get(*method)?.clone();
                Some(Operation { method: method.to_uppercase(), path: path.clone(), description })
            })
        });
        each.filter(|operation| {
            operation.path.starts_with("/api/v1/") && !operation.path.contains("/webhooks/")
        })
        .collect()
    }

    async fn send(&self, operation: &Operation, query: &str, body: Option<&Value>) -> Answer {
        let segments = operation.path.strip_prefix("/api/v1").unwrap().split('/');
        let filled = segments.map(|segment| match segment.starts_with('{') {
            true => "0193e7d0-4362-7709-b262-4de1f9ad2f5e",
            false => segment,
        });
        let path = filled.collect::<Vec<_>>().join("/") + query;
        let who = match operation.path.starts_with("/api/v1/internal/") {
            true => &self.program,
            false => &self.superadmin,
        };
        let method = operation.method.parse().unwrap();
        let request = who.request(method, &path).key("strict");
        body.into_iter()
            .fold(request, |request, body| request.body("application/json", body.to_string()))
            .await
    }

    /// What the operation's JSON body consists of.
    fn body<'a>(&'a self, operation: &'a Operation) -> Option<&'a Value> {
        let schema = &operation.description["requestBody"]["content"].get("application/json")?["schema"];
        let schema = schema["oneOf"].as_array().and_then(|all| all.last()).unwrap_or(schema);
        match schema["$ref"].as_str() {
            Some(name) => self.document.pointer(name.trim_start_matches('#')),
            None => Some(schema),
        }
    }
}

fn is_time(schema: &Value) -> bool {
    let nested = schema["oneOf"].as_array().into_iter().flatten();
    schema["format"] == "date-time" || nested.into_iter().any(|schema| schema["format"] == "date-time")
}

#[sqlx::test(migrations = "../migrations")]
async fn no_body_is_an_array(pool: PgPool) {
    let caller = Everything::new(pool).await;
    let mut asked = 0;
    for operation in caller.operations() {
        let Some(schema) = caller.body(&operation) else { continue };
        asked += 1;
        // As many values as there are fields, of which some type may well be right.
        let count = schema["properties"].as_object().map_or(1, serde_json::Map::len);
        for body in [json!([]), json!(vec!["a-value"; count]), json!(vec![Value::Null; count]), json!([{}])] {
            let answer = caller.send(&operation, "", Some(&body)).await;
            let name = format!("{} {}", operation.method, operation.path);
            assert_eq!(answer.problem(), (422, "invalid_body"), "{name}: {body} {}", answer.body);
        }
    }
    assert!(asked > 20, "{asked}");
}

#[sqlx::test(migrations = "../migrations")]
async fn no_time_is_beyond_what_the_database_knows(pool: PgPool) {
    let caller = Everything::new(pool).await;
    let (mut bodies, mut queries) = (0, 0);
    for operation in caller.operations() {
        let name = format!("{} {}", operation.method, operation.path);
        for parameter in operation.description["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] != "query" || !is_time(&parameter["schema"]) {
                continue;
            }
            for beyond in BEYOND {
                let query = format!("?{}={beyond}", parameter["name"].as_str().unwrap());
                let answer = caller.send(&operation, &query, None).await;
                assert_eq!(answer.problem(), (400, "invalid_query"), "{name}{query}: {}", answer.body);
            }
            queries += 1;
        }
        let properties = caller.body(&operation).and_then(|schema| schema["properties"].as_object());
        for (property, _) in properties.into_iter().flatten().filter(|(_, schema)| is_time(schema)) {
            for beyond in BEYOND {
                let answer = caller.send(&operation, "", Some(&json!({ (property): beyond }))).await;
                assert_eq!(
                    (answer.problem(), answer.fields()),
                    ((422, "invalid_body"), vec![property.as_str()]),
                    "{name}"
                );
            }
            bodies += 1;
        }
    }
    assert!(bodies >= 4 && queries >= 2, "{bodies} in bodies, {queries} in queries");
}

#[sqlx::test(migrations = "../migrations")]
async fn no_address_is_anything_but_text(pool: PgPool) {
    let caller = Everything::new(pool).await;
    for operation in caller.operations() {
        for escape in ["%FF", "%c3%28", "a%00b"] {
            if operation.path.contains('{') {
                let start = operation.path.find('{').unwrap();
                let end = start + operation.path[start..].find('}').unwrap() + 1;
                let mut path = operation.path.clone();
                path.replace_range(start..end, escape);
                let operation =
                    Operation { path, method: operation.method.clone(), description: Value::Null };
                let answer = caller.send(&operation, "", None).await;
                assert_eq!(answer.problem(), (400, "invalid_path"), "{}", operation.path);
            }
            let answer = caller.send(&operation, &format!("?search={escape}"), None).await;
            assert_eq!(answer.problem(), (400, "invalid_query"), "{} {escape}", operation.path);
        }
    }
}
