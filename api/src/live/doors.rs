//! How many connections there may be, and how many of them that have not said whose they are.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::LiveSettings;

/// Counts who comes in.
#[derive(Debug, Clone)]
pub(crate) struct Doors {
    places: Arc<Semaphore>,
    all: usize,
    guests: Arc<Semaphore>,
    from: Arc<Mutex<HashMap<IpAddr, usize>>>,
    most_from: usize,
}

/// A connection's place, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
}

/// That of one that has not said whose it is.
#[derive(Debug)]
pub(crate) struct Guest {
    _permit: OwnedSemaphorePermit,
    network: IpAddr,
    from: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Doors {
    pub(super) fn new(settings: &LiveSettings) -> Self {
        let of = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self {
            places: of(settings.connections),
            all: settings.connections,
            guests: of(settings.guests),
            from: Arc::default(),
            most_from: settings.guests_per_network,
        }
    }

    /// Places for one more connection from a network; `None` when there are as many as may be.
    pub(crate) fn enter(&self, network: IpAddr) -> Option<(Place, Guest)> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let guest = Arc::clone(&self.guests).try_acquire_owned().ok()?;
        let mut from = self.from.lock().unwrap_or_else(PoisonError::into_inner);
        let count = from.entry(network).or_default();
        if *count >= self.most_from {
            return None;
        }
        *count += 1;
        let from = Arc::clone(&self.from);
        Some((Place { _permit: place }, Guest { _permit: guest, network, from }))
    }

    /// Resolves when nobody is there.
    pub(super) async fn empty(&self) {
        let all = u32::try_from(self.all.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        let _ = self.places.acquire_many(all).await;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut from = self.from.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = from.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                from.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn a_network_without_a_name_for_its_connections_has_few() {
        let doors = Doors::new(&LiveSettings { guests_per_network: 2, ..LiveSettings::default() });
        let first = doors.enter(network(1)).unwrap();
        let (_place, second) = doors.enter(network(1)).unwrap();
        assert!(doors.enter(network(1)).is_none());
        assert!(doors.enter(network(2)).is_some());
        drop(second);
        assert!(doors.enter(network(1)).is_some(), "whoever said who they are is no guest any more");
        drop(first);
    }

    #[tokio::test]
    async fn all_together_are_bounded() {
        let doors = Doors::new(&LiveSettings { connections: 3, guests: 2, ..LiveSettings::default() });
        let (one, guest) = doors.enter(network(1)).unwrap();
        let two = doors.enter(network(2)).unwrap();
        assert!(doors.enter(network(3)).is_none(), "two guests");
        drop(guest);
        let three = doors.enter(network(3)).unwrap();
        drop((two.1, three.1));
        assert!(doors.enter(network(4)).is_none(), "three connections");
        drop((one, two.0, three.0));
        doors.empty().await;
        assert!(doors.from.lock().unwrap().is_empty(), "networks without guests are forgotten");
    }
}
