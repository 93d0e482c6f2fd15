//! A simulated account at a provider, whichever it is: its credential, its settings, what it holds, and the control API
//! over it.

mod account;
mod settings;
mod state;

use std::{io, path::PathBuf};

pub use self::settings::Settings;
pub(crate) use self::{
    account::{Account, Vendor},
    state::{Holdings, Kept, State, after, kept, put_back},
};
use super::{Handle, Service};

/// A provider's simulator. Each vendor has its own.
#[derive(Debug)]
pub struct Descriptor {
    /// What the vendor is called in settings and in the names of state files.
    pub slug: &'static str,
    /// The port it has by convention.
    pub port: u16,
    /// What the vendor's paths begin with.
    pub version: &'static str,
    /// The token or key it accepts unless another is set. Everybody knows it.
    pub credential: &'static str,
    /// What the vendor's real credentials begin with.
    pub credential_prefix: &'static str,
    /// The vendor's routes of what every provider has.
    pub routes: Routes,
    /// An account as it is set up, with what its state file remembers. Fails when that can't be read, understood or
    /// written.
    pub open: fn(Config) -> io::Result<Service>,
}

/// Routes such as `POST /v2/droplets`, as counters and faults name them.
#[derive(Debug, Clone, Copy)]
pub struct Routes {
    /// Creates a server.
    pub create: &'static str,
    /// Lists servers.
    pub list: &'static str,
    /// Reads one server.
    pub read: &'static str,
    /// Deletes one.
    pub delete: &'static str,
    /// Restarts one.
    pub reboot: &'static str,
    /// Lists the snapshots of one.
    pub snapshots: &'static str,
}

/// How a simulator starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// The only token or key it accepts.
    pub token: String,
    /// Pace and limits at the start, and after `POST /__sim/reset`.
    pub settings: Settings,
    /// Where to remember all that the account holds across restarts; nowhere by default.
    pub state: Option<PathBuf>,
}

impl Descriptor {
    /// How it starts when nothing is said.
    #[must_use]
    pub fn config(&self) -> Config {
        Config { token: self.credential.to_owned(), settings: Settings::default(), state: None }
    }

    /// Starts one in this process, on a port of its own.
    ///
    /// # Errors
    /// When no port can be bound or the state file is unusable.
    pub async fn start(&self, config: Config) -> io::Result<Handle> {
        Handle::start((self.open)(config)?).await
    }
}
