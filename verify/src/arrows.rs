//! Dependencies between the rooms point one way. The table is the one of `docs/ARCHITECTURE.md`.

use crate::cargo;
use std::collections::BTreeSet;

/// What each room may know of the others.
const ROOMS: [(&str, &[&str]); 15] = [
    ("domain", &[]),
    ("messages", &["domain"]),
    ("workflows", &["domain"]),
    ("adapters", &["domain"]),
    ("store", &["domain"]),
    ("activities", &["domain", "messages", "workflows", "store", "adapters"]),
    ("api", &["domain", "messages", "workflows", "store", "adapters"]),
    ("engine", &[]),
    ("temporal", &["engine", "domain", "workflows", "store", "adapters", "activities"]),
    // A client that shared types with the API would not see when its answers change.
    ("client", &[]),
    // A simulator that shared code with the adapter it stands in for would share its mistakes.
    ("simulators", &[]),
    // For tests only: it is nobody's dependency but for their development.
    ("testkit", &["domain", "messages", "store", "adapters", "api", "client", "simulators"]),
    (
        "webrana",
        &[
            "domain",
            "messages",
            "workflows",
            "store",
            "adapters",
            "activities",
            "api",
            "client",
            "engine",
            "temporal",
            "simulators",
        ],
    ),
    (
        "webrana-tests",
        &[
            "domain",
            "messages",
            "workflows",
            "store",
            "adapters",
            "activities",
            "api",
            "client",
            "engine",
            "temporal",
            "simulators",
            "testkit",
            "webrana",
        ],
    ),
    ("verify", &[]),
];

/// Crates by which a workflow could reach the outside world: it must be deterministic. The workflow library brings
/// `tokio` and `tonic` along for their types; without the crates below neither can open a connection.
const NOT_IN_WORKFLOWS: [&str; 14] = [
    "async-std",
    "axum",
    "h2",
    "hyper",
    "hyper-util",
    "mio",
    "reqwest",
    "rustls",
    "socket2",
    "sqlx",
    "sqlx-core",
    "temporalio-client",
    "temporalio-sdk",
    "temporalio-sdk-core",
];

/// Checks both tables.
pub fn check() -> Result<(), String> {
    for (room, allowed) in ROOMS {
        let tree =
            cargo::output(&["tree", "-p", room, "-e", "normal,build", "--prefix", "none", "--depth", "1"])?;
        let wrong = beyond(&tree, room, allowed);
        if !wrong.is_empty() {
            return Err(format!("`{room}` depends on {}, which its place does not allow", wrong.join(", ")));
        }
    }
    let tree = cargo::output(&["tree", "-p", "workflows", "-e", "normal", "--prefix", "none"])?;
    let wrong = forbidden(&tree);
    if !wrong.is_empty() {
        return Err(format!(
            "`workflows` depends on {}: workflow code is deterministic and has no IO",
            wrong.join(", ")
        ));
    }
    Ok(())
}

/// Names in the output of `cargo tree --prefix none`.
fn names(tree: &str) -> BTreeSet<&str> {
    tree.lines().filter_map(|line| line.split(' ').next()).filter(|name| !name.is_empty()).collect()
}

fn beyond<'a>(tree: &'a str, room: &str, allowed: &[&str]) -> Vec<&'a str> {
    let rooms: BTreeSet<&str> = ROOMS.iter().map(|(room, _)| *room).collect();
    names(tree)
        .into_iter()
        .filter(|name| rooms.contains(name) && *name != room && !allowed.contains(name))
        .collect()
}

fn forbidden(tree: &str) -> Vec<&str> {
    names(tree).into_iter().filter(|name| NOT_IN_WORKFLOWS.contains(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str =
        "store v0.1.0 (/repo/store)\ndomain v0.1.0 (/repo/domain)\napi v0.1.0 (/repo/api)\nserde v1.0.0\n";

    #[test]
    fn an_arrow_that_points_back_is_found() {
        assert_eq!(beyond(TREE, "store", &["domain"]), ["api"]);
        assert_eq!(beyond(TREE, "store", &["domain", "api"]), Vec::<&str>::new());
    }

    #[test]
    fn io_in_workflows_is_found() {
        assert_eq!(forbidden("workflows v0.1.0 (/repo)\nreqwest v0.13.5\nserde v1.0.0 (*)\n"), ["reqwest"]);
    }
}
