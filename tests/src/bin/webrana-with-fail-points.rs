//! The product's binary with its fail points switched on by the environment (`FAILPOINTS`), for chaos tests. With
//! `PRETEND_NEXT_VERSION` its workers are of a next version of the workflow code, for the test of an upgrade.

use std::process::ExitCode;

fn main() -> ExitCode {
    let _scenario = fail::FailScenario::setup();
    if std::env::var_os("PRETEND_NEXT_VERSION").is_some() {
        workflows::next_version::pretend();
    }
    webrana::cli::main()
}
