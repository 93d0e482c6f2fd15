//! Failures on request: what `POST /__sim/faults` accepts, and how a request finds the ones meant for it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a call is made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Answers with `status` (and `body`, else the vendor's usual one); nothing is done. `seconds` is sent as `retry-after`.
    Status,
    /// Does what was asked at once and holds the answer back for `seconds`.
    Delay,
    /// Does what was asked, then closes the connection without an answer.
    DropAfterCreate,
    /// Refuses a create as sold out.
    Capacity,
    /// What is created stays out of lists for `seconds`.
    ListingLag,
    /// What is created is 404 by its id for `seconds`; on a read, that read is 404.
    NotFoundAfterCreate,
    /// Refuses a delete because the thing is locked.
    LockedOnDelete,
    /// What is created turns active `seconds` before it has an address; on a read, that answer shows none.
    ActiveWithoutIp,
}

/// One order for a failure, as posted and as listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Method and path, such as `POST /v2/droplets` or `DELETE /v2/droplets/{id}`; an id in place of `{id}` means
    /// that one only.
    pub route: String,
    /// How to fail.
    pub kind: FaultKind,
    /// HTTP status of a [`FaultKind::Status`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Body of a [`FaultKind::Status`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// How long, in seconds; fractions are fine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// How many calls are still to fail.
    #[serde(default = "once")]
    pub times: u32,
    /// Of so many calls the last one fails; 1: each.
    #[serde(default = "once")]
    pub every: u32,
    /// Calls that it has met since one failed.
    #[serde(skip)]
    pub(crate) met: u32,
}

fn once() -> u32 {
    1
}

/// Seconds of a fault that lasts and names none.
const DEFAULT_SECONDS: f64 = 5.0;

/// Longest wait a fault or a setting may ask for, in seconds: a day.
pub(crate) const MAX_SECONDS: f64 = 86_400.0;

impl Fault {
    /// How long it lasts: `seconds`, or five of them.
    #[must_use]
    pub fn duration(&self) -> std::time::Duration {
        std::time::Duration::from_secs_f64(self.seconds.unwrap_or(DEFAULT_SECONDS))
    }

