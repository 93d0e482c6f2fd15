//! The vendor's two sliding windows: 250 calls in any minute and 5,000 in any hour, per token.

use std::collections::VecDeque;

use axum::http::{HeaderMap, HeaderValue, header::RETRY_AFTER};
use chrono::{DateTime, TimeDelta, Utc};

const PER_HOUR: usize = 5_000;
const PER_MINUTE: usize = 250;
const HOUR: TimeDelta = TimeDelta::hours(1);
const MINUTE: TimeDelta = TimeDelta::minutes(1);

/// When the admitted calls of the last hour came, oldest first. Refused calls don't count.
#[derive(Debug, Default)]
pub(super) struct Window(VecDeque<DateTime<Utc>>);

/// What a call was told about the limits.
#[derive(Debug, PartialEq)]
pub(super) struct Verdict {
    /// Calls left in the hour.
    remaining: usize,
    /// When the oldest call leaves the hour.
    reset: DateTime<Utc>,
    /// Seconds until a call is admitted again, if this one was not.
    pub(super) retry_after: Option<i64>,
}

impl Window {
    /// Counts a call at `now`, unless limits are lifted or it is one too many.
    pub(super) fn call(&mut self, now: DateTime<Utc>, limited: bool) -> Verdict {
        while self.0.front().is_some_and(|oldest| *oldest + HOUR <= now) {
            self.0.pop_front();
        }
        let free_at = if limited { self.free_at(now) } else { None };
        if limited && free_at.is_none() {
            self.0.push_back(now);
        }
        Verdict {
            remaining: PER_HOUR.saturating_sub(self.0.len()),
            reset: self.0.front().map_or(now, |oldest| *oldest + HOUR),
            retry_after: free_at.map(|at| ((at - now).num_milliseconds() + 999) / 1000),
        }
    }

    /// When the next call would be admitted, if not now.
    fn free_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let leaves = |limit: usize, span: TimeDelta| {
            let index = self.0.len().checked_sub(limit)?;
            self.0.get(index).map(|call| *call + span).filter(|at| *at > now)
        };
        leaves(PER_HOUR, HOUR).max(leaves(PER_MINUTE, MINUTE))
    }
}

impl Verdict {
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("ratelimit-limit", HeaderValue::from(PER_HOUR));
        headers.insert("ratelimit-remaining", HeaderValue::from(self.remaining));
        headers.insert("ratelimit-reset", HeaderValue::from(self.reset.timestamp()));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn a_minute_holds_250_calls_and_slides() {
        let mut window = Window::default();
        for call in 0..250 {
            let verdict = window.call(at(call / 10), true);
            assert_eq!((verdict.retry_after, verdict.remaining), (None, 4_999 - call as usize));
        }
        // The oldest ten were made at second 0, the next ten at second 1.
        assert_eq!(window.call(at(40), true).retry_after, Some(20));
        for _ in 0..10 {
            assert_eq!(window.call(at(60), true).retry_after, None);
        }
        assert_eq!(window.call(at(60), true).retry_after, Some(1));
    }

    #[test]
    fn an_hour_holds_5000_calls() {
        let mut window = Window::default();
        for call in 0..5_000 {
            assert_eq!(window.call(at(call / 2), true).retry_after, None);
        }
        let refused = window.call(at(3_000), true);
        assert_eq!(refused, Verdict { remaining: 0, reset: at(3_600), retry_after: Some(600) });
        assert_eq!(window.call(at(3_600), true).retry_after, None);
    }

    #[test]
    fn lifted_limits_neither_refuse_nor_count() {
        let mut window = Window::default();
        for _ in 0..6_000 {
            assert_eq!(window.call(at(0), false).retry_after, None);
        }
        assert_eq!(window.call(at(0), true).remaining, 4_999);
    }
}
