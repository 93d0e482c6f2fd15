//! What the shop's events leave behind: where things stand, and what really came and went outside the books, counted from the
//! events and not from what was booked. The books have to agree with it at any time.

use domain::ids::UserId;

use super::*;

/// Money outside, in whole rupiah.
#[derive(Debug, Clone, Default)]
pub(super) struct Outside {
    at_bank: i64,
    at_gateway: i64,
    fees: i64,
    /// What was brought for each customer, less what went back to them.
    brought: [i64; CUSTOMERS],
    /// What is on its way back to them through a gateway.
    on_its_way: [i64; CUSTOMERS],
}

impl World {
    /// Notes what a movement that took place means, and what it brought in.
    pub fn took_place(&mut self, event: &Event, movement: &Movement) {
        if matches!(movement.kind(), K::Deposit | K::Payment | K::LatePayment) {
            assert!(self.received.insert(movement.payment()), "a payment's money came in twice");
        }
        let outside = &mut self.outside;
        match (event, movement.kind()) {
            (Event::Paid { attempt, amount }, K::Deposit | K::Payment | K::LatePayment) => {
                let price = self.cast.billed(*attempt).map(|(_, price)| price.total);
                let charged = price.unwrap_or(Rupiah::new(*amount));
                outside.at_gateway += charged.get();
                outside.brought[attempt.customer] += charged.get();
                let is_applied = movement.kind() == K::Payment;
                let settled = Settled { attempt: *attempt, charged, is_applied, bonus: Rupiah::ZERO };
                self.settled.insert(self.cast.payment(*attempt), settled);
                match attempt.bill {
                    Bill::Order(order) if is_applied => self.stages[attempt.customer][order] = Stage::Paid,
                    Bill::Term(term) if is_applied => self.terms_paid[attempt.customer][term] = true,
                    _ => {}
                }
            }
            (Event::Paid { attempt, .. }, K::PayerFee) => {
                let fee = Cast::payer_fee(*attempt).get();
                outside.at_gateway += fee;
                outside.fees += fee;
            }
            (
                Event::Approved { customer, order, transfer, amount, .. },
                kind @ (K::PartPayment | K::Payment | K::LatePayment),
            ) => {
                outside.at_bank += amount;
                outside.brought[*customer] += amount;
                let payment = self.cast.transfer(*customer, *order, *transfer).payment();
                let before = self.transfers.get(&payment).copied().flatten().unwrap_or_default().get();
                let now = (kind == K::PartPayment).then_some(Rupiah::new(before + amount));
                self.transfers.insert(payment, now);
                if kind == K::Payment {
                    self.stages[*customer][*order] = Stage::Paid;
                }
            }
            (Event::WalletPaid { customer, order }, K::Hold) => {
                self.stages[*customer][*order] = Stage::Paid;
            }
            (Event::TermPaidFromWallet { customer, term }, K::Hold) => {
                self.terms_paid[*customer][*term] = true
            }
            (Event::Refunded { customer, order, number, .. }, K::RefundOwed) => {
                let owed = movement.amount_on(AccountKind::RefundsPayable);
                outside.on_its_way[*customer] += owed.get();
                let refund = self.cast.refund(*customer, *order, *number);
                if let Some(payment) = self.way_back(*customer, *order) {
                    self.owed.insert(refund, (payment, owed, None));
                }
            }
            (Event::RefundEnded { customer, order, number, settled }, _) => {
                let refund = self.cast.refund(*customer, *order, *number);
                if let Some((_, amount, ended)) = self.owed.get_mut(&refund) {
                    *ended = Some(*settled);
                    outside.on_its_way[*customer] -= amount.get();
                    if *settled {
                        outside.at_gateway -= amount.get();
                        outside.brought[*customer] -= amount.get();
                    }
                }
            }
            (Event::Decided { which, .. }, K::Dispute) => self.accept(*which, movement),
            (Event::Adjusted { customer, amount, .. }, _) => outside.brought[*customer] += amount,
            (Event::PaidOut { gross, fee, .. }, _) => {
                outside.at_gateway -= gross;
                outside.at_bank += gross - fee;
                outside.fees -= fee;
            }
            (Event::Bonus { customer, payment, amount }, _) => {
                outside.brought[*customer] += amount;
                let attempt = Attempt { customer: *customer, bill: Bill::Deposit, number: *payment };
                if let Some(settled) = self.settled.get_mut(&self.cast.payment(attempt)) {
                    settled.bonus = Rupiah::new(*amount);
                }
            }
            _ => {}
        }
    }

    fn accept(&mut self, which: usize, movement: &Movement) {
        let Some((id, dispute)) = self.undecided(which).map(|(id, dispute)| (id, dispute.clone())) else {
            return;
        };
        let attempt = self.settled[&dispute.payment].attempt;
        self.outside.at_gateway -= dispute.of_charged.get() + dispute.of_fee.get();
        self.outside.fees -= dispute.of_fee.get();
        // What was spent already is owed to us, and a bonus falls with its deposit.
        let owed = -movement.amount_on(AccountKind::CustomerReceivable).get();
        let bonus = movement.amount_on(AccountKind::PromoExpense).get();
        self.outside.brought[attempt.customer] += owed - bonus - dispute.of_charged.get();
        self.disputes.insert(id, Dispute { standing: Some(true), ..dispute });
    }

