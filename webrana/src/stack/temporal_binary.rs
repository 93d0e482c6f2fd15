//! Where the `temporal` program comes from: the PATH, the user's cache, a build with Go, or the vendor's download.

use super::cache;
use crate::progress::Progress;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use temporal::dev_server::{CLI_PACKAGE, CLI_VERSION};
use tokio::process::Command;

/// The service the Temporal SDKs fetch their dev server from.
const DOWNLOADS: &str = "https://temporal.download";
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(600);

/// Finds the program, or installs it into the user's cache, which serves every clone.
///
/// # Errors
/// When it is missing and cannot be installed, in words that say what to do.
pub async fn find(progress: &Progress) -> Result<PathBuf> {
    if let Some(program) = on_path("temporal") {
        return Ok(program);
    }
    let directory = cache::directory()?.join("bin");
    let cached = directory.join("temporal");
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
        let path = beside.join(format!(".installing-{}", super::secrets::random_token()));
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

async fn install(scratch: &Path, progress: &Progress) -> Result<PathBuf> {
    let Some(go) = on_path("go") else {
        progress.say(format!(
            "no `temporal` and no Go on this machine: downloading Temporal {CLI_VERSION} (once)"
        ));
        let download = download(DOWNLOADS, scratch);
        return progress.while_waiting("still downloading Temporal", download).await.with_context(|| {
            "Temporal's dev server is missing and could not be downloaded: put `temporal` \
             (https://docs.temporal.io/cli) or Go on the PATH, or set TEMPORAL_ADDRESS"
        });
    };
    progress.say(format!(
        "no `temporal` on this machine: building Temporal {CLI_VERSION} with Go (about 3 minutes, once)"
    ));
    progress.while_waiting("still building Temporal", build(&go, scratch)).await
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
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("Go said nothing");
        bail!(
            "Temporal could not be built with Go ({last}): put `temporal` on the PATH, or set TEMPORAL_ADDRESS"
        );
    }
    Ok(scratch.join("temporal"))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Archive {
    archive_url: String,
    file_to_extract: String,
}

/// The same download the SDKs make.
async fn download(service: &str, scratch: &Path) -> Result<PathBuf> {
    let platform = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => bail!("there is no download for the processor {other}"),
    };
    let client = reqwest::Client::builder().timeout(DOWNLOAD_LIMIT).build()?;
    let archive: Archive = client
        .get(format!("{service}/cli/{CLI_VERSION}"))
        .query(&[("arch", arch), ("platform", platform), ("format", "tar.gz")])
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    let bytes = client.get(&archive.archive_url).send().await?.error_for_status()?.bytes().await?;
    let file = scratch.join("temporal.tar.gz");
    tokio::fs::write(&file, &bytes).await?;
    let mut unpack = Command::new("tar");
    unpack.arg("-xzf").arg(&file).arg("-C").arg(scratch).arg(&archive.file_to_extract);
    let status = unpack.stdin(Stdio::null()).status().await.context("`tar` cannot be run")?;
    if !status.success() {
        bail!("the download could not be unpacked");
    }
    Ok(scratch.join(archive.file_to_extract))
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
    use std::io::{Read, Write};

    #[test]
    fn a_program_on_the_path_is_found() {
        assert!(on_path("sh").unwrap().is_absolute());
        assert_eq!(on_path("no-such-program-here"), None);
    }

    /// Answers two requests: the description of the archive, then the archive.
    fn download_service(archive: Vec<u8>) -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let description =
            format!(r#"{{"archiveUrl":"{url}/archive.tar.gz","fileToExtract":"temporal"}}"#).into_bytes();
        std::thread::spawn(move || {
            for body in [description, archive] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    request.push(byte[0]);
                }
                let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length:";
                write!(stream, "{head} {}\r\n\r\n", body.len()).unwrap();
                stream.write_all(&body).unwrap();
            }
        });
        url
    }

    #[tokio::test]
    async fn the_program_is_unpacked_from_the_download() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("temporal"), "the program").unwrap();
        let packed = directory.path().join("packed.tar.gz");
        let tar = std::process::Command::new("tar")
            .arg("-czf")
            .arg(&packed)
            .arg("-C")
            .arg(directory.path())
            .arg("temporal")
            .status();
        assert!(tar.unwrap().success());
        let scratch = tempfile::tempdir().unwrap();
        let program = download(&download_service(fs::read(packed).unwrap()), scratch.path()).await.unwrap();
        assert_eq!(fs::read_to_string(program).unwrap(), "the program");
    }

    #[tokio::test]
    async fn a_download_that_cannot_be_had_is_an_error() {
        let scratch = tempfile::tempdir().unwrap();
        assert!(download("http://127.0.0.1:9", scratch.path()).await.is_err());
    }
}
