//! The tests, on real servers, and how many there were.

use crate::cargo;
use crate::servers::Servers;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// Runs all tests, also after one has failed.
pub fn run(servers: &Servers, full: bool, arguments: &[String]) -> Result<(), String> {
    let mut command = cargo::command(&["test", "--workspace", "--no-fail-fast"]);
    command.args(arguments).envs(servers.env.iter().map(|(key, value)| (key, value))).stdout(Stdio::piped());
    if full {
        command.env("WEBRANA_FULL", "1");
    }
    let mut process = command.spawn().map_err(|error| format!("cargo cannot be run: {error}"))?;
    let mut totals = Totals::default();
    if let Some(output) = process.stdout.take() {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            totals.add(&line);
            println!("{line}");
        }
    }
    let status = process.wait().map_err(|error| format!("cargo cannot be waited for: {error}"))?;
    println!("verify: {} passed, {} failed", totals.passed, totals.failed);
    match totals {
        Totals { passed: 0, failed: 0 } if arguments.is_empty() => Err("no test ran".to_owned()),
        _ if !status.success() => Err(format!("{} of the tests failed, or did not build", totals.failed)),
        _ => Ok(()),
    }
}

/// Counts over all test programs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    passed: u64,
    failed: u64,
}

impl Totals {
    /// `test result: ok. 3 passed; 0 failed; …`
    fn add(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        for part in counts.split(['.', ';']) {
            match part.trim().split_once(' ') {
                Some((count, "passed")) => self.passed += count.parse().unwrap_or(0),
                Some((count, "failed")) => self.failed += count.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_all_programs_are_added() {
        let mut totals = Totals::default();
        totals.add("running 3 tests");
        totals.add(
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.03s",
        );
        totals.add("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s");
        assert_eq!(totals, Totals { passed: 4, failed: 2 });
    }
}
