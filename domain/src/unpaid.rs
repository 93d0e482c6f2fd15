//! How much one account may begin without paying. What is ordered and never paid costs a number of an invoice, a charge
//! at the gateway and, where only so many are to be had, somebody else's place; what is sent to prove a payment is kept
//! for ever.

/// Bounds per account; 0 lifts a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnpaidLimits {
    /// Orders that wait for money.
    pub orders: u32,
    /// Deposits that wait for money.
    pub deposits: u32,
    /// Of these, as many as hold one of few: a use of the same promo code with a limit for all, or a place in the same
    /// plan's stock.
    pub reservations: u32,
    /// Attempts to pay the same order or invoice within a day.
    pub attempts: u32,
    /// Further terms asked for of the same server within a day.
    pub renewals: u32,
    /// Proofs of bank transfers for the same order.
    pub proofs_of_order: u32,
    /// Proofs within a day.
    pub proofs: u32,
    /// Bytes of proofs within a day.
    pub proof_bytes: u32,
}

impl UnpaidLimits {
    /// The production values.
    pub const STANDARD: Self = Self {
        orders: 20,
        deposits: 20,
        reservations: 3,
        attempts: 20,
        renewals: 20,
        proofs_of_order: 10,
        proofs: 20,
        proof_bytes: 50 * 1024 * 1024,
    };

    /// No bounds at all.
    pub const NONE: Self = Self {
        orders: 0,
        deposits: 0,
        reservations: 0,
        attempts: 0,
        renewals: 0,
        proofs_of_order: 0,
        proofs: 0,
        proof_bytes: 0,
    };

    /// Whether an account that has begun so much already may begin one more.
    ///
    /// # Errors
    /// The first bound that is in the way.
    pub fn allow(&self, wish: Wish, begun: &Begun) -> Result<(), TooMuchUnpaid> {
        use TooMuchUnpaid as No;
        let Begun { frees_in_seconds, .. } = *begun;
        match wish {
            Wish::Order => {
                below(self.orders, begun.orders, |limit| No::Orders { limit })?;
                below(self.reservations, begun.of_plan, |limit| No::OfPlan { limit })?;
                below(self.reservations, begun.of_code, |limit| No::OfCode { limit })
            }
            Wish::Deposit => {
                below(self.deposits, begun.deposits, |limit| No::Deposits { limit })?;
                below(self.reservations, begun.of_code, |limit| No::OfCode { limit })
            }
            Wish::Attempt => {
                below(self.attempts, begun.attempts, |limit| No::Attempts { limit, frees_in_seconds })
            }
            Wish::Renewal => {
                below(self.renewals, begun.renewals, |limit| No::Renewals { limit, frees_in_seconds })
            }
            Wish::Proof { bytes } => {
                below(self.proofs_of_order, begun.proofs_of_order, |limit| No::ProofsOfOrder { limit })?;
                below(self.proofs, begun.proofs, |limit| No::Proofs { limit, frees_in_seconds })?;
                let before_the_last = begun.proof_bytes.saturating_add(i64::from(bytes)).saturating_sub(1);
                below(self.proof_bytes, before_the_last, |limit| No::ProofBytes { limit, frees_in_seconds })
            }
        }
    }
}

fn below(limit: u32, begun: i64, no: impl FnOnce(u32) -> TooMuchUnpaid) -> Result<(), TooMuchUnpaid> {
    if limit == 0 || begun < i64::from(limit) { Ok(()) } else { Err(no(limit)) }
}

/// What is to be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// An order that is not paid at once.
    Order,
    /// A deposit.
    Deposit,
    /// A further attempt to pay an order or an invoice.
    Attempt,
    /// A further term of a server that is not paid at once.
    Renewal,
    /// A proof of a bank transfer.
    Proof {
        /// How long it is.
        bytes: u32,
    },
}

/// What an account has begun already, as far as the wish is about it; the rest is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Begun {
    /// Orders that wait for money.
    pub orders: i64,
    /// Deposits that wait for money.
    pub deposits: i64,
    /// Unpaid orders of the wanted plan, where only so many of it are sold.
    pub of_plan: i64,
    /// Unpaid orders or deposits with the wanted promo code, where it may be used only so often.
    pub of_code: i64,
    /// Attempts to pay the same within a day.
    pub attempts: i64,
    /// Further terms asked for of the same server within a day.
    pub renewals: i64,
    /// Proofs for the same order.
    pub proofs_of_order: i64,
    /// Proofs within a day.
    pub proofs: i64,
    /// Their bytes.
    pub proof_bytes: i64,
    /// When the first of what was counted within a day is a day old.
    pub frees_in_seconds: u32,
}

