//! How many connections an address has.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use crate::client::Network;

/// Counts connections by address.
#[derive(Debug, Clone)]
pub(super) struct Addresses {
    open: Arc<Mutex<HashMap<Network, usize>>>,
    most: usize,
}

impl Addresses {
    pub(super) fn new(most: usize) -> Self {
        Self { open: Arc::default(), most }
    }

    /// A place for one more connection from there; `None` when there are as many as may be.
    pub(super) fn take(&self, address: IpAddr) -> Option<Seat> {
        let network = Network::of(Some(address));
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(network).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Seat { counted: Some((network, self.clone())) })
    }
}

/// One connection's place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    /// Where it counts; nowhere for an address that is not counted.
    counted: Option<(Network, Addresses)>,
}

impl Seat {
    /// For an address that is not counted.
    pub(super) const fn free() -> Self {
        Self { counted: None }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some((network, addresses)) = self.counted.take() else { return };
        let mut open = addresses.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                open.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_connection_ends() {
        let addresses = Addresses::new(2);
        let here = IpAddr::from([192, 0, 2, 1]);
        let first = addresses.take(here).unwrap();
        let _second = addresses.take(here).unwrap();
        assert!(addresses.take(here).is_none());
        assert!(addresses.take([192, 0, 2, 2].into()).is_some());
        drop(first);
        assert!(addresses.take(here).is_some());
        assert_eq!(addresses.open.lock().unwrap().len(), 1, "addresses without connections are forgotten");
    }
}
