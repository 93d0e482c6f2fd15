//! What is known of an event besides its words.

use serde::{Serialize, de::DeserializeOwned};

use crate::{ids::OrderId, notification::NotificationKind, text_enum::text_enum};

text_enum! {
    /// How a step on a timeline stands.
    StepStatus {
        /// It happened.
        Done = "done",
        /// Something is awaited.
        Waiting = "waiting",
        /// It went wrong.
        Failed = "failed",
    }
}

/// A step on an order's timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Whose timeline.
    pub order: OrderId,
    /// What the step is called; several events may be steps of one name.
    pub name: &'static str,
    /// How it stands.
    pub status: StepStatus,
}

/// What is known of an event besides its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Names what happened: it is recorded once, and nobody is told of it twice.
    pub dedupe_key: String,
    /// The step that it is on an order's timeline.
    pub step: Option<Step>,
    /// The `type` of its notification, when it is told to anybody.
    pub notification: Option<NotificationKind>,
    /// Path in the app where its reader sees more of it, or does something about it.
    pub action_url: Option<String>,
}

/// The data of an event.
pub trait EventData: Serialize + DeserializeOwned {
    /// What is known of the event besides its words.
    fn facts(&self) -> Facts;

    /// One such event, for tests and previews of its words.
    fn example() -> Self;
}

impl Facts {
    /// An event that `dedupe_key` names, and that nobody is told of yet.
    pub(super) fn of(dedupe_key: String) -> Self {
        Self { dedupe_key, step: None, notification: None, action_url: None }
    }

    /// It is a step that happened.
    pub(super) fn done(self, order: OrderId, name: &'static str) -> Self {
        self.step(Some(order), name, StepStatus::Done)
    }

    /// It is a step by which something is awaited.
    pub(super) fn waiting(self, order: OrderId, name: &'static str) -> Self {
        self.step(Some(order), name, StepStatus::Waiting)
    }

    /// It is a step that went wrong.
    pub(super) fn failed(self, order: OrderId, name: &'static str) -> Self {
        self.step(Some(order), name, StepStatus::Failed)
    }

    /// It is a step, if it is about an order.
    pub(super) fn step(self, order: Option<OrderId>, name: &'static str, status: StepStatus) -> Self {
        Self { step: order.map(|order| Step { order, name, status }), ..self }
    }

    /// Somebody is told of it.
    pub(super) fn told(self, kind: NotificationKind) -> Self {
        Self { notification: Some(kind), ..self }
    }

    /// There is more to be seen at `path`.
    pub(super) fn at(self, path: impl Into<String>) -> Self {
        Self { action_url: Some(path.into()), ..self }
    }

    /// There is more to be seen at the customer's page of the order.
    pub(super) fn at_order(self, order: OrderId) -> Self {
        self.at(format!("/orders/{order}"))
    }
}

/// Declares the data of events. Fields go by the names of the ids, amounts and words that they are; programs read them as
/// a notification's `metadata`.
macro_rules! data {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty),* $(,)? })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[allow(missing_docs, reason = "the fields go by the names of what they are")]
        pub struct $name { $($(#[$field_meta])* pub $field: $type),* }
    )+};
}
pub(super) use data;
