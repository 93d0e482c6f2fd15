//! What kind of installation this is, and which.

use domain::installation::{Installation, InvalidInstallation};

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

    /// Which of several installations on one vendor account this is, such as `production`: it is in its servers' tags, and
    /// servers of others are never touched. 1 to 24 lower-case letters, digits and dashes; production has no default
    #[arg(
        id = "general.installation_id",
        long = "installation-id",
        env = "INSTALLATION_ID",
        value_name = "ID",
        default_value = Installation::UNNAMED
    )]
    pub installation_id: String,
}

impl GeneralConfig {
    /// Which installation this is.
    ///
    /// # Errors
    /// When the id is none.
    pub fn installation(&self) -> Result<Installation, InvalidInstallation> {
        Installation::parse(self.installation_id.trim())
    }

    /// What is wrong with these settings.
    pub fn problems(&self) -> Vec<String> {
        match self.installation() {
            Err(error) => vec![format!("INSTALLATION_ID: {error}")],
            Ok(named) if self.is_production() && named.id() == Installation::UNNAMED => vec![format!(
                "INSTALLATION_ID is missing: it tells this installation's servers from others' on the same vendor \
                 account, and `{}` is for development",
                Installation::UNNAMED
            )],
            Ok(_) => Vec::new(),
        }
    }

    /// Whether this is production.
    pub fn is_production(&self) -> bool {
        self.mode == Mode::Production
    }
}
