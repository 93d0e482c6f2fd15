//! A simulator run by a test: in this process, on a port of its own.

use std::{io, sync::Arc};

use axum::Router;

use crate::{control::Simulated, server::Server};

/// A simulator running in this process on a free loopback port until it is stopped or dropped. Each simulator adds
/// a `start` that takes its own configuration.
#[derive(Debug)]
pub struct Handle<S> {
    server: Server,
    simulator: Arc<S>,
}

impl<S: Simulated> Handle<S> {
    /// Serves `app`, the whole HTTP service of `simulator`.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn serve(simulator: Arc<S>, app: Router) -> io::Result<Self> {
        Ok(Self { server: Server::start(app).await?, simulator })
    }

    /// Its base URL, such as `http://127.0.0.1:41234`: the vendor's paths come after it.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// How often a route such as `POST /v2/droplets` was called, refused calls included.
    #[must_use]
    pub fn calls(&self, route: &str) -> u64 {
        self.simulator.control().calls(route)
    }

    /// How often all routes were called together.
    #[must_use]
    pub fn all_calls(&self) -> u64 {
        self.simulator.control().all_calls()
    }

    /// Stops it and waits until its port is closed.
    ///
    /// # Errors
    /// Whatever serving ended with.
    pub async fn stop(self) -> io::Result<()> {
        self.server.stop().await
    }
}
