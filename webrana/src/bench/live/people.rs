//! Accounts that are logged in, without a password's work for each.

use anyhow::{Context, Result};
use domain::{ids::UserId, role::Role};
use reqwest::Client;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use store::{
    PoolSettings, Store,
    audit::Origin,
    sessions::{NewSession, SessionPolicy},
    users::NewUser,
};
use uuid::Uuid;

use super::ApiProcess;
use crate::bench::load::closed_loop;

/// Longer than any run.
const DAY: Duration = Duration::from_secs(86_400);
/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Somebody who is logged in.
pub struct Person {
    /// Who it is.
    pub id: UserId,
    /// Good for a day.
    pub access_token: String,
}

/// Everybody.
pub struct People {
    /// All of them.
    pub all: Vec<Person>,
}

impl People {
    /// So many people, so many at once.
    ///
    /// # Errors
    /// When the database or the API refuses.
    pub async fn log_in(database: &str, api: &ApiProcess, number: usize, at_once: usize) -> Result<Self> {
        let store = Store::connect(database, &PoolSettings::of(8)).await?;
        let http = Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        let refresh = format!("{}/api/v1/auth/refresh", api.url());
        let all = closed_loop(number, at_once, |_| log_in(&store, &http, &refresh)).await?.outcomes;
        store.close().await;
        Ok(Self { all })
    }
}

async fn log_in(store: &Store, http: &Client, refresh: &str) -> Result<Person> {
    #[derive(Deserialize)]
    struct Tokens {
        access_token: String,
    }
    let user = NewUser {
        email: format!("{}@bench.webrana.test", Uuid::now_v7().simple()),
        full_name: "Bench".to_owned(),
        password_hash: "none".to_owned(),
        role: Role::Customer,
        email_verified: true,
    };
    let policy = SessionPolicy { refresh_ttl: DAY, longest: DAY, grace: Duration::from_secs(10) };
    let session = NewSession { user_agent: None, network: "127.0.0.1".to_owned(), policy };
    let opened = store.register(&user, &session, &Origin::system()).await?;
    let request = http.post(refresh).json(&json!({ "refresh_token": opened.refresh_token }));
    let answer = request.send().await?.error_for_status().context("a login is refused")?;
    let Tokens { access_token } = answer.json().await?;
    Ok(Person { id: opened.user.id, access_token })
}
