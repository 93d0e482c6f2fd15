//! How much of the providers' rate limits each kind of caller may take. All processes of an installation need the same.

use domain::rate_limit::Shares;
use store::instance_actions::ACTIONS_PER_HOUR;

/// How much of the providers' rate limits each kind of caller may take.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Provider shares")]
pub struct ProviderSharesConfig {
    /// Per cent of a provider's rate limit that customers' actions may take while others wait
    #[arg(
        id = "provider_shares.actions",
        long = "provider-share-actions",
        env = "PROVIDER_SHARE_ACTIONS",
        value_name = "PERCENT",
        default_value_t = Shares::STANDARD.actions
    )]
    actions: u32,

    /// Per cent of a provider's rate limit that reads for display may take
    #[arg(
        id = "provider_shares.display",
        long = "provider-share-display",
        env = "PROVIDER_SHARE_DISPLAY",
        value_name = "PERCENT",
        default_value_t = Shares::STANDARD.display
    )]
    display: u32,

    /// Per cent of these that one customer may take
    #[arg(
        id = "provider_shares.customer",
        long = "provider-share-customer",
        env = "PROVIDER_SHARE_CUSTOMER",
        value_name = "PERCENT",
        default_value_t = Shares::STANDARD.party
    )]
    customer: u32,

    /// Call the providers as often as anybody likes: for measurements at simulators, whose limits are lifted with it, and
    /// refused in production
    #[arg(
        id = "provider_shares.limits_lifted",
        long = "lift-provider-limits",
        env = "PROVIDER_LIMITS_LIFTED",
        num_args = 0..=1,
        default_missing_value = "true",
        default_value_t = false,
        value_name = "BOOL",
        action = clap::ArgAction::Set
    )]
    pub limits_lifted: bool,

    /// Actions on servers that one customer may ask for within an hour; 0 lifts the limit
    #[arg(
        id = "provider_shares.actions_per_hour",
        long = "instance-actions-per-hour",
        env = "INSTANCE_ACTIONS_PER_HOUR",
        value_name = "N",
        default_value_t = ACTIONS_PER_HOUR
    )]
    pub actions_per_hour: u32,
}

impl ProviderSharesConfig {
    /// The shares in force; none where the limits are lifted.
    pub fn shares(&self) -> Option<Shares> {
        let shares = Shares { actions: self.actions, display: self.display, party: self.customer };
        (!self.limits_lifted).then_some(shares)
    }

    /// What is wrong with these settings.
    pub fn problems(&self, production: bool) -> Vec<String> {
        let names = "PROVIDER_SHARE_ACTIONS, PROVIDER_SHARE_DISPLAY, PROVIDER_SHARE_CUSTOMER";
        let lifted = "PROVIDER_LIMITS_LIFTED is for measurements: a vendor would turn the whole account away"
            .to_owned();
        let unsound = self.shares().and_then(|shares| shares.check().err());
        let lifted = (production && self.limits_lifted).then_some(lifted);
        unsound.map(|reason| format!("{names}: {reason}")).into_iter().chain(lifted).collect()
    }
}
