//! Who bears money that a gateway took back: first the service it paid, as far as its money is still there; then the
//! customer's balance, as far as it reaches; the rest the customer owes us.

use super::{AccountKind, LedgerError, Movement, MovementKind, Position, Price, Service, Share};
use crate::{
    ids::{DisputeId, UserId},
    money::Rupiah,
};

/// What an amount that a gateway took back is made up of. No part is ever below nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TakenBack {
    /// What the service gives up: first what is not served yet, then what was served, each with its tax.
    pub of_service: Share,
    /// What the balance gives up.
    pub of_wallet: Rupiah,
    /// What the customer has spent already and owes us.
    pub receivable: Rupiah,
    /// Of the last two: what a promo code gave on top of a deposit that is not there any more.
    pub bonus: Rupiah,
    /// What the gateway took back besides: a fee that it had made the payer pay. It never was the customer's.
    pub payer_fee: Rupiah,
}

impl TakenBack {
    /// Splits `amount`, and a `bonus` that falls with it. `service` has what the payment paid for, with its price; a deposit
    /// has none. `wallet` is what is on the balance.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`] unless `amount` is more than nothing.
    pub fn split(
        amount: Rupiah,
        bonus: Rupiah,
        service: Option<(&Position, Price)>,
        wallet: Rupiah,
    ) -> Result<Self, LedgerError> {
        if amount <= Rupiah::ZERO || bonus.is_negative() {
            return Err(LedgerError::NotPositive);
        }
        let there = service.map_or(Ok(Rupiah::ZERO), |(position, _)| position.total())?;
        let of_service = match service {
            Some((position, price)) if there > Rupiah::ZERO => position.share(amount.min(there), price)?,
            _ => Share::default(),
        };
        let rest = amount.minus(of_service.amount()?)?.plus(bonus)?;
        let of_wallet = rest.min(wallet);
        Ok(Self { of_service, of_wallet, receivable: rest.minus(of_wallet)?, bonus, ..Self::default() })
    }

    /// What the gateway took back of what we charged.
    ///
    /// # Errors
    /// [`LedgerError::Overflow`] when the sum leaves the range.
    pub fn amount(&self) -> Result<Rupiah, LedgerError> {
        let rest = self.of_wallet.plus(self.receivable)?.minus(self.bonus)?;
        Ok(self.of_service.amount()?.plus(rest)?)
    }
}

