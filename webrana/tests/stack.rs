//! The local stack's servers: started, kept, stopped without a trace, however the program ends.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection, PgConnection};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

/// A data directory beneath the build's own, which the server's user can reach wherever it reaches the repository.
struct Place {
    data_dir: PathBuf,
}

impl Place {
    fn new(name: &str) -> Self {
        let data_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        Self { data_dir }
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_webrana"));
        command.args(["dev", "--only", "servers", "--ports", "auto", "--until-stdin-closes", "--data-dir"]);
        command
            .arg(&self.data_dir)
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // These tests are about servers of the stack's own.
        for name in ["DATABASE_URL", "TEMPORAL_ADDRESS", "TEMPORAL_UI_URL", "WEBRANA_ENV"] {
            command.env_remove(name);
        }
        command
    }

    /// Starts a stack and waits until it is ready.
    fn start(&self, more: &[&str]) -> Stack {
        let env_file = self.data_dir.join("dev.env");
        // One that a killed stack left behind would be taken for that of the new one.
        let _ = std::fs::remove_file(&env_file);
        let mut process = self.command(more).spawn().unwrap();
        let input = process.stdin.take();
        let mut stack = Stack { process, input, env: Vec::new() };
        wait(START_LIMIT, "dev.env", || {
            assert!(stack.process.try_wait().unwrap().is_none(), "the stack ended at its start");
            env_file.exists()
        });
        let text = std::fs::read_to_string(env_file).unwrap();
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        stack.env = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        stack
    }

    /// Processes that work on this data directory, wherever its parts are.
    fn servers(&self) -> Vec<String> {
        let elsewhere = self.elsewhere();
        let ours = |text: &str| {
            text.contains(&*self.data_dir.to_string_lossy())
                || elsewhere.as_ref().is_some_and(|path| text.contains(path))
        };
        let commands = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let commands = commands.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
        let commands = commands.map(|command| String::from_utf8_lossy(&command).replace('\0', " "));
        commands.filter(|command| ours(command) && !command.contains("--until-stdin-closes")).collect()
    }

    fn elsewhere(&self) -> Option<String> {
        std::fs::read_to_string(self.data_dir.join("postgres.elsewhere")).ok()
    }

    fn wait_until_no_server_runs(&self) {
        wait(STOP_LIMIT, "the end of all servers", || self.servers().is_empty());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(elsewhere) = self.elsewhere() {
            let _ = std::fs::remove_dir_all(elsewhere);
        }
        let _ = std::fs::remove_dir_all(&self.data_dir);
    }
}

struct Stack {
    process: Child,
    /// Held apart: waiting for a process closes its input, which is a way to stop this one.
    input: Option<ChildStdin>,
    env: Vec<(String, String)>,
}

impl Stack {
    fn get(&self, key: &str) -> &str {
        &self.env.iter().find(|(name, _)| name == key).unwrap_or_else(|| panic!("{key} is in dev.env")).1
    }

    fn signal(&mut self, signal: Signal) -> std::process::ExitStatus {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
        self.process.wait().unwrap()
    }

    async fn database(&self) -> PgConnection {
        PgConnection::connect(self.get("DATABASE_URL")).await.unwrap()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.process.wait();
    }
}

fn wait(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < limit, "waited {limit:?} for {what}");
        std::thread::sleep(POLL);
    }
}

#[tokio::test]
async fn data_survives_a_crash_and_no_server_does() {
    let place = Place::new("crash");
    let mut first = place.start(&[]);
    let mut database = first.database().await;
    sqlx::raw_sql("CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)")
        .execute(&mut database)
        .await
        .unwrap();
    assert!(!first.signal(Signal::KILL).success());
    place.wait_until_no_server_runs();

    let mut second = place.start(&[]);
    let kept: i32 =
        sqlx::query_scalar("SELECT n FROM kept").fetch_one(&mut second.database().await).await.unwrap();
    assert_eq!(kept, 42);
    assert!(second.signal(Signal::TERM).success());
    assert!(!place.data_dir.join("dev.env").exists());
    place.wait_until_no_server_runs();
}

#[tokio::test]
async fn a_second_stack_on_the_same_directory_is_refused_and_beside_it_is_not() {
    let place = Place::new("second");
    let _first = place.start(&["--ephemeral"]);
    let refused = place.command(&[]).output().unwrap();
    assert!(!refused.status.success());
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("another stack is running"), "{text}");

    let beside = Place::new("beside");
    let other = beside.start(&["--ephemeral"]);
    other.database().await.close().await.unwrap();
}

#[tokio::test]
async fn an_ephemeral_stack_leaves_nothing_behind() {
    let place = Place::new("ephemeral");
    let mut stack = place.start(&["--ephemeral"]);
    let address = stack.get("TEMPORAL_ADDRESS").to_owned();
    tokio::net::TcpStream::connect(&address).await.unwrap();
    assert!(stack.signal(Signal::INT).success());
    assert!(!place.data_dir.exists());
    place.wait_until_no_server_runs();
}

#[test]
fn the_end_of_a_server_ends_the_stack_and_says_so() {
    let place = Place::new("loss");
    let mut stack = place.start(&["--ephemeral"]);
    let pids = std::fs::read_to_string(place.data_dir.join("pids")).unwrap();
    let line = pids.lines().find(|line| line.starts_with("Temporal ")).unwrap();
    let pid = line.split(' ').nth(1).unwrap().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    let status = stack.process.wait().unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut stack.process.stderr.take().unwrap(), &mut said).unwrap();
    assert!(!status.success());
    assert!(said.contains("Temporal ended on its own"), "{said}");
    place.wait_until_no_server_runs();
}

#[test]
fn a_port_that_somebody_else_took_in_the_meantime_is_chosen_anew() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new("taken");
    std::fs::create_dir_all(&place.data_dir).unwrap();
    let marker = place.data_dir.join("first-try");
    // Stands in for Temporal twice: once as if its port were gone, then with another trouble, which ends the stack.
    let script = format!(
        "#!/bin/sh\nif [ -e {0} ]; then echo the second try came this far >&2; exit 1; fi\n\
         touch {0}\necho 'listen tcp 127.0.0.1:1: bind: address already in use' >&2\nexit 1\n",
        marker.display()
    );
    let program = place.data_dir.join("temporal");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut command = place.command(&["--ephemeral"]);
    command.env("PATH", format!("{}:{path}", place.data_dir.display()));
    let mut process = command.spawn().unwrap();
    let _input = process.stdin.take();
    let ended = process.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!ended.status.success() && said.contains("the second try came this far"), "{said}");
    place.wait_until_no_server_runs();
}