    /// Moves things along when all that belongs to an event took place (or nothing had to).
    pub fn happened(&mut self, event: &Event) {
        match *event {
            Event::Activated { customer, order } if self.stages[customer][order] == Stage::Paid => {
                self.stages[customer][order] = Stage::Active;
            }
            Event::Expired { customer, order } if self.stages[customer][order] == Stage::Waiting => {
                self.stages[customer][order] = Stage::Expired;
                self.end_parts(customer, order);
            }
            Event::Cancelled { customer, order }
                if matches!(self.stages[customer][order], Stage::Waiting | Stage::Paid) =>
            {
                self.stages[customer][order] = Stage::Closed;
                self.end_parts(customer, order);
            }
            Event::ServerEnded { customer } => self.servers_ended[customer] = true,
            Event::Refunded { customer, order, .. } => self.close_if_empty(customer, order),
            Event::Reversed { which, number, amount } => self.reversed(which, number, amount),
            Event::Decided { which, accepted } => {
                if !accepted && let Some((id, dispute)) = self.undecided(which) {
                    let dismissed = Dispute { standing: Some(false), ..dispute.clone() };
                    self.disputes.insert(id, dismissed);
                }
                for (customer, order) in (0..CUSTOMERS).flat_map(|c| (0..ORDERS).map(move |o| (c, o))) {
                    self.close_if_empty(customer, order);
                }
            }
            _ => {}
        }
    }

    /// A transfer whose part went to the balance is over with its order.
    fn end_parts(&mut self, customer: usize, order: usize) {
        for transfer in 0..TRANSFERS {
            let payment = self.cast.transfer(customer, order, transfer).payment();
            if let Some(open) = self.transfers.get_mut(&payment) {
                *open = None;
            }
        }
    }

    fn close_if_empty(&mut self, customer: usize, order: usize) {
        let left = self.books.position(self.cast.parties(customer, order).service);
        if self.stages[customer][order] == Stage::Paid && left == Position::default() {
            self.stages[customer][order] = Stage::Closed;
        }
    }

    /// Opens a dispute about one of the paid attempts: over what was charged first, then over the payer's fee.
    fn reversed(&mut self, which: usize, number: usize, amount: i64) {
        if self.settled.is_empty() {
            return;
        }
        let payments: Vec<PaymentId> = self.settled.keys().copied().collect();
        let payment = payments[which % payments.len()];
        let id = self.cast.dispute(self.settled[&payment].attempt, number);
        let of_charged = self.undisputed(payment).min(Rupiah::new(amount));
        let of_fee = self.undisputed_fee(payment).min(Rupiah::new(amount - of_charged.get()));
        if of_charged > Rupiah::ZERO {
            self.disputes.entry(id).or_insert(Dispute { payment, of_charged, of_fee, standing: None });
        }
    }

    /// What must always be true.
    pub fn check(&self) {
        let total: i64 = self.books.balances().map(|(_, _, balance)| balance.get()).sum();
        assert_eq!(total, 0, "the books are not balanced");
        for customer in 0..CUSTOMERS {
            self.check_customer(customer);
        }
        let house = |account| self.books.balance(account, None).get();
        let outside = &self.outside;
        assert_eq!(
            house(AccountKind::RefundsPayable),
            outside.on_its_way.iter().sum::<i64>(),
            "owed to nobody"
        );
        assert_eq!(house(AccountKind::Bank), -outside.at_bank, "the bank holds something else");
        assert_eq!(
            house(AccountKind::GatewayClearing),
            -outside.at_gateway,
            "the gateway holds something else"
        );
        assert_eq!(house(AccountKind::GatewayFees), outside.fees, "the fees are others");
        assert!(house(AccountKind::CustomerReceivable) <= 0, "customers owe us less than nothing");
        for (payment, settled) in &self.settled {
            let lost =
                self.disputed(*payment).filter(|d| d.standing == Some(true)).map(|d| d.of_charged.get());
            assert!(lost.sum::<i64>() <= settled.charged.get(), "a payment lost more than it brought");
        }
    }

    fn check_customer(&self, customer: usize) {
        let id: UserId = self.cast.customer(customer);
        let wallet = self.books.balance(AccountKind::CustomerWallet, Some(id)).get();
        let holds = self.books.balance(AccountKind::CustomerHolds, Some(id)).get();
        assert!(wallet >= 0 && holds >= 0, "a customer's account is below nothing");
        let orders = (0..ORDERS).map(|order| self.cast.parties(customer, order));
        let terms = (0..TERMS).map(|term| self.cast.parties_of_term(customer, term));
        let positions: Vec<_> =
            orders.chain(terms).map(|parties| self.books.position(parties.service)).collect();
        assert!(positions.iter().all(Position::is_sound), "{positions:?}");
        assert_eq!(holds, positions.iter().map(|p| p.held.get()).sum::<i64>(), "holds without an order");
        let in_services: i64 = positions.iter().map(|p| p.total().unwrap().get()).sum();
        let on_its_way = self.outside.on_its_way[customer];
        assert!(on_its_way >= 0, "a refund ended twice");
        assert_eq!(
            wallet + in_services + on_its_way,
            self.outside.brought[customer],
            "money was made up or lost"
        );
    }
}
