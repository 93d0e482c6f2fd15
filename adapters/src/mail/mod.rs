//! Mail: a message in text and HTML to one person, handed to a server of ours by SMTP.

mod message;
mod pool;
mod server;
mod smtp;

use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::sending::SendError;

pub use server::{InvalidServer, Security, Server};
pub use smtp::{Smtp, SmtpSetupError};

/// A mail to one person.
#[derive(Debug, Clone, Copy)]
pub struct Mail<'a> {
    /// Names it for ever: the same mail sent again has the same one, so that who gets it twice can tell.
    pub id: &'a str,
    /// Whose it is.
    pub to: &'a str,
    /// How they are called.
    pub to_name: &'a str,
    /// What it is about.
    pub subject: &'a str,
    /// All of it as text.
    pub text: &'a str,
    /// All of it as HTML.
    pub html: &'a str,
    /// What its reader reads, by the language's code.
    pub language: &'a str,
    /// Where such mails are switched off by one request (RFC 8058); `None` of those that can't be.
    pub unsubscribe_url: Option<&'a str>,
}

/// How to reach the server, and who writes.
#[derive(Debug, Clone)]
pub struct MailConfig {
    /// The server.
    pub server: Server,
    /// Proves us to it, if it wants that: name and password.
    pub credentials: Option<(String, SecretString)>,
    /// Who writes, such as `WeBrana Cloud <no-reply@webrana.id>`.
    pub from: String,
    /// Who is answered, where that is somebody else.
    pub reply_to: Option<String>,
    /// Longest wait to get to the server and be admitted.
    pub connect_timeout: Duration,
    /// Longest time a mail may take from then on.
    pub send_timeout: Duration,
    /// Most connections at once.
    pub connections: usize,
}

/// A way to send mail.
#[async_trait]
pub trait Mailer: std::fmt::Debug + Send + Sync {
    /// Hands a mail over. It is on its way when this answers.
    ///
    /// # Errors
    /// [`SendError`], which says whether it may be on its way all the same.
    async fn send(&self, mail: &Mail<'_>) -> Result<(), SendError>;
}
