//! `dev.env`: where everything is, as KEY=VALUE lines, for people, scripts and tests.

use anyhow::{Context, Result};
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The lines of a file that is there only while the stack is ready.
#[derive(Debug, Clone, Default)]
pub struct EnvFile {
    lines: Vec<(&'static str, String)>,
}

impl EnvFile {
    /// Adds a line.
    pub fn set(&mut self, key: &'static str, value: impl Into<String>) {
        self.lines.push((key, value.into()));
    }

    /// A value set before.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.lines.iter().find(|(name, _)| *name == key).map(|(_, value)| value.as_str())
    }

    /// All lines, for a process that is to work within this stack.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.lines.iter().map(|(key, value)| (*key, value.as_str()))
    }

    /// Writes the file in one step, so that who waits for it never reads a part. Readable by its owner only.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<WrittenEnvFile> {
        let unfinished = path.with_extension("env.new");
        let text: String = self.lines.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        let mut options = fs::File::options();
        options.create(true).truncate(true).write(true).mode(0o600);
        options
            .open(&unfinished)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| fs::rename(&unfinished, path))
            .with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(WrittenEnvFile { path: path.to_owned() })
    }
}

/// Removes the file when the stack is no longer ready.
pub struct WrittenEnvFile {
    path: PathBuf,
}

impl Drop for WrittenEnvFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_there_while_the_stack_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("dev.env");
        let mut file = EnvFile::default();
        file.set("API_URL", "http://127.0.0.1:3000");
        let written = file.write(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "API_URL=http://127.0.0.1:3000\n");
        assert_eq!(file.get("API_URL"), Some("http://127.0.0.1:3000"));
        drop(written);
        assert!(!path.exists());
    }
}
