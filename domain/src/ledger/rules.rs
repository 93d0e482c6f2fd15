//! The posting rules: one constructor of [`Movement`] per business event. Nothing else makes one.

use super::{
    AccountKind::{
        self, Adjustments, Bank, CustomerHolds, CustomerWallet, DeferredRevenue, GatewayClearing,
        GatewayFees, PromoExpense, Refunds, Revenue, TaxPayable,
    },
    Entry, FromWallet, Incoming, LedgerError, Movement, MovementKind, Position,
};
use crate::{
    ids::{InvoiceId, OrderId, PaymentId, UserId},
    money::Rupiah,
};

/// What money is for. Each has a [`Position`] of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// An order, with the first term of its server.
    Order(OrderId),
    /// What an invoice bills that belongs to no order: a further term of a server, or anything else.
    Invoice(InvoiceId),
}

impl std::fmt::Display for Service {
    /// As causes of movements name it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Order(order) => write!(f, "order/{order}"),
            Self::Invoice(invoice) => write!(f, "invoice/{invoice}"),
        }
    }
}

/// Whom a movement is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parties {
    /// Whose money.
    pub customer: UserId,
    /// For what.
    pub service: Service,
}

/// The price of a service, as its invoice splits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// PPN included.
    pub total: Rupiah,
    /// PPN.
    pub tax: Rupiah,
}

type Result<T = Movement> = std::result::Result<T, LedgerError>;
type Parts<'a> = &'a [(AccountKind, Rupiah)];

impl Movement {
    /// A deposit was paid: the balance grows by it.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`] unless `amount` is more than nothing.
    pub fn deposit(customer: UserId, money: Incoming, amount: Rupiah) -> Result {
        let made = Self::make(
            MovementKind::Deposit,
            received(money),
            &[(money.account(), amount)],
            &[(CustomerWallet, amount)],
        )?;
        Ok(Self { customer: Some(customer), payment: Some(money.payment()), ..made })
    }

    /// Money from outside pays an order, together with what earlier part payments set aside for it. The money is
    /// earned over the term; its tax is owed at once.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`] when nothing is left to be paid, or a part is negative.
    pub fn payment_received(parties: Parties, money: Incoming, price: Price, set_aside: Rupiah) -> Result {
        let arrived = price.total.minus(set_aside)?;
        if arrived <= Rupiah::ZERO {
            return Err(LedgerError::NotPositive);
        }
        let made = Self::make(
            MovementKind::Payment,
            received(money),
            &[(money.account(), arrived), (CustomerHolds, set_aside)],
            &[(DeferredRevenue, price.total.minus(price.tax)?), (TaxPayable, price.tax)],
        )?;
        Ok(made.about(parties, Some(money.payment())))
    }

    /// A transfer that is less than its order costs: it is set aside until the rest arrives. `received_before` is what
    /// arrived of the same payment so far.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`] unless `amount` is more than nothing.
    pub fn part_payment(
        parties: Parties,
        money: Incoming,
        received_before: Rupiah,
        amount: Rupiah,
    ) -> Result {
        let made = Self::make(
            MovementKind::PartPayment,
            format!("payment/{}/part/{}", money.payment(), received_before.get()),
            &[(money.account(), amount)],
            &[(CustomerHolds, amount)],
        )?;
        Ok(made.about(parties, Some(money.payment())))
    }

    /// Money for an order that can't take it any more (called off, paid already, sold out) goes to the balance.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`] unless `amount` is more than nothing.
    pub fn late_payment(parties: Parties, money: Incoming, amount: Rupiah) -> Result {
        let made = Self::make(
            MovementKind::LatePayment,
            received(money),
            &[(money.account(), amount)],
            &[(CustomerWallet, amount)],
        )?;
        Ok(made.about(parties, Some(money.payment())))
    }

    /// What a transfer had too much goes to the balance.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`] unless `amount` is more than nothing.
    pub fn surplus(parties: Parties, money: Incoming, amount: Rupiah) -> Result {
        let made = Self::make(
            MovementKind::Surplus,
            format!("payment/{}/surplus", money.payment()),
            &[(money.account(), amount)],
            &[(CustomerWallet, amount)],
        )?;
        Ok(made.about(parties, Some(money.payment())))
    }

    /// An order is paid from the balance: the money is set aside until the order runs.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`] unless `amount` is more than nothing.
    pub fn hold(parties: Parties, money: FromWallet, amount: Rupiah) -> Result {
        let made = Self::make(
            MovementKind::Hold,
            format!("payment/{}/hold", money.payment()),
            &[(CustomerWallet, amount)],
            &[(CustomerHolds, amount)],
        )?;
        Ok(made.about(parties, Some(money.payment())))
    }

    /// The order runs: what was set aside for it is taken. `None` when nothing was.
    ///
    /// # Errors
    /// [`LedgerError::Unbalanced`] when something else than its price was set aside.
    pub fn capture(parties: Parties, position: &Position, price: Price) -> Result<Option<Self>> {
        if position.held == Rupiah::ZERO {
            return Ok(None);
        }
        let made = Self::make(
            MovementKind::Capture,
            format!("{}/capture", parties.service),
            &[(CustomerHolds, position.held)],
            &[(DeferredRevenue, price.total.minus(price.tax)?), (TaxPayable, price.tax)],
        )?;
        Ok(Some(made.about(parties, None)))
    }

