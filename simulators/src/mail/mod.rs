//! A mail server that takes every mail and delivers none: SMTP (RFC 5321) on one port, and on another an inbox that shows
//! what was taken, as programs read it. It fails on request, at each step of the conversation.

mod control;
mod inbox;
mod mime;
mod session;

use std::{io, net::SocketAddr, sync::Arc};

use axum::Router;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use self::inbox::Inbox;
use crate::kit::server::Server;

/// What it is called in settings.
pub const SLUG: &str = "mail";
/// The port of its SMTP side by convention.
pub const SMTP_PORT: u16 = 4040;
/// The port of its inbox by convention.
pub const INBOX_PORT: u16 = 4041;

/// A mail server before it is served.
#[derive(Debug, Clone, Default)]
pub struct MailServer {
    inbox: Arc<Inbox>,
}

impl MailServer {
    /// The inbox over HTTP: `/__sim`.
    pub fn inbox(&self) -> Router {
        control::routes(Arc::clone(&self.inbox))
    }

    /// Speaks SMTP on a listener until `shutdown` resolves.
    ///
    /// # Errors
    /// Only when the listener itself fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        tokio::select! {
            result = session::accept(listener, self.inbox) => result,
            () = shutdown => Ok(()),
        }
    }
}

/// A mail server running in this process on free loopback ports until it is dropped.
#[derive(Debug)]
pub struct MailHandle {
    smtp: SocketAddr,
    inbox: Server,
    _stop: oneshot::Sender<()>,
    _task: JoinHandle<io::Result<()>>,
}

impl MailHandle {
    /// Starts one.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start() -> io::Result<Self> {
        let server = MailServer::default();
        let inbox = Server::start(server.inbox()).await?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let smtp = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.serve(listener, async {
            // Sent or dropped: both mean stop.
            let _ = stopped.await;
        }));
        Ok(Self { smtp, inbox, _stop: stop, _task: task })
    }

    /// Where it speaks SMTP.
    #[must_use]
    pub const fn smtp(&self) -> SocketAddr {
        self.smtp
    }

    /// Where its inbox is, such as `http://127.0.0.1:41234`.
    #[must_use]
    pub fn url(&self) -> String {
        self.inbox.url()
    }
}
