//! The vendor's limit: 30 calls in any second from one address. It tells nothing of it in headers until a call is
//! refused.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
};

use chrono::{DateTime, TimeDelta, Utc};

const PER_SECOND: usize = 30;
const SECOND: TimeDelta = TimeDelta::seconds(1);

/// When the admitted calls of the last second came, by client address, oldest first. Refused calls don't count.
#[derive(Debug, Default)]
pub(super) struct Windows(BTreeMap<IpAddr, VecDeque<DateTime<Utc>>>);

impl Windows {
    /// Counts a call, or tells in how many seconds, rounded up, one will be admitted.
    pub(super) fn call(&mut self, from: IpAddr, now: DateTime<Utc>) -> Result<(), u64> {
        let calls = self.0.entry(from).or_default();
        while calls.front().is_some_and(|oldest| *oldest + SECOND <= now) {
            calls.pop_front();
        }
        match calls.front() {
            Some(oldest) if calls.len() >= PER_SECOND => {
                let wait = (*oldest + SECOND - now).to_std().unwrap_or_default();
                Err(wait.as_secs_f64().ceil() as u64)
            }
            _ => {
                calls.push_back(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_800_000_000_000 + milliseconds).unwrap()
    }

    #[test]
    fn a_second_holds_30_calls_of_one_address_and_slides() {
        let (near, far) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let mut windows = Windows::default();
        for call in 0..30 {
            assert_eq!(windows.call(near, at(call * 10)), Ok(()));
        }
        assert_eq!(windows.call(near, at(300)), Err(1));
        assert_eq!(windows.call(far, at(300)), Ok(()));
        // The first call leaves the window, and with it one place opens.
        assert_eq!(windows.call(near, at(1_000)), Ok(()));
        assert_eq!(windows.call(near, at(1_000)), Err(1));
        assert_eq!(windows.call(near, at(1_010)), Ok(()));
    }
}
