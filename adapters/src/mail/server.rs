//! Where the mail server is, as one address: `smtps://mail.example.com`, `smtp://mail.example.com:587`.

use url::Url;

/// How the way to the server is kept from others' eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte (`smtps`).
    Tls,
    /// TLS before anything is said (`smtp`, by STARTTLS); a server that has none is not used.
    StartTls,
    /// Not at all (`smtp+plain`): for a stand-in on this machine.
    Plain,
}

/// A mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name, which its certificate has to have, or its address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way there is guarded.
    pub security: Security,
}

/// Not the address of a mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a mail server is smtps://host, smtp://host (STARTTLS) or smtp+plain://host (no TLS), with a port where it has another \
     one; name and password are settings of their own"
)]
pub struct InvalidServer;

impl Server {
    /// Reads an address.
    ///
    /// ```
    /// use adapters::mail::{Security, Server};
    ///
    /// let server = Server::parse("smtp://mail.example.com")?;
    /// assert_eq!((server.port, server.security), (587, Security::StartTls));
    /// assert!(Server::parse("smtp://siti:secret@mail.example.com").is_err());
    /// # Ok::<(), adapters::mail::InvalidServer>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidServer`] when it is none.
    pub fn parse(text: &str) -> Result<Self, InvalidServer> {
        let url: Url = text.trim().parse().map_err(|_| InvalidServer)?;
        let (security, usual) = match url.scheme() {
            "smtps" => (Security::Tls, 465),
            "smtp" => (Security::StartTls, 587),
            "smtp+plain" => (Security::Plain, 25),
            _ => return Err(InvalidServer),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(InvalidServer)?;
        let is_bare = url.username().is_empty()
            && url.password().is_none()
            && matches!(url.path(), "" | "/")
            && url.query().is_none();
        if !is_bare {
            return Err(InvalidServer);
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, port: url.port().unwrap_or(usual), security })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_how_the_way_is_guarded() {
        for (text, host, port, security) in [
            ("smtps://mail.example.com", "mail.example.com", 465, Security::Tls),
            ("smtp://mail.example.com:2525/", "mail.example.com", 2525, Security::StartTls),
            ("smtp+plain://127.0.0.1:4040", "127.0.0.1", 4040, Security::Plain),
            ("smtps://[::1]", "::1", 465, Security::Tls),
        ] {
            assert_eq!(Server::parse(text), Ok(Server { host: host.to_owned(), port, security }), "{text}");
        }
        for wrong in
            ["mail.example.com", "http://mail.example.com", "smtps://", "smtps://a/b", "smtp://u:p@a"]
        {
            assert_eq!(Server::parse(wrong), Err(InvalidServer), "{wrong}");
        }
    }
}
