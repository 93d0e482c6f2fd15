//! How much a new server can be told at its first boot.

/// Most bytes of SSH keys, as they stand in the text a server is told. Vendors take 64 KiB of it, some counted after base64
/// has made four bytes of three; a kilobyte is left for the rest.
const MOST_KEY_BYTES: usize = 64 * 1024 * 3 / 4 - 1024;

/// The keys are more than a server can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "these SSH keys are too long to be put on one server together: name fewer, or Ed25519 keys, which are short"
)]
pub struct KeysTooLong;

/// Whether these public keys can be put on one server.
///
/// # Errors
/// [`KeysTooLong`].
pub fn check_keys(public_keys: &[String]) -> Result<(), KeysTooLong> {
    // As JSON strings, with quotes, comma and what has to be escaped.
    let escapes = |key: &str| key.chars().filter(|c| matches!(c, '"' | '\\')).count();
    let told: usize = public_keys.iter().map(|key| key.len() + escapes(key) + 3).sum();
    if told <= MOST_KEY_BYTES { Ok(()) } else { Err(KeysTooLong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_keys_of_any_usual_length_are_taken_and_ten_huge_ones_are_not() {
        let keys = |length: usize, count: usize| vec!["k".repeat(length); count];
        assert_eq!(check_keys(&[]), Ok(()));
        // RSA of 16,384 bits, the longest that ssh-keygen makes.
        assert_eq!(check_keys(&keys(2_900, 10)), Ok(()));
        assert_eq!(check_keys(&keys(8_192, 5)), Ok(()));
        assert_eq!(check_keys(&keys(8_192, 10)), Err(KeysTooLong));
        assert_eq!(check_keys(&vec!["\\".repeat(4_000); 7]), Err(KeysTooLong));
    }
}
