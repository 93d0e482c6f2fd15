//! A mail server that delivers nothing, and a bot at a simulated Telegram.

use std::{sync::OnceLock, time::Duration};

use adapters::{
    mail::{MailConfig, Security, Server, Smtp},
    telegram::{Bot, BotConfig},
};
use serde_json::{Value, json};
use simulators::{Handle, mail::MailHandle, telegram};

use crate::http::{Caller, Expect, control, control_at};

/// Longest wait for either.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A mail server, and its inbox. It runs until it is dropped.
#[derive(Debug)]
pub struct SimulatedMail {
    server: MailHandle,
    control: OnceLock<Caller>,
}

impl SimulatedMail {
    /// Starts one.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start() -> Self {
        Self { server: MailHandle::start().await.expect("the simulator starts"), control: OnceLock::new() }
    }

    /// Where it speaks SMTP, as the setting says it.
    #[must_use]
    pub fn smtp_url(&self) -> String {
        format!("smtp+plain://{}", self.server.smtp())
    }

    /// How it is reached: two seconds for each step, two connections.
    #[must_use]
    pub fn config(&self) -> MailConfig {
        let address = self.server.smtp();
        MailConfig {
            server: Server {
                host: address.ip().to_string(),
                port: address.port(),
                security: Security::Plain,
            },
            credentials: None,
            from: "WeBrana Cloud <no-reply@webrana.test>".to_owned(),
            reply_to: Some("support@webrana.test".to_owned()),
            connect_timeout: TIMEOUT,
            send_timeout: TIMEOUT,
            connections: 2,
        }
    }

    /// Our adapter for it.
    ///
    /// # Panics
    /// When none can be made.
    #[must_use]
    pub fn adapter(&self) -> Smtp {
        Smtp::new(self.config()).expect("an adapter")
    }

    /// The simulator's control API: paths below `/__sim`, such as `/faults`.
    ///
    /// # Panics
    /// When no client can be made.
    #[must_use]
    pub fn control(&self) -> &Caller {
        self.control.get_or_init(|| control_at(&self.server.url()))
    }

    /// The next mails fail so, such as `{"kind":"busy"}`.
    ///
    /// # Panics
    /// When the simulator knows no such fault.
    pub async fn fault(&self, fault: Value) {
        self.control().post("/faults", &fault).await.expect(201);
    }

    /// The mails that were taken for an address, oldest first.
    ///
    /// # Panics
    /// When the simulator does not answer.
    pub async fn to(&self, address: &str) -> Vec<Value> {
        let path = format!("/messages?to={address}");
        let answer = self.control().get(&path).await.expect(200);
        answer["messages"].as_array().expect("messages").clone()
    }
}

/// A bot at a simulated Telegram. It runs until it is dropped.
#[derive(Debug)]
pub struct SimulatedTelegram {
    /// Its simulator.
    pub simulator: Handle,
    control: OnceLock<Caller>,
}

impl SimulatedTelegram {
    /// Starts one.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start() -> Self {
        Self { simulator: telegram::start().await.expect("the simulator starts"), control: OnceLock::new() }
    }

    /// Our adapter for the bot.
    ///
    /// # Panics
    /// When none can be made.
    #[must_use]
    pub fn adapter(&self) -> Bot {
        let base_url = self.simulator.url().parse().expect("its address");
        Bot::new(BotConfig { base_url, token: telegram::TOKEN.into(), timeout: TIMEOUT }).expect("an adapter")
    }

    /// The simulator's control API.
    ///
    /// # Panics
    /// When no client can be made.
    #[must_use]
    pub fn control(&self) -> &Caller {
        self.control.get_or_init(|| control(&self.simulator))
    }

    /// Somebody writes to the bot.
    ///
    /// # Panics
    /// When the simulator does not answer.
    pub async fn say(&self, chat: i64, text: &str) {
        self.control().post("/say", &json!({ "chat_id": chat, "text": text })).await.expect(201);
    }

    /// What a chat's owner reads, oldest first.
    ///
    /// # Panics
    /// When the simulator does not answer.
    pub async fn read(&self, chat: i64) -> Vec<String> {
        let answer = self.control().get(&format!("/messages?chat_id={chat}")).await.expect(200);
        let messages = answer["messages"].as_array().expect("messages");
        messages.iter().map(|message| message["plain"].as_str().expect("a text").to_owned()).collect()
    }
}
