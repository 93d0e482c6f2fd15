//! What the simulator remembers.

use std::{collections::BTreeMap, io, path::Path};

use chrono::Utc;

use super::transaction::Transaction;
use crate::{gateway::Outcome, journal::Journal};

/// Everything that changes.
#[derive(Debug)]
pub(super) struct State {
    transactions: BTreeMap<String, Transaction>,
    journal: Journal,
}

impl State {
    pub(super) fn open(path: Option<&Path>) -> io::Result<Self> {
        let (journal, remembered) = Journal::open(path)?;
        let transactions = remembered
            .into_iter()
            .map(|(key, value)| Ok((key, serde_json::from_value(value)?)))
            .collect::<Result<_, serde_json::Error>>()?;
        Ok(Self { transactions, journal })
    }

    pub(super) fn transactions(&self) -> impl Iterator<Item = &Transaction> {
        self.transactions.values()
    }

    /// By the merchant's order id or by the vendor's transaction id; one whose time is over turns expired now.
    pub(super) fn find(&mut self, id: &str) -> Option<Transaction> {
        let known = self
            .transactions
            .get(id)
            .or_else(|| self.transactions.values().find(|t| t.transaction_id.to_string() == id))?;
        let mut transaction = known.clone();
        if transaction.outcome == Outcome::Pending && transaction.expiry_time <= Utc::now() {
            transaction.turn(Outcome::Expire);
            self.save(transaction.clone());
        }
        Some(transaction)
    }

    /// Adds a transaction; `false` when its order id is taken.
    pub(super) fn add(&mut self, transaction: Transaction) -> bool {
        if self.transactions.contains_key(&transaction.order_id) {
            return false;
        }
        self.save(transaction);
        true
    }

    pub(super) fn save(&mut self, transaction: Transaction) {
        self.journal.put(&transaction.order_id, &transaction);
        self.transactions.insert(transaction.order_id.clone(), transaction);
    }

    pub(super) fn clear(&mut self) {
        self.transactions.clear();
        self.journal.clear();
    }
}
