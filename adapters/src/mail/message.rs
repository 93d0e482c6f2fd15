//! A mail as it goes over the wire (RFC 5322).

use domain::delivery::DeliveryTrouble;
use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
};

use super::Mail;
use crate::sending::SendError;

/// Who writes, and who is answered.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    pub(super) from: Mailbox,
    pub(super) reply_to: Option<Mailbox>,
}

/// A mail with all its headers, and whom the envelope names.
pub(super) struct Written {
    pub(super) to: Address,
    pub(super) bytes: Vec<u8>,
}

/// Writes a mail. Machines that answer mails leave it alone (RFC 3834), and mail readers show a way to switch such mails off.
pub(super) fn write(sender: &Sender, mail: &Mail<'_>) -> Result<Written, SendError> {
    let to: Address = mail.to.parse().map_err(|_| {
        SendError::never(DeliveryTrouble::BadAddress, "this is no address that mail can be sent to")
    })?;
    let domain = sender.from.email.domain();
    let name = Some(one_line(mail.to_name)).filter(|name| !name.trim().is_empty());
    let mut message = Message::builder()
        .from(sender.from.clone())
        .to(Mailbox::new(name, to.clone()))
        .subject(one_line(mail.subject))
        .message_id(Some(format!("<{}@{domain}>", mail.id)))
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("Content-Language", mail.language));
    if let Some(reply_to) = &sender.reply_to {
        message = message.reply_to(reply_to.clone());
    }
    if let Some(url) = mail.unsubscribe_url {
        message = message
            .raw_header(header("List-Unsubscribe", &format!("<{url}>")))
            .raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"));
    }
    let body = MultiPart::alternative_plain_html(mail.text.to_owned(), mail.html.to_owned());
    let message = message
        .multipart(body)
        .map_err(|_| SendError::never(DeliveryTrouble::Refused, "the mail can't be written"))?;
    Ok(Written { to, bytes: message.formatted() })
}

/// What people are called and what mails are about stands on one line, whatever its writer meant: a line end would begin
/// another header, and what is written of the mail ends the program where a name has one.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// What we write ourselves: ASCII without line ends, which needs neither encoding nor folding.
fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::dangerous_new_pre_encoded(
        HeaderName::new_from_ascii_str(name),
        value.to_owned(),
        value.to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: Mail<'static> = Mail {
        id: "0193e7d0",
        to: "siti@example.com",
        to_name: "Siti Aminah",
        subject: "Pesanan diterima – ✓",
        text: "Halo Siti",
        html: "<p>Halo Siti</p>",
        language: "id",
        unsubscribe_url: Some("https://api.example.com/u/wbu_1"),
    };

    fn sender() -> Sender {
        Sender {
            from: "WeBrana Cloud <no-reply@webrana.id>".parse().unwrap(),
            reply_to: Some("support@webrana.id".parse().unwrap()),
        }
    }

    fn written(mail: &Mail<'_>) -> String {
        String::from_utf8(write(&sender(), mail).unwrap().bytes).unwrap()
    }

    #[test]
    fn a_mail_names_itself_and_says_how_to_switch_such_mails_off() {
        let mail = written(&MAIL);
        for line in [
            "Message-ID: <0193e7d0@webrana.id>\r\n",
            "From: \"WeBrana Cloud\" <no-reply@webrana.id>\r\n",
            "Reply-To: support@webrana.id\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Content-Language: id\r\n",
            "List-Unsubscribe: <https://api.example.com/u/wbu_1>\r\n",
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
            "MIME-Version: 1.0\r\n",
            "Content-Type: text/plain; charset=utf-8\r\n",
            "Content-Type: text/html; charset=utf-8\r\n",
        ] {
            assert!(mail.contains(line), "{line} in {mail}");
        }
        assert!(mail.is_ascii(), "{mail}");
        let required = written(&Mail { unsubscribe_url: None, ..MAIL });
        assert!(!required.contains("List-Unsubscribe"));
        assert_eq!(required.matches("Message-ID").count(), 1);
    }

    #[test]
    fn what_a_person_is_called_adds_no_headers() {
        let hostile = "Siti\r\nBcc: eve@example.com";
        let mail = written(&Mail { to_name: hostile, subject: hostile, ..MAIL });
        assert!(!mail.contains("\r\nBcc:"), "{mail}");
    }

    #[test]
    fn what_is_no_address_is_refused_for_good() {
        let error = write(&sender(), &Mail { to: "siti at example", ..MAIL }).err().unwrap();
        assert_eq!(error.trouble, DeliveryTrouble::BadAddress);
        assert!(!error.to_string().contains("siti"), "{error}");
    }
}
