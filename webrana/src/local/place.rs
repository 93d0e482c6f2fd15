//! Where a stack may run, and where not.

use crate::config::Config;
use crate::stack::ports::PortChoice;
use crate::stack::postgres_binaries::Choice;
use anyhow::{Result, bail};
use std::path::PathBuf;

/// Where a stack runs, and from what.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Stack")]
pub struct Place {
    /// Directory of the stack's data; by default .webrana at the root of the repository
    #[arg(id = "dev.data_dir", long = "data-dir", env = "WEBRANA_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Ports: the well-known ones, or any that are free, so that several stacks run at once
    #[arg(
        id = "dev.ports",
        long = "ports",
        env = "WEBRANA_PORTS",
        value_name = "CHOICE",
        default_value = "default"
    )]
    pub ports: PortChoice,

    /// How long a simulated server takes to boot, in seconds; fractions count
    #[arg(
        id = "dev.sim_boot_seconds",
        long = "sim-boot-seconds",
        env = "WEBRANA_SIM_BOOT_SECONDS",
        value_name = "SECONDS",
        default_value_t = 3.0
    )]
    pub sim_boot_seconds: f64,

    /// Postgres programs to use: auto, download, or the directory that holds them
    #[arg(
        id = "dev.postgres_binaries",
        long = "postgres-binaries",
        env = "WEBRANA_POSTGRES_BINARIES",
        value_name = "WHICH",
        default_value = "auto"
    )]
    pub postgres_binaries: Choice,
}

/// A local stack has simulators and secrets of its own: no production runs on that.
///
/// # Errors
/// In production.
pub fn refuse_in_production(config: &Config, command: &str) -> Result<()> {
    if config.general.is_production() {
        bail!(
            "`{command}` runs simulators, which production refuses: use `webrana serve` and `webrana worker`"
        );
    }
    Ok(())
}
