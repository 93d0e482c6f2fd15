//! Where the money of an order, or of another service, is.

use super::{AccountKind, Entry, LedgerError, Movement, Parties};
use crate::money::{AmountOverflow, Rupiah};

/// The balances that a service's movements have left on the accounts that matter for giving money back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// Set aside, not taken yet.
    pub held: Rupiah,
    /// Taken, and not served yet.
    pub deferred: Rupiah,
    /// PPN on what was taken.
    pub tax: Rupiah,
    /// Served, less what of it was given back.
    pub revenue: Rupiah,
}

impl Position {
    /// Adds one entry of the service's.
    ///
    /// # Errors
    /// [`AmountOverflow`] when a sum leaves the range.
    pub fn add(&mut self, entry: Entry) -> Result<(), AmountOverflow> {
        let part = match entry.account {
            AccountKind::CustomerHolds => &mut self.held,
            AccountKind::DeferredRevenue => &mut self.deferred,
            AccountKind::TaxPayable => &mut self.tax,
            AccountKind::Revenue | AccountKind::Refunds => &mut self.revenue,
            _ => return Ok(()),
        };
        *part = part.plus(entry.amount)?;
        Ok(())
    }

    /// What giving everything back brings to the balance.
    ///
    /// # Errors
    /// [`AmountOverflow`] when the sum leaves the range.
    pub fn total(&self) -> Result<Rupiah, AmountOverflow> {
        self.held.plus(self.deferred)?.plus(self.tax)?.plus(self.revenue)
    }

    /// The movements that give everything back because of `event` (a word, once per service): none when there is
    /// nothing.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`] when a part is less than nothing.
    pub fn give_back(&self, parties: Parties, event: &str) -> Result<Vec<Movement>, LedgerError> {
        let released = Movement::release(parties, event, self)?;
        let refunded = Movement::refund_to_wallet(parties, event, self)?;
        Ok(released.into_iter().chain(refunded).collect())
    }

    /// True when no part is below nothing.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        [self.held, self.deferred, self.tax, self.revenue].iter().all(|part| !part.is_negative())
    }
}
