//! The server's side of a conversation.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::inbox::{FaultKind, Inbox};

/// Longest silence of a client.
const IDLE: Duration = Duration::from_secs(60);
/// Longest line, and longest mail.
const LONGEST_LINE: usize = 4_096;
const LONGEST_MAIL: usize = 4 << 20;

/// Accepts connections without end.
pub(super) async fn accept(listener: TcpListener, inbox: Arc<Inbox>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let inbox = Arc::clone(&inbox);
        tokio::spawn(async move {
            if let Err(error) =
                (Session { stream: BufReader::new(stream), inbox, from: None, to: Vec::new() }).run().await
            {
                tracing::debug!(%error, "a conversation with the mail simulator broke off");
            }
        });
    }
}

struct Session {
    stream: BufReader<TcpStream>,
    inbox: Arc<Inbox>,
    from: Option<String>,
    to: Vec<String>,
}

/// What comes after a command.
enum Next {
    Another,
    Bye,
}

impl Session {
    async fn run(mut self) -> io::Result<()> {
        if self.inbox.fault(FaultKind::Away, &[]).is_some() {
            return self.say("421 4.3.2 mail.sim is not accepting mail").await;
        }
        self.say("220 mail.sim ESMTP").await?;
        while let Some(line) = self.line().await? {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let verb = verb.to_ascii_uppercase();
            self.inbox.count(&verb);
            if matches!(self.command(&verb, rest).await?, Next::Bye) {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn command(&mut self, verb: &str, rest: &str) -> io::Result<Next> {
        match verb {
            "EHLO" => {
                self.say("250-mail.sim\r\n250-SIZE 4194304\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES")
                    .await?;
            }
            "HELO" => self.say("250 mail.sim").await?,
            "NOOP" => self.say("250 2.0.0 yes").await?,
            "RSET" => {
                (self.from, self.to) = (None, Vec::new());
                self.say("250 2.0.0 forgotten").await?;
            }
            "QUIT" => {
                self.say("221 2.0.0 bye").await?;
                return Ok(Next::Bye);
            }
            "MAIL" => self.sender(rest).await?,
            "RCPT" => self.recipient(rest).await?,
            "DATA" => return self.data().await,
            _ => self.say("502 5.5.1 no such command here").await?,
        }
        Ok(Next::Another)
    }

    async fn sender(&mut self, rest: &str) -> io::Result<()> {
        match address(rest, "FROM:") {
            Some(from) => {
                (self.from, self.to) = (Some(from), Vec::new());
                self.say("250 2.1.0 sender ok").await
            }
            None => self.say("501 5.5.4 MAIL FROM:<address>").await,
        }
    }

    async fn recipient(&mut self, rest: &str) -> io::Result<()> {
        let Some(to) = address(rest, "TO:").filter(|to| !to.is_empty()) else {
            return self.say("501 5.5.4 RCPT TO:<address>").await;
        };
        if self.from.is_none() {
            return self.say("503 5.5.1 MAIL first").await;
        }
        let one = [to];
        if self.inbox.fault(FaultKind::RefuseRecipient, &one).is_some() {
            return self.say(&format!("550 5.1.1 <{}>: no such person here", one[0])).await;
        }
        if self.inbox.fault(FaultKind::Busy, &one).is_some() {
            return self.say("451 4.3.0 not now").await;
        }
        self.to.extend(one);
        self.say("250 2.1.5 recipient ok").await
    }

    async fn data(&mut self) -> io::Result<Next> {
        let Some(from) = self.from.clone().filter(|_| !self.to.is_empty()) else {
            self.say("503 5.5.1 MAIL and RCPT first").await?;
            return Ok(Next::Another);
        };
        let to = std::mem::take(&mut self.to);
        self.from = None;
        if self.inbox.fault(FaultKind::DropBeforeData, &to).is_some() {
            return Ok(Next::Bye);
        }
        self.say("354 end with a dot on a line of its own").await?;
        let Some(mail) = self.mail().await? else { return Ok(Next::Bye) };
        if self.inbox.fault(FaultKind::RefuseMail, &to).is_some() {
            self.say("554 5.7.1 not such a mail").await?;
            return Ok(Next::Another);
        }
        self.inbox.take(from, to.clone(), &mail);
        if self.inbox.fault(FaultKind::DropAfterData, &to).is_some() {
            return Ok(Next::Bye);
        }
        if let Some(delay) = self.inbox.fault(FaultKind::Delay, &to) {
            tokio::time::sleep(Duration::from_secs_f64(delay.seconds.unwrap_or_default())).await;
        }
        self.say("250 2.0.0 taken").await?;
        Ok(Next::Another)
    }

    /// The lines up to the lone dot, without the dots that were put before others. `None` when the client went away.
    async fn mail(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut mail = Vec::new();
        while let Some(line) = self.line().await? {
            if line == b".\r\n" || line == b".\n" {
                return Ok(Some(mail));
            }
            mail.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            if mail.len() > LONGEST_MAIL {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// A line with its end; `None` at the end of the conversation.
    async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let read = timeout(IDLE, self.stream.read_until(b'\n', &mut line)).await;
        match read.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?? {
            0 => Ok(None),
            length if length > LONGEST_LINE => Err(io::Error::other("a line is too long")),
            _ => Ok(Some(line)),
        }
    }

    async fn say(&mut self, reply: &str) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(reply.as_bytes()).await?;
        stream.write_all(b"\r\n").await?;
        stream.flush().await
    }
}

/// The address in `FROM:<a@example.com> BODY=8BITMIME`.
fn address(rest: &str, keyword: &str) -> Option<String> {
    let rest = rest.trim_start();
    let (found, path) = rest.split_at_checked(keyword.len())?;
    if !found.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let (address, _) = path.trim_start().strip_prefix('<')?.split_once('>')?;
    Some(address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn addresses_stand_in_brackets() {
        assert_eq!(address("FROM:<a@example.com> BODY=8BITMIME", "FROM:").as_deref(), Some("a@example.com"));
        assert_eq!(address("from:<>", "FROM:").as_deref(), Some(""));
        for wrong in ["", "FROM", "FROM:a@example.com", "TO:<a@example.com>"] {
            assert_eq!(address(wrong, "FROM:"), None, "{wrong}");
        }
    }
}
