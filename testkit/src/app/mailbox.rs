//! Mail that is due, as its reader would find it.

use domain::{
    delivery::{DeliveryChannel, DeliveryPolicy, DeliveryState},
    event::EventKind,
    ids::UserId,
    sorting::DeliverySort,
};
use secrecy::ExposeSecret;
use store::{
    deliveries::{DeliveryFilter, DeliveryTurn, Reader, StaffDelivery},
    page::SortedRequest,
};

use crate::TestApp;

/// A link that was mailed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailedLink {
    /// Where to.
    pub email: String,
    /// What it proves itself by.
    pub token: String,
}

impl TestApp {
    /// From now on people are told by mail.
    ///
    /// # Panics
    /// When the database refuses it.
    pub async fn open_mail(&self) {
        let policy = DeliveryPolicy::default();
        self.store
            .open_delivery_channel(DeliveryChannel::Email, &policy, false)
            .await
            .expect("the channel opens");
    }

    /// Links of a kind that are due to somebody, oldest first: each is sent by this. Those that are good for nothing any more
    /// are not sent.
    ///
    /// # Panics
    /// When the database refuses it.
    pub async fn mailed_links(&self, user: UserId, event: EventKind) -> Vec<MailedLink> {
        let filter =
            DeliveryFilter { user: Some(user), state: Some(DeliveryState::Pending), ..Default::default() };
        let due = self.store.deliveries(&filter, DeliverySort::Oldest, SortedRequest::first(100)).await;
        let due = due.expect("the deliveries").data.into_iter();
        let mut found = Vec::new();
        for delivery in due.filter(|delivery| delivery.event == event.as_str()) {
            found.extend(self.send_link(&delivery).await);
        }
        found
    }

    /// The one link of a kind that is due to somebody.
    ///
    /// # Panics
    /// When there is another number of them.
    pub async fn mailed_link(&self, user: UserId, event: EventKind) -> MailedLink {
        let mut links = self.mailed_links(user, event).await;
        assert_eq!(links.len(), 1, "{event}");
        links.remove(0)
    }

    async fn send_link(&self, delivery: &StaffDelivery) -> Option<MailedLink> {
        let turn = self.store.begin_delivery(delivery.id, &DeliveryPolicy::default()).await;
        let DeliveryTurn::Send(job) = turn.expect("an attempt") else { return None };
        self.store.delivery_taken(job.id, job.attempt).await.expect("it is noted");
        let Reader::Person { email, .. } = job.reader else { panic!("administrators get no links") };
        let token = job.link_token.expect("a link").expose_secret().to_owned();
        Some(MailedLink { email, token })
    }
}
