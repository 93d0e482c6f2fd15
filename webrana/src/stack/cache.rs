//! The user's cache: programs that were fetched once and serve every clone.

use anyhow::{Context, Result};
use std::path::PathBuf;

/// `$XDG_CACHE_HOME/webrana`, else `~/.cache/webrana`.
///
/// # Errors
/// When neither variable says where the user's files are.
pub fn directory() -> Result<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
        .context("neither HOME nor XDG_CACHE_HOME is set: set XDG_CACHE_HOME to a directory for downloads")?;
    Ok(base.join("webrana"))
}
