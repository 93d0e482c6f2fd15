//! Who sells: what stands at the head of invoices.

use api::Seller;

/// Who sells: what stands at the head of invoices.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Seller")]
pub struct SellerConfig {
    /// The company's name on invoices; production has no default
    #[arg(id = "seller.name", long = "seller-name", env = "SELLER_NAME", value_name = "NAME")]
    name: Option<String>,

    /// The company's address on invoices, with line ends where it has lines; production has no default
    #[arg(id = "seller.address", long = "seller-address", env = "SELLER_ADDRESS", value_name = "ADDRESS")]
    address: Option<String>,

    /// The company's NPWP on invoices, 15 or 16 digits; production has no default
    #[arg(id = "seller.tax_id", long = "seller-tax-id", env = "SELLER_TAX_ID", value_name = "NPWP")]
    tax_id: Option<String>,
}

impl SellerConfig {
    /// The seller; one for trying things out where nothing is set.
    pub fn seller(&self) -> Seller {
        let or = |setting: &Option<String>, default| given(setting).map_or(default, str::to_owned);
        let Seller { name, address, tax_id } = Seller::of_development();
        Seller {
            name: or(&self.name, name),
            address: or(&self.address, address),
            tax_id: or(&self.tax_id, tax_id),
        }
    }

    /// What is wrong with these settings.
    pub fn problems(&self, production: bool) -> Vec<String> {
        let mut problems = Vec::new();
        if production {
            let settings = [
                ("SELLER_NAME", &self.name),
                ("SELLER_ADDRESS", &self.address),
                ("SELLER_TAX_ID", &self.tax_id),
            ];
            let missing = settings.into_iter().filter(|(_, setting)| given(setting).is_none());
            problems
                .extend(missing.map(|(name, _)| format!("{name} is missing: it stands on every invoice")));
        }
        if given(&self.tax_id).is_some_and(|tax_id| !is_npwp(tax_id)) {
            problems.push("SELLER_TAX_ID: an NPWP has 15 or 16 digits".to_owned());
        }
        problems
    }
}

/// An empty variable means that it is not set.
fn given(setting: &Option<String>) -> Option<&str> {
    setting.as_deref().map(str::trim).filter(|setting| !setting.is_empty())
}

fn is_npwp(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    matches!(digits, 15 | 16) && text.chars().all(|letter| matches!(letter, '0'..='9' | '.' | '-' | ' '))
}