/// An account has begun as much as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooMuchUnpaid {
    /// Orders.
    #[error("you have {limit} orders that wait for payment; pay one or call one off first")]
    Orders {
        /// How many there may be.
        limit: u32,
    },
    /// Deposits.
    #[error("you have {limit} deposits that wait for payment; pay one or wait until one expires")]
    Deposits {
        /// How many there may be.
        limit: u32,
    },
    /// Places in a plan's stock.
    #[error(
        "you have {limit} unpaid orders of this plan, of which there are few; pay one or call one off first"
    )]
    OfPlan {
        /// How many there may be.
        limit: u32,
    },
    /// Uses of a promo code.
    #[error(
        "this code is reserved for {limit} of your unpaid orders or deposits; pay one or call one off first"
    )]
    OfCode {
        /// How many there may be.
        limit: u32,
    },
    /// Attempts to pay one thing.
    #[error("there were {limit} attempts to pay this within a day; pay one of them, or try again later")]
    Attempts {
        /// How many there may be.
        limit: u32,
        /// Until one more is allowed.
        frees_in_seconds: u32,
    },
    /// Further terms of one server.
    #[error("a further term of this server was asked for {limit} times within a day; try again later")]
    Renewals {
        /// How often that may be.
        limit: u32,
        /// Until one more is allowed.
        frees_in_seconds: u32,
    },
    /// Proofs for one order.
    #[error("this order has {limit} proofs already; that is the most")]
    ProofsOfOrder {
        /// How many there may be.
        limit: u32,
    },
    /// Proofs within a day.
    #[error("you sent {limit} proofs within a day; that is the most")]
    Proofs {
        /// How many there may be.
        limit: u32,
        /// Until one more is allowed.
        frees_in_seconds: u32,
    },
    /// Bytes of proofs within a day.
    #[error("your proofs within a day would be more than {limit} bytes in all; that is the most")]
    ProofBytes {
        /// How many there may be.
        limit: u32,
        /// Until some are allowed again.
        frees_in_seconds: u32,
    },
}

impl TooMuchUnpaid {
    /// When time alone will help; `None` where somebody has to pay or call something off.
    #[must_use]
    pub const fn frees_in_seconds(self) -> Option<u32> {
        match self {
            Self::Orders { .. }
            | Self::Deposits { .. }
            | Self::OfPlan { .. }
            | Self::OfCode { .. }
            | Self::ProofsOfOrder { .. } => None,
            Self::Attempts { frees_in_seconds, .. }
            | Self::Renewals { frees_in_seconds, .. }
            | Self::Proofs { frees_in_seconds, .. }
            | Self::ProofBytes { frees_in_seconds, .. } => Some(frees_in_seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{TooMuchUnpaid as No, *};

    /// Each bound at 2, except for bytes.
    const TWO: UnpaidLimits = UnpaidLimits {
        orders: 2,
        deposits: 2,
        reservations: 2,
        attempts: 2,
        renewals: 2,
        proofs_of_order: 2,
        proofs: 2,
        proof_bytes: 100,
    };

    fn refusal(wish: Wish, begun: Begun) -> Option<TooMuchUnpaid> {
        TWO.allow(wish, &begun).err()
    }

    #[test]
    fn each_wish_has_its_own_bounds() {
        let many = Begun {
            orders: 9,
            deposits: 9,
            of_plan: 9,
            of_code: 9,
            attempts: 9,
            renewals: 9,
            proofs_of_order: 9,
            proofs: 9,
            proof_bytes: 900,
            frees_in_seconds: 60,
        };
        let proof = Wish::Proof { bytes: 1 };
        for (wish, begun, expected) in [
            (Wish::Order, Begun { orders: 1, ..many }, No::OfPlan { limit: 2 }),
            (Wish::Order, Begun { of_plan: 1, of_code: 1, ..many }, No::Orders { limit: 2 }),
            (Wish::Order, Begun { orders: 0, of_plan: 0, ..many }, No::OfCode { limit: 2 }),
            (Wish::Deposit, many, No::Deposits { limit: 2 }),
            (Wish::Deposit, Begun { deposits: 1, ..many }, No::OfCode { limit: 2 }),
            (
                Wish::Attempt,
                Begun { attempts: 2, ..Begun::default() },
                No::Attempts { limit: 2, frees_in_seconds: 0 },
            ),
            (
                Wish::Renewal,
                Begun { renewals: 2, ..Begun::default() },
                No::Renewals { limit: 2, frees_in_seconds: 0 },
            ),
            (proof, many, No::ProofsOfOrder { limit: 2 }),
            (proof, Begun { proofs_of_order: 1, ..many }, No::Proofs { limit: 2, frees_in_seconds: 60 }),
            (
                proof,
                Begun { proofs_of_order: 1, proofs: 1, ..many },
                No::ProofBytes { limit: 100, frees_in_seconds: 60 },
            ),
        ] {
            assert_eq!(refusal(wish, begun), Some(expected), "{wish:?} {begun:?}");
            assert_eq!(UnpaidLimits::NONE.allow(wish, &begun), Ok(()));
        }
    }

    #[test]
    fn one_below_a_bound_is_allowed_and_the_bound_is_not() {
        assert_eq!(
            refusal(Wish::Order, Begun { orders: 1, of_plan: 1, of_code: 1, ..Begun::default() }),
            None
        );
        assert_eq!(
            refusal(Wish::Order, Begun { orders: 2, ..Begun::default() }),
            Some(No::Orders { limit: 2 })
        );
        let sent = Begun { proof_bytes: 60, ..Begun::default() };
        assert_eq!(refusal(Wish::Proof { bytes: 40 }, sent), None);
        assert_eq!(
            refusal(Wish::Proof { bytes: 41 }, sent),
            Some(No::ProofBytes { limit: 100, frees_in_seconds: 0 })
        );
    }

    #[test]
    fn what_time_alone_does_not_help_says_so() {
        assert_eq!(TooMuchUnpaid::Orders { limit: 1 }.frees_in_seconds(), None);
        assert_eq!(TooMuchUnpaid::Attempts { limit: 1, frees_in_seconds: 7 }.frees_in_seconds(), Some(7));
    }
}
