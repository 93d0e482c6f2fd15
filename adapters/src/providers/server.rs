//! Servers, as they are asked for and listed.

use domain::{server::ProviderServer, user_data::UserData};
use secrecy::SecretString;

/// What it takes to create a server. Sizes, regions and images are the provider's own slugs.
#[derive(Debug, Clone)]
pub struct CreateServer {
    /// The installation's tag. See [`domain::installation::Installation::tag`].
    pub fleet: String,
    /// The order's tag: deterministic, so the server can be found again. See [`domain::provisioning::order_tag`].
    pub tag: String,
    /// The tag of the orders placed in the same hour. See [`domain::provisioning::cohort_tag`].
    pub cohort: String,
    /// Host name of the machine.
    pub hostname: String,
    /// The provider's size slug.
    pub size: String,
    /// The provider's region slug.
    pub region: String,
    /// The provider's image slug.
    pub image: String,
    /// SSH public keys for root.
    pub ssh_public_keys: Vec<String>,
    /// Root's password.
    pub root_password: Option<SecretString>,
    /// What its owner wants it told at its first boot, beside what we tell it.
    pub user_data: Option<UserData>,
    /// The private network it is to be in: one of its customer's. See [`super::CloudProvider::ensure_network`].
    pub network: Option<String>,
}

/// Servers that came with one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerPage {
    /// The servers.
    pub servers: Vec<ProviderServer>,
    /// What to ask for the next page by; `None` on the last.
    pub next: Option<String>,
}