    /// What is set aside for an order goes back to the balance, because of `event` (a word, once per service). `None`
    /// when nothing is.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`] when less than nothing is.
    pub fn release(parties: Parties, event: &str, position: &Position) -> Result<Option<Self>> {
        if position.held == Rupiah::ZERO {
            return Ok(None);
        }
        let made = Self::make(
            MovementKind::Release,
            format!("{}/release/{event}", parties.service),
            &[(CustomerHolds, position.held)],
            &[(CustomerWallet, position.held)],
        )?;
        Ok(Some(made.about(parties, None)))
    }

    /// All that an order has brought in and that is not served yet goes back to the balance with its tax, because of
    /// `event` (a word, once per service). `None` when there is nothing.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`] when a part is less than nothing.
    pub fn refund_to_wallet(parties: Parties, event: &str, position: &Position) -> Result<Option<Self>> {
        let total = position.deferred.plus(position.tax)?.plus(position.revenue)?;
        if total == Rupiah::ZERO {
            return Ok(None);
        }
        let made = Self::make(
            MovementKind::Refund,
            format!("{}/refund/{event}", parties.service),
            &[(DeferredRevenue, position.deferred), (TaxPayable, position.tax), (Refunds, position.revenue)],
            &[(CustomerWallet, total)],
        )?;
        Ok(Some(made.about(parties, None)))
    }

    /// An administrator corrects a balance, up or down.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`] when it changes nothing.
    pub fn adjustment(customer: UserId, adjustment: uuid::Uuid, amount: Rupiah) -> Result {
        let size = if amount.is_negative() { Rupiah::ZERO.minus(amount)? } else { amount };
        let (from, to) =
            if amount.is_negative() { (CustomerWallet, Adjustments) } else { (Adjustments, CustomerWallet) };
        let cause = format!("adjustment/{adjustment}");
        let made = Self::make(MovementKind::Adjustment, cause, &[(from, size)], &[(to, size)])?;
        Ok(Self { customer: Some(customer), ..made })
    }

    /// A part of an order's term was served. `period` names it, such as `2026-11`.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`] unless `amount` is more than nothing.
    pub fn revenue_recognised(parties: Parties, period: &str, amount: Rupiah) -> Result {
        let made = Self::make(
            MovementKind::Revenue,
            format!("{}/revenue/{period}", parties.service),
            &[(DeferredRevenue, amount)],
            &[(Revenue, amount)],
        )?;
        Ok(made.about(parties, None))
    }

    /// A gateway paid out `gross`, less `fee`. `payout` is its name for it.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`] when a part is negative or all is nothing.
    pub fn gateway_payout(gateway: &str, payout: &str, gross: Rupiah, fee: Rupiah) -> Result {
        Self::make(
            MovementKind::GatewayPayout,
            format!("payout/{gateway}/{payout}"),
            &[(Bank, gross.minus(fee)?), (GatewayFees, fee)],
            &[(GatewayClearing, gross)],
        )
    }

    /// A gateway made the payer pay a fee on top of what we charged. It holds that for us too, and keeps a fee of its own
    /// when it pays out: what the payer paid makes up for it, and is none of the customer's.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`] unless `fee` is more than nothing.
    pub fn payer_fee(money: Incoming, fee: Rupiah) -> Result {
        let made = Self::make(
            MovementKind::PayerFee,
            format!("payment/{}/payer_fee", money.payment()),
            &[(money.account(), fee)],
            &[(GatewayFees, fee)],
        )?;
        Ok(Self { payment: Some(money.payment()), ..made })
    }

    /// We give something on top of a deposit.
    ///
    /// # Errors
    /// [`LedgerError::NotPositive`] unless `amount` is more than nothing.
    pub fn promo_bonus(customer: UserId, deposited: Incoming, amount: Rupiah) -> Result {
        let made = Self::make(
            MovementKind::PromoBonus,
            format!("payment/{}/bonus", deposited.payment()),
            &[(PromoExpense, amount)],
            &[(CustomerWallet, amount)],
        )?;
        Ok(Self { customer: Some(customer), payment: Some(deposited.payment()), ..made })
    }

    /// Moves the parts of `from` (debited) to `to` (credited); parts of nothing are left out.
    pub(super) fn make(kind: MovementKind, cause: String, from: Parts<'_>, to: Parts<'_>) -> Result {
        let sum = |parts: Parts<'_>| -> Result<Rupiah> {
            parts.iter().try_fold(Rupiah::ZERO, |sum, (_, amount)| Ok(sum.plus(*amount)?))
        };
        if from.iter().chain(to).any(|(_, amount)| amount.is_negative()) || sum(to)? == Rupiah::ZERO {
            return Err(LedgerError::NotPositive);
        }
        if sum(from)? != sum(to)? {
            return Err(LedgerError::Unbalanced);
        }
        let debits = from.iter().map(|(account, amount)| Ok((*account, Rupiah::ZERO.minus(*amount)?)));
        let entries = debits
            .chain(to.iter().map(|part| Ok(*part)))
            .filter(|part| part.is_err() || part.is_ok_and(|(_, amount)| amount != Rupiah::ZERO))
            .map(|part| part.map(|(account, amount)| Entry { account, amount }))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { kind, cause, customer: None, service: None, payment: None, entries })
    }

    pub(super) fn about(self, parties: Parties, payment: Option<PaymentId>) -> Self {
        Self { customer: Some(parties.customer), service: Some(parties.service), payment, ..self }
    }
}

/// The cause of whatever a payment's money does first: it arrives once.
fn received(money: Incoming) -> String {
    format!("payment/{}/received", money.payment())
}
