//! How much a gateway takes at once, as settings write it.

use domain::Rupiah;
use domain::billing::{Bank, PaymentMethod};
use domain::payment_limits::{AmountLimits, Way};
use std::str::FromStr;

/// How much a gateway takes by some of its ways to pay: `QRIS:1-10000000,BCA:10000-50000000,BNI:1-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayLimits(Vec<(Way, AmountLimits)>);

impl GatewayLimits {
    /// Each way that is named, with its limits.
    pub fn ways(&self) -> impl Iterator<Item = (Way, AmountLimits)> {
        self.0.iter().copied()
    }
}

impl FromStr for GatewayLimits {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').filter(|part| !part.trim().is_empty()).map(one).collect::<Result<_, _>>().map(Self)
    }
}

/// `BCA:10000-50000000`.
fn one(part: &str) -> Result<(Way, AmountLimits), String> {
    let shape = || {
        let banks: Vec<&str> = Bank::ALL.iter().map(|bank| bank.as_str()).collect();
        format!(
            "`{}` is not like QRIS:1-10000000 or BCA:10000-50000000: QRIS or a bank ({}), the least and the most in \
             whole rupiah (nothing after the dash: no most)",
            part.trim(),
            banks.join(", ")
        )
    };
    let (name, range) = part.trim().split_once(':').ok_or_else(shape)?;
    let (least, most) = range.split_once('-').ok_or_else(shape)?;
    let way = match name {
        "QRIS" => Way { method: PaymentMethod::Qris, bank: None },
        bank => {
            let bank = Bank::ALL.iter().find(|known| known.as_str() == bank).ok_or_else(shape)?;
            Way { method: PaymentMethod::VirtualAccount, bank: Some(*bank) }
        }
    };
    let rupiah =
        |text: &str| text.parse().ok().filter(|amount| *amount > 0).map(Rupiah::new).ok_or_else(shape);
    let maximum = if most.is_empty() { None } else { Some(rupiah(most)?) };
    let limits = AmountLimits { minimum: rupiah(least)?, maximum };
    if maximum.is_some_and(|most| most < limits.minimum) {
        return Err(shape());
    }
    Ok((way, limits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_can_be_read_and_names_every_way() {
        for gateway in adapters::payments::ALL {
            let limits: GatewayLimits = gateway.published_limits.parse().unwrap();
            assert_eq!(limits.ways().count(), 1 + Bank::ALL.len());
            let qris = limits.ways().find(|(way, _)| way.bank.is_none()).unwrap().1;
            assert_eq!(qris.maximum, Some(Rupiah::new(10_000_000)));
        }
        let open: GatewayLimits = " BNI:5- , ".parse().unwrap();
        assert_eq!(open.ways().next().unwrap().1, AmountLimits { minimum: Rupiah::new(5), maximum: None });
    }

    #[test]
    fn nonsense_is_named() {
        for wrong in
            ["QRIS", "QRIS:1", "OVO:1-2", "QRIS:-5", "QRIS:0-5", "QRIS:9-5", "QRIS:1.5-2", "qris:1-2"]
        {
            let refused = wrong.parse::<GatewayLimits>().unwrap_err();
            assert!(refused.contains(wrong), "{refused}");
        }
    }
}
