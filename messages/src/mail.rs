//! Whole mails: an event's words within one layout, as text and as HTML. The layout is MJML, read and turned into HTML that
//! every mail reader shows when the first mail is written; the words are put into that HTML, escaped.

use std::sync::LazyLock;

use domain::{
    event::{Event, EventKind},
    language::Language,
    locale::Locale,
};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use mrml::prelude::render::RenderOptions;

use crate::{Error, Letter, email};

const LAYOUT: &str = include_str!("mail/layout.mjml");
const NAME: &str = "layout";

/// A mail as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// What it is about.
    pub subject: String,
    /// All of it as text.
    pub text: String,
    /// All of it as HTML.
    pub html: String,
}

/// What a mail has besides the words of its event.
#[derive(Debug, Clone, Copy)]
pub struct Addressed<'a> {
    /// How its reader is called.
    pub name: &'a str,
    /// Where its reader sees more, or does something about it: a whole URL.
    pub action_url: &'a str,
    /// Where such mails are switched off, where they can be: a whole URL.
    pub unsubscribe_url: Option<&'a str>,
}

/// What every mail says around its event.
struct Frame {
    greeting: fn(&str) -> String,
    action: &'static str,
    reason: &'static str,
    unsubscribe: &'static str,
}

const INDONESIAN: Frame = Frame {
    greeting: |name| format!("Yth. {name},"),
    action: "Lihat di WeBrana Cloud",
    reason: "Anda menerima surel ini karena memiliki akun di WeBrana Cloud.",
    unsubscribe: "Berhenti menerima surel seperti ini",
};
const ENGLISH: Frame = Frame {
    greeting: |name| format!("Dear {name},"),
    action: "See it at WeBrana Cloud",
    reason: "You receive this mail because you have an account at WeBrana Cloud.",
    unsubscribe: "Stop receiving mails like this one",
};

/// What a link to the app says, in a message that has no more room.
#[must_use]
pub const fn action(language: Language) -> &'static str {
    frame(language).action
}

/// What the link of a mail says.
const fn link_words(event: EventKind, language: Language) -> &'static str {
    match (event, language) {
        (EventKind::EmailToVerify, Language::Indonesian) => "Verifikasi alamat surel",
        (EventKind::EmailToVerify, Language::English) => "Verify the email address",
        (EventKind::PasswordResetAsked, Language::Indonesian) => "Buat kata sandi baru",
        (EventKind::PasswordResetAsked, Language::English) => "Choose a new password",
        (EventKind::EmailChangeAsked, Language::Indonesian) => "Konfirmasi perubahan alamat",
        (EventKind::EmailChangeAsked, Language::English) => "Confirm the change",
        _ => action(language),
    }
}

const fn frame(language: Language) -> &'static Frame {
    match language {
        Language::Indonesian => &INDONESIAN,
        Language::English => &ENGLISH,
    }
}

/// A whole mail about an event.
///
/// # Errors
/// [`Error::NotTold`] of an event that is not told to customers.
pub fn mail(event: &Event, reader: impl Into<Locale>, to: &Addressed<'_>) -> Result<Mail, Error> {
    let reader = reader.into();
    let language = reader.language;
    let Letter { title: subject, message } = email(event, reader)?;
    let frame = frame(language);
    let action = link_words(event.kind(), language);
    let greeting = (frame.greeting)(to.name);
    let mut text =
        format!("{greeting}\n\n{message}\n\n{action}:\n{}\n\n-- \n{}\n", to.action_url, frame.reason);
    if let Some(url) = to.unsubscribe_url {
        text.push_str(&format!("{}:\n{url}\n", frame.unsubscribe));
    }
    let paragraphs: Vec<Vec<String>> =
        message.split("\n\n").map(|part| part.lines().map(str::to_owned).collect()).collect();
    let preview = message.lines().next().unwrap_or_default();
    let html = LAYOUTS
        .as_ref()
        .map_err(|error| Error::Layout(error.clone()))?
        .get_template(NAME)
        .and_then(|layout| {
            layout.render(context! {
                subject => subject.as_str(), greeting => greeting.as_str(), paragraphs, preview,
                action, action_url => to.action_url, reason => frame.reason,
                unsubscribe => frame.unsubscribe, unsubscribe_url => to.unsubscribe_url, language => language.as_str(),
            })
        })
        .map_err(|source| Error::Rendering { event: event.kind(), source })?;
    Ok(Mail { subject, text, html })
}

static LAYOUTS: LazyLock<Result<Environment<'static>, String>> = LazyLock::new(layouts);

fn layouts() -> Result<Environment<'static>, String> {
    let layout = mrml::parse(LAYOUT).map_err(|error| error.to_string())?;
    // Nothing is loaded from anywhere when a mail is read.
    let options = RenderOptions { fonts: std::collections::HashMap::new(), ..RenderOptions::default() };
    let html = layout.element.render(&options).map_err(|error| error.to_string())?;
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template_owned(NAME, html).map_err(|error| error.to_string())?;
    Ok(environment)
}

#[cfg(test)]
mod tests {
    use domain::{event::Announcement, notification::NotificationKind};

    use super::*;

    const TO: Addressed<'static> = Addressed {
        name: "Siti <script>",
        action_url: "https://app.example.com/orders/1?a=b&c=d",
        unsubscribe_url: Some("https://api.example.com/api/v1/unsubscribe/wbu_1"),
    };

    #[test]
    fn every_event_for_customers_has_a_whole_mail_in_each_language() {
        for kind in EventKind::ALL.iter().filter(|kind| kind.is_for_customers() || kind.is_a_link()) {
            for language in Language::ALL {
                let event = Event::example(*kind);
                let Mail { subject, text, html } = mail(&event, *language, &TO).unwrap();
                let what = format!("{kind} {language}: {html}");
                assert!(!subject.contains('\n') && text.contains(TO.action_url), "{what}");
                assert!(html.starts_with("<!doctype html>") && html.contains("WeBrana Cloud"), "{what}");
                assert!(html.contains(&format!("lang=\"{language}\"")), "{what}");
                for blemish in ["{{", "{%", "<script", "<mj-", "fonts.googleapis"] {
                    assert!(!html.contains(blemish), "{blemish} in {what}");
                }
            }
        }
    }

    #[test]
    fn what_people_wrote_is_shown_as_it_is() {
        let event = Announcement {
            announcement_id: Default::default(),
            title: "A & B <i>".to_owned(),
            part: None,
            message: "One <b>line</b>\nanother\n\n{{ subject }}".to_owned(),
        };
        let Mail { subject, text, html } = mail(&event.into(), Language::English, &TO).unwrap();
        assert_eq!(subject, "A & B <i>");
        assert!(text.contains("One <b>line</b>\nanother\n\n{{ subject }}"), "{text}");
        assert!(html.contains("One &lt;b&gt;line&lt;&#x2f;b&gt;<br"), "{html}");
        assert!(html.contains("{{ subject }}") && html.contains("A &amp; B &lt;i&gt;"), "{html}");
    }

    #[test]
    fn a_mail_that_cannot_be_switched_off_has_no_link_for_that() {
        let required = Event::example(EventKind::PasswordChanged);
        assert!(required.facts().notification.is_some_and(NotificationKind::is_required));
        let to = Addressed { unsubscribe_url: None, ..TO };
        let Mail { text, html, .. } = mail(&required, Language::Indonesian, &to).unwrap();
        assert!(!text.contains(INDONESIAN.unsubscribe) && !html.contains(INDONESIAN.unsubscribe));
        assert!(html.contains("Yth. Siti &lt;script&gt;,"), "{html}");
    }
}
