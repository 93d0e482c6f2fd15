//! Clients of other languages, generated from the committed document, compile. What is generated stays under `target`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::cargo;

/// A client in TypeScript, and every example of the document held against its schema.
pub fn typescript() -> Result<(), String> {
    if !is_there("npm", &["--version"]) {
        println!("verify: skipped, there is no Node.js (20 or later, with npm: https://nodejs.org)");
        return Ok(());
    }
    let at = laid_out("typescript")?;
    if run(&at, "npm", &["ci", "--no-audit", "--no-fund", "--prefer-offline"]).is_err() {
        return unfetched("npm's registry");
    }
    run(&at, "npx", &["--no-install", "openapi-typescript", "../openapi.json", "-o", "api.d.ts"])?;
    run(&at, "npx", &["--no-install", "tsc"])?;
    run(&at, "node", &["examples.mjs", "../openapi.json"])
}

/// A client in Go.
pub fn go() -> Result<(), String> {
    if !is_there("go", &["version"]) {
        println!("verify: skipped, there is no Go (1.26 or later: https://go.dev/dl)");
        return Ok(());
    }
    let at = laid_out("go")?;
    if run(&at, "go", &["mod", "download"]).is_err() {
        return unfetched("Go's module proxy");
    }
    let generated =
        "-config=ogen.yml -loglevel=error -target=webrana -package=webrana -clean ../openapi.json";
    let arguments: Vec<&str> = ["tool", "ogen"].into_iter().chain(generated.split(' ')).collect();
    run(&at, "go", &arguments)?;
    // Nobody runs it: the compiler need not make it fast.
    run(&at, "go", &["build", "-gcflags=webrana-client-go/...=-N -l", "-o", "program", "."])
}

/// What is fetched is not ours: that it can't be had says nothing of the document.
fn unfetched(from: &str) -> Result<(), String> {
    println!("verify: skipped, the generator can't be fetched from {from}");
    Ok(())
}

fn is_there(program: &str, arguments: &[&str]) -> bool {
    let asked = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// A copy of the client's folder under `target`, beside the document.
fn laid_out(language: &str) -> Result<PathBuf, String> {
    let root = cargo::root();
    let clients = root.join("target").join("clients");
    let at = clients.join(language);
    fs::create_dir_all(&at).map_err(|error| format!("{}: {error}", at.display()))?;
    copy(&root.join("api").join("openapi.json"), &clients.join("openapi.json"))?;
    let from = root.join("tests").join("clients").join(language);
    let files = fs::read_dir(&from).map_err(|error| format!("{}: {error}", from.display()))?;
    for file in files {
        let file = file.map_err(|error| error.to_string())?;
        copy(&file.path(), &at.join(file.file_name()))?;
    }
    Ok(at)
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    fs::copy(from, to).map(drop).map_err(|error| format!("{} to {}: {error}", from.display(), to.display()))
}

fn run(at: &Path, program: &str, arguments: &[&str]) -> Result<(), String> {
    let status = Command::new(program).args(arguments).current_dir(at).stdin(Stdio::null()).status();
    let status = status.map_err(|error| format!("{program} cannot be run: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{program} {}` failed", arguments.join(" "))) }
}
