//! Reading a simulator's counters while something goes on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use reqwest::Client;
use serde::Deserialize;
use serde_json::Value;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

/// Between two readings.
const PAUSE: Duration = Duration::from_millis(100);

/// One simulator's control API.
#[derive(Debug, Clone)]
pub struct Meter {
    http: Client,
    simulator: Url,
}

/// What a simulator has counted since it was started.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Reading {
    /// Calls by route, refused ones included.
    pub calls: BTreeMap<String, u64>,
    /// Calls refused as too many.
    pub rate_limited: u64,
}

impl Reading {
    /// All calls.
    pub fn total(&self) -> u64 {
        self.calls.values().sum()
    }

    /// Calls by route since an earlier reading, without the routes nobody called.
    pub fn since(&self, earlier: &Self) -> impl Iterator<Item = (&str, u64)> {
        let calls = self.calls.iter().map(|(route, calls)| (route.as_str(), calls - earlier.of(route)));
        calls.filter(|(_, calls)| *calls > 0)
    }

    /// Calls of one route.
    pub fn of(&self, route: &str) -> u64 {
        self.calls.get(route).copied().unwrap_or(0)
    }
}

impl Meter {
    /// A meter at a simulator.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(simulator: Url) -> Result<Self> {
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
        Ok(Self { http, simulator })
    }

    /// Changes the simulator's pace and limits.
    ///
    /// # Errors
    /// When it refuses.
    pub async fn configure(&self, change: &Value) -> Result<()> {
        let request = self.http.post(self.simulator.join("/__sim/config")?).json(change);
        request.send().await?.error_for_status().context("a simulator refuses its settings")?;
        Ok(())
    }

    /// What it counts now.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn read(&self) -> Result<Reading> {
        let request = self.http.get(self.simulator.join("/__sim/counters")?);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    /// How many servers it has, listed or not.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn servers(&self) -> Result<u64> {
        #[derive(Deserialize)]
        struct Servers {
            servers: Vec<Value>,
        }
        let request = self.http.get(self.simulator.join("/__sim/servers")?);
        let servers: Servers = request.send().await?.error_for_status()?.json().await?;
        Ok(u64::try_from(servers.servers.len())?)
    }

    /// Reads again and again until it is dropped.
    pub fn watch(&self) -> Watched {
        let readings = Arc::new(Mutex::new(Vec::new()));
        let (meter, kept) = (self.clone(), Arc::clone(&readings));
        let reading = tokio::spawn(async move {
            let mut pause = tokio::time::interval(PAUSE);
            loop {
                pause.tick().await;
                if let Ok(reading) = meter.read().await {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), reading));
                }
            }
        });
        Watched { readings, _reading: AbortOnDropHandle::new(reading) }
    }
}

/// A meter that is being read.
pub struct Watched {
    readings: Arc<Mutex<Vec<(Instant, Reading)>>>,
    _reading: AbortOnDropHandle<()>,
}

impl Watched {
    /// All readings so far.
    pub fn readings(&self) -> Vec<(Instant, Reading)> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
