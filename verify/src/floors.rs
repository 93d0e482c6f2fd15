//! Modules of the larger crates stand on floors, and nobody leans on who stands above. The tables are in `floors/`, a file
//! per crate; `docs/ARCHITECTURE.md` says what the floors are.
//!
//! What is seen are paths: `crate::module` and as many `super::` as lead to the crate's root. A method of a type that
//! everybody has (`Store`) is called without a path, so its callers are not seen.

mod api;
mod rust;
mod store;
mod webrana;

use crate::cargo;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The floors of a crate, lowest first: what it is called, and the top-level modules that stand on it.
type Floors = &'static [(&'static str, &'static [&'static str])];

/// The crates that have floors.
const CRATES: [(&str, Floors); 3] =
    [("store", store::FLOORS), ("api", api::FLOORS), ("webrana", webrana::FLOORS)];

/// A module leans on another one, and where it is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    by: String,
    of: String,
    at: String,
}

/// Compares every crate with its table.
pub fn check() -> Result<(), String> {
    let mut wrong = Vec::new();
    for (name, floors) in CRATES {
        let source = cargo::root().join(name).join("src");
        let files = sources(&source)?;
        let modules: BTreeSet<String> = files.iter().filter_map(|file| module(&source, file)).collect();
        let mut uses = Vec::new();
        for file in &files {
            let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
            uses.extend(uses_of(&source, file, &text, &modules));
        }
        println!("{name}: {} modules on {} floors", modules.len(), floors.len());
        let found = [standing(floors, &modules), upward(floors, &uses), knots(floors, &uses)].concat();
        wrong.extend(found.into_iter().map(|line| format!("{name}: {line}")));
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("floors do not hold:\n  {}", wrong.join("\n  "))) }
}

