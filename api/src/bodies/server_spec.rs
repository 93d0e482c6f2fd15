//! What a server shall be like, where it is checked without the database: the same for orders and retries.

use domain::{hostname::Hostname, ids::SshKeyId};

use crate::problem::{Code, Problem};

/// As many SSH keys one server may be ordered with.
const MAX_SSH_KEYS: usize = 10;

/// The host name in a request.
///
/// # Errors
/// 422 `invalid_hostname`.
pub(crate) fn parse_hostname(text: &str) -> Result<Hostname, Problem> {
    Hostname::parse(text)
        .map_err(|error| Problem::field(Code::InvalidHostname, "hostname", error.to_string()))
}

/// Providers take the keys with the server's first boot, which has little room.
///
/// # Errors
/// 422 `validation_failed`.
pub(crate) fn refuse_too_many(ssh_keys: &[SshKeyId]) -> Result<(), Problem> {
    if ssh_keys.len() <= MAX_SSH_KEYS {
        return Ok(());
    }
    let message = format!("at most {MAX_SSH_KEYS} keys can be put on a server");
    Err(Problem::field(Code::ValidationFailed, "ssh_key_ids", message))
}
