//! Times as people here read them: by Jakarta's clock (WIB) unless they want another of Indonesia's, whatever the database's
//! is.

use chrono::{DateTime, Datelike, FixedOffset, Timelike, Utc};
use domain::{language::Language, locale::TimeZone};

const MONTHS_ID: [&str; 12] = [
    "Januari",
    "Februari",
    "Maret",
    "April",
    "Mei",
    "Juni",
    "Juli",
    "Agustus",
    "September",
    "Oktober",
    "November",
    "Desember",
];
const MONTHS_EN: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A day in Jakarta: `28 November 2026`.
#[must_use]
pub fn day(at: DateTime<Utc>, language: Language) -> String {
    day_of(in_zone(at, TimeZone::Jakarta), language)
}

fn day_of(at: DateTime<FixedOffset>, language: Language) -> String {
    let months = match language {
        Language::Indonesian => MONTHS_ID,
        Language::English => MONTHS_EN,
    };
    let month = at.month0().try_into().ok().and_then(|month: usize| months.get(month).copied());
    format!("{} {} {}", at.day(), month.unwrap_or_default(), at.year())
}

/// A moment in Jakarta: `28 November 2026, 09:38 WIB`; in Indonesian with a point: `09.38`.
#[must_use]
pub fn moment(at: DateTime<Utc>, language: Language) -> String {
    moment_in(at, TimeZone::Jakarta, language)
}

/// The same by another clock: `28 November 2026, 10:38 WITA`.
#[must_use]
pub fn moment_in(at: DateTime<Utc>, zone: TimeZone, language: Language) -> String {
    let local = in_zone(at, zone);
    let colon = match language {
        Language::Indonesian => '.',
        Language::English => ':',
    };
    let zone = zone.short_name();
    format!("{}, {:02}{colon}{:02} {zone}", day_of(local, language), local.hour(), local.minute())
}

/// A moment of today in Jakarta, to the millisecond: `09:38:14.123 WIB`.
#[must_use]
pub fn clock(at: DateTime<Utc>) -> String {
    format!("{} WIB", in_zone(at, TimeZone::Jakarta).format("%H:%M:%S%.3f"))
}

fn in_zone(at: DateTime<Utc>, zone: TimeZone) -> DateTime<FixedOffset> {
    FixedOffset::east_opt(zone.hours_before_utc() * 3600)
        .map_or_else(|| at.fixed_offset(), |zone| at.with_timezone(&zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_jakartas_in_the_language() {
        let late: DateTime<Utc> = "2026-12-31T17:05:00Z".parse().unwrap();
        assert_eq!(day(late, Language::Indonesian), "1 Januari 2027");
        assert_eq!(moment(late, Language::Indonesian), "1 Januari 2027, 00.05 WIB");
        assert_eq!(clock(late), "00:05:00.000 WIB");
        assert_eq!(moment_in(late, TimeZone::Makassar, Language::Indonesian), "1 Januari 2027, 01.05 WITA");
        assert_eq!(moment_in(late, TimeZone::Jayapura, Language::English), "1 January 2027, 02:05 WIT");
        let august: DateTime<Utc> = "2026-08-17T03:00:00Z".parse().unwrap();
        assert_eq!(day(august, Language::Indonesian), "17 Agustus 2026");
        assert_eq!(moment(august, Language::English), "17 August 2026, 10:00 WIB");
    }
}
