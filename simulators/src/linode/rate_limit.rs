//! The vendor's limits: each group of calls has a window that opens with its first call, holds so many, and is
//! empty again when it closes.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderValue, Method, header::RETRY_AFTER};
use chrono::{DateTime, TimeDelta, Utc};

/// A group of calls that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    /// New Linodes.
    Creates,
    /// Reads that answer with a collection.
    Lists,
    /// The list of images.
    Images,
    /// Statistics of a Linode.
    Stats,
    /// Everything else.
    Others,
}

impl Group {
    /// The group of a call by its method and its route's pattern.
    pub(super) fn of(method: &Method, pattern: &str) -> Self {
        const LISTS: [&str; 12] = [
            "instances",
            "regions",
            "availability",
            "types",
            "kernels",
            "events",
            "sshkeys",
            "tags",
            "{label}",
            "disks",
            "configs",
            "volumes",
        ];
        let last = pattern.rsplit('/').next().unwrap_or_default();
        match (method, pattern) {
            (&Method::POST, "/v4/linode/instances") => Self::Creates,
            (&Method::GET, "/v4/images") => Self::Images,
            (&Method::GET, _) if pattern.contains("/stats") => Self::Stats,
            (&Method::GET, _) if LISTS.contains(&last) => Self::Lists,
            _ => Self::Others,
        }
    }

    const fn limit(self) -> (u32, TimeDelta) {
        match self {
            Self::Creates => (20, TimeDelta::seconds(15)),
            Self::Lists => (200, TimeDelta::minutes(1)),
            Self::Images => (20, TimeDelta::minutes(1)),
            Self::Stats => (50, TimeDelta::minutes(1)),
            Self::Others => (1_600, TimeDelta::minutes(1)),
        }
    }
}

/// The open windows. Refused calls don't count.
#[derive(Debug, Default)]
pub(super) struct Windows(BTreeMap<Group, Window>);

#[derive(Debug, Clone, Copy)]
struct Window {
    closes_at: DateTime<Utc>,
    used: u32,
}

/// What a call was told about its group's limit.
#[derive(Debug, PartialEq)]
pub(super) struct Verdict {
    limit: u32,
    remaining: u32,
    /// When the window closes.
    reset: DateTime<Utc>,
    /// Seconds until a call is admitted again, if this one was not.
    pub(super) retry_after: Option<i64>,
}

impl Windows {
    /// Counts a call at `now`, unless limits are lifted or it is one too many.
    pub(super) fn call(&mut self, group: Group, now: DateTime<Utc>, limited: bool) -> Verdict {
        let (limit, length) = group.limit();
        let fresh = Window { closes_at: now + length, used: 0 };
        let window = self.0.entry(group).or_insert(fresh);
        if window.closes_at <= now {
            *window = fresh;
        }
        let refused = limited && window.used >= limit;
        if limited && !refused {
            window.used += 1;
        }
        let wait = || ((window.closes_at - now).num_milliseconds() + 999) / 1000;
        Verdict {
            limit,
            remaining: limit - window.used,
            reset: window.closes_at,
            retry_after: refused.then(wait),
        }
    }
}

impl Verdict {
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-ratelimit-limit", HeaderValue::from(self.limit));
        headers.insert("x-ratelimit-remaining", HeaderValue::from(self.remaining));
        // Rounded up: whoever waits until then has waited long enough.
        headers.insert("x-ratelimit-reset", HeaderValue::from((self.reset.timestamp_millis() + 999) / 1000));
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
    fn fifteen_seconds_hold_twenty_creates() {
        let mut windows = Windows::default();
        for call in 0..20 {
            let verdict = windows.call(Group::Creates, at(call / 2), true);
            assert_eq!((verdict.retry_after, verdict.remaining), (None, 19 - call as u32));
        }
        let refused = windows.call(Group::Creates, at(11), true);
        assert_eq!(refused, Verdict { limit: 20, remaining: 0, reset: at(15), retry_after: Some(4) });
        assert_eq!(windows.call(Group::Others, at(11), true).retry_after, None, "groups don't share");
        assert_eq!(windows.call(Group::Creates, at(15), true).remaining, 19);
    }

    #[test]
    fn lifted_limits_neither_refuse_nor_count() {
        let mut windows = Windows::default();
        for _ in 0..100 {
            assert_eq!(windows.call(Group::Creates, at(0), false).retry_after, None);
        }
        assert_eq!(windows.call(Group::Creates, at(0), true).remaining, 19);
    }

    #[test]
    fn calls_have_their_groups() {
        use Group::*;
        for (method, pattern, group) in [
            (Method::POST, "/v4/linode/instances", Creates),
            (Method::GET, "/v4/linode/instances", Lists),
            (Method::GET, "/v4/linode/instances/{id}/disks", Lists),
            (Method::GET, "/v4/account/events", Lists),
            (Method::GET, "/v4/linode/instances/{id}", Others),
            (Method::GET, "/v4/linode/instances/{id}/backups", Others),
            (Method::POST, "/v4/linode/instances/{id}/reboot", Others),
            (Method::DELETE, "/v4/linode/instances/{id}", Others),
            (Method::GET, "/v4/images", Images),
            (Method::POST, "/v4/images", Others),
            (Method::GET, "/v4/images/{id}", Others),
            (Method::GET, "/v4/linode/instances/{id}/stats", Stats),
            (Method::GET, "/v4/linode/instances/{id}/stats/{year}/{month}", Stats),
        ] {
            assert_eq!(Group::of(&method, pattern), group, "{method} {pattern}");
        }
    }
}
