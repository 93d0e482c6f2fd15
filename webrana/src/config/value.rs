//! How single values are written: durations with a unit, networks, secrets that never print.

use domain::label::is_visible;
use ipnet::IpNet;
use secrecy::SecretString;
use std::net::IpAddr;
use std::time::Duration;

/// Reads `500ms`, `30s`, `15m`, `24h` or `90d`.
///
/// # Errors
/// When the number or the unit is missing.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => 0,
    };
    let number: Option<u64> = number.parse().ok();
    match number.and_then(|number| number.checked_mul(milliseconds)) {
        Some(total) if milliseconds > 0 => Ok(Duration::from_millis(total)),
        _ => Err("a duration is a whole number with its unit: 500ms, 30s, 15m, 24h or 90d".to_owned()),
    }
}

/// Reads an address or a network in a list: `10.0.0.1`, `10.0.0.0/8`, `2001:db8::/32`, with blanks around it. Nothing is
/// nothing: an empty list has one empty entry.
///
/// # Errors
/// When it is neither.
pub fn network(text: &str) -> Result<Option<IpNet>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let address = || text.parse::<IpAddr>().ok().map(|address| IpNet::from(address.to_canonical()));
    let network = text.parse::<IpNet>().ok().map(|network| network.trunc());
    network.or_else(address).map(Some).ok_or_else(|| {
        format!("`{text}` is neither an address such as 10.0.0.1 nor a network such as 10.0.0.0/8")
    })
}

/// Takes a secret out of sight, without what editors and terminals leave around it: blanks, line ends, a byte order mark.
/// What is inside is checked with the other settings ([`super::strength::Guarded::garbled`]): clap's words for a value
/// that it refuses have the value in them.
///
/// # Errors
/// Never: the signature is clap's.
pub fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(text.trim_matches(|c| !is_visible(c))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_addresses_or_cidr() {
        let read = |text: &str| network(text).map(|network| network.map(|network| network.to_string()));
        assert_eq!(read(" 10.0.0.1 "), Ok(Some("10.0.0.1/32".to_owned())));
        assert_eq!(read("10.1.2.3/8"), Ok(Some("10.0.0.0/8".to_owned())));
        assert_eq!(read("2001:db8::/32"), Ok(Some("2001:db8::/32".to_owned())));
        assert_eq!(read("::ffff:10.0.0.1"), Ok(Some("10.0.0.1/32".to_owned())));
        assert_eq!(read(" "), Ok(None));
        for wrong in ["10.0.0.0/33", "proxy.internal", "10.0.0.1:80", "10.0.0"] {
            assert!(read(wrong).unwrap_err().contains(wrong), "{wrong}");
        }
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("24h"), Ok(Duration::from_secs(86_400)));
        assert_eq!(duration("90d"), Ok(Duration::from_secs(90 * 86_400)));
        for wrong in ["", "5", "s", "1.5s", "-1s", "5 s", "99999999999999999999d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
