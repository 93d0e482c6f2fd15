//! How somebody gets an account by themself.

use domain::ids::UserId;

use crate::{
    Result, Store,
    audit::{Actor, Origin},
    boxed, mailed_links, new_id,
    sessions::{self, NewSession, Opened},
    users::{self, NewUser},
};

impl Store {
    /// Makes an account and logs it in, and mails it a link that verifies its address. The audit log shows the new user as
    /// the actor.
    ///
    /// # Errors
    /// [`crate::StoreError::Taken`] with [`users::EMAIL_CONSTRAINT`] when the address has an account.
    #[boxed]
    pub async fn register(&self, new: &NewUser, session: &NewSession, origin: &Origin) -> Result<Opened> {
        let mut tx = self.pool.begin().await?;
        let id: UserId = new_id();
        let origin = &Origin { actor: Actor::User(id), ..origin.clone() };
        let user = users::insert(&mut tx, id, new, origin).await?;
        mailed_links::verify_new_account(&mut tx, &user).await?;
        let opened = sessions::open(&mut tx, user, session, origin).await?;
        tx.commit().await?;
        Ok(opened)
    }
}
