//! Builds the library that skews a process's clock, see `skewed_clock/preload.rs`.

use std::{env, error::Error, path::PathBuf, process::Command};

const SOURCE: &str = "skewed_clock/preload.rs";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={SOURCE}");
    if env::var("CARGO_CFG_TARGET_OS")? != "linux" {
        return Err("these tests need Linux: they skew the clocks of processes by LD_PRELOAD".into());
    }
    let library = PathBuf::from(env::var("OUT_DIR")?).join("libskewed_clock.so");
    let built = Command::new(env::var("RUSTC")?)
        .args(["--edition", "2024", "--crate-type", "cdylib", "-C", "opt-level=2", "--target"])
        .arg(env::var("TARGET")?)
        .arg("-o")
        .arg(&library)
        .arg(SOURCE)
        .status()?;
    if !built.success() {
        return Err(format!("{SOURCE} can't be built").into());
    }
    println!("cargo::rustc-env=SKEWED_CLOCK={}", library.display());
    Ok(())
}
