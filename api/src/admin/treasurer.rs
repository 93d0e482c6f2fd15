//! Who moves customers' money: an administrator with an `Idempotency-Key`. Every endpoint of the admin area that moves
//! money has this extractor, and every method of `store` behind one wants the [`MoneyAct`] that only it makes.

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::Serialize;
use store::{idempotency::Idempotency, money_act::MoneyAct};

use crate::{AppState, auth::Administrator, client::Client, extract::IdempotencyKey, problem::Problem};

/// An administrator who moves customers' money. Answers as [`Administrator`] and [`IdempotencyKey`] do, in this order.
#[derive(Debug)]
pub(super) struct Treasurer {
    admin: Administrator,
    client: Client,
    key: String,
}

impl Treasurer {
    /// What is asked for at `scope`, such as `POST /admin/payouts`, by `body`: the same key means the same again.
    pub(super) fn act(self, scope: &str, body: &impl Serialize) -> Result<MoneyAct, Problem> {
        Ok(MoneyAct {
            by: self.admin.id,
            origin: self.client.origin(self.admin.actor()),
            request: Idempotency::new(scope, &self.key, body)?,
        })
    }
}

impl FromRequestParts<AppState> for Treasurer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let admin = Administrator::from_request_parts(parts, state).await?;
        let client = Client::from_request_parts(parts, state).await?;
        let IdempotencyKey(key) =
            <IdempotencyKey as FromRequestParts<AppState>>::from_request_parts(parts, state).await?;
        Ok(Self { admin, client, key })
    }
}
