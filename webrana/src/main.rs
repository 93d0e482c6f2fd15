//! The `webrana` program. All of it is in the library, so that the tests can build it into a program of their own.

use std::process::ExitCode;

fn main() -> ExitCode {
    webrana::cli::main()
}
