//! The directory a stack lives in: found, locked for one stack at a time, and laid out.

use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Name of the default data directory, beside the repository's `.git`.
const DEFAULT_NAME: &str = ".webrana";

/// A locked data directory. The lock is the kernel's: it goes when the process goes, however it ends.
pub struct DataDir {
    root: PathBuf,
    /// Where the servers keep their data: the root itself, or a part of it that is wiped at both ends.
    state: PathBuf,
    ephemeral: bool,
    created: bool,
    _lock: File,
}

impl DataDir {
    /// Creates (if need be) and locks the directory.
    ///
    /// With `ephemeral` the servers' data goes into a part of its own, so that what a lasting stack keeps in the same
    /// directory is never wiped with it.
    ///
    /// # Errors
    /// When another stack holds the directory, or it cannot be written.
    pub fn open(root: &Path, ephemeral: bool) -> Result<Self> {
        let created = !root.exists();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(root)
            .with_context(|| format!("the data directory {} cannot be created", root.display()))?;
        let root = root.canonicalize()?;
        let lock = lock(&root)?;
        let state = if ephemeral { root.join("ephemeral") } else { root.clone() };
        let data_dir = Self { root, state, ephemeral, created, _lock: lock };
        // A stack that was killed leaves its file behind; who waits for ours must not read that one.
        super::pids::remove_if_there(&data_dir.env_file())?;
        if ephemeral {
            remove_tree(&data_dir.state)?;
        }
        fs::create_dir_all(&data_dir.state)?;
        fs::create_dir_all(data_dir.logs())?;
        Ok(data_dir)
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the servers keep their data.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Whether the data is wiped at the end.
    pub fn is_ephemeral(&self) -> bool {
        self.ephemeral
    }

    /// Logs of the servers.
    pub fn logs(&self) -> PathBuf {
        self.state.join("logs")
    }

    /// The list of child processes.
    pub fn pids(&self) -> PathBuf {
        self.root.join("pids")
    }

    /// Written when all is ready, removed at the end.
    pub fn env_file(&self) -> PathBuf {
        self.root.join("dev.env")
    }

    /// A directory elsewhere that belongs to this one, where the database is that could not be here.
    pub fn elsewhere(&self) -> Option<PathBuf> {
        let path = fs::read(self.elsewhere_note()).ok()?;
        Some(PathBuf::from(OsString::from_vec(path)))
    }

    /// Notes such a directory.
    ///
    /// # Errors
    /// When the note cannot be written.
    pub fn note_elsewhere(&self, path: &Path) -> Result<()> {
        let note = self.elsewhere_note();
        fs::write(&note, path.as_os_str().as_encoded_bytes())
            .with_context(|| format!("{} cannot be written", note.display()))
    }

    fn elsewhere_note(&self) -> PathBuf {
        self.state.join("postgres.elsewhere")
    }

    /// Opens a server's log for appending; what an earlier run wrote stays readable as `<name>.log.old`.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn log_file(&self, name: &str) -> Result<File> {
        let path = self.logs().join(format!("{name}.log"));
        if path.exists() {
            fs::rename(&path, self.logs().join(format!("{name}.log.old")))?;
        }
        let mut options = fs::OpenOptions::new();
        options.create(true).append(true).mode(0o600);
        options.open(&path).with_context(|| format!("{} cannot be written", path.display()))
    }

    /// Wipes an ephemeral stack's data, and the directory itself when this run created it.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn finish(self) -> Result<()> {
        if !self.ephemeral {
            return Ok(());
        }
        if let Some(elsewhere) = self.elsewhere() {
            remove_tree(&elsewhere)?;
        }
        remove_tree(&self.state)?;
        if self.created {
            remove_tree(&self.root)?;
        }
        Ok(())
    }
}

/// The default data directory: `.webrana` in the nearest ancestor that has one or is a repository's root, so that the
/// command means the same stack from every folder of the repository.
pub fn default_path() -> Result<PathBuf> {
    let here = std::env::current_dir().context("the current directory cannot be read")?;
    let home = here
        .ancestors()
        .find(|directory| directory.join(DEFAULT_NAME).is_dir() || directory.join(".git").exists())
        .unwrap_or(&here);
    Ok(home.join(DEFAULT_NAME))
}

fn lock(root: &Path) -> Result<File> {
    let path = root.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!(
            "another stack is running on {}: stop it first, or give this one its own --data-dir (and --ports auto)",
            root.display()
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{} cannot be locked", path.display()))
        }
    }
}

/// Removes a directory with all it holds; that it was not there is fine.
pub fn remove_tree(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stack_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let first = DataDir::open(directory.path(), false).unwrap();
        let refusal = DataDir::open(directory.path(), false).err().unwrap().to_string();
        assert!(refusal.contains("another stack is running"), "{refusal}");
        drop(first);
        DataDir::open(directory.path(), false).unwrap();
    }

    #[test]
    fn an_ephemeral_stack_wipes_its_own_data_only() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("kept"), "kept").unwrap();
        let ephemeral = DataDir::open(directory.path(), true).unwrap();
        fs::write(ephemeral.state().join("scratch"), "scratch").unwrap();
        ephemeral.finish().unwrap();
        assert!(directory.path().join("kept").exists());
        assert!(!directory.path().join("ephemeral").exists());
    }

    #[test]
    fn an_ephemeral_stack_leaves_no_directory_that_it_made() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("new");
        DataDir::open(&root, true).unwrap().finish().unwrap();
        assert!(!root.exists());
    }
}
