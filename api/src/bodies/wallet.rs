//! A balance.

use domain::{Rupiah, money::CURRENCY};
use serde::Serialize;
use store::ledger::Balances;
use utoipa::ToSchema;

/// What a customer has with us, in whole rupiah.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WalletBody {
    /// Can be spent.
    #[schema(example = 366_800)]
    balance: Rupiah,
    /// Set aside for orders that do not run yet; not a part of `balance`.
    #[schema(example = 133_200)]
    held: Rupiah,
    #[schema(example = "IDR")]
    currency: &'static str,
}

impl From<Balances> for WalletBody {
    fn from(balances: Balances) -> Self {
        Self { balance: balances.wallet, held: balances.holds, currency: CURRENCY }
    }
}
