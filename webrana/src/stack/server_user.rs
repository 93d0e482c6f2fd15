//! Postgres refuses to run as root. Started by root it runs as an unprivileged user, in a place that user can reach.

use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Accounts to run as, best first; `nobody` exists everywhere.
const ACCOUNTS: [&str; 2] = ["postgres", "nobody"];

/// Where things go that the server's user could not reach in their own place.
const SHARED_ROOT: &str = "/var/tmp";

/// An unprivileged account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUser {
    name: String,
    uid: u32,
    gid: u32,
}

impl ServerUser {
    /// The account the server must run as, or `None` when we are unprivileged ourselves.
    ///
    /// # Errors
    /// When we are root and the machine has no account to run as.
    pub fn needed() -> Result<Option<Self>> {
        if !rustix::process::getuid().is_root() {
            return Ok(None);
        }
        let accounts = fs::read_to_string("/etc/passwd").context("/etc/passwd cannot be read")?;
        match ACCOUNTS.iter().find_map(|name| Self::parse(&accounts, name)) {
            Some(user) => Ok(Some(user)),
            None => bail!(
                "Postgres does not run as root and this machine has neither a `postgres` nor a `nobody` account: \
                 add one, or set DATABASE_URL"
            ),
        }
    }

    fn parse(accounts: &str, name: &str) -> Option<Self> {
        let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map(|field| field.parse().ok());
        Some(Self { name: name.to_owned(), uid: numbers.next()??, gid: numbers.next()?? })
            .filter(|user| user.uid != 0)
    }

    /// The account's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes `command` run as this user, without any other group of ours.
    pub fn run(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Whether this user can enter `directory`: tried, not computed, so that every kind of permission counts.
    pub fn can_enter(&self, directory: &Path) -> bool {
        let mut probe = Command::new("/bin/sh");
        probe.args(["-c", "exit 0"]).current_dir(directory);
        probe.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.run(&mut probe);
        probe.status().is_ok_and(|status| status.success())
    }

    /// A directory of this user's own: `wanted`, or a stand-in where the user cannot reach that.
    ///
    /// # Errors
    /// When neither can be made.
    pub fn own_directory(&self, wanted: &Path) -> Result<PathBuf> {
        if self.take(wanted).is_ok() && self.can_enter(wanted) {
            return Ok(wanted.to_owned());
        }
        let _ = fs::remove_dir(wanted);
        let stand_in = stand_in(wanted);
        self.take(&stand_in).with_context(|| format!("{} cannot be created", stand_in.display()))?;
        if !self.can_enter(&stand_in) {
            bail!("the user {} cannot enter {}: set DATABASE_URL instead", self.name, stand_in.display());
        }
        Ok(stand_in)
    }

    /// Creates the directory, private to this user. A directory that somebody else put there is refused.
    fn take(&self, directory: &Path) -> Result<()> {
        if let Ok(existing) = fs::symlink_metadata(directory) {
            if !existing.is_dir() || (existing.uid() != 0 && existing.uid() != self.uid) {
                bail!("{} exists and is not ours", directory.display());
            }
        } else {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        chown(directory, Some(self.uid), Some(self.gid))?;
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
        Ok(())
    }
}

/// `/var/tmp/webrana-<uid>-<hash of the path>`: the same path gives the same stand-in at the next start.
pub fn stand_in(wanted: &Path) -> PathBuf {
    let hash = fnv1a(wanted.as_os_str().as_encoded_bytes());
    Path::new(SHARED_ROOT).join(format!("webrana-{}-{hash:016x}", rustix::process::getuid().as_raw()))
}

/// FNV-1a, because the name must stay the same across versions of the compiler and its library.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNTS_FILE: &str = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n\
                                 postgres:x:101:104:PostgreSQL,,,:/var/lib/postgresql:/bin/bash\nbroken\n";

    #[test]
    fn accounts_are_read_from_the_passwd_file() {
        let user = ServerUser::parse(ACCOUNTS_FILE, "postgres").unwrap();
        assert_eq!((user.uid, user.gid), (101, 104));
        assert_eq!(ServerUser::parse(ACCOUNTS_FILE, "nobody").unwrap().uid, 65534);
        assert_eq!(ServerUser::parse(ACCOUNTS_FILE, "broken"), None);
        assert_eq!(ServerUser::parse(ACCOUNTS_FILE, "root"), None, "root is no unprivileged user");
    }

    #[test]
    fn a_stand_in_is_the_same_at_every_start() {
        let (one, other) = (stand_in(Path::new("/a")), stand_in(Path::new("/b")));
        assert_eq!(one, stand_in(Path::new("/a")));
        assert_ne!(one, other);
        assert_eq!(format!("{:x}", fnv1a(b"a")), "af63dc4c8601ec8c");
    }
}
