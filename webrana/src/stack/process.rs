//! Child processes that never outlive this one: a graceful signal when we stop, a death signal from the kernel when
//! we are killed, and a list on disk for the next start where neither happened.

use super::pids::PidsFile;
use rustix::process::{Pid, Signal, kill_process};
use std::io;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;
use tokio::sync::watch;

/// How long a child may take to stop after its signal before it is killed.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// A running (or ended) child process.
#[derive(Clone)]
pub struct ChildProcess {
    name: &'static str,
    pid: Pid,
    stop_signal: Signal,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl ChildProcess {
    /// What the child is, in words for people.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Waits until the child has ended.
    ///
    /// # Errors
    /// When the child's end could not be observed.
    pub async fn exited(&self) -> io::Result<ExitStatus> {
        let mut exit = self.exit.clone();
        let status = exit.wait_for(Option::is_some).await.map_err(io::Error::other)?;
        status.ok_or_else(|| io::Error::other("the exit status is missing"))
    }

    /// Whether the child has ended, and how.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    fn signal(&self, signal: Signal) {
        if self.exit_status().is_none() {
            // It may end between the look and the signal; then there is nothing left to do.
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Asks the child to stop, waits, and kills it when it takes too long.
    pub async fn stop(&self) {
        self.signal(self.stop_signal);
        if tokio::time::timeout(STOP_GRACE, self.exited()).await.is_err() {
            tracing::warn!(event = "stack.killed", child = self.name, "did not stop in time and is killed");
            self.signal(Signal::KILL);
            let _ = self.exited().await;
        }
    }
}

/// Starts children and stops them all, newest first.
#[derive(Clone)]
pub struct Supervisor {
    pids: Arc<PidsFile>,
    children: Arc<Mutex<Vec<ChildProcess>>>,
}

impl Supervisor {
    /// A supervisor that records its children in `pids`.
    pub fn new(pids: PidsFile) -> Self {
        Self { pids: Arc::new(pids), children: Arc::default() }
    }

    /// Starts a child in a process group of its own, so that a terminal's Ctrl-C reaches us first and the children are
    /// stopped in order.
    ///
    /// # Errors
    /// When the program cannot be started or the list of children cannot be written.
    pub fn start(
        &self,
        name: &'static str,
        command: Command,
        stop_signal: Signal,
    ) -> io::Result<ChildProcess> {
        let mut process = spawn_with_death_signal(command, stop_signal)?;
        let pid = Pid::from_child(&process);
        let (ended, exit) = watch::channel(None);
        std::thread::Builder::new().name(format!("wait-{name}")).spawn(move || {
            if let Ok(status) = process.wait() {
                let _ = ended.send(Some(status));
            }
        })?;
        let child = ChildProcess { name, pid, stop_signal, exit };
        self.lock().push(child.clone());
        self.pids.record(name, pid, stop_signal)?;
        Ok(child)
    }

    /// Runs a child that is expected to end, and waits for it. It is stopped with the others when nobody waits any more.
    ///
    /// # Errors
    /// As [`Supervisor::start`], or when its end could not be observed.
    pub async fn run(&self, name: &'static str, command: Command) -> io::Result<ExitStatus> {
        let child = self.start(name, command, Signal::TERM)?;
        let status = child.exited().await;
        self.forget(&child);
        status
    }

    /// Forgets a child whose end was expected: it is no failure of the stack.
    pub fn forget(&self, child: &ChildProcess) {
        self.lock().retain(|other| other.pid != child.pid);
    }

    /// Resolves when any of the children has ended; never when there are none.
    pub async fn first_exit(&self) -> (&'static str, Option<ExitStatus>) {
        let children = self.lock().clone();
        if children.is_empty() {
            return std::future::pending().await;
        }
        let ends =
            children.iter().map(|child| Box::pin(async move { (child.name(), child.exited().await.ok()) }));
        futures::future::select_all(ends).await.0
    }

    /// Stops every child, all at once, and empties the list on disk.
    pub async fn stop_all(&self) {
        let children = std::mem::take(&mut *self.lock());
        futures::future::join_all(children.iter().map(ChildProcess::stop)).await;
        if let Err(error) = self.pids.clear() {
            tracing::warn!(
                event = "stack.pids_left",
                %error,
                "the list of child processes could not be removed"
            );
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<ChildProcess>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type SpawnRequest = (Command, mpsc::SyncSender<io::Result<std::process::Child>>);

/// Starts `command` so that the kernel sends it `signal` when this process dies, however it dies.
///
/// The kernel ties the death signal to the *thread* that started the child, so all children are started from one
/// thread that lives as long as the process.
fn spawn_with_death_signal(mut command: Command, signal: Signal) -> io::Result<std::process::Child> {
    static SPAWNER: OnceLock<Mutex<mpsc::Sender<SpawnRequest>>> = OnceLock::new();
    set_death_signal(&mut command, signal);
    let (answer, child) = mpsc::sync_channel(1);
    SPAWNER
        .get_or_init(|| {
            let (requests, inbox) = mpsc::channel::<SpawnRequest>();
            std::thread::spawn(move || {
                for (mut command, answer) in inbox {
                    let _ = answer.send(command.spawn());
                }
            });
            Mutex::new(requests)
        })
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send((command, answer))
        .map_err(io::Error::other)?;
    child.recv().map_err(io::Error::other)?
}

/// Runs between fork and exec, after the user was changed: a change of user clears the death signal.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "pre_exec is the only place where a child can ask for its death signal")]
fn set_death_signal(command: &mut Command, signal: Signal) {
    use std::os::unix::process::CommandExt;
    let parent = rustix::process::getpid();
    let hook = move || {
        rustix::process::set_parent_process_death_signal(Some(signal))?;
        // The parent may have died before the line above took effect.
        if rustix::process::getppid() == Some(parent) {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(rustix::io::Errno::SRCH.raw_os_error()))
        }
    };
    command.process_group(0);
    // SAFETY: the hook makes two system calls, allocates nothing and takes no lock, so it is sound in a forked child.
    unsafe { command.pre_exec(hook) };
}

#[cfg(not(target_os = "linux"))]
fn set_death_signal(command: &mut Command, _signal: Signal) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supervisor(directory: &std::path::Path) -> Supervisor {
        Supervisor::new(PidsFile::at(directory.join("pids")))
    }

    #[tokio::test]
    async fn a_child_is_stopped_by_its_signal_and_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let supervisor = supervisor(directory.path());
        let mut command = Command::new("sleep");
        command.arg("600");
        let child = supervisor.start("sleeper", command, Signal::TERM).unwrap();
        assert!(directory.path().join("pids").exists());
        supervisor.stop_all().await;
        assert!(!child.exit_status().unwrap().success());
        assert!(!directory.path().join("pids").exists());
    }

    #[tokio::test]
    async fn the_end_of_a_child_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let supervisor = supervisor(directory.path());
        supervisor.start("ender", Command::new("true"), Signal::TERM).unwrap();
        let (name, status) = supervisor.first_exit().await;
        assert_eq!(name, "ender");
        assert!(status.unwrap().success());
    }

    #[tokio::test]
    async fn a_missing_program_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let result =
            supervisor(directory.path()).start("none", Command::new("/no/such/program"), Signal::TERM);
        assert_eq!(result.err().unwrap().kind(), io::ErrorKind::NotFound);
    }
}
