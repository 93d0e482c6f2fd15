//! Stand-ins for the mail server and for Telegram, where none is set.

use super::services::{plain, url_of};
use crate::config::Config;
use crate::stack::env_file::EnvFile;
use crate::stack::ports::PortChoice;
use crate::tasks::Tasks;
use anyhow::Result;
use simulators::mail::MailServer;
use simulators::{mail, telegram};
use tokio::net::TcpListener;

/// Ports of the stand-ins, held from the start so that nobody takes them meanwhile.
pub struct MessengerListeners {
    smtp: TcpListener,
    inbox: TcpListener,
    telegram: TcpListener,
}

impl MessengerListeners {
    /// Opens them all.
    ///
    /// # Errors
    /// When a port is taken.
    pub fn open(ports: PortChoice) -> Result<Self> {
        Ok(Self {
            smtp: ports.listen(mail::SMTP_PORT, "the mail simulator")?,
            inbox: ports.listen(mail::INBOX_PORT, "the mail simulator's inbox")?,
            telegram: ports.listen(telegram::PORT, "Telegram's simulator")?,
        })
    }

    /// Starts a stand-in for each that is not set, and sets `config` to it. Adds to `env` where they are.
    ///
    /// # Errors
    /// When a port can't be asked for its number.
    pub fn simulate(self, config: &mut Config, tasks: &mut Tasks, env: &mut EnvFile) -> Result<()> {
        if config.notifications.mail().is_none() {
            let port = self.smtp.local_addr()?.port();
            config.notifications.simulate_mail(port);
            env.set("SIM_MAIL_URL", plain(&url_of(&self.inbox)?));
            env.set("SMTP_URL", format!("smtp+plain://127.0.0.1:{port}"));
            let server = MailServer::default();
            let (inbox, stop) = (server.inbox(), tasks.stop_token().cancelled_owned());
            let listener = self.inbox;
            tasks.spawn("the mail simulator's inbox", async move {
                Ok(simulators::server::serve(listener, inbox, stop).await?)
            });
            let stop = tasks.stop_token().cancelled_owned();
            tasks.spawn("the mail simulator", async move { Ok(server.serve(self.smtp, stop).await?) });
        }
        if config.notifications.bot().is_none() {
            let url = url_of(&self.telegram)?;
            env.set("SIM_TELEGRAM_URL", plain(&url));
            env.set("TELEGRAM_URL", plain(&url));
            env.set("TELEGRAM_BOT_TOKEN", telegram::TOKEN);
            env.set("TELEGRAM_BOT_NAME", telegram::BOT_NAME);
            env.set("TELEGRAM_ADMIN_CHAT_ID", telegram::GROUP.to_string());
            let (token, name) = (telegram::TOKEN, telegram::BOT_NAME);
            config.notifications.simulate_telegram(url, token, name, telegram::GROUP);
            let app = telegram::open(token).router;
            let stop = tasks.stop_token().cancelled_owned();
            tasks.spawn("Telegram's simulator", async move {
                Ok(simulators::server::serve(self.telegram, app, stop).await?)
            });
        }
        Ok(())
    }
}
