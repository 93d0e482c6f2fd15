//! The Temporal dev server as a child of the stack: persistent, with its web UI.

use super::data_dir::DataDir;
use super::ports::{self, PortChoice};
use super::postgres::last_words;
use super::process::{ChildProcess, Supervisor};
use super::temporal_binary;
use crate::progress::Progress;
use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use temporal::dev_server::DevServer;

const PORT: u16 = 7233;
const UI_PORT: u16 = 8233;
const START_LIMIT: Duration = Duration::from_secs(60);
const PROBE_PAUSE: Duration = Duration::from_millis(50);

/// Starts the dev server of a data directory.
///
/// # Errors
/// When the program is missing, a port is taken, or the server does not become ready; the message names the log.
pub async fn start(
    data_dir: &DataDir,
    supervisor: &Supervisor,
    ports: PortChoice,
    progress: &Progress,
) -> Result<DevServer> {
    let program = temporal_binary::find(progress).await?;
    let mut tries = 1;
    loop {
        let server = choose(data_dir, ports)?;
        let child = spawn(&program, &server, data_dir, supervisor)?;
        let ready = wait_until_ready(&server, &child, data_dir).await;
        let again = ports != PortChoice::Default && tries < ports::TRIES;
        if ready.is_ok() || !(again && ports::was_taken(&log_path(data_dir))) {
            return ready.map(|()| server);
        }
        supervisor.forget(&child);
        tries += 1;
    }
}

fn log_path(data_dir: &DataDir) -> PathBuf {
    data_dir.logs().join("temporal.log")
}

fn choose(data_dir: &DataDir, ports: PortChoice) -> Result<DevServer> {
    Ok(DevServer {
        port: ports.reserve(PORT, "Temporal")?,
        ui_port: ports.reserve(UI_PORT, "Temporal's web UI")?,
        database: data_dir.state().join("temporal.db"),
    })
}
fn spawn(
    program: &Path,
    server: &DevServer,
    data_dir: &DataDir,
    supervisor: &Supervisor,
) -> Result<ChildProcess> {
    let log = data_dir.log_file("temporal")?;
    let mut command = Command::new(program);
    command.args(server.arguments()).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    supervisor
        .start("Temporal", command, Signal::TERM)
        .with_context(|| format!("{} cannot be run", program.display()))
}

/// Ready is a server that knows its namespace: it accepts connections a little before. One that answers while ours has
/// ended is somebody else's, which took the port.
async fn wait_until_ready(server: &DevServer, child: &ChildProcess, data_dir: &DataDir) -> Result<()> {
    let log = log_path(data_dir);
    let started = Instant::now();
    loop {
        let answer = probe(server).await;
        if let Some(status) = child.exit_status() {
            bail!("Temporal ended at its start ({status}): {}", last_words(&log));
        }
        let Err(failure) = answer else { return Ok(()) };
        if started.elapsed() > START_LIMIT {
            return Err(failure).with_context(|| {
                format!("Temporal did not become ready in {} s: see {}", START_LIMIT.as_secs(), log.display())
            });
        }
        tokio::time::sleep(PROBE_PAUSE).await;
    }
}

/// Asks the frontend about the default namespace, and whether the web UI is there.
async fn probe(server: &DevServer) -> Result<()> {
    use temporalio_client::grpc::WorkflowService;
    use temporalio_client::{Connection, ConnectionOptions, tonic};
    use temporalio_common::protos::temporal::api::workflowservice::v1::DescribeNamespaceRequest;
    // Connecting by hand first: the client would retry a refused connection with long pauses.
    tokio::net::TcpStream::connect(("127.0.0.1", server.port)).await?;
    tokio::net::TcpStream::connect(("127.0.0.1", server.ui_port)).await?;
    let target = url::Url::parse(&format!("http://{}", server.address()))?;
    let options = ConnectionOptions::new(target).identity("webrana-stack").build();
    let mut connection = Connection::connect(options).await?;
    let request = DescribeNamespaceRequest { namespace: "default".to_owned(), ..Default::default() };
    WorkflowService::describe_namespace(&mut connection, tonic::Request::new(request)).await?;
    Ok(())
}
