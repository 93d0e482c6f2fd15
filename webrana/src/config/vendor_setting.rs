//! Settings that each vendor has: what they are called follows from their variables, which the vendor's descriptor names.

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches};

/// A vendor's setting: `VULTR_URL` is the flag `--vultr-url` and the key `vultr_url` of its section.
pub struct VendorSetting {
    id: String,
    flag: String,
    env: String,
}

impl VendorSetting {
    /// The setting of a variable, in a section of the settings' file.
    pub fn of(section: &str, env: &str) -> Self {
        let key = env.to_lowercase();
        Self { id: format!("{section}.{key}"), flag: key.replace('_', "-"), env: env.to_owned() }
    }

    /// The same with another key, and with the flag that its variable names.
    #[must_use]
    pub fn with_key(self, section: &str, key: &str) -> Self {
        Self { id: format!("{section}.{key}"), ..self }
    }

    /// The same with another key, and with the flag that follows from that.
    #[must_use]
    pub fn called(self, section: &str, key: &str) -> Self {
        Self { flag: key.replace('_', "-"), ..self.with_key(section, key) }
    }

    /// The command line's argument of it.
    pub fn arg(&self, value: &'static str, help: String) -> Arg {
        Arg::new(self.id.clone())
            .long(self.flag.clone())
            .env(self.env.clone())
            .value_name(value)
            .action(ArgAction::Set)
            .help(help)
    }

    /// What was said, of a setting that has a default.
    pub fn value<T: Clone + Send + Sync + 'static>(&self, matches: &ArgMatches) -> Result<T, clap::Error> {
        let missing =
            || clap::Error::raw(ErrorKind::MissingRequiredArgument, format!("{} is not set\n", self.id));
        self.given(matches).ok_or_else(missing)
    }

    /// What was said, if anything.
    pub fn given<T: Clone + Send + Sync + 'static>(&self, matches: &ArgMatches) -> Option<T> {
        matches.get_one::<T>(&self.id).cloned()
    }
}

/// Whose it is: `Vultr's`, `Midtrans'`.
pub fn possessive(name: &str) -> String {
    format!("{name}'{}", if name.ends_with('s') { "" } else { "s" })
}
