//! The vendor's own download, the one the Temporal SDKs make for their dev server.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use temporal::dev_server::CLI_VERSION;
use tokio::process::Command;

/// Where the vendor's service is.
pub(super) const SERVICE: &str = "https://temporal.download";
/// A machine without a way out is to be told from a slow one at once: other sources follow.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(300);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Archive {
    archive_url: String,
    file_to_extract: String,
}

/// Downloads and unpacks the program.
pub(super) async fn fetch(service: &str, scratch: &Path) -> Result<PathBuf> {
    let platform = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => bail!("there is no download for the processor {other}"),
    };
    let client = reqwest::Client::builder().connect_timeout(CONNECT_LIMIT).timeout(DOWNLOAD_LIMIT).build()?;
    let archive: Archive = client
        .get(format!("{service}/cli/{CLI_VERSION}"))
        .query(&[("arch", arch), ("platform", platform), ("format", "tar.gz")])
        .timeout(2 * CONNECT_LIMIT)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::{Read, Write};

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
        let program = fetch(&download_service(fs::read(packed).unwrap()), scratch.path()).await.unwrap();
        assert_eq!(fs::read_to_string(program).unwrap(), "the program");
    }

    #[tokio::test]
    async fn a_download_that_cannot_be_had_is_an_error() {
        let scratch = tempfile::tempdir().unwrap();
        assert!(fetch("http://127.0.0.1:9", scratch.path()).await.is_err());
    }
}