impl Movement {
    /// A gateway took money back, and it was accepted that it did.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`] when a part is less than nothing or all is nothing.
    pub fn taken_back(
        customer: UserId,
        service: Option<Service>,
        dispute: DisputeId,
        taken: &TakenBack,
    ) -> Result<Self, LedgerError> {
        let share = &taken.of_service;
        let from = [
            (AccountKind::CustomerHolds, share.held),
            (AccountKind::DeferredRevenue, share.deferred),
            (AccountKind::TaxPayable, share.tax),
            (AccountKind::Refunds, share.revenue),
            (AccountKind::CustomerWallet, taken.of_wallet),
            (AccountKind::CustomerReceivable, taken.receivable),
            (AccountKind::GatewayFees, taken.payer_fee),
        ];
        let at_gateway = taken.amount()?.plus(taken.payer_fee)?;
        let to = [(AccountKind::GatewayClearing, at_gateway), (AccountKind::PromoExpense, taken.bonus)];
        let made = Self::make(MovementKind::Dispute, format!("dispute/{dispute}/accepted"), &from, &to)?;
        Ok(Self { customer: Some(customer), service, ..made })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::ids::OrderId;

    const fn rp(amount: i64) -> Rupiah {
        Rupiah::new(amount)
    }

    fn position(deferred: i64, tax: i64, revenue: i64) -> Position {
        Position { held: Rupiah::ZERO, deferred: rp(deferred), tax: rp(tax), revenue: rp(revenue) }
    }

    #[test]
    fn the_service_bears_it_first_then_the_balance_then_the_customer() {
        let price = Price { total: rp(111_000), tax: rp(11_000) };
        let running = position(60_000, 11_000, 40_000);
        let whole = TakenBack::split(rp(111_000), rp(0), Some((&running, price)), rp(500_000)).unwrap();
        assert_eq!((whole.of_service.deferred, whole.of_service.tax), (rp(60_000), rp(11_000)));
        assert_eq!((whole.of_service.revenue, whole.of_wallet, whole.receivable), (rp(40_000), rp(0), rp(0)));
        // What went back to the balance before, and was half spent since.
        let empty = position(0, 0, 0);
        let spent = TakenBack::split(rp(111_000), rp(0), Some((&empty, price)), rp(50_000)).unwrap();
        assert_eq!((spent.of_wallet, spent.receivable), (rp(50_000), rp(61_000)));
    }

    #[test]
    fn a_deposits_bonus_falls_with_it() {
        let taken = TakenBack::split(rp(100_000), rp(10_000), None, rp(30_000)).unwrap();
        assert_eq!((taken.of_wallet, taken.receivable), (rp(30_000), rp(80_000)));
        let movement =
            Movement::taken_back(UserId(Uuid::nil()), None, DisputeId(Uuid::nil()), &taken).unwrap();
        assert_eq!(movement.amount_on(AccountKind::GatewayClearing), rp(100_000));
        assert_eq!(movement.amount_on(AccountKind::PromoExpense), rp(10_000));
        assert_eq!(movement.amount_on(AccountKind::CustomerWallet), rp(-30_000));
        assert_eq!(movement.amount_on(AccountKind::CustomerReceivable), rp(-80_000));
    }

    #[test]
    fn the_payers_fee_is_no_loss_of_the_customers() {
        let taken = TakenBack::split(rp(100_000), rp(0), None, rp(100_000)).unwrap();
        let with_fee = TakenBack { payer_fee: rp(1_500), ..taken };
        let movement =
            Movement::taken_back(UserId(Uuid::nil()), None, DisputeId(Uuid::nil()), &with_fee).unwrap();
        assert_eq!(movement.amount_on(AccountKind::GatewayClearing), rp(101_500));
        assert_eq!(movement.amount_on(AccountKind::GatewayFees), rp(-1_500));
        assert_eq!(movement.amount_on(AccountKind::CustomerWallet), rp(-100_000));
    }

    #[test]
    fn nothing_taken_back_is_nothing_to_book() {
        assert_eq!(TakenBack::split(rp(0), rp(0), None, rp(1)), Err(LedgerError::NotPositive));
    }

    proptest! {
        #[test]
        fn all_that_was_taken_back_is_borne_by_somebody(
            amount in 1_i64..1_000_000,
            wallet in 0_i64..1_000_000,
            bonus in 0_i64..100_000,
            (deferred, tax, revenue) in (0_i64..500_000, 0_i64..50_000, 0_i64..500_000),
        ) {
            let price = Price { total: rp(deferred + tax + revenue), tax: rp(tax) };
            let there = position(deferred, tax, revenue);
            let taken = TakenBack::split(rp(amount), rp(bonus), Some((&there, price)), rp(wallet)).unwrap();
            prop_assert_eq!(taken.amount(), Ok(rp(amount)));
            prop_assert!(taken.of_wallet <= rp(wallet) && !taken.of_wallet.is_negative());
            prop_assert!(!taken.receivable.is_negative());
            prop_assert!(taken.of_service.amount().unwrap() <= there.total().unwrap());
            let service = Some(Service::Order(OrderId(Uuid::nil())));
            let movement = Movement::taken_back(UserId(Uuid::nil()), service, DisputeId(Uuid::nil()), &taken).unwrap();
            let sum: i64 = movement.entries().iter().map(|entry| entry.amount.get()).sum();
            prop_assert_eq!(sum, 0);
        }
    }
}
