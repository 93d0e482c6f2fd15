//! The ledger as a plain value: the model that the database's ledger must agree with.

use std::collections::{BTreeMap, BTreeSet};

use super::{AccountKind, LedgerError, Movement, Position, Service};
use crate::{ids::UserId, money::Rupiah};

/// All accounts with their balances, all services with their positions, and the causes that have taken effect.
#[derive(Debug, Clone, Default)]
pub struct Books {
    balances: BTreeMap<(AccountKind, Option<UserId>), Rupiah>,
    positions: BTreeMap<Service, Position>,
    causes: BTreeSet<String>,
}

impl Books {
    /// Lets a movement take place: all of it or nothing. `false` when its cause took effect before.
    ///
    /// # Errors
    /// [`LedgerError::Insufficient`] when a customer's account would fall below nothing,
    /// [`LedgerError::NoCustomer`] when customers' money moves and the movement does not say whose.
    pub fn post(&mut self, movement: &Movement) -> Result<bool, LedgerError> {
        if self.causes.contains(movement.cause()) {
            return Ok(false);
        }
        let mut changed = Vec::with_capacity(movement.entries().len());
        let mut position = movement.service().map(|service| (service, self.position(service)));
        for entry in movement.entries() {
            let owner = match (entry.account.is_customers(), movement.customer()) {
                (true, None) => return Err(LedgerError::NoCustomer),
                (true, owner) => owner,
                (false, _) => None,
            };
            let balance = self.balance(entry.account, owner).plus(entry.amount)?;
            if entry.account.is_customers() && balance.is_negative() {
                return Err(LedgerError::Insufficient);
            }
            changed.push(((entry.account, owner), balance));
            if let Some((_, position)) = &mut position {
                position.add(*entry)?;
            }
        }
        self.balances.extend(changed);
        self.positions.extend(position);
        self.causes.insert(movement.cause().to_owned());
        Ok(true)
    }

    /// Credits less debits of an account; `owner` names the customer of a customer's account.
    #[must_use]
    pub fn balance(&self, account: AccountKind, owner: Option<UserId>) -> Rupiah {
        self.balances.get(&(account, owner)).copied().unwrap_or_default()
    }

    /// Where the money of a service is.
    #[must_use]
    pub fn position(&self, service: Service) -> Position {
        self.positions.get(&service).copied().unwrap_or_default()
    }

    /// Every account that was ever moved, with its balance.
    pub fn balances(&self) -> impl Iterator<Item = (AccountKind, Option<UserId>, Rupiah)> + '_ {
        self.balances.iter().map(|((account, owner), balance)| (*account, *owner, *balance))
    }
}
