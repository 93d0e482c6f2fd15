//! The workspace's own source files, as text.

use crate::cargo;
use std::fs;
use std::path::{Path, PathBuf};

/// All Rust files of a crate's `src`.
pub fn rust_files(name: &str) -> Result<Vec<PathBuf>, String> {
    within(&cargo::root().join(name).join("src"))
}

/// A file's text.
pub fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn within(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    let entries = fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| format!("{}: {error}", directory.display()))?.path();
        if path.is_dir() {
            files.extend(within(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}
