//! The product's binary with its fail points switched on by the environment (`FAILPOINTS`), for chaos tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    let _scenario = fail::FailScenario::setup();
    webrana::cli::main()
}
