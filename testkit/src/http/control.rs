//! The control API of simulators.

use std::time::Duration;

use client::{Client, Network};
use simulators::Handle;

use super::Caller;

/// Calls have to be answered at once; what a simulator was told to be slow at is its vendor's API.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The control API of a simulator: paths below `/__sim`, such as `/faults`.
///
/// # Panics
/// When no client can be made.
#[must_use]
pub fn control(simulator: &Handle) -> Caller {
    control_at(&simulator.url())
}

/// The same of one at an address.
pub(crate) fn control_at(url: &str) -> Caller {
    let network = Network::within(TIMEOUT).expect("a client");
    Caller::new(Client::new(network, &format!("{url}/__sim")))
}