/// The files of Rust below a directory that are not tests.
fn sources(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    let entries = fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| format!("{}: {error}", directory.display()))?.path();
        if path.file_stem().is_some_and(|stem| stem == "tests") {
            continue;
        }
        if path.is_dir() {
            files.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The top-level module that a file belongs to; `None` for the crate's root, which knows everybody.
fn module(source: &Path, file: &Path) -> Option<String> {
    let inside = file.strip_prefix(source).ok()?;
    let first = Path::new(inside.iter().next()?).file_stem()?.to_str()?;
    let is_root = inside.iter().count() == 1 && ["lib", "main"].contains(&first);
    (!is_root).then(|| first.to_owned())
}

/// How many `super::` lead from a file to the crate's root.
fn depth(source: &Path, file: &Path) -> usize {
    let below = file.strip_prefix(source).map_or(0, |inside| inside.iter().count());
    if file.file_stem().is_some_and(|stem| stem == "mod") { below.saturating_sub(1) } else { below }
}

/// The other modules that a file names.
fn uses_of(source: &Path, file: &Path, text: &str, modules: &BTreeSet<String>) -> Vec<Use> {
    let Some(by) = module(source, file) else { return Vec::new() };
    let shown = source.parent().and_then(Path::parent).and_then(|root| file.strip_prefix(root).ok());
    let shown = shown.unwrap_or(file).display();
    rust::roots(text, depth(source, file))
        .into_iter()
        .filter(|(of, _)| *of != by && modules.contains(of))
        .map(|(of, line)| Use { by: by.clone(), of, at: format!("{shown}:{line}") })
        .collect()
}

fn floor(floors: Floors, module: &str) -> Option<usize> {
    floors.iter().position(|(_, modules)| modules.contains(&module))
}

/// Modules that stand nowhere or twice, and names that no module has.
fn standing(floors: Floors, modules: &BTreeSet<String>) -> Vec<String> {
    let mut places: BTreeMap<&str, usize> = modules.iter().map(|module| (module.as_str(), 0)).collect();
    let mut wrong = Vec::new();
    for module in floors.iter().flat_map(|(_, modules)| *modules) {
        match places.get_mut(module) {
            Some(times) => *times += 1,
            None => wrong.push(format!("there is no module `{module}`")),
        }
    }
    wrong.extend(places.into_iter().filter(|(_, times)| *times != 1).map(|(module, times)| {
        if times == 0 { format!("`{module}` stands on no floor") } else { format!("`{module}` stands twice") }
    }));
    wrong
}

/// Uses of what stands on a higher floor.
fn upward(floors: Floors, uses: &[Use]) -> Vec<String> {
    let name = |floor: usize| floors.get(floor).map_or("", |(name, _)| *name);
    uses.iter()
        .filter_map(|Use { by, of, at }| {
            let (low, high) = (floor(floors, by)?, floor(floors, of)?);
            (low < high).then(|| {
                format!("{at}: `{by}` ({}) uses `{of}`, a floor above it ({})", name(low), name(high))
            })
        })
        .collect()
}

/// Uses within a floor that lead back to where they began.
fn knots(floors: Floors, uses: &[Use]) -> Vec<String> {
    let mut neighbours: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for Use { by, of, .. } in uses {
        if floor(floors, by) == floor(floors, of) {
            neighbours.entry(by).or_default().insert(of);
        }
    }
    uses.iter()
        .filter(|Use { by, of, .. }| {
            floor(floors, by) == floor(floors, of) && reached(&neighbours, of).contains(by.as_str())
        })
        .map(|Use { by, of, at }| format!("{at}: `{by}` uses `{of}`, which in the end uses `{by}`"))
        .collect()
}

/// Everything that a module leans on, directly or through others, and itself.
fn reached<'a>(neighbours: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &'a str) -> BTreeSet<&'a str> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(module) = open.pop() {
        if reached.insert(module) {
            open.extend(neighbours.get(module).into_iter().flatten());
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUSE: Floors = &[("ground", &["wood", "stone"]), ("roof", &["tiles"])];

    fn names(modules: &[&str]) -> BTreeSet<String> {
        modules.iter().map(|&module| module.to_owned()).collect()
    }

    fn used(by: &str, of: &str) -> Use {
        Use { by: by.to_owned(), of: of.to_owned(), at: format!("{by}.rs:1") }
    }

    #[test]
    fn files_belong_to_their_top_level_module() {
        let source = Path::new("store/src");
        let place = |file: &str| {
            let file = source.join(file);
            (module(source, &file), depth(source, &file))
        };
        assert_eq!(place("orders.rs"), (Some("orders".to_owned()), 1));
        assert_eq!(place("orders/place.rs"), (Some("orders".to_owned()), 2));
        assert_eq!(place("orders/mod.rs"), (Some("orders".to_owned()), 1));
        assert_eq!(place("orders/main.rs"), (Some("orders".to_owned()), 2));
        assert_eq!(place("lib.rs").0, None);
        assert_eq!(place("main.rs").0, None);
    }

    #[test]
    fn a_files_uses_are_of_other_modules() {
        let source = Path::new("house/src");
        let text = "use crate::{Rubble, wood, tiles::Red};\nfn f() { super::stone::cut() }";
        let found = uses_of(source, &source.join("wood.rs"), text, &names(&["wood", "stone", "tiles"]));
        let at = |line: u32| format!("{}:{line}", source.join("wood.rs").display());
        assert_eq!(
            found,
            [Use { at: at(1), ..used("wood", "tiles") }, Use { at: at(2), ..used("wood", "stone") }]
        );
    }

    #[test]
    fn who_stands_nowhere_or_twice_is_found() {
        assert!(standing(HOUSE, &names(&["wood", "stone", "tiles"])).is_empty());
        assert_eq!(
            standing(HOUSE, &names(&["wood", "tiles", "cellar"])),
            ["there is no module `stone`", "`cellar` stands on no floor"]
        );
        const TWICE: Floors = &[("ground", &["wood"]), ("roof", &["wood"])];
        assert_eq!(standing(TWICE, &names(&["wood"])), ["`wood` stands twice"]);
    }

    #[test]
    fn leaning_on_a_higher_floor_is_found() {
        assert!(upward(HOUSE, &[used("tiles", "wood"), used("wood", "stone")]).is_empty());
        assert_eq!(
            upward(HOUSE, &[used("wood", "tiles")]),
            ["wood.rs:1: `wood` (ground) uses `tiles`, a floor above it (roof)"]
        );
    }

    #[test]
    fn a_knot_on_a_floor_is_found_whatever_its_length() {
        const GROUND: Floors = &[("ground", &["wood", "stone", "clay", "sand"])];
        let line = [used("wood", "stone"), used("stone", "clay"), used("wood", "clay"), used("sand", "wood")];
        assert!(knots(GROUND, &line).is_empty());
        let back = [&line[..], &[used("clay", "wood")]].concat();
        let found = knots(GROUND, &back);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found.contains(&"clay.rs:1: `clay` uses `wood`, which in the end uses `clay`".to_owned()));
        assert!(!found.iter().any(|line| line.starts_with("sand")));
    }
}
