//! Reading a mail as a mail reader does (RFC 5322, 2045 to 2047): headers unfolded and decoded, the text and the HTML of a
//! `multipart/alternative`.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Serialize;

/// A mail as it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Parsed {
    pub(super) subject: String,
    /// All headers by their names in lower case, each as often as it is there.
    pub(super) headers: BTreeMap<String, Vec<String>>,
    pub(super) text: Option<String>,
    pub(super) html: Option<String>,
    /// The character sets that the parts name.
    pub(super) charsets: Vec<String>,
}

pub(super) fn parse(raw: &[u8]) -> Parsed {
    let raw = String::from_utf8_lossy(raw).replace("\r\n", "\n");
    let (headers, body) = split(&raw);
    let mut parsed = Parsed { headers: headers.clone(), ..Parsed::default() };
    parsed.subject = first(&headers, "subject").unwrap_or_default();
    read(&headers, body, &mut parsed);
    parsed
}

/// Takes what a part says, or what its parts say.
fn read(headers: &BTreeMap<String, Vec<String>>, body: &str, parsed: &mut Parsed) {
    let kind = first(headers, "content-type").unwrap_or_else(|| "text/plain".to_owned());
    if let Some(boundary) = parameter(&kind, "boundary") {
        let delimiter = format!("--{boundary}");
        let parts = body.split(&delimiter).skip(1).take_while(|part| !part.starts_with("--"));
        for part in parts {
            let (headers, body) = split(part.strip_prefix('\n').unwrap_or(part));
            read(&headers, body.strip_suffix('\n').unwrap_or(body), parsed);
        }
        return;
    }
    let encoding = first(headers, "content-transfer-encoding").unwrap_or_default().to_ascii_lowercase();
    let text = match encoding.as_str() {
        "quoted-printable" => quoted_printable(body),
        "base64" => {
            let letters: String = body.split_whitespace().collect();
            BASE64_STANDARD.decode(letters).unwrap_or_default()
        }
        _ => body.as_bytes().to_vec(),
    };
    let text = String::from_utf8_lossy(&text).replace("\r\n", "\n");
    parsed.charsets.extend(parameter(&kind, "charset"));
    if kind.starts_with("text/html") {
        parsed.html = Some(text);
    } else if kind.starts_with("text/plain") {
        parsed.text = Some(text);
    }
}

/// Headers and body.
fn split(text: &str) -> (BTreeMap<String, Vec<String>>, &str) {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let unfolded = head.replace("\n ", " ").replace("\n\t", " ");
    for line in unfolded.lines() {
        if let Some((name, value)) = line.split_once(':') {
            headers.entry(name.trim().to_ascii_lowercase()).or_default().push(decoded(value.trim()));
        }
    }
    (headers, body)
}

fn first(headers: &BTreeMap<String, Vec<String>>, name: &str) -> Option<String> {
    headers.get(name)?.first().cloned()
}

fn parameter(header: &str, name: &str) -> Option<String> {
    let mut parameters = header.split(';').skip(1).filter_map(|parameter| parameter.trim().split_once('='));
    let (_, value) = parameters.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
    Some(value.trim_matches('"').to_owned())
}

/// Decodes the encoded words of a header (RFC 2047), between two of which blanks mean nothing.
fn decoded(value: &str) -> String {
    let mut words: Vec<(String, bool)> = Vec::new();
    for word in value.split(' ') {
        match encoded_word(word) {
            Some(text) => words.push((text, true)),
            None => words.push((word.to_owned(), false)),
        }
    }
    let mut text = String::new();
    let mut before = None;
    for (word, is_encoded) in words {
        if before.is_some_and(|before| !(before && is_encoded)) {
            text.push(' ');
        }
        text.push_str(&word);
        before = Some(is_encoded);
    }
    text
}

fn encoded_word(word: &str) -> Option<String> {
    let mut parts = word.strip_prefix("=?")?.strip_suffix("?=")?.splitn(3, '?');
    let (charset, encoding, text) = (parts.next()?, parts.next()?, parts.next()?);
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let bytes = match encoding {
        "b" | "B" => BASE64_STANDARD.decode(text).ok()?,
        "q" | "Q" => quoted_printable(&text.replace('_', " ")),
        _ => return None,
    };
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn quoted_printable(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'=', [b'\n', after @ ..]) => rest = after,
            (b'=', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or_default();
                bytes.push(u8::try_from(digit(high) * 16 + digit(low)).unwrap_or_default());
                rest = after;
            }
            _ => bytes.push(*byte),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_in_two_forms_is_read_in_both() {
        let mail = "Subject: =?utf-8?b?UGVzYW5hbiBkaXRlcmltYSDigJMg?=\r\n =?utf-8?q?=E2=9C=93_a?= b\r\nX-A: 1\r\nX-A: 2\r\n\
                    Content-Type: multipart/alternative;\r\n boundary=\"b1\"\r\n\r\n--b1\r\n\
                    Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
                    Halo =E2=9C=93 and =\r\nso on=3D\r\n--b1\r\nContent-Type: text/html; charset=utf-8\r\n\
                    Content-Transfer-Encoding: base64\r\n\r\nPHA+SGFsbzwv\r\ncD4=\r\n--b1--\r\n";
        let parsed = parse(mail.as_bytes());
        assert_eq!(parsed.subject, "Pesanan diterima – ✓ a b");
        assert_eq!(parsed.headers["x-a"], ["1", "2"]);
        assert_eq!(parsed.text.as_deref(), Some("Halo ✓ and so on="));
        assert_eq!(parsed.html.as_deref(), Some("<p>Halo</p>"));
        assert_eq!(parsed.charsets, ["utf-8", "utf-8"]);
    }

    #[test]
    fn a_plain_mail_is_text() {
        let parsed = parse(b"Subject: Hi\n\nA body\n");
        assert_eq!((parsed.subject.as_str(), parsed.text.as_deref()), ("Hi", Some("A body\n")));
    }
}
