//! Root passwords, made from the system's randomness.

use rand::{TryRngCore, rngs::OsRng};
use secrecy::SecretString;

use crate::Result;

/// Letters and digits that nobody takes for one another: no 0, 1, I, L, O in either case.
const ALPHABET: &[u8; 54] = b"ABCDEFGHJKMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789";
/// 28 of 54 signs: 161 bits.
const LENGTH: usize = 28;
/// The largest multiple of the alphabet's size in a byte: what is drawn beyond it would favour the first signs.
const FAIR: u8 = 216;

/// A new password with capitals, small letters and digits, as some providers demand.
pub(super) fn generate() -> Result<SecretString> {
    loop {
        let password = draw()?;
        let has = |kind: fn(&u8) -> bool| password.as_bytes().iter().any(kind);
        if has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit) {
            return Ok(SecretString::from(password));
        }
    }
}

fn draw() -> Result<String> {
    let mut password = String::with_capacity(LENGTH);
    let mut bytes = [0_u8; 2 * LENGTH];
    while password.len() < LENGTH {
        OsRng.try_fill_bytes(&mut bytes)?;
        let fair = bytes.iter().filter(|byte| **byte < FAIR);
        let signs = fair.map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]));
        password.extend(signs.take(LENGTH - password.len()));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn passwords_are_long_mixed_and_differ() {
        let (one, two) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one.expose_secret(), two.expose_secret());
        for password in [&one, &two] {
            let text = password.expose_secret();
            assert_eq!(text.len(), LENGTH);
            assert!(text.bytes().all(|sign| ALPHABET.contains(&sign)));
            assert!(text.bytes().any(|sign| sign.is_ascii_digit()));
        }
        assert_eq!(usize::from(FAIR) % ALPHABET.len(), 0);
    }
}
