//! A private Postgres cluster: made once, started on a free loopback port, stopped with the stack.

use super::ServerOptions;
use super::data_dir::DataDir;
use super::pids;
use super::ports;
use super::postgres_binaries::{self, Binaries};
use super::process::{ChildProcess, Supervisor};
use super::server_user::ServerUser;
use crate::progress::Progress;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Name of both the superuser and the database.
const NAME: &str = "webrana";
const START_LIMIT: Duration = Duration::from_secs(60);
const PROBE_PAUSE: Duration = Duration::from_millis(50);

/// Starts the private server of a data directory. Returns how clients connect, with the password.
///
/// # Errors
/// When the programs are missing, or the cluster cannot be made or started; the message names the log.
pub async fn start(
    data_dir: &DataDir,
    supervisor: &Supervisor,
    options: &ServerOptions,
    progress: &Progress,
) -> Result<String> {
    let user = ServerUser::needed()?;
    let home = home(data_dir, user.as_ref(), progress)?;
    let elsewhere = !home.starts_with(data_dir.root());
    let cluster = Cluster { data: home.join("data"), home, user, durable: options.durable };
    if elsewhere {
        cluster.forget_if_orphaned(data_dir)?;
    }
    let binaries = postgres_binaries::find(
        &options.postgres_binaries,
        cluster.major()?,
        cluster.user.as_ref(),
        progress,
    )
    .await?;
    if cluster.major()?.is_none() {
        cluster.create(&binaries, data_dir, supervisor).await?;
    }
    cluster.stop_leftover()?;
    let port = cluster.serve(&binaries, data_dir, supervisor).await?;
    create_database(&cluster.connect_options(port)?).await?;
    cluster.url(port)
}

/// The directory of the cluster, its password and its port.
fn home(data_dir: &DataDir, user: Option<&ServerUser>, progress: &Progress) -> Result<PathBuf> {
    let wanted = data_dir.state().join("postgres");
    let Some(user) = user else {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&wanted)?;
        return Ok(wanted);
    };
    let home = user.own_directory(&wanted)?;
    if home != wanted {
        progress.say(format!(
            "Postgres runs as the user {} (it refuses root), who cannot reach {}: its data is in {}",
            user.name(),
            data_dir.root().display(),
            home.display()
        ));
    }
    Ok(home)
}

struct Cluster {
    home: PathBuf,
    data: PathBuf,
    user: Option<ServerUser>,
    durable: bool,
}

