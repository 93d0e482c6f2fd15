//! How much one account may leave unpaid. Every bound is lifted by 0.

use domain::unpaid::UnpaidLimits;

/// Unpaid orders, and unpaid deposits, that an account of a developer's machine may have: whole bursts of them.
const IN_DEVELOPMENT: u32 = 100;

/// How much one account may leave unpaid.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Unpaid")]
pub struct UnpaidConfig {
    /// Orders of one account that wait for money; 0 lifts the limit; by default 20 in production, 100 else
    #[arg(id = "unpaid.orders", long = "unpaid-orders", env = "UNPAID_ORDERS", value_name = "N")]
    orders: Option<u32>,

    /// Deposits of one account that wait for money; 0 lifts the limit; by default 20 in production, 100 else
    #[arg(id = "unpaid.deposits", long = "unpaid-deposits", env = "UNPAID_DEPOSITS", value_name = "N")]
    deposits: Option<u32>,

    /// Of these, as many as may hold a use of the same limited promo code or of the same plan's stock; 0 lifts the limit
    #[arg(
        id = "unpaid.reservations",
        long = "unpaid-reservations",
        env = "UNPAID_RESERVATIONS",
        value_name = "N",
        default_value_t = UnpaidLimits::STANDARD.reservations
    )]
    reservations: u32,

    /// Attempts to pay the same order or invoice within a day; 0 lifts the limit
    #[arg(
        id = "unpaid.attempts_per_day",
        long = "unpaid-attempts-per-day",
        env = "UNPAID_ATTEMPTS_PER_DAY",
        value_name = "N",
        default_value_t = UnpaidLimits::STANDARD.attempts
    )]
    attempts: u32,

    /// How often a further term of the same server may be asked for within a day; 0 lifts the limit
    #[arg(
        id = "unpaid.renewals_per_day",
        long = "unpaid-renewals-per-day",
        env = "UNPAID_RENEWALS_PER_DAY",
        value_name = "N",
        default_value_t = UnpaidLimits::STANDARD.renewals
    )]
    renewals: u32,

    /// Proofs of bank transfers for the same order; 0 lifts the limit
    #[arg(
        id = "unpaid.proofs_per_order",
        long = "unpaid-proofs-per-order",
        env = "UNPAID_PROOFS_PER_ORDER",
        value_name = "N",
        default_value_t = UnpaidLimits::STANDARD.proofs_of_order
    )]
    proofs_of_order: u32,

    /// Proofs of bank transfers that an account may send within a day; 0 lifts the limit
    #[arg(
        id = "unpaid.proofs_per_day",
        long = "unpaid-proofs-per-day",
        env = "UNPAID_PROOFS_PER_DAY",
        value_name = "N",
        default_value_t = UnpaidLimits::STANDARD.proofs
    )]
    proofs: u32,

    /// Bytes of these within a day; 0 lifts the limit
    #[arg(
        id = "unpaid.proof_bytes_per_day",
        long = "unpaid-proof-bytes-per-day",
        env = "UNPAID_PROOF_BYTES_PER_DAY",
        value_name = "BYTES",
        default_value_t = UnpaidLimits::STANDARD.proof_bytes
    )]
    proof_bytes: u32,
}

impl UnpaidConfig {
    /// The same without the bounds on unpaid orders and deposits.
    pub fn without_bounds(self) -> Self {
        Self { orders: Some(0), deposits: Some(0), ..self }
    }

    /// The bounds in force.
    pub fn limits(&self, production: bool) -> UnpaidLimits {
        let standard = UnpaidLimits::STANDARD;
        let by_default = |standard| if production { standard } else { IN_DEVELOPMENT };
        UnpaidLimits {
            orders: self.orders.unwrap_or_else(|| by_default(standard.orders)),
            deposits: self.deposits.unwrap_or_else(|| by_default(standard.deposits)),
            reservations: self.reservations,
            attempts: self.attempts,
            renewals: self.renewals,
            proofs_of_order: self.proofs_of_order,
            proofs: self.proofs,
            proof_bytes: self.proof_bytes,
        }
    }
}
