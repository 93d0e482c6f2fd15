//! The conversation with the mail server (RFC 5321), step by step: what is known of a mail depends on the step at which it
//! ended. Until the server was sent all of the mail nothing was taken; its answer to that says whether it was; without that
//! answer nobody knows.

use std::time::Duration;

use async_trait::async_trait;
use domain::delivery::DeliveryTrouble;
use lettre::{
    message::Mailbox,
    transport::smtp::{
        self,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, TlsParameters},
        commands::{Data, Mail as MailFrom, Rcpt},
        extension::ClientId,
        response::{Code, Severity},
    },
};
use secrecy::ExposeSecret;
use tokio::time::timeout;

use super::{
    Mail, MailConfig, Mailer, Security,
    message::{self, Sender, Written},
    pool::Pool,
};
use crate::{Cause, sending::SendError};

/// A mail server that is reached by SMTP.
pub struct Smtp {
    config: MailConfig,
    sender: Sender,
    tls: Option<TlsParameters>,
    pool: Pool,
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Smtp")
            .field("server", &self.config.server)
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

/// Why no mail can be sent with such settings.
#[derive(Debug, thiserror::Error)]
pub enum SmtpSetupError {
    /// Who writes has no address.
    #[error("`{0}` is no address: it is `Name <name@example.com>` or `name@example.com`")]
    Mailbox(String),
    /// The TLS library found no usable setup.
    #[error("TLS can't be set up")]
    Tls(#[source] smtp::Error),
}

/// Where in the conversation something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connect,
    Login,
    From,
    To,
    Data,
    Body,
}

impl Stage {
    const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connecting",
            Self::Login => "logging in",
            Self::From => "naming the sender",
            Self::To => "naming the recipient",
            Self::Data => "beginning the mail",
            Self::Body => "handing the mail over",
        }
    }
}

impl Smtp {
    /// A mailer by the server of `config`. Nothing is connected yet.
    ///
    /// # Errors
    /// [`SmtpSetupError`] when it can't work.
    pub fn new(config: MailConfig) -> Result<Self, SmtpSetupError> {
        let mailbox =
            |text: &str| text.parse::<Mailbox>().map_err(|_| SmtpSetupError::Mailbox(text.to_owned()));
        let sender = Sender {
            from: mailbox(&config.from)?,
            reply_to: config.reply_to.as_deref().map(mailbox).transpose()?,
        };
        let tls = match config.server.security {
            Security::Plain => None,
            Security::Tls | Security::StartTls => {
                Some(TlsParameters::new(config.server.host.clone()).map_err(SmtpSetupError::Tls)?)
            }
        };
        let pool = Pool::of(config.connections);
        Ok(Self { config, sender, tls, pool })
    }

