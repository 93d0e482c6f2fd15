//! Every event has its words in every channel and language, and no words are of no event.

use std::{collections::BTreeSet, fs, path::Path};

use domain::{
    Rupiah,
    billing::{Bank, PaymentMethod},
    event::{
        DepositBonus, DepositReceived, Event, EventData, EventKind, PaymentConfirmed, PaymentRefused,
        RefundCredited,
    },
    language::Language,
    locale::{Locale, TimeZone},
};
use messages::{Channel, Error, Letter};

const NAMES: [(Channel, &str); 4] = [
    (Channel::InApp, "in_app"),
    (Channel::Timeline, "timeline"),
    (Channel::Email, "email"),
    (Channel::Telegram, "telegram"),
];

fn examples() -> impl Iterator<Item = Event> {
    EventKind::ALL.iter().map(|kind| Event::example(*kind))
}

fn render(event: &Event, channel: Channel, reader: impl Into<Locale>) -> Result<Letter, Error> {
    let reader = reader.into();
    let untitled = |message| Letter { title: "none".to_owned(), message };
    match channel {
        Channel::InApp => messages::in_app(event, reader),
        Channel::Email => messages::email(event, reader),
        Channel::Timeline => messages::timeline(event, reader).map(untitled),
        Channel::Telegram => messages::telegram(event, reader).map(untitled),
    }
}

#[test]
fn every_event_renders_in_every_channel_and_language() {
    for event in examples() {
        let (kind, facts) = (event.kind(), event.facts());
        assert_eq!(Channel::Timeline.tells(kind), facts.step.is_some(), "{kind}");
        // A link is for whoever reads the mail, and nowhere else.
        let is_told_here = facts.notification.is_some() && !kind.is_a_link();
        assert_eq!(Channel::InApp.tells(kind), is_told_here, "{kind}");
        assert_eq!(Channel::Email.tells(kind), Channel::Telegram.tells(kind) || kind.is_a_link(), "{kind}");
        for channel in Channel::ALL.iter().filter(|channel| channel.tells(kind)) {
            for language in Language::ALL {
                let what = format!("{kind} {channel:?} {language}");
                let Letter { title, message } = render(&event, *channel, *language).unwrap_or_else(|error| {
                    panic!("{what}: {error}: {:?}", std::error::Error::source(&error))
                });
                assert!(
                    !title.is_empty() && title.chars().count() <= 255 && !title.contains('\n'),
                    "{what}: {title}"
                );
                assert!(!message.is_empty() && message.trim() == message, "{what}: {message:?}");
                for text in [&title, &message] {
                    for blemish in ["{{", "{%", "  ", "..", "none", "null"] {
                        assert!(text == "none" || !text.contains(blemish), "{what} has {blemish:?}: {text}");
                    }
                }
            }
        }
    }
}

#[test]
fn times_are_told_by_the_readers_clock() {
    let mut told = 0;
    for event in examples() {
        for channel in Channel::ALL.iter().filter(|channel| channel.tells(event.kind())) {
            for language in Language::ALL {
                let papua = Locale { language: *language, time_zone: TimeZone::Jayapura };
                let text = |reader| render(&event, *channel, reader).unwrap().message;
                let (here, there) = (text(Locale::from(*language)), text(papua));
                assert!(!there.contains("WIB"), "{} {channel:?} {language}: {there}", event.kind());
                assert_eq!(here.matches("WIB").count(), there.matches("WIT").count(), "{there}");
                told += there.matches("WIT").count();
            }
        }
    }
    assert!(told > 20, "{told} times are told");
}

#[test]
fn what_is_not_told_in_a_channel_has_no_words_there() {
    let event = Event::example(EventKind::LedgerUnsound);
    for channel in [Channel::Timeline, Channel::Email, Channel::Telegram] {
        assert!(matches!(render(&event, channel, Language::English), Err(Error::NotTold { .. })));
    }
}

