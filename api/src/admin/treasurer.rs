//! Who moves customers' money: somebody who may, with an `Idempotency-Key`. Every endpoint of the admin area that moves
//! money has this extractor, and every method of `store` behind one wants the [`MoneyAct`] that only it makes.

use axum::{extract::FromRequestParts, http::request::Parts};
use domain::permission::Permission;
use serde::Serialize;
use store::{idempotency::Idempotency, money_act::MoneyAct};

use crate::{
    AppState,
    auth::Staff,
    client::Client,
    extract::IdempotencyKey,
    problem::{Code, Problem},
};

/// Somebody who may move customers' money. Answers as [`Staff`] and [`IdempotencyKey`] do, in this order, and 403 `forbidden` where
/// the table has the operation for those who may not.
#[derive(Debug)]
pub(super) struct Treasurer {
    admin: Staff,
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
        let admin = Staff::from_request_parts(parts, state).await?;
        // Whatever the table says of the operation: who only reads never moves money.
        if admin.permission != Permission::MoneyMove {
            return Err(Problem::new(Code::Forbidden, "this moves money"));
        }
        let client = Client::from_request_parts(parts, state).await?;
        let IdempotencyKey(key) =
            <IdempotencyKey as FromRequestParts<AppState>>::from_request_parts(parts, state).await?;
        Ok(Self { admin, client, key })
    }
}
