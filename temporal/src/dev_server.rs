//! How this project runs Temporal's development server: the arguments that make it persistent and quick.

use std::ffi::OsString;
use std::path::PathBuf;

/// The version of the `temporal` command line the stack installs when the machine has none.
pub const CLI_VERSION: &str = "v1.9.1";

/// The Go package of the `temporal` command line.
pub const CLI_PACKAGE: &str = "github.com/temporalio/cli/cmd/temporal";

/// The engine looks for due work 20 times a second by default, which adds 50 ms to every step of a workflow.
/// A production cluster gets the same two keys from `deploy/temporal/dynamicconfig`. The third is off in every cluster
/// but a development server, which reads the search attributes from its database, one caller at a time, whenever a
/// workflow carries some; ours are there before the server starts. The fourth lets every system of a test run have workers
/// with versions, of which a server keeps a hundred deployments by default.
const DYNAMIC_CONFIG: [&str; 4] = [
    "history.transferProcessorMaxPollRPS=2000",
    "history.timerProcessorMaxPollRPS=2000",
    "system.forceSearchAttributesCacheRefreshOnRead=false",
    "matching.maxDeployments=100000",
];

/// Write-ahead logging lets readers and the writer work at once; `synchronous=1` still survives a crash of the
/// process. Three times the throughput of SQLite's defaults.
const SQLITE_PRAGMAS: [&str; 2] = ["journal_mode=wal", "synchronous=1"];

/// One development server: where it listens (loopback only) and where it keeps its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevServer {
    /// Port of the gRPC frontend.
    pub port: u16,
    /// Port of the web UI.
    pub ui_port: u16,
    /// The SQLite file that holds every workflow across restarts.
    pub database: PathBuf,
}

impl DevServer {
    /// `host:port` of the gRPC frontend, as clients and `TEMPORAL_ADDRESS` want it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where a person opens the web UI.
    pub fn ui_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ui_port)
    }

    /// Arguments for the `temporal` binary.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> =
            ["server", "start-dev", "--ip", "127.0.0.1", "--log-level", "warn"]
                .into_iter()
                .map(OsString::from)
                .collect();
        let mut option = |name: &str, value: OsString| arguments.extend([OsString::from(name), value]);
        option("--port", self.port.to_string().into());
        option("--ui-port", self.ui_port.to_string().into());
        option("--db-filename", self.database.clone().into());
        SQLITE_PRAGMAS.iter().for_each(|pragma| option("--sqlite-pragma", pragma.into()));
        DYNAMIC_CONFIG.iter().for_each(|value| option("--dynamic-config-value", value.into()));
        // There before the first client connects; given again on a restart they change nothing.
        workflows::search::ALL
            .iter()
            .for_each(|name| option("--search-attribute", format!("{name}=Keyword").into()));
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_make_the_server_persistent_and_quick() {
        let server = DevServer { port: 7233, ui_port: 8233, database: PathBuf::from("/data/temporal.db") };
        let arguments = server.arguments();
        let pair = |name: &str, value: &str| {
            arguments.windows(2).any(|window| window[0] == *name && window[1] == *value)
        };
        assert!(pair("--db-filename", "/data/temporal.db"));
        assert!(pair("--ip", "127.0.0.1"));
        assert!(pair("--sqlite-pragma", "journal_mode=wal"));
        assert!(pair("--dynamic-config-value", "history.timerProcessorMaxPollRPS=2000"));
        assert!(pair("--search-attribute", "OrderStatus=Keyword"));
    }
}