    /// Says what is wrong with it, given the paths the simulator serves and the kinds it knows.
    pub(crate) fn check(&self, paths: &[&str], kinds: &[FaultKind]) -> Result<(), String> {
        if !kinds.contains(&self.kind) {
            return Err(format!(
                "kind `{}` has no meaning here; use one of {}",
                word(self.kind),
                words(kinds)
            ));
        }
        let Some((_, path)) = self.route.split_once(' ') else {
            return Err(format!(
                "route `{}` is not `<METHOD> <path>`, such as `POST {}`",
                self.route, paths[0]
            ));
        };
        if !paths.iter().any(|pattern| matches(path, pattern, path)) {
            return Err(format!("no route `{path}`; there are {}", paths.join(", ")));
        }
        if self.times == 0 {
            return Err("times must be at least 1".to_owned());
        }
        if self.every == 0 {
            return Err("every must be at least 1".to_owned());
        }
        if self.seconds.is_some_and(|s| !(0.0..=MAX_SECONDS).contains(&s)) {
            return Err(format!("seconds must be between 0 and {MAX_SECONDS}"));
        }
        match (self.kind, self.status) {
            (FaultKind::Status, None) => Err("kind `status` needs a status, such as 500".to_owned()),
            (FaultKind::Status, Some(status)) if !(200..=599).contains(&status) => {
                Err(format!("status {status} is not between 200 and 599"))
            }
            (FaultKind::Status, _) => Ok(()),
            (_, Some(_)) => Err(format!("kind `{}` takes no status", word(self.kind))),
            _ if self.body.is_some() => Err(format!("kind `{}` takes no body", word(self.kind))),
            _ if self.kind == FaultKind::Delay && self.seconds.is_none() => {
                Err("kind `delay` needs seconds".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Whether the next call it meets fails.
    const fn is_due(&self) -> bool {
        self.met + 1 >= self.every
    }

    fn is_for(&self, method: &str, pattern: &str, path: &str) -> bool {
        self.route.split_once(' ').is_some_and(|(wanted, route)| {
            wanted.eq_ignore_ascii_case(method) && matches(route, pattern, path)
        })
    }
}

/// Compares a fault's path with a request's, segment by segment: `{…}` stands for whatever the route's pattern
/// leaves open.
fn matches(wanted: &str, pattern: &str, path: &str) -> bool {
    let segments = |text: &'_ str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
    let (wanted, pattern, path) = (segments(wanted), segments(pattern), segments(path));
    wanted.len() == pattern.len()
        && path.len() == pattern.len()
        && wanted.iter().zip(&pattern).zip(&path).all(|((wanted, pattern), path)| {
            if pattern.starts_with('{') {
                wanted.starts_with('{') || wanted == path
            } else {
                wanted == pattern
            }
        })
}

fn word(kind: FaultKind) -> String {
    serde_json::to_value(kind).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn words(kinds: &[FaultKind]) -> String {
    kinds.iter().map(|k| word(*k)).collect::<Vec<_>>().join(", ")
}

/// The faults one request has met. Handlers find theirs in the request's extensions.
#[derive(Debug, Clone, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// The fault of this kind, if the request met one.
    #[must_use]
    pub fn get(&self, kind: FaultKind) -> Option<&Fault> {
        self.0.iter().find(|f| f.kind == kind)
    }

    /// True when the request met a fault of this kind.
    #[must_use]
    pub fn has(&self, kind: FaultKind) -> bool {
        self.get(kind).is_some()
    }

    /// Uses up one turn of each fault that is due with this request: at most one per kind, and with a
    /// [`FaultKind::Status`] only that and a delay, since nothing else will come to pass.
    pub(crate) fn take(waiting: &mut Vec<Fault>, method: &str, pattern: &str, path: &str) -> Self {
        let mut taken = Self::default();
        let mine = |f: &Fault| f.is_for(method, pattern, path);
        let refused = waiting.iter().any(|f| mine(f) && f.kind == FaultKind::Status && f.is_due());
        for fault in waiting.iter_mut().filter(|f| mine(f)) {
            let comes_to_pass = !refused || matches!(fault.kind, FaultKind::Status | FaultKind::Delay);
            if !fault.is_due() {
                fault.met += 1;
            } else if comes_to_pass && !taken.has(fault.kind) {
                (fault.times, fault.met) = (fault.times - 1, 0);
                taken.0.push(fault.clone());
            }
        }
        waiting.retain(|f| f.times > 0);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(route: &str, kind: FaultKind) -> Fault {
        Fault {
            route: route.to_owned(),
            kind,
            status: None,
            body: None,
            seconds: None,
            times: 1,
            every: 1,
            met: 0,
        }
    }

    #[test]
    fn a_route_matches_its_pattern_or_one_id() {
        let any = fault("DELETE /v2/droplets/{droplet}", FaultKind::LockedOnDelete);
        let one = fault("delete /v2/droplets/7", FaultKind::LockedOnDelete);
        assert!(any.is_for("DELETE", "/v2/droplets/{id}", "/v2/droplets/8"));
        assert!(one.is_for("DELETE", "/v2/droplets/{id}", "/v2/droplets/7"));
        assert!(!one.is_for("DELETE", "/v2/droplets/{id}", "/v2/droplets/8"));
        assert!(!any.is_for("GET", "/v2/droplets/{id}", "/v2/droplets/8"));
        assert!(!any.is_for("DELETE", "/v2/droplets", "/v2/droplets"));
    }

    #[test]
    fn turns_are_used_up_and_a_status_keeps_the_others_waiting() {
        let mut status = fault("POST /a", FaultKind::Status);
        status.status = Some(500);
        let mut waiting = vec![fault("POST /a", FaultKind::Capacity), status];
        assert!(Faults::take(&mut waiting, "POST", "/a", "/a").has(FaultKind::Status));
        assert_eq!(waiting.len(), 1);
        assert!(Faults::take(&mut waiting, "POST", "/a", "/a").has(FaultKind::Capacity));
        assert!(waiting.is_empty());
    }

    #[test]
    fn of_so_many_calls_one_fails() {
        let mut waiting = vec![Fault { every: 3, times: 2, ..fault("POST /a", FaultKind::Capacity) }];
        let failed: Vec<bool> =
            (0..7).map(|_| Faults::take(&mut waiting, "POST", "/a", "/a").has(FaultKind::Capacity)).collect();
        assert_eq!(failed, [false, false, true, false, false, true, false]);
    }

    #[test]
    fn nonsense_is_named() {
        let known = [FaultKind::Status, FaultKind::Delay];
        let says = |f: Fault| f.check(&["/a", "/a/{id}"], &known).unwrap_err();
        assert!(says(fault("POST /a", FaultKind::Capacity)).contains("status, delay"));
        assert!(says(fault("POST /b", FaultKind::Delay)).contains("/a/{id}"));
        assert!(says(fault("POST", FaultKind::Delay)).contains("<METHOD> <path>"));
        assert!(says(fault("POST /a", FaultKind::Delay)).contains("needs seconds"));
        assert!(says(fault("POST /a", FaultKind::Status)).contains("needs a status"));
        assert!(says(Fault { times: 0, ..fault("POST /a", FaultKind::Delay) }).contains("times"));
        assert!(
            says(Fault { seconds: Some(-1.0), ..fault("POST /a", FaultKind::Delay) }).contains("seconds")
        );
    }
}
