//! What kind of installation this is.

/// Development is forgiving; production refuses what only a developer's machine may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// Defaults for every secret, simulators allowed.
    Development,
    /// Every secret must be set, no simulators.
    Production,
}

/// What kind of installation this is.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "General")]
pub struct GeneralConfig {
    /// Kind of installation; production refuses default secrets and simulators
    #[arg(
        id = "general.env",
        long = "env",
        env = "WEBRANA_ENV",
        value_name = "MODE",
        default_value = "development"
    )]
    pub mode: Mode,
}

impl GeneralConfig {
    /// Whether this is production.
    pub fn is_production(&self) -> bool {
        self.mode == Mode::Production
    }
}
