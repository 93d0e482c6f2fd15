//! How an amount that is given back is made up: which part of it was set aside, which is not served yet, which was
//! served, and how much of it is tax.
//!
//! Tax is split in proportion and rounded to the nearest rupiah, half up. Each share is the difference of what was left
//! before and what is left afterwards, so the shares of any sequence of refunds sum to exactly what was there, and the
//! last one takes the rest.

use super::{AccountKind, LedgerError, Movement, MovementKind, Parties, Position, Price};
use crate::{
    ids::RefundId,
    money::{AmountOverflow, Rupiah},
    refund::RefundDestination,
};

/// What an amount that is given back is made up of. No part is ever below nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    /// Of what was set aside, its tax included.
    pub held: Rupiah,
    /// PPN within `held`: it was not owed yet.
    pub tax_of_held: Rupiah,
    /// Of what is not served yet.
    pub deferred: Rupiah,
    /// Of the PPN that was owed.
    pub tax: Rupiah,
    /// Of what was served.
    pub revenue: Rupiah,
}

impl Share {
    /// All of it.
    ///
    /// # Errors
    /// [`AmountOverflow`] when the sum leaves the range.
    pub fn amount(&self) -> Result<Rupiah, AmountOverflow> {
        self.held.plus(self.deferred)?.plus(self.tax)?.plus(self.revenue)
    }

    /// The PPN in it, as the credit note shows it.
    ///
    /// # Errors
    /// [`AmountOverflow`] when the sum leaves the range.
    pub fn tax_in_all(&self) -> Result<Rupiah, AmountOverflow> {
        self.tax.plus(self.tax_of_held)
    }

    /// What is left without the PPN.
    ///
    /// # Errors
    /// [`AmountOverflow`] when the difference leaves the range.
    pub fn net(&self) -> Result<Rupiah, AmountOverflow> {
        self.amount()?.minus(self.tax_in_all()?)
    }
}

impl Position {
    /// How `amount` is made up when it is given back of a service that cost `price`: first what is set aside, then what
    /// is not served yet, then what was served.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`] unless `amount` is more than nothing and the position is sound,
    /// [`LedgerError::Insufficient`] when there is less than that.
    ///
    /// # Examples
    /// A term that is half served: what is not served yet goes back first, and each part takes its tax along.
    ///
    /// ```
    /// use domain::{Rupiah, ledger::{Position, Price}};
    ///
    /// let half_served = Position {
    ///     deferred: Rupiah::new(50_000),
    ///     revenue: Rupiah::new(50_000),
    ///     tax: Rupiah::new(11_000),
    ///     ..Position::default()
    /// };
    /// let price = Price { total: Rupiah::new(111_000), tax: Rupiah::new(11_000) };
    /// let share = half_served.share(Rupiah::new(55_500), price)?;
    /// assert_eq!((share.deferred, share.revenue), (Rupiah::new(50_000), Rupiah::ZERO));
    /// assert_eq!((share.tax, share.amount()?), (Rupiah::new(5_500), Rupiah::new(55_500)));
    /// # Ok::<(), domain::ledger::LedgerError>(())
    /// ```
    pub fn share(&self, amount: Rupiah, price: Price) -> Result<Share, LedgerError> {
        if amount <= Rupiah::ZERO || !self.is_sound() {
            return Err(LedgerError::NotPositive);
        }
        if amount > self.total()? {
            return Err(LedgerError::Insufficient);
        }
        let held = self.held.min(amount);
        let tax_of_held =
            tax_of_held(self.held, price)?.minus(tax_of_held(self.held.minus(held)?, price)?)?;
        let taken = amount.minus(held)?;
        let in_all = self.deferred.plus(self.tax)?.plus(self.revenue)?;
        let tax = self.tax.minus(proportion(self.tax, in_all.minus(taken)?, in_all)?)?;
        let net = taken.minus(tax)?;
        let deferred = self.deferred.min(net);
        Ok(Share { held, tax_of_held, deferred, tax, revenue: net.minus(deferred)? })
    }

