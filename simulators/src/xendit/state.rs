//! What the simulator remembers.

use std::{collections::BTreeMap, io, path::Path};

use chrono::Utc;

use super::payment_request::PaymentRequest;
use crate::{gateway::Outcome, journal::Journal};

/// Everything that changes.
#[derive(Debug)]
pub(super) struct State {
    /// By the vendor's id.
    requests: BTreeMap<String, PaymentRequest>,
    journal: Journal,
}

impl State {
    pub(super) fn open(path: Option<&Path>) -> io::Result<Self> {
        let (journal, remembered) = Journal::open(path)?;
        let requests = remembered
            .into_iter()
            .map(|(key, value)| Ok((key, serde_json::from_value(value)?)))
            .collect::<Result<_, serde_json::Error>>()?;
        Ok(Self { requests, journal })
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &PaymentRequest> {
        self.requests.values()
    }

    /// The first that is so; one whose time is over turns expired now.
    pub(super) fn find(&mut self, is_it: impl Fn(&PaymentRequest) -> bool) -> Option<PaymentRequest> {
        let mut request = self.requests.values().find(|request| is_it(request))?.clone();
        if request.is_open() && request.expires_at <= Utc::now() {
            request.turn(Outcome::Expire, None);
            self.save(request.clone());
        }
        Some(request)
    }

    pub(super) fn by_reference(&mut self, reference_id: &str) -> Option<PaymentRequest> {
        self.find(|request| request.reference_id == reference_id)
    }

    /// Adds a payment request; `false` when its reference is taken.
    pub(super) fn add(&mut self, request: PaymentRequest) -> bool {
        if self.requests.values().any(|known| known.reference_id == request.reference_id) {
            return false;
        }
        self.save(request);
        true
    }

    pub(super) fn save(&mut self, request: PaymentRequest) {
        self.journal.put(&request.payment_request_id, &request);
        self.requests.insert(request.payment_request_id.clone(), request);
    }

    pub(super) fn clear(&mut self) {
        self.requests.clear();
        self.journal.clear();
    }
}
