//! Sending notifications, again and again where the vendor would.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::Simulator;

/// One notification sent, and what came back.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Delivery {
    order_id: String,
    transaction_status: String,
    /// 1 for the first try.
    pub(super) attempt: u32,
    /// HTTP status of the answer; none when there was no answer in time.
    pub(super) status: Option<u16>,
    at: DateTime<Utc>,
}

impl Delivery {
    /// True when the answer was 2xx: the vendor then considers it delivered.
    pub(super) fn accepted(&self) -> bool {
        self.status.is_some_and(|s| (200..300).contains(&s))
    }

    /// How often the vendor tries again after such an answer.
    const fn retries(&self) -> u32 {
        match self.status {
            Some(200..300) => 0,
            Some(503) => 4,
            Some(500) => 1,
            Some(400 | 404) => 2,
            _ => 5,
        }
    }
}

/// Posts a notification once. Nothing is sent when there is no address.
pub(super) async fn send(sim: &Simulator, notification: &Value, attempt: u32) -> Option<Delivery> {
    let (url, timeout) = {
        let settings = &sim.state().settings;
        (settings.notification_url.clone()?, Duration::from_secs_f64(settings.timeout_seconds))
    };
    let answer = sim.http.post(url).timeout(timeout).json(notification).send().await;
    let text = |name: &str| notification[name].as_str().unwrap_or_default().to_owned();
    let delivery = Delivery {
        order_id: text("order_id"),
        transaction_status: text("transaction_status"),
        attempt,
        status: answer.ok().map(|response| response.status().as_u16()),
        at: Utc::now(),
    };
    sim.state().deliveries.push(delivery.clone());
    Some(delivery)
}

/// Goes on trying in the background after a refused first delivery.
pub(super) fn retry(sim: &Arc<Simulator>, notification: Value, mut last: Delivery) {
    if last.attempt > last.retries() {
        return;
    }
    let sim = Arc::clone(sim);
    sim.state().retries_waiting += 1;
    tokio::spawn(async move {
        while last.attempt <= last.retries() {
            let interval = Duration::from_secs_f64(sim.state().settings.retry_interval_seconds);
            tokio::time::sleep(interval).await;
            let Some(next) = send(&sim, &notification, last.attempt + 1).await else { break };
            last = next;
        }
        sim.state().retries_waiting -= 1;
    });
}

/// Sends a notification without anybody waiting for it.
pub(super) fn in_background(sim: &Arc<Simulator>, notification: Value) {
    let sim = Arc::clone(sim);
    tokio::spawn(async move {
        if let Some(first) = send(&sim, &notification, 1).await {
            retry(&sim, notification, first);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: Option<u16>) -> Delivery {
        Delivery {
            order_id: String::new(),
            transaction_status: String::new(),
            attempt: 1,
            status,
            at: Utc::now(),
        }
    }

    #[test]
    fn retries_are_the_vendors() {
        for (status, retries) in
            [(200, 0), (204, 0), (503, 4), (500, 1), (400, 2), (404, 2), (401, 5), (422, 5), (502, 5)]
        {
            assert_eq!(answered(Some(status)).retries(), retries, "{status}");
        }
        assert_eq!(answered(None).retries(), 5);
        assert!(answered(Some(204)).accepted() && !answered(None).accepted());
    }
}