    /// What of a term is not served yet, with its tax: what can be given back without giving away what was earned.
    ///
    /// # Errors
    /// [`AmountOverflow`] when the sum leaves the range.
    pub fn unserved(&self) -> Result<Rupiah, AmountOverflow> {
        let net = self.deferred.plus(self.revenue)?;
        self.deferred.plus(proportion(self.tax, self.deferred, net)?)
    }

    /// The PPN in all that giving everything back brings.
    ///
    /// # Errors
    /// [`AmountOverflow`] when the sum leaves the range.
    pub fn tax_in_all(&self, price: Price) -> Result<Rupiah, AmountOverflow> {
        self.tax.plus(tax_of_held(self.held, price)?)
    }

    /// What is left of a price whose money is set aside, after parts of it were given back.
    ///
    /// # Errors
    /// [`AmountOverflow`] when a product leaves the range.
    pub fn held_price(&self, price: Price) -> Result<Price, AmountOverflow> {
        Ok(Price { total: self.held, tax: tax_of_held(self.held, price)? })
    }
}

impl Movement {
    /// A part of a service's money, or all of it, is given back: to the balance, or it is owed until its gateway has
    /// given it back.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`] when a part is less than nothing or all is nothing.
    pub fn given_back(
        parties: Parties,
        refund: RefundId,
        destination: RefundDestination,
        share: &Share,
    ) -> Result<Self, LedgerError> {
        let (kind, to) = match destination {
            RefundDestination::Wallet => (MovementKind::Refund, AccountKind::CustomerWallet),
            RefundDestination::Gateway => (MovementKind::RefundOwed, AccountKind::RefundsPayable),
        };
        let from = [
            (AccountKind::CustomerHolds, share.held),
            (AccountKind::DeferredRevenue, share.deferred),
            (AccountKind::TaxPayable, share.tax),
            (AccountKind::Refunds, share.revenue),
        ];
        let made = Self::make(kind, format!("refund/{refund}/given"), &from, &[(to, share.amount()?)])?;
        Ok(made.about(parties, None))
    }

    /// The gateway gave back what was owed.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`] unless `amount` is more than nothing.
    pub fn refund_settled(parties: Parties, refund: RefundId, amount: Rupiah) -> Result<Self, LedgerError> {
        let made = Self::make(
            MovementKind::RefundSettled,
            format!("refund/{refund}/ended"),
            &[(AccountKind::RefundsPayable, amount)],
            &[(AccountKind::GatewayClearing, amount)],
        )?;
        Ok(made.about(parties, None))
    }

    /// The gateway certainly did not give back what was owed: it goes to the balance instead. It has the same cause as
    /// [`Movement::refund_settled`], so a refund never ends both ways.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`] unless `amount` is more than nothing.
    pub fn refund_returned(parties: Parties, refund: RefundId, amount: Rupiah) -> Result<Self, LedgerError> {
        let made = Self::make(
            MovementKind::RefundReturned,
            format!("refund/{refund}/ended"),
            &[(AccountKind::RefundsPayable, amount)],
            &[(AccountKind::CustomerWallet, amount)],
        )?;
        Ok(made.about(parties, None))
    }
}

/// The PPN in what is set aside of a price.
fn tax_of_held(held: Rupiah, price: Price) -> Result<Rupiah, AmountOverflow> {
    proportion(price.tax, held, price.total)
}

/// `whole × part / of`, rounded half up; nothing of nothing.
fn proportion(whole: Rupiah, part: Rupiah, of: Rupiah) -> Result<Rupiah, AmountOverflow> {
    let (whole, part, of) = (i128::from(whole.get()), i128::from(part.get()), i128::from(of.get()));
    if of == 0 {
        return Ok(Rupiah::ZERO);
    }
    i64::try_from((2 * whole * part + of) / (2 * of)).map(Rupiah::new).map_err(|_| AmountOverflow)
}

#[cfg(test)]
mod tests;
