//! A simulator as it is served, whichever it is.

use std::{io, sync::Arc};

use axum::Router;

use super::{control::Control, server::Server};

/// The whole HTTP service of a simulator, ready to be served.
#[derive(Debug, Clone)]
pub struct Service {
    /// The vendor's routes and the control API.
    pub router: Router,
    pub(crate) control: Arc<Control>,
}

/// A simulator running in this process on a free loopback port until it is stopped or dropped.
#[derive(Debug)]
pub struct Handle {
    server: Server,
    control: Arc<Control>,
}

impl Handle {
    /// Starts one.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(service: Service) -> io::Result<Self> {
        Ok(Self { server: Server::start(service.router).await?, control: service.control })
    }

    /// Its base URL, such as `http://127.0.0.1:41234`: the vendor's paths come after it.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// How often a route such as `POST /v2/droplets` was called, refused calls included.
    #[must_use]
    pub fn calls(&self, route: &str) -> u64 {
        self.control.calls(route)
    }

    /// How often all routes were called together.
    #[must_use]
    pub fn all_calls(&self) -> u64 {
        self.control.all_calls()
    }

    /// Stops it and waits until its port is closed.
    ///
    /// # Errors
    /// Whatever serving ended with.
    pub async fn stop(self) -> io::Result<()> {
        self.server.stop().await
    }
}
