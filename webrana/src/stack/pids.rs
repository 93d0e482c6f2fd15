//! The list of children on disk: what an earlier run left behind when neither it nor the kernel could stop them.

use rustix::process::{Pid, Signal, kill_process};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const STOP_GRACE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);

/// One line per child: name, process id, identity, stop signal.
#[derive(Debug)]
pub struct PidsFile {
    path: PathBuf,
}

/// A process that an earlier run started and that still lives.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Leftover {
    name: String,
    pid: Pid,
    signal: Signal,
}

impl PidsFile {
    /// The list at `path`, which need not exist.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Adds a child.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn record(&self, name: &str, pid: Pid, signal: Signal) -> io::Result<()> {
        let identity = identity(pid).unwrap_or_default();
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&self.path)?;
        writeln!(file, "{name} {} {identity} {}", pid.as_raw_nonzero(), signal.as_raw())
    }

    /// Removes the list.
    ///
    /// # Errors
    /// When the file exists and cannot be removed.
    pub fn clear(&self) -> io::Result<()> {
        remove_if_there(&self.path)
    }

    /// Stops what an earlier run left behind and empties the list. Returns the names of what was stopped.
    ///
    /// # Errors
    /// When the list exists and cannot be read or removed.
    pub fn stop_leftovers(&self) -> io::Result<Vec<String>> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let leftovers: Vec<Leftover> = text.lines().filter_map(living).collect();
        for leftover in &leftovers {
            stop(leftover.pid, leftover.signal);
        }
        self.clear()?;
        Ok(leftovers.into_iter().map(|leftover| leftover.name).collect())
    }
}

/// The process a line speaks of, if it still runs and its id was not given to another process since.
fn living(line: &str) -> Option<Leftover> {
    let mut fields = line.split(' ');
    let name = fields.next()?.to_owned();
    let pid = Pid::from_raw(fields.next()?.parse().ok()?)?;
    let recorded = fields.next()?;
    let signal = Signal::from_named_raw(fields.next()?.parse().ok()?)?;
    (identity(pid)? == recorded).then_some(Leftover { name, pid, signal })
}

/// Stops a process that is not our child: it cannot be waited for, so its end is polled.
pub(super) fn stop(pid: Pid, signal: Signal) {
    let Some(before) = identity(pid) else { return };
    let lives = || identity(pid).as_deref() == Some(before.as_str());
    let _ = kill_process(pid, signal);
    let deadline = Instant::now() + STOP_GRACE;
    while lives() && Instant::now() < deadline {
        std::thread::sleep(POLL);
    }
    if lives() {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Tells a process from a later one with the same id: its start time. `None` when no such process runs.
#[cfg(target_os = "linux")]
fn identity(pid: Pid) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The second field is the program's name in brackets and may hold spaces and brackets itself.
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    let state = fields.next()?;
    // A zombie has ended; it waits for its parent only.
    (state != "Z").then(|| fields.nth(18).map(str::to_owned))?
}

#[cfg(not(target_os = "linux"))]
fn identity(pid: Pid) -> Option<String> {
    let output = std::process::Command::new("ps")
        .args(["-o", "lstart=", "-p", &pid.as_raw_nonzero().to_string()])
        .output()
        .ok()?;
    let started = String::from_utf8_lossy(&output.stdout).trim().replace(' ', "_");
    (!started.is_empty()).then_some(started)
}

/// Removes a file; that it was not there is fine.
pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_leftover_is_stopped() {
        let directory = tempfile::tempdir().unwrap();
        let pids = PidsFile::at(directory.path().join("pids"));
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        pids.record("sleeper", Pid::from_child(&child), Signal::TERM).unwrap();
        assert_eq!(pids.stop_leftovers().unwrap(), ["sleeper"]);
        assert!(!child.wait().unwrap().success());
    }

    #[test]
    fn another_process_with_the_same_id_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pids");
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        std::fs::write(&path, format!("old {} 1 15\nnone 2147483646 5 15\ngarbage\n", child.id())).unwrap();
        assert!(PidsFile::at(path).stop_leftovers().unwrap().is_empty());
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
