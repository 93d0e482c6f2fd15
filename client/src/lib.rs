//! A client of the product's HTTP API, as a customer, staff or a program has one: [`Client`] says who calls and where, a
//! [`Call`] is one request, which can be sent again as it is, and an [`Answer`] is what came back. How requests travel is a
//! [`Transport`]: over the [`Network`], or into a router of the same process.
//!
//! What may not live here: knowledge of single endpoints, which callers have, and any code of the product. A client that shared
//! types with the API would not see when the API's answers change.
//!
//! ```no_run
//! # async fn example() -> Result<(), client::Error> {
//! use client::{Client, Network};
//! use serde_json::{Value, json};
//! use std::time::Duration;
//!
//! let nobody = Client::new(Network::within(Duration::from_secs(15))?, "http://127.0.0.1:3000/api/v1");
//! let login = json!({ "email": "siti@example.com", "password": "kuda-hitam-lari-7" });
//! let session: Value = nobody.post("/auth/login", &login).fetch().await?;
//! let siti = nobody.as_user(session["access_token"].as_str().unwrap_or_default());
//!
//! // A key of its own, and the same one when it is sent again.
//! let order = siti.post("/orders", &json!({ "plan_id": "…" }));
//! let answer = order.answer().await?.ensure(201)?;
//! println!("{}", answer.body["invoice"]["number"]);
//! # Ok(())
//! # }
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "these are tests"))]

mod answer;
mod call;
mod caller;
mod error;
mod transport;

pub use answer::{Answer, Reply};
pub use call::Call;
pub use caller::Client;
pub use error::{Called, Error, Flaw};
pub use http::{HeaderMap, Method, StatusCode};
pub use transport::{Network, NoAnswer, Transport};
