//! `cargo verify`: everything that must hold before a change is good, in one command, from format to journeys on
//! real servers. Only the standard library, so that it is built in a second.
//!
//! `--full` adds the heavier runs; every other argument goes to `cargo test`.

mod arrows;
mod cargo;
mod clients;
mod floors;
mod futures;
mod inserts;
mod logs;
mod report;
mod servers;
mod sources;
mod tests_run;

use report::Report;
use std::process::ExitCode;

fn main() -> ExitCode {
    let (full, passed_on): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument == "--full");
    let mut report = Report::default();
    let outcome = verify(&mut report, !full.is_empty(), &passed_on);
    report.print_summary();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            println!("verify: FAILED: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Stops at the first step that fails, for what comes after would only say the same in more words.
fn verify(report: &mut Report, full: bool, test_arguments: &[String]) -> Result<(), String> {
    report.step("format", || cargo::run(&["fmt", "--all", "--check"]))?;
    report.step("arrows between rooms", arrows::check)?;
    report.step("floors of modules", floors::check)?;
    report.step("names of log events", logs::check)?;
    report.step("futures behind pointers", futures::check)?;
    report.step("rows that tests insert", inserts::check)?;
    report.step("a client in TypeScript", clients::typescript)?;
    report.step("a client in Go", clients::go)?;
    report.step("licences, bans, sources, advisories", cargo::deny)?;
    report
        .step("lints", || cargo::run(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    report.step("build", || cargo::run(&["test", "--workspace", "--no-run"]))?;
    let servers = report.step("servers", servers::start)?;
    let outcome = report.step("tests", || tests_run::run(&servers, full, test_arguments));
    report.step("servers stopped", || servers.stop())?;
    outcome
}
