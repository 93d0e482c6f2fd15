//! Calls of cargo, all in the workspace's root and with the committed query cache.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The workspace's root.
pub fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    package.parent().map_or_else(|| package.clone(), PathBuf::from)
}

/// A call of cargo.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root()).stdin(Stdio::null());
    // A database in the environment must not decide what is compiled.
    command.env("SQLX_OFFLINE", "true");
    // These describe this package; build scripts of others would take them for theirs and run again.
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("CARGO_PKG_") || name_text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs cargo and passes its output through.
pub fn run(arguments: &[&str]) -> Result<(), String> {
    let status = command(arguments).status().map_err(|error| format!("cargo cannot be run: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`cargo {}` failed", arguments.join(" "))) }
}

/// Runs cargo and takes its output.
pub fn output(arguments: &[&str]) -> Result<String, String> {
    let output = command(arguments)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(format!("`cargo {}` failed", arguments.join(" ")));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("cargo's output is not text: {error}"))
}

/// `cargo deny` is a tool of its own: where it is not installed the step is skipped, and says so.
pub fn deny() -> Result<(), String> {
    let installed = command(&["deny", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !installed.is_ok_and(|status| status.success()) {
        println!("verify: skipped, cargo-deny is not installed (`cargo install cargo-deny`)");
        return Ok(());
    }
    run(&["deny", "--offline", "--log-level", "error", "check", "bans", "licenses", "sources"])?;
    advisories()
}

/// Known holes of dependencies. What is known changes every day, so the list is fetched; without a way out the one of the
/// last time is used, and without any the step is skipped, and says so.
fn advisories() -> Result<(), String> {
    let fetched = command(&["deny", "--log-level", "off", "fetch", "db"]).stderr(Stdio::null()).status();
    if !fetched.is_ok_and(|status| status.success()) {
        if !has_advisories() {
            println!("verify: advisories skipped, their list can't be fetched and none is on this machine");
            return Ok(());
        }
        println!("verify: the list of advisories can't be fetched; the one of the last time is used");
    }
    run(&["deny", "--offline", "--log-level", "error", "check", "advisories"])
}

/// Whether cargo-deny has a list from an earlier time, where it keeps it by default.
fn has_advisories() -> bool {
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    let lists = cargo_home.or_else(home).map(|cargo| cargo.join("advisory-dbs"));
    lists.and_then(|lists| lists.read_dir().ok()).is_some_and(|mut lists| lists.next().is_some())
}
