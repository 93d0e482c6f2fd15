//! Names the workflow code by what it is made of, so that a release that leaves it alone is the same version to the engine.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// What a workflow's decisions can depend on: its own code, and the rules and types that it shares with its steps.
const SOURCES: [&str; 2] = ["src", "../domain/src"];
/// Which version of the engine's library it is built with.
const LOCK: &str = "../Cargo.lock";

fn main() -> io::Result<()> {
    let mut files = Vec::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        collect(Path::new(source), &mut files)?;
    }
    files.sort();
    let mut digest = Digest::default();
    for file in &files {
        digest.add(file.to_string_lossy().as_bytes());
        digest.add(&fs::read(file)?);
    }
    println!("cargo::rerun-if-changed={LOCK}");
    for line in library(&fs::read_to_string(LOCK)?) {
        digest.add(line.as_bytes());
    }
    println!("cargo::rustc-env=WORKFLOW_CODE={:016x}", digest.0);
    Ok(())
}

/// The sources below a folder, without tests of their own file.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_stem().is_some_and(|name| name == "tests") {
            continue;
        }
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// The lines of the lock file that say which version of the engine's library there is.
fn library(lock: &str) -> impl Iterator<Item = &str> {
    lock.split("\n\n").filter(|package| package.contains("name = \"temporalio-")).flat_map(str::lines)
}

/// FNV-1a: no secret, only a name, and no dependency.
struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
