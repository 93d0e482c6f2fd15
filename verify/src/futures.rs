//! Futures that other crates await are put behind a pointer where they are written, so that they are compiled once (ADR 51).

use crate::sources::{read, rust_files};

/// Crates whose `async fn`s hold much code: all of the SQL, and the calls of the engine's services.
const CRATES: [&str; 3] = ["store", "engine", "temporal"];

/// Looks for a public `async fn` without `#[boxed]`.
pub fn check() -> Result<(), String> {
    let mut bare = Vec::new();
    for name in CRATES {
        for file in rust_files(name)? {
            bare.extend(unboxed(&read(&file)?).map(|line| format!("{}: {line}", file.display())));
        }
    }
    if bare.is_empty() {
        return Ok(());
    }
    Err(format!(
        "each crate that awaits these compiles them anew; `#[boxed]` is missing:\n  {}",
        bare.join("\n  ")
    ))
}

/// First lines of public `async fn`s without the attribute. One that is generic is compiled where it is called anyway.
fn unboxed(text: &str) -> impl Iterator<Item = &str> {
    let mut is_boxed = false;
    text.lines().map(str::trim_start).filter(move |line| {
        let Some(function) = line.strip_prefix("pub async fn ") else {
            // Attributes stand together right before what they are for.
            is_boxed = *line == "#[boxed]" || (is_boxed && line.starts_with("#["));
            return false;
        };
        let is_generic = function.find('<').is_some_and(|at| function.find('(').is_none_or(|open| at < open));
        !std::mem::take(&mut is_boxed) && !is_generic
    })
}

#[cfg(test)]
mod tests {
    use super::unboxed;

    #[test]
    fn a_bare_future_is_found() {
        let text = "#[boxed]\npub async fn a(&self)\n    /// Words.\n    pub async fn b() {\n#[boxed]\n#[must_use]\npub async fn c()\n\
                    pub async fn d<F: Future>(work: F)\npub(crate) async fn e()";
        assert_eq!(unboxed(text).collect::<Vec<_>>(), ["pub async fn b() {"]);
    }
}
