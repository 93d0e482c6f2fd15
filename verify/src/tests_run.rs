//! The tests, on real servers, and how many there were.

use crate::cargo;
use crate::servers::Servers;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// Runs all tests, also after one has failed.
pub fn run(servers: &Servers, full: bool, arguments: &[String]) -> Result<(), String> {
    let mut command = cargo::command(&["test", "--workspace", "--no-fail-fast"]);
    command.args(arguments).envs(servers.env.iter().map(|(key, value)| (key, value))).stdout(Stdio::piped());
    // A snapshot that is missing or differs fails its test, here as in CI, and nothing is written.
    command.env("INSTA_UPDATE", "no").env_remove("INSTA_FORCE_PASS");
    if full {
        command.env("WEBRANA_FULL", "1");
    }
    let mut process = command.spawn().map_err(|error| format!("cargo cannot be run: {error}"))?;
    let mut totals = Totals::default();
    let mut failures = Failures::default();
    if let Some(output) = process.stdout.take() {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            totals.add(&line);
            failures.add(&line);
            println!("{line}");
        }
    }
    let status = process.wait().map_err(|error| format!("cargo cannot be waited for: {error}"))?;
    failures.print();
    println!("verify: {} passed, {} failed", totals.passed, totals.failed);
    match totals {
        Totals { passed: 0, failed: 0 } if arguments.is_empty() => Err("no test ran".to_owned()),
        _ if !status.success() => Err(format!("{} of the tests failed, or did not build", totals.failed)),
        _ => Ok(()),
    }
}

/// What failed tests said, told once more at the end: it would be thousands of lines away otherwise.
#[derive(Debug, Default, PartialEq, Eq)]
struct Failures {
    lines: Vec<String>,
    inside: bool,
}

impl Failures {
    /// A test program tells them between `failures:` and its result.
    fn add(&mut self, line: &str) {
        self.inside = (self.inside || line == "failures:") && !line.starts_with("test result: ");
        if self.inside {
            self.lines.push(line.to_owned());
        }
    }

    fn print(&self) {
        self.lines.iter().for_each(|line| println!("{line}"));
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

    #[test]
    fn what_failed_tests_said_is_kept_and_nothing_else() {
        let mut failures = Failures::default();
        let output = "test a ... ok\ntest b ... FAILED\n\nfailures:\n\n---- b stdout ----\nno\n\nfailures:\n    b\n\n\
                      test result: FAILED. 1 passed; 1 failed\n\nrunning 3 tests\ntest result: ok. 3 passed; 0 failed";
        output.lines().for_each(|line| failures.add(line));
        assert_eq!(failures.lines.join("\n"), "failures:\n\n---- b stdout ----\nno\n\nfailures:\n    b\n");
    }
}
