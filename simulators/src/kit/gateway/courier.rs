//! Sending notifications, again and again where the vendor would.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::{Map, Value};

use super::Settings;

/// A notification to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    /// The charge it is about, by the merchant's name for it.
    pub(crate) subject: String,
    pub(crate) body: Value,
    /// A header besides the usual ones.
    pub(crate) header: Option<(&'static str, String)>,
    /// What the list of deliveries says of it.
    pub(crate) about: Map<String, Value>,
}

/// One notification sent, and what came back.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Delivery {
    #[serde(flatten)]
    about: Map<String, Value>,
    /// 1 for the first try.
    pub(crate) attempt: u32,
    /// HTTP status of the answer; none when there was no answer in time.
    pub(crate) status: Option<u16>,
    at: DateTime<Utc>,
}

impl Delivery {
    /// True when the answer was 2xx: the vendor then considers it delivered.
    pub(crate) fn accepted(&self) -> bool {
        self.status.is_some_and(|s| (200..300).contains(&s))
    }
}

/// Carries notifications to the merchant.
#[derive(Debug)]
pub(crate) struct Courier {
    http: reqwest::Client,
    /// How often the vendor tries again after an answer with this status, or after none.
    retries: fn(Option<u16>) -> u32,
    bag: Mutex<Bag>,
}

#[derive(Debug)]
pub(crate) struct Bag {
    pub(crate) settings: Settings,
    /// Every notification sent, oldest first.
    pub(crate) deliveries: Vec<Delivery>,
    /// Notifications that were refused and will be sent again.
    pub(crate) retries_waiting: usize,
    /// Notifications that wait to be overtaken by the next one about the same charge.
    held: Vec<Letter>,
}

impl Courier {
    pub(crate) fn new(
        user_agent: &str,
        settings: Settings,
        retries: fn(Option<u16>) -> u32,
    ) -> io::Result<Arc<Self>> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(user_agent)
            .build()
            .map_err(io::Error::other)?;
        let bag = Bag { settings, deliveries: Vec::new(), retries_waiting: 0, held: Vec::new() };
        Ok(Arc::new(Self { http, retries, bag: Mutex::new(bag) }))
    }

    pub(crate) fn bag(&self) -> MutexGuard<'_, Bag> {
        self.bag.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn reset(&self, settings: Settings) {
        let mut bag = self.bag();
        bag.settings = settings;
        bag.deliveries.clear();
        bag.held.clear();
    }

    /// Keeps a notification back until the next one about the same charge was sent.
    pub(crate) fn hold(&self, letter: Letter) {
        self.bag().held.push(letter);
    }

    /// What was kept back about a charge, and is due now.
    pub(crate) fn overtaken(&self, subject: &str) -> Vec<Letter> {
        self.bag().held.extract_if(.., |letter| letter.subject == subject).collect()
    }

    /// Posts a notification once. Nothing is sent when there is no address.
    pub(crate) async fn send(&self, letter: &Letter, attempt: u32) -> Option<Delivery> {
        let (url, timeout) = {
            let settings = &self.bag().settings;
            (settings.notification_url.clone()?, Duration::from_secs_f64(settings.timeout_seconds))
        };
        let request = self.http.post(url).timeout(timeout).headers(headers(letter)).json(&letter.body);
        let answer = request.send().await;
        let delivery = Delivery {
            about: letter.about.clone(),
            attempt,
            status: answer.ok().map(|response| response.status().as_u16()),
            at: Utc::now(),
        };
        self.bag().deliveries.push(delivery.clone());
        Some(delivery)
    }

    /// Goes on trying in the background after a refused delivery.
    pub(crate) fn retry(self: &Arc<Self>, letter: Letter, mut last: Delivery) {
        if last.attempt > (self.retries)(last.status) {
            return;
        }
        let courier = Arc::clone(self);
        self.bag().retries_waiting += 1;
        tokio::spawn(async move {
            while last.attempt <= (courier.retries)(last.status) {
                let interval = Duration::from_secs_f64(courier.bag().settings.retry_interval_seconds);
                tokio::time::sleep(interval).await;
                let Some(next) = courier.send(&letter, last.attempt + 1).await else { break };
                last = next;
            }
            courier.bag().retries_waiting -= 1;
        });
    }

    /// Sends a notification without anybody waiting for it.
    pub(crate) fn in_background(self: &Arc<Self>, letter: Letter) {
        let courier = Arc::clone(self);
        tokio::spawn(async move {
            if let Some(first) = courier.send(&letter, 1).await {
                courier.retry(letter, first);
            }
        });
    }
}

fn headers(letter: &Letter) -> HeaderMap {
    let pair = letter
        .header
        .as_ref()
        .and_then(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?)));
    pair.into_iter().collect()
}