#[test]
fn no_file_of_words_is_unused() {
    let mut expected = BTreeSet::new();
    for kind in EventKind::ALL {
        for (channel, name) in NAMES {
            if channel.tells(*kind) {
                expected.extend(Language::ALL.iter().map(|language| format!("{kind}/{name}.{language}.j2")));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    for folder in fs::read_dir(root).unwrap().map(Result::unwrap) {
        let folder_name = folder.file_name().into_string().unwrap();
        if !folder.file_type().unwrap().is_dir() || ["src", "tests"].contains(&folder_name.as_str()) {
            continue;
        }
        for file in fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
            found.insert(format!("{folder_name}/{}", file.file_name().into_string().unwrap()));
        }
    }
    assert_eq!(found, expected);
}

/// What an event says in English: its timeline's step, and its notification.
fn english(event: impl Into<Event>) -> [String; 2] {
    let event = event.into();
    [
        messages::timeline(&event, Language::English).unwrap_or_default(),
        messages::in_app(&event, Language::English).map(|letter| letter.message).unwrap_or_default(),
    ]
}

#[test]
fn a_payment_says_what_it_was_made_by_and_what_was_too_much() {
    let paid = PaymentConfirmed {
        method: PaymentMethod::Qris,
        bank: None,
        late: false,
        surplus: None,
        hostname: "web-1".to_owned(),
        ..PaymentConfirmed::example()
    };
    let amount = paid.arrived;
    assert_eq!(
        english(paid.clone()),
        [
            format!("QRIS payment received: {amount}."),
            format!("We received your payment of {amount} for web-1. Your server is being set up.")
        ]
    );
    let surplus = Rupiah::new(16_800);
    let more = PaymentConfirmed {
        method: PaymentMethod::VirtualAccount,
        bank: Some(Bank::Mandiri),
        late: true,
        surplus: Some(surplus),
        ..paid
    };
    assert_eq!(
        english(more)[0],
        format!(
            "Virtual account Mandiri payment received: {amount}. It came after the deadline; your order goes on \
             nevertheless. {surplus} more than was due went to your balance."
        )
    );
}

#[test]
fn a_refusal_names_what_was_to_be_paid() {
    let order = PaymentRefused::example();
    let invoice = PaymentRefused { hostname: None, order_id: None, ..order.clone() };
    let deposit = PaymentRefused { number: None, invoice_id: None, ..invoice.clone() };
    for (refused, what) in [
        (order, "your order for web-1.example.com"),
        (invoice, "invoice INV/2026/000123"),
        (deposit, "your deposit"),
    ] {
        let told = &english(refused)[1];
        assert!(told.contains(&format!(" for {what} was refused.")), "{told}");
    }
}

#[test]
fn a_refund_of_a_bill_names_the_bill() {
    let RefundCredited(of_order) = RefundCredited::example();
    let amount = of_order.amount;
    let of_invoice = RefundCredited(domain::event::RefundOf { hostname: None, order_id: None, ..of_order });
    assert_eq!(
        english(of_invoice)[1],
        format!("{amount} of your invoice INV/2026/000123 went back to your balance.")
    );
}

#[test]
fn a_deposit_says_what_its_code_brought() {
    let deposit = DepositReceived { bonus: None, ..DepositReceived::example() };
    let amount = deposit.amount;
    assert_eq!(english(deposit.clone())[1], format!("Your deposit of {amount} is on your balance."));
    let bonus = |given| DepositReceived {
        bonus: Some(DepositBonus { code: "HEMAT10".to_owned(), amount: Rupiah::new(40_000), given }),
        ..deposit.clone()
    };
    let on_top = Rupiah::new(40_000);
    assert_eq!(
        english(bonus(true))[1],
        format!("Your deposit of {amount} is on your balance, with {on_top} on top by the code HEMAT10.")
    );
    assert_eq!(
        english(bonus(false))[1],
        format!(
            "Your deposit of {amount} is on your balance. It came too late for the bonus of the code HEMAT10, which \
             can't be had any more."
        )
    );
}

#[test]
fn what_a_person_wrote_is_kept_as_written() {
    let written = domain::event::Announcement {
        title: "{{ not }} a\n\ntemplate".to_owned(),
        message: "<b>Rp1</b>\n\n{% raw %}".to_owned(),
        ..domain::event::Announcement::example()
    };
    let letter = messages::in_app(&written.clone().into(), Language::Indonesian).unwrap();
    assert_eq!((letter.title, letter.message), (written.title, written.message));
}
