//! People and programs that call the API.

use std::ops::Deref;

use api::PasswordCost;
use client::Method;
use domain::{api_key::Scope, ids::UserId, role::Role};
use secrecy::SecretString;
use serde_json::{Value, json};
use store::{api_keys::NewApiKey, audit::Origin};
use uuid::Uuid;

use super::TestApi;
use crate::http::{Caller, Expect};

/// The password of every account made here.
pub const PASSWORD: &str = "kuda-hitam-lari-7";

/// Somebody with an account, logged in: what is called is below `/api/v1`.
#[derive(Debug, Clone)]
pub struct User {
    /// Who it is.
    pub id: UserId,
    /// Their address.
    pub email: String,
    /// Their access token.
    pub token: String,
    /// Their refresh token.
    pub refresh_token: String,
    caller: Caller,
}

impl Deref for User {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl TestApi {
    /// Somebody of this role, with a proven address, who reads English.
    ///
    /// # Panics
    /// When they can't log in.
    pub async fn user(&self, role: Role) -> User {
        let email = format!("{role}-{}@example.com", Uuid::now_v7());
        let hash = api::hash_password(SecretString::from(PASSWORD), PasswordCost::QUICK).await;
        let hash = hash.expect("a hash");
        self.account().role(role).name("Siti Aminah").email(&email).password_hash(hash).await;
        let login = json!({ "email": email, "password": PASSWORD });
        let session = self.nobody().request(Method::POST, "/auth/login").json(&login).await.expect(200);
        self.holding(&session)
    }

    /// Somebody who registers themself.
    ///
    /// # Panics
    /// When they can't.
    pub async fn register(&self, email: &str) -> User {
        let body = json!({ "email": email, "password": PASSWORD, "full_name": "Siti Aminah" });
        let session = self.nobody().request(Method::POST, "/auth/register").json(&body).await.expect(201);
        self.holding(&session)
    }

    /// Whom a session is of.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn holding(&self, session: &Value) -> User {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let token = text(&session["access_token"]);
        User {
            id: text(&session["user"]["id"]).parse().expect("an id"),
            email: text(&session["user"]["email"]),
            refresh_token: text(&session["refresh_token"]),
            caller: self.nobody().as_user(&token),
            token,
        }
    }

    /// A key for the internal endpoints that may do everything.
    ///
    /// # Panics
    /// When it can't be made.
    pub async fn api_key(&self) -> String {
        self.api_key_for("tests", Scope::ALL).await
    }

    /// A key for the internal endpoints with these rights.
    ///
    /// # Panics
    /// When it can't be made.
    pub async fn api_key_for(&self, name: &str, scopes: &[Scope]) -> String {
        let new = NewApiKey { name, scopes, life: None };
        self.store.create_api_key(&new, &Origin::system()).await.expect("a key").1
    }
}
