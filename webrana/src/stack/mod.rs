//! A local stack: the servers the product stands on, found or started, and stopped without a trace.

pub mod cache;
pub mod data_dir;
pub mod env_file;
pub mod pids;
pub mod ports;
pub mod postgres;
pub mod postgres_binaries;
pub mod process;
pub mod secrets;
pub mod server_user;
pub mod temporal_binary;
pub mod temporal_server;

use crate::progress::Progress;
use anyhow::Result;
use data_dir::DataDir;
use pids::PidsFile;
use ports::PortChoice;
use postgres_binaries::Choice;
use process::Supervisor;

/// What is asked of a stack's servers.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Use this database instead of a private one.
    pub database_url: Option<String>,
    /// Use this Temporal instead of a dev server.
    pub temporal_address: Option<String>,
    /// Where people open that Temporal's web UI.
    pub temporal_ui_url: Option<String>,
    /// How ports are chosen.
    pub ports: PortChoice,
    /// Which Postgres programs to use.
    pub postgres_binaries: Choice,
    /// Whether what a private Postgres commits survives a power failure.
    pub durable: bool,
}

/// Postgres and Temporal, ready.
pub struct Servers {
    data_dir: DataDir,
    supervisor: Supervisor,
    /// How to reach Postgres, with the password.
    pub database_url: String,
    /// How to reach Temporal, `host:port`.
    pub temporal_address: String,
    /// The web UI, when there is one.
    pub temporal_ui_url: Option<String>,
}

impl Servers {
    /// Finds or starts both servers at once and waits until they answer. Whatever was started is stopped again when one
    /// of them fails or `cancelled` resolves first.
    ///
    /// # Errors
    /// When a server cannot be had, in one sentence that names what is missing.
    pub async fn start(
        data_dir: DataDir,
        options: &ServerOptions,
        progress: &Progress,
        cancelled: impl Future<Output = ()>,
    ) -> Result<Self> {
        let pids = PidsFile::at(data_dir.pids());
        for name in pids.stop_leftovers()? {
            progress.say(format!("stopped {name}, left behind by an earlier run"));
        }
        let supervisor = Supervisor::new(pids);
        let both = futures::future::try_join(
            database(&data_dir, &supervisor, options, progress),
            engine(&data_dir, &supervisor, options, progress),
        );
        let outcome = tokio::select! {
            outcome = both => outcome,
            () = cancelled => Err(anyhow::anyhow!("stopped while starting")),
        };
        match outcome {
            Ok((database_url, (temporal_address, temporal_ui_url))) => {
                Ok(Self { data_dir, supervisor, database_url, temporal_address, temporal_ui_url })
            }
            Err(error) => {
                supervisor.stop_all().await;
                data_dir.finish()?;
                Err(error)
            }
        }
    }

    /// The directory the stack lives in.
    pub fn data_dir(&self) -> &DataDir {
        &self.data_dir
    }

    /// Resolves when a server ended on its own, with what a person should know.
    pub async fn failure(&self) -> String {
        let (name, status) = self.supervisor.first_exit().await;
        let how = status.map_or_else(|| "for an unknown reason".to_owned(), |status| format!("({status})"));
        let log = self.data_dir.logs().join(format!("{}.log", name.to_lowercase()));
        format!("{name} ended on its own {how}: {}", postgres::last_words(&log))
    }

    /// Stops what was started and wipes what is ephemeral.
    ///
    /// # Errors
    /// When the data of an ephemeral stack cannot be removed.
    pub async fn stop(self) -> Result<()> {
        self.supervisor.stop_all().await;
        self.data_dir.finish()
    }
}

/// The database's address, with the password.
async fn database(
    data_dir: &DataDir,
    supervisor: &Supervisor,
    options: &ServerOptions,
    progress: &Progress,
) -> Result<String> {
    if let Some(url) = &options.database_url {
        progress.say("using the Postgres of DATABASE_URL");
        return Ok(url.clone());
    }
    let url = postgres::start(data_dir, supervisor, options, progress).await?;
    progress.say("Postgres is ready");
    Ok(url)
}

/// Temporal's address and web UI.
async fn engine(
    data_dir: &DataDir,
    supervisor: &Supervisor,
    options: &ServerOptions,
    progress: &Progress,
) -> Result<(String, Option<String>)> {
    if let Some(address) = &options.temporal_address {
        progress.say(format!("using the Temporal at {address} (TEMPORAL_ADDRESS)"));
        return Ok((address.clone(), options.temporal_ui_url.clone()));
    }
    let server = temporal_server::start(data_dir, supervisor, options.ports, progress).await?;
    progress.say(format!("Temporal is ready, its web UI at {}", server.ui_url()));
    Ok((server.address(), Some(server.ui_url())))
}
