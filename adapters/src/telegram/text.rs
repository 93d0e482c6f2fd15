//! Messages in Telegram's HTML (<https://core.telegram.org/bots/api#html-style>): whatever a text says, it is shown as it is.

use std::borrow::Cow;

/// A text without markup: what would be read as such is escaped.
#[must_use]
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A message: a title in bold, if it has one, the text, and a link.
///
/// ```
/// use adapters::telegram::message;
///
/// let told = message(Some("Server ready"), "<b>web</b> & co", Some(("Details", "https://app.example.com/a?b=c&d")));
/// assert_eq!(
///     told,
///     "<b>Server ready</b>\n&lt;b&gt;web&lt;/b&gt; &amp; co\n\n<a href=\"https://app.example.com/a?b=c&amp;d\">Details</a>"
/// );
/// ```
#[must_use]
pub fn message(title: Option<&str>, text: &str, link: Option<(&str, &str)>) -> String {
    let title = title.map_or_else(String::new, |title| format!("<b>{}</b>\n", escaped(title)));
    let link = link.map_or_else(String::new, |(label, url)| {
        format!("\n\n<a href=\"{}\">{}</a>", escaped(url), escaped(label))
    });
    format!("{title}{}{link}", escaped(text))
}

/// A message that Telegram takes: one that is too long loses its markup and its end.
pub(super) fn within(html: &str, longest: usize) -> Cow<'_, str> {
    if html.encode_utf16().count() <= longest {
        return html.into();
    }
    let plain: String =
        html.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
    let mut length = 0;
    let mut cut: String = plain
        .chars()
        .take_while(|letter| {
            length += letter.len_utf16();
            length < longest
        })
        .collect();
    // An escape that was cut in two would be refused.
    if let Some(start) = cut.rfind('&').filter(|start| !cut[*start..].contains(';')) {
        cut.truncate(start);
    }
    cut.push('…');
    cut.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_too_long_is_cut_where_nothing_breaks() {
        assert_eq!(within("<b>a</b> b", 20), "<b>a</b> b");
        assert_eq!(within("<b>a</b> &amp; and so on", 7), "a …");
        assert_eq!(within("<b>a</b> &amp; and so on", 8), "a &amp;…");
        assert_eq!(within("<b>abc</b>defgh", 5), "abcd…");
        let long = message(Some("x"), &"&".repeat(5_000), None);
        assert!(within(&long, 4_096).encode_utf16().count() <= 4_096);
    }
}