impl Cluster {
    /// The major version the cluster was made by; `None` when there is no cluster yet.
    fn major(&self) -> Result<Option<u32>> {
        match fs::read_to_string(self.data.join("PG_VERSION")) {
            Ok(text) => {
                let major = text.trim().parse();
                Ok(Some(major.with_context(|| format!("{} is damaged", self.data.display()))?))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", self.data.display())),
        }
    }

    /// A cluster outside the data directory belongs to it as long as the directory says so: whoever removed the
    /// directory meant its database as well.
    fn forget_if_orphaned(&self, data_dir: &DataDir) -> Result<()> {
        if data_dir.elsewhere().is_none() {
            self.stop_leftover()?;
            super::data_dir::remove_tree(&self.data)?;
            data_dir.note_elsewhere(&self.home)?;
        }
        Ok(())
    }

    /// Makes the cluster beside its final place and moves it there, so that an interrupted start leaves no half of one.
    async fn create(&self, binaries: &Binaries, data_dir: &DataDir, supervisor: &Supervisor) -> Result<()> {
        let unfinished = self.home.join("data.new");
        super::data_dir::remove_tree(&unfinished)?;
        let password = self.home.join("password");
        self.write_private(&password, &crate::random::random_token())?;
        let program = binaries.program("initdb");
        let mut initdb = self.command(&program);
        initdb.arg("--pgdata").arg(&unfinished).arg("--pwfile").arg(&password);
        initdb.args(["--username", NAME, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]);
        if !self.durable {
            initdb.arg("--no-sync");
        }
        let log = data_dir.log_file("initdb")?;
        initdb.stdout(log.try_clone()?).stderr(log);
        let status = supervisor.run("initdb", initdb).await;
        if !status.with_context(|| format!("{} cannot be run", program.display()))?.success() {
            let why = last_words(&data_dir.logs().join("initdb.log"));
            bail!("a new Postgres cluster could not be made: {why}");
        }
        fs::rename(&unfinished, &self.data)?;
        Ok(())
    }

    fn write_private(&self, path: &Path, text: &str) -> Result<()> {
        use std::io::Write;
        use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
        let mut file = fs::File::options().create(true).truncate(true).write(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        let owner = fs::metadata(&self.home)?;
        chown(path, Some(owner.uid()), Some(owner.gid()))?;
        Ok(())
    }

    /// A program of the server, as its user and free of what our environment says about other servers.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C").env("TZ", "UTC").current_dir(&self.home).stdin(Stdio::null());
        if let Some(user) = &self.user {
            user.run(&mut command);
        }
        command
    }

    /// We hold the data directory's lock: a server that still runs here was left behind. A lock file whose server is
    /// gone would stop the next one if its process id was given away since.
    fn stop_leftover(&self) -> Result<()> {
        let lock = self.data.join("postmaster.pid");
        let Ok(text) = fs::read_to_string(&lock) else { return Ok(()) };
        let pid = text.lines().next().and_then(|line| line.trim().parse().ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|pid| serves(*pid, &self.data)) {
            pids::stop(pid, Signal::INT);
        }
        pids::remove_if_there(&lock)?;
        Ok(())
    }

    /// The port of the last start where it is free, so that tools keep their settings; else another one.
    fn port(&self) -> Result<u16> {
        let file = self.home.join("port");
        let last = fs::read_to_string(&file).ok().and_then(|text| text.trim().parse::<u16>().ok());
        let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let listener = last.and_then(|port| free(port).ok()).map_or_else(|| free(0), Ok)?;
        let port = listener.local_addr()?.port();
        fs::write(&file, port.to_string())?;
        Ok(port)
    }

    /// Starts the server and waits until it answers, on another port where somebody was quicker to take the first.
    async fn serve(&self, binaries: &Binaries, data_dir: &DataDir, supervisor: &Supervisor) -> Result<u16> {
        let mut tries = 1;
        loop {
            let port = self.port()?;
            let child = self.spawn(binaries, port, data_dir, supervisor)?;
            let ready = wait_until_ready(&self.connect_options(port)?, &child, data_dir).await;
            let log = data_dir.logs().join("postgres.log");
            if ready.is_ok() || tries == ports::TRIES || !ports::was_taken(&log) {
                return ready.map(|()| port);
            }
            supervisor.forget(&child);
            tries += 1;
        }
    }

    fn spawn(
        &self,
        binaries: &Binaries,
        port: u16,
        data_dir: &DataDir,
        supervisor: &Supervisor,
    ) -> Result<ChildProcess> {
        let log = data_dir.log_file("postgres")?;
        let mut command = self.command(&binaries.program("postgres"));
        command.arg("-D").arg(&self.data).args(["-p", &port.to_string()]);
        let mut settings = vec![
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=300",
            "shared_buffers=128MB",
            "timezone=UTC",
            "log_timezone=UTC",
            // A refused row stands in the DETAIL of its message, with the personal data in it.
            "log_error_verbosity=terse",
        ];
        if !self.durable {
            settings.extend(["fsync=off", "synchronous_commit=off", "full_page_writes=off"]);
        }
        settings.iter().for_each(|setting| {
            command.args(["-c", setting]);
        });
        command.stdout(log.try_clone()?).stderr(log);
        // Fast shutdown writes everything back first, which is wasted on data that is about to be wiped.
        let stop_signal = if data_dir.is_ephemeral() { Signal::QUIT } else { Signal::INT };
        supervisor
            .start("Postgres", command, stop_signal)
            .with_context(|| format!("{} cannot be run", binaries.program("postgres").display()))
    }

    fn password(&self) -> Result<String> {
        let path = self.home.join("password");
        let text = fs::read_to_string(&path);
        Ok(text.with_context(|| format!("{} cannot be read", path.display()))?.trim().to_owned())
    }

    fn connect_options(&self, port: u16) -> Result<PgConnectOptions> {
        Ok(PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(port)
            .username(NAME)
            .password(&self.password()?)
            .database("postgres"))
    }

    fn url(&self, port: u16) -> Result<String> {
        Ok(format!("postgres://{NAME}:{}@127.0.0.1:{port}/{NAME}", self.password()?))
    }
}

/// Whether the process is a server of this very cluster.
fn serves(pid: Pid, data: &Path) -> bool {
    let Ok(command) = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())) else { return false };
    let mut arguments = command.split(|byte| *byte == 0);
    let program = arguments.next().is_some_and(|program| program.ends_with(b"postgres"));
    program && arguments.any(|argument| argument == data.as_os_str().as_encoded_bytes())
}

async fn wait_until_ready(
    options: &PgConnectOptions,
    child: &ChildProcess,
    data_dir: &DataDir,
) -> Result<()> {
    let log = data_dir.logs().join("postgres.log");
    let started = Instant::now();
    loop {
        let failure = match PgConnection::connect_with(options).await {
            Ok(connection) => {
                connection.close().await?;
                return Ok(());
            }
            Err(failure) => failure,
        };
        if let Some(status) = child.exit_status() {
            bail!("Postgres ended at its start ({status}): {}", last_words(&log));
        }
        if started.elapsed() > START_LIMIT {
            return Err(failure).with_context(|| {
                format!("Postgres did not become ready in {} s: see {}", START_LIMIT.as_secs(), log.display())
            });
        }
        tokio::time::sleep(PROBE_PAUSE).await;
    }
}

/// The last line of a log, with the place to read more.
pub(super) fn last_words(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    format!("{line} (see {})", log.display())
}

async fn create_database(options: &PgConnectOptions) -> Result<()> {
    let mut connection = PgConnection::connect_with(options).await?;
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(NAME)
        .fetch_one(&mut connection)
        .await?;
    if !exists {
        sqlx::raw_sql("CREATE DATABASE webrana").execute(&mut connection).await?;
    }
    connection.close().await?;
    Ok(())
}
