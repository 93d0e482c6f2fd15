//! Getting a server for a paid order, on a real Postgres: failover and retries elsewhere, and how people get in.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "these are tests")]

mod credentials;
mod failover;
mod instance_actions;
mod levers;
mod relocation;
mod ssh_keys;
mod user_data;

use std::ops::Deref;

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{
    failover::FailoverPolicy,
    hostname::Hostname,
    ids::{OrderId, SshKeyId, UserId},
    provisioning::FailureClass,
};
use sqlx::PgPool;
use store::{audit::Origin, credentials::CredentialsKeys, provisioning::ProvisioningFailure};
use testkit::{TestApp, any_request, step_words};
use uuid::Uuid;

const PROVIDERS: [&str; 3] = ["digitalocean", "linode", "vultr"];

/// A seeded shop at which every provider is set up, with one customer.
struct Shop {
    app: TestApp,
    customer: UserId,
}

impl Deref for Shop {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.app
    }
}

impl Shop {
    async fn open(pool: PgPool) -> Self {
        let app = TestApp::with(pool, |store| store.with_credentials_keys(keys(1))).await;
        let customer = app.customer().await;
        Self { app, customer }
    }

    /// A paid order of the smallest plan of DigitalOcean in Singapore whose provisioning has begun.
    async fn order(&self, failover: FailoverPolicy) -> OrderId {
        self.order_with_keys(failover, Vec::new()).await
    }

    async fn order_with_keys(&self, failover: FailoverPolicy, keys: Vec<SshKeyId>) -> OrderId {
        let order = self.app.order().by(self.customer).configured(&PROVIDERS).failover(failover);
        order.ssh_keys(&keys).provisioning().await.id
    }

    /// Ends a try for want of capacity.
    async fn sold_out(&self, order: OrderId, try_number: i64) -> Option<String> {
        let failure = failure(FailureClass::Capacity);
        let moved = self.store.fail_provisioning(order, try_number, &failure, &configured()).await.unwrap();
        moved.map(|moved| moved.provider)
    }

    async fn status(&self, order: OrderId) -> String {
        self.app.status(order).await.to_string()
    }

    /// Where the order was, is or is to be, as provider and reason.
    async fn places(&self, order: OrderId) -> Vec<(String, &'static str)> {
        let places = self.store.placements(order).await.unwrap();
        places.into_iter().map(|place| (place.provider, place.reason.as_str())).collect()
    }
}

fn place(provider: &str, reason: &'static str) -> (String, &'static str) {
    (provider.to_owned(), reason)
}

fn configured() -> Vec<String> {
    PROVIDERS.map(str::to_owned).to_vec()
}

fn failure(class: FailureClass) -> ProvisioningFailure {
    ProvisioningFailure { class, message: "in the provider's words".to_owned() }
}

fn keys(byte: u8) -> CredentialsKeys {
    CredentialsKeys::parse(&BASE64_STANDARD.encode([byte; 32]).into()).unwrap()
}
