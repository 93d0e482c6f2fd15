//! An API in a process of its own, so that it can be killed.

use std::{net::TcpListener, process::ExitStatus};

use tokio::process::Child;

use crate::{
    gateway,
    stack::{CHARGE_TIMEOUT, JWT_SECRET, Stack},
    wait_until::until,
    worker_process::{CrashAt, command},
};

/// A running `webrana serve`; killed when dropped.
#[derive(Debug)]
pub struct ApiProcess {
    child: Child,
    /// Where it listens, such as `http://127.0.0.1:41234`.
    pub url: String,
}

impl ApiProcess {
    /// Starts one beside a system's own API, on the same database and gateway, and waits until it answers. With
    /// `crash_at` it ends itself there, as if killed.
    ///
    /// `program` is this crate's `webrana-with-fail-points`; only its tests know where it is.
    pub async fn start(program: &str, stack: &Stack, crash_at: Option<CrashAt<'_>>) -> Self {
        loop {
            let mut api = Self::spawn(program, stack, crash_at);
            if api.answers().await {
                return api;
            }
        }
    }

    fn spawn(program: &str, stack: &Stack, crash_at: Option<CrashAt<'_>>) -> Self {
        let port = free_port();
        let mut command = command(program, stack, crash_at);
        command
            .arg("serve")
            .env("API_PORT", port.to_string())
            .env("API_INTERNAL_PORT", "0")
            .env("API_REQUESTS_PER_MINUTE", "0")
            .env("API_ACCOUNT_REQUESTS_PER_MINUTE", "0")
            .env("API_WRITES_PER_MINUTE", "0")
            .env("API_MONEY_PER_MINUTE", "0")
            .env("AUTH_REQUESTS_PER_MINUTE", "0")
            .env("JWT_SECRET", JWT_SECRET)
            .env("DATABASE_MAX_CONNECTIONS", "5")
            .envs(gateway::environment(stack))
            .env("PAYMENT_CHARGE_TIMEOUT", format!("{}ms", CHARGE_TIMEOUT.as_millis()));
        if let Some(watched) = &stack.options.watched {
            watched.api(&mut command);
        }
        let child = command.spawn().expect("the API starts");
        Self { child, url: format!("http://127.0.0.1:{port}") }
    }

    /// Waits until it answers; `false` when it ended instead, because somebody was quicker to take its port.
    async fn answers(&mut self) -> bool {
        let (http, address) = (reqwest::Client::new(), format!("{}/livez", self.url));
        let answered = until("the API's process answers", || async {
            http.get(&address).send().await.ok().filter(|answer| answer.status().is_success())
        });
        tokio::select! {
            _ = answered => true,
            _ = self.child.wait() => false,
        }
    }

    /// Where it takes the notifications of Midtrans.
    pub fn webhook(&self) -> String {
        format!("{}/api/v1/webhooks/midtrans", self.url)
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        self.child.wait().await.expect("the API can be waited for")
    }
}

/// A port that nobody listens on.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("its number").port()
}
