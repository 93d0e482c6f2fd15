//! Accounts.

use std::{future::IntoFuture, pin::Pin};

use domain::{ids::UserId, role::Role};
use store::{audit::Origin, users::NewUser};
use uuid::Uuid;

use crate::TestApp;

/// An account to be made; awaiting it makes it.
#[derive(Debug)]
#[must_use = "nothing is made before it is awaited"]
pub struct NewAccount<'a> {
    app: &'a TestApp,
    new: NewUser,
}

impl TestApp {
    /// Somebody with an account: a customer named Sari with a proven address like no other, where nothing else is said.
    pub fn account(&self) -> NewAccount<'_> {
        let new = NewUser {
            email: format!("{}@example.com", Uuid::now_v7().simple()),
            full_name: "Sari".to_owned(),
            password_hash: "x".to_owned(),
            role: Role::Customer,
            email_verified: true,
        };
        NewAccount { app: self, new }
    }

    /// A customer.
    pub fn customer(&self) -> NewAccount<'_> {
        self.account()
    }

    /// An administrator.
    pub fn admin(&self) -> NewAccount<'_> {
        self.account().admin().name("Admin")
    }
}

impl NewAccount<'_> {
    /// With this address.
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.new.email = email.into();
        self
    }

    /// With this name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.new.full_name = name.into();
        self
    }

    /// With this role.
    pub fn role(mut self, role: Role) -> Self {
        self.new.role = role;
        self
    }

    /// As an administrator.
    pub(crate) fn admin(self) -> Self {
        self.role(Role::Admin)
    }

    /// With this PHC string, where somebody is to log in.
    pub fn password_hash(mut self, hash: impl Into<String>) -> Self {
        self.new.password_hash = hash.into();
        self
    }

    /// Whose address is not proven.
    pub fn unverified(mut self) -> Self {
        self.new.email_verified = false;
        self
    }

    pub(crate) async fn make_account(self) -> UserId {
        self.app.store.create_user(&self.new, &Origin::system()).await.expect("an account").id
    }

    async fn make(self) -> UserId {
        let (app, role) = (self.app, self.new.role);
        let id = self.make_account().await;
        if role == Role::Admin {
            app.note_staff(id);
        }
        id
    }
}

impl<'a> IntoFuture for NewAccount<'a> {
    type Output = UserId;
    type IntoFuture = Pin<Box<dyn Future<Output = UserId> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.make())
    }
}
