//! From an event and a file of words to a text.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::{Bank, PaymentMethod},
    dispute::MisfitReason,
    event::Event,
    language::Language,
    locale::{Locale, TimeZone},
};
use minijinja::{Environment, ErrorKind, State, UndefinedBehavior, Value, context, value::Serde};

use crate::{Channel, Error, Letter, reasons, templates, times, words};

static INDONESIAN: LazyLock<Environment<'static>> = LazyLock::new(|| environment(Language::Indonesian));
static ENGLISH: LazyLock<Environment<'static>> = LazyLock::new(|| environment(Language::English));

/// A text as it is.
pub(crate) fn text(event: &Event, channel: Channel, reader: Locale) -> Result<String, Error> {
    render(event, source(event, channel, reader.language)?, reader)
}

/// A text that begins with a title. It is taken apart before it is rendered: what a person wrote may have empty lines.
pub(crate) fn letter(event: &Event, channel: Channel, reader: Locale) -> Result<Letter, Error> {
    let source = source(event, channel, reader.language)?;
    let (title, message) = source.split_once("\n\n").unwrap_or((source, ""));
    Ok(Letter { title: render(event, title, reader)?, message: render(event, message, reader)? })
}

fn source(event: &Event, channel: Channel, language: Language) -> Result<&'static str, Error> {
    let event = event.kind();
    let words = templates::of(event).get(channel).ok_or(Error::NotTold { event, channel })?;
    Ok(words.in_language(language))
}

fn render(event: &Event, source: &str, reader: Locale) -> Result<String, Error> {
    let environment = match reader.language {
        Language::Indonesian => &*INDONESIAN,
        Language::English => &*ENGLISH,
    };
    let data = Value::from(Serde(event)).get_attr("data");
    data.and_then(|data| {
        environment.render_str(source, context! { time_zone => reader.time_zone.as_str(), ..data })
    })
    .map_err(|source| Error::Rendering { event: event.kind(), source })
}

fn environment(language: Language) -> Environment<'static> {
    let mut environment = Environment::new();
    // A field that the data does not have is a mistake, not an empty word.
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("rupiah", |amount: i64| Rupiah::new(amount).to_string());
    environment.add_filter("moment", move |state: &State<'_, '_>, at: String| {
        let at: DateTime<Utc> = at.parse().map_err(|_| wrong("a moment", &at))?;
        Ok::<_, minijinja::Error>(times::moment_in(at, time_zone(state)?, language))
    });
    environment.add_filter("payment_method", move |method: String, bank: Option<String>| {
        let method: PaymentMethod = method.parse().map_err(|_| wrong("a way to pay", &method))?;
        let bank = bank.map(|bank| bank.parse::<Bank>().map_err(|_| wrong("a bank", &bank))).transpose()?;
        Ok::<_, minijinja::Error>(words::payment_method(method, bank, language))
    });
    environment.add_filter("misfit", move |Serde(reason): Serde<MisfitReason>| {
        reasons::misfit_reason(&reason, language)
    });
    environment.add_filter("capital", |text: String| words::capital(&text));
    environment
}

/// The reader's, which stands beside the event's data.
fn time_zone(state: &State<'_, '_>) -> Result<TimeZone, minijinja::Error> {
    let name = state.lookup("time_zone").unwrap_or_default().to_string();
    name.parse().map_err(|_| wrong("a time zone", &name))
}

fn wrong(wanted: &str, found: &str) -> minijinja::Error {
    minijinja::Error::new(ErrorKind::InvalidOperation, format!("`{found}` is not {wanted}"))
}
