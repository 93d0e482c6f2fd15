//! How much of what takes long is run.

/// Whether all of it is: by `cargo verify --full`.
#[must_use]
pub fn is_full() -> bool {
    std::env::var_os("WEBRANA_FULL").is_some()
}
