//! The servers that the tests need: `webrana dev` starts them and stops when our end of its input closes, so they never
//! outlive this process, however it ends.

use crate::cargo;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A first start may have to build Temporal.
const START_LIMIT: Duration = Duration::from_secs(15 * 60);
const POLL: Duration = Duration::from_millis(50);
/// A file system in memory, on Linux.
const MEMORY: &str = "/dev/shm";
/// Room that it must have, in KiB: the databases of a run grow to about two GiB.
const ROOM: u64 = 6 * 1024 * 1024;

/// Running servers.
pub struct Servers {
    process: Child,
    /// What `dev.env` says.
    pub env: Vec<(String, String)>,
}

/// Starts them and waits until they are ready.
pub fn start() -> Result<Servers, String> {
    let data_dir = place();
    let env_file = data_dir.join("dev.env");
    if env_file.exists() {
        // Left behind by a run that was killed.
        std::fs::remove_file(&env_file).map_err(|error| format!("{}: {error}", env_file.display()))?;
    }
    let program = program()?;
    let process = Command::new(&program)
        .args([
            "dev",
            "--only",
            "servers",
            "--ephemeral",
            "--ports",
            "auto",
            "--until-stdin-closes",
            "--data-dir",
        ])
        .arg(&data_dir)
        .current_dir(cargo::root())
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
    let mut servers = Servers { process, env: Vec::new() };
    servers.env = servers.wait_until_ready(&env_file)?;
    servers.give_new_databases_the_schema(&program)?;
    Ok(servers)
}

/// Where the servers keep their data: in memory where there is room, since every test's database is hundreds of files, and
/// making and deleting them on a disk took more time than the tests themselves. One place for each checkout.
fn place() -> PathBuf {
    let root = cargo::root();
    let on_disk = root.join("target").join("verify");
    if kibibytes_free(MEMORY).is_none_or(|free| free < ROOM) {
        return on_disk;
    }
    let mut checkout = DefaultHasher::new();
    root.hash(&mut checkout);
    Path::new(MEMORY).join(format!("webrana-verify-{:016x}", checkout.finish()))
}

/// `df` is asked, which says it in the second line's fourth column (POSIX).
fn kibibytes_free(file_system: &str) -> Option<u64> {
    let answer = Command::new("df").args(["-Pk", file_system]).output().ok()?;
    let text = String::from_utf8(answer.stdout).ok()?;
    text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

/// The program that the build left beside this one.
fn program() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("this program's place is unknown: {error}"))?;
    Ok(own.with_file_name("webrana"))
}

impl Servers {
    /// Brings the database up to date that Postgres copies for each new one. Nearly every test has a database of its own, and to
    /// make the schema in each of them anew takes longer than most tests.
    fn give_new_databases_the_schema(&self, program: &Path) -> Result<(), String> {
        let url = self.env.iter().find(|(name, _)| name == "DATABASE_URL");
        let (_, url) = url.ok_or("`webrana dev` did not say where its database is")?;
        let status = Command::new(program)
            .arg("migrate")
            .current_dir(cargo::root())
            .env("DATABASE_URL", with_database(url, "template1"))
            .status()
            .map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
        if status.success() { Ok(()) } else { Err(format!("`webrana migrate` failed ({status})")) }
    }

    fn wait_until_ready(&mut self, env_file: &Path) -> Result<Vec<(String, String)>, String> {
        let started = Instant::now();
        loop {
            if let Ok(text) = std::fs::read_to_string(env_file) {
                return Ok(parse(&text));
            }
            if let Ok(Some(status)) = self.process.try_wait() {
                return Err(format!("`webrana dev` ended at its start ({status})"));
            }
            if started.elapsed() > START_LIMIT {
                return Err("`webrana dev` did not become ready".to_owned());
            }
            std::thread::sleep(POLL);
        }
    }

    /// Stops them.
    pub fn stop(mut self) -> Result<(), String> {
        drop(self.process.stdin.take());
        let status =
            self.process.wait().map_err(|error| format!("`webrana dev` cannot be waited for: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("`webrana dev` failed ({status})")) }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// The URL of another database of the same server.
fn with_database(url: &str, name: &str) -> String {
    let server = url.rsplit_once('/').map_or(url, |(server, _)| server);
    format!("{server}/{name}")
}

fn parse(text: &str) -> Vec<(String, String)> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_database_of_the_same_server_is_named() {
        assert_eq!(with_database("postgres://u:p@h:5/d", "template1"), "postgres://u:p@h:5/template1");
    }

    #[test]
    fn a_value_may_hold_an_equals_sign() {
        let url = "postgres://u@h/d?a=b";
        assert_eq!(
            parse(&format!("DATABASE_URL={url}\nbroken\n")),
            [("DATABASE_URL".to_owned(), url.to_owned())]
        );
    }
}
