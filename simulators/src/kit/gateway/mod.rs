//! What the payment gateways' stand-ins share: being told that a customer paid (`POST /__sim/pay`), and notifying the
//! merchant of it as stubbornly as the vendor does, in copies, late, out of order or tampered with.

mod charges;
mod courier;
mod merchant;
mod pay;
pub(crate) mod qris;
mod settings;
mod take_back;

use std::{io, path::PathBuf};

use serde::{Deserialize, Serialize};

pub use self::settings::Settings;
pub(crate) use self::{
    charges::{Charge, Charges},
    courier::{Courier, Letter},
    merchant::{Merchant, Vendor},
    pay::{Amount, Pay, Tamper},
    take_back::How,
};
use super::{Handle, Service};

/// A payment gateway's simulator. Each vendor has its own.
#[derive(Debug)]
pub struct Descriptor {
    /// What the vendor is called in settings and in the names of state files.
    pub slug: &'static str,
    /// The port it has by convention.
    pub port: u16,
    /// What the vendor's paths begin with, most of them.
    pub version: &'static str,
    /// What it accepts, and proves itself by.
    pub credentials: &'static [Credential],
    /// The vendor's route of a charge, such as `POST /v2/charge`.
    pub charge: &'static str,
    /// A merchant's side as it is set up, with what its state file remembers. Fails when that can't be read, understood
    /// or written.
    pub open: fn(Config) -> io::Result<Service>,
}

/// A secret that a merchant shares with a gateway.
#[derive(Debug, Clone, Copy)]
pub struct Credential {
    /// What it is unless another is set. Everybody knows it.
    pub usual: &'static str,
    /// What those of the vendor's sandbox begin with.
    pub prefix: &'static str,
    /// What the simulator does with it, in a sentence for a command line's help.
    pub help: &'static str,
}

/// How a simulator starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// The secrets, in the order of [`Descriptor::credentials`].
    pub credentials: Vec<String>,
    /// Settings at the start, and after `POST /__sim/reset`.
    pub settings: Settings,
    /// Where to remember charges across restarts; nowhere by default.
    pub state: Option<PathBuf>,
}

impl Descriptor {
    /// How it starts when nothing is said.
    #[must_use]
    pub fn config(&self) -> Config {
        let credentials = self.credentials.iter().map(|credential| credential.usual.to_owned()).collect();
        Config { credentials, settings: Settings::default(), state: None }
    }

    /// Starts one in this process, on a port of its own.
    ///
    /// # Errors
    /// When no port can be bound or the state file is unusable.
    pub async fn start(&self, config: Config) -> io::Result<Handle> {
        Handle::start((self.open)(config)?).await
    }
}

/// What becomes of a charge; also what a notification tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    #[default]
    Settlement,
    Pending,
    Deny,
    Expire,
    Cancel,
}