    /// How we introduce ourselves: by the domain that we write from.
    fn hello(&self) -> ClientId {
        ClientId::Domain(self.sender.from.email.domain().to_owned())
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SendError> {
        let connecting = timeout(self.config.connect_timeout, self.open()).await;
        connecting.unwrap_or_else(|_| {
            let message =
                format!("the mail server did not admit us within {:?}", self.config.connect_timeout);
            Err(SendError::not_yet(DeliveryTrouble::Unreachable, message))
        })
    }

    async fn open(&self) -> Result<AsyncSmtpConnection, SendError> {
        let server = &self.config.server;
        let at_once = self.tls.clone().filter(|_| server.security == Security::Tls);
        let (host, limit) = ((server.host.as_str(), server.port), Some(self.config.connect_timeout));
        let mut connection = AsyncSmtpConnection::connect_tokio1(host, limit, &self.hello(), at_once, None)
            .await
            .map_err(|error| sorted(Stage::Connect, error))?;
        if let Some(tls) = self.tls.clone().filter(|_| server.security == Security::StartTls) {
            connection.starttls(tls, &self.hello()).await.map_err(|error| sorted(Stage::Connect, error))?;
        }
        if let Some((name, password)) = &self.config.credentials {
            let credentials = Credentials::new(name.clone(), password.expose_secret().to_owned());
            connection
                .auth(&[Mechanism::Plain, Mechanism::Login], &credentials)
                .await
                .map_err(|error| sorted(Stage::Login, error))?;
        }
        Ok(connection)
    }

    /// Hands a mail over on a connection. Nothing is known of its end before the last answer.
    async fn converse(
        &self,
        connection: &mut AsyncSmtpConnection,
        mail: &Written,
        stage: &mut Stage,
    ) -> Result<(), smtp::Error> {
        *stage = Stage::From;
        connection.command(MailFrom::new(Some(self.sender.from.email.clone()), Vec::new())).await?;
        *stage = Stage::To;
        connection.command(Rcpt::new(mail.to.clone(), Vec::new())).await?;
        *stage = Stage::Data;
        connection.command(Data).await?;
        *stage = Stage::Body;
        connection.message(&mail.bytes).await?;
        Ok(())
    }

    async fn hand_over(&self, mut connection: AsyncSmtpConnection, mail: &Written) -> Result<(), Ended> {
        let mut stage = Stage::From;
        let limit = self.config.send_timeout;
        let ended = timeout(limit, self.converse(&mut connection, mail, &mut stage)).await;
        let error = match ended {
            Ok(Ok(())) => {
                self.pool.keep(connection);
                return Ok(());
            }
            Ok(Err(error)) => sorted(stage, error),
            Err(_) => silent(stage, limit),
        };
        // Its end may take time, too; the mail server does not wait for us.
        drop(connection);
        Err(Ended { stage, error })
    }
}

/// Where a conversation ended without success, and what is known.
struct Ended {
    stage: Stage,
    error: SendError,
}

#[async_trait]
impl Mailer for Smtp {
    async fn send(&self, mail: &Mail<'_>) -> Result<(), SendError> {
        let written = message::write(&self.sender, mail)?;
        let _place = self.pool.place().await;
        if let Some(used) = self.pool.take() {
            match self.hand_over(used, &written).await {
                // The server had closed a connection that was used before: a new one tells more.
                Err(ended) if ended.stage == Stage::From && is_unanswered(&ended.error) => {}
                ended => return ended.map_err(|ended| ended.error),
            }
        }
        let connection = self.connect().await?;
        self.hand_over(connection, &written).await.map_err(|ended| ended.error)
    }
}

fn is_unanswered(error: &SendError) -> bool {
    error.trouble == DeliveryTrouble::Unreachable
}

/// What is known of a mail after an error at a stage.
fn sorted(stage: Stage, error: smtp::Error) -> SendError {
    let at = stage.name();
    let sorted = match error.status() {
        Some(code) => refused(stage, code, enhanced(&error).as_deref()),
        None if stage == Stage::Body => {
            SendError::perhaps(format!("the mail server's last answer was lost ({at})"))
        }
        None if error.is_client() && stage == Stage::Login => SendError::not_yet(
            DeliveryTrouble::Account,
            "the mail server takes no login of a kind that we know",
        ),
        None => SendError::not_yet(
            DeliveryTrouble::Unreachable,
            format!("the mail server broke off, or did not answer ({at})"),
        ),
    };
    // What the server said may name the recipient; what happened on the wire does not.
    let cause = sorted.trouble == DeliveryTrouble::Unreachable;
    SendError { source: cause.then(|| Cause::from(error)), ..sorted }
}

fn silent(stage: Stage, limit: Duration) -> SendError {
    let message = format!("the mail server did not answer within {limit:?} ({})", stage.name());
    match stage {
        Stage::Body => SendError::perhaps(message),
        _ => SendError::not_yet(DeliveryTrouble::Unreachable, message),
    }
}

/// The server said no, for now (4xx) or for good (5xx). Who is at fault depends on what it said it to.
fn refused(stage: Stage, code: Code, enhanced: Option<&str>) -> SendError {
    let codes = enhanced.map_or_else(|| code.to_string(), |enhanced| format!("{code} {enhanced}"));
    let message = format!("the mail server said {codes} ({})", stage.name());
    let is_for_good = code.severity == Severity::PermanentNegativeCompletion;
    match stage {
        // Our own account is nobody's mail's fault: somebody mends it.
        Stage::Connect | Stage::Login | Stage::From if is_for_good => {
            SendError::not_yet(DeliveryTrouble::Account, message)
        }
        Stage::To if is_for_good && is_about_the_address(code, enhanced) => {
            SendError::never(DeliveryTrouble::BadAddress, message)
        }
        _ if is_for_good => SendError::never(DeliveryTrouble::Refused, message),
        _ => SendError::not_yet(DeliveryTrouble::Busy, message),
    }
}

/// Whether a refused recipient does not exist or takes no mail (RFC 3463: 5.1.x, 5.2.1); a server's own policy (5.7.x), or
/// a full mailbox (5.2.2), says nothing of the address.
fn is_about_the_address(code: Code, enhanced: Option<&str>) -> bool {
    match enhanced {
        Some(enhanced) => enhanced.starts_with("5.1.") || enhanced == "5.2.1",
        None => ["550", "551", "553"].contains(&code.to_string().as_str()),
    }
}

/// The enhanced status code (RFC 2034) at the beginning of what the server said. The rest is not kept: it may have the
/// recipient's address.
fn enhanced(error: &smtp::Error) -> Option<String> {
    let said = std::error::Error::source(error)?.to_string();
    let first = said.split_whitespace().find(|word| word.contains('.'))?;
    let parts: Vec<&str> = first.split('.').collect();
    let is_code = parts.len() == 3
        && parts
            .iter()
            .all(|part| !part.is_empty() && part.len() <= 3 && part.bytes().all(|b| b.is_ascii_digit()));
    is_code.then(|| first.to_owned())
}
