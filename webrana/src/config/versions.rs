//! Which version of the workflow code a worker runs.

use temporal::versions::{self, VersionSettings};

/// Longest name of a version.
const LONGEST: usize = 100;

/// Whether the engine keeps versions of the workflow code apart, and what this one is called.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Worker")]
pub struct VersionsConfig {
    /// Whether the engine keeps versions of the workflow code apart; false for one that can't
    #[arg(
        id = "worker.versioning",
        long = "worker-versioning",
        env = "WORKER_VERSIONING",
        value_name = "BOOL",
        action = clap::ArgAction::Set,
        default_value_t = true
    )]
    pub versioning: bool,

    /// Name of this version; by default the release and a name for its workflow code
    #[arg(id = "worker.build_id", long = "worker-build-id", env = "WORKER_BUILD_ID", value_name = "NAME")]
    build_id: Option<String>,

    /// Whether a worker takes its predecessor's place at its start: its version becomes current, and what is pinned to others goes on with it. For
    /// installations that stop the old workers before they start the new ones
    #[arg(
        id = "worker.make_current",
        long = "worker-make-current",
        env = "WORKER_MAKE_CURRENT",
        value_name = "BOOL",
        action = clap::ArgAction::Set,
        default_value_t = false
    )]
    make_current: bool,
}

impl VersionsConfig {
    /// What this version is called.
    pub fn build_id(&self) -> String {
        self.given().map_or_else(versions::build_id, str::to_owned)
    }

    /// What a worker does about its version; `alone` where there can be no other worker. None where versions are not kept
    /// apart.
    pub fn settings(&self, alone: bool) -> Option<VersionSettings> {
        let in_place = alone || self.make_current;
        self.versioning.then(|| VersionSettings { build_id: self.build_id(), in_place })
    }

    /// What is wrong with the settings, a sentence each.
    pub fn problems(&self) -> Vec<String> {
        let is_plain = |name: &str| {
            name.len() <= LONGEST
                && name
                    .chars()
                    .all(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.' | '+'))
        };
        let refused = self.given().filter(|name| !is_plain(name));
        refused
            .map(|_| {
                format!(
                    "WORKER_BUILD_ID may have letters, digits and -_.+ only, {LONGEST} characters at most"
                )
            })
            .into_iter()
            .collect()
    }

    fn given(&self) -> Option<&str> {
        self.build_id.as_deref().filter(|name| !name.is_empty())
    }
}
