//! Ports of a local stack: the well-known ones, or free ones.

use anyhow::{Context, Result, bail};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

/// How ports are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum PortChoice {
    /// The well-known ports; one that is taken is an error.
    #[default]
    Default,
    /// Any free ports, so that several stacks run at once.
    Auto,
    /// The well-known ports where they are free, else free ones.
    #[value(skip)]
    Prefer,
}

impl PortChoice {
    /// A listener on loopback, for a part of the stack that runs in this process.
    ///
    /// # Errors
    /// When the wanted port is taken.
    pub fn listen(self, wanted: u16, what: &str) -> Result<tokio::net::TcpListener> {
        let listener = self.bind(wanted, what)?;
        listener.set_nonblocking(true)?;
        tokio::net::TcpListener::from_std(listener).with_context(|| format!("{what} cannot listen"))
    }

    /// A port for a server that binds it itself: free at this moment.
    ///
    /// # Errors
    /// When the wanted port is taken.
    pub fn reserve(self, wanted: u16, what: &str) -> Result<u16> {
        Ok(self.bind(wanted, what)?.local_addr()?.port())
    }

    fn bind(self, wanted: u16, what: &str) -> Result<TcpListener> {
        match self {
            Self::Auto => bind(0).with_context(|| format!("no free port for {what}")),
            Self::Prefer => {
                bind(wanted).or_else(|_| bind(0)).with_context(|| format!("no free port for {what}"))
            }
            Self::Default => match bind(wanted) {
                Ok(listener) => Ok(listener),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => bail!(
                    "port {wanted} ({what}) is taken: stop what uses it, or let free ports be chosen with --ports auto"
                ),
                Err(error) => Err(error).with_context(|| format!("{what} cannot listen on port {wanted}")),
            },
        }
    }
}

/// How often a server that binds its ports itself is started: each may be taken between the choice and the start.
pub const TRIES: u32 = 5;

/// Whether a server ended because somebody was quicker to take one of its ports, as its log says.
pub fn was_taken(log: &Path) -> bool {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.to_ascii_lowercase().contains("address already in use")
}

fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_or_avoided() {
        let holder = bind(0).unwrap();
        let taken = holder.local_addr().unwrap().port();
        let refusal = PortChoice::Default.reserve(taken, "the API").unwrap_err().to_string();
        assert!(refusal.contains(&taken.to_string()) && refusal.contains("--ports auto"), "{refusal}");
        assert_ne!(PortChoice::Prefer.reserve(taken, "the API").unwrap(), taken);
        assert_ne!(PortChoice::Auto.reserve(taken, "the API").unwrap(), taken);
    }

    #[test]
    fn a_log_tells_whether_a_port_was_taken() {
        let log = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(log.path(), "could not bind IPv4 address \"127.0.0.1\": Address already in use\n")
            .unwrap();
        assert!(was_taken(log.path()));
        std::fs::write(log.path(), "FATAL: lock file is empty\n").unwrap();
        assert!(!was_taken(log.path()));
    }
}
