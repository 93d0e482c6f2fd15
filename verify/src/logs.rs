//! Every log line is an event with one dotted name, and docs/LOGGING.md has them all and no others.

use crate::cargo;
use crate::sources::{read, rust_files};
use std::collections::BTreeSet;

/// The rooms whose processes write logs in earnest.
const ROOMS: [&str; 9] =
    ["domain", "workflows", "store", "adapters", "activities", "api", "engine", "temporal", "webrana"];
const LIST: &str = "docs/LOGGING.md";

/// Compares the code with the list.
pub fn check() -> Result<(), String> {
    let mut named = BTreeSet::new();
    let mut wrong = Vec::new();
    for room in ROOMS {
        for file in rust_files(room)? {
            let text = read(&file)?;
            for body in calls(&text) {
                match name(body) {
                    Some(name) => drop(named.insert(name.to_owned())),
                    None => wrong.push(format!("{}: {}", file.display(), first_line(body))),
                }
            }
        }
    }
    let list = read(&cargo::root().join(LIST))?;
    let listed: BTreeSet<String> = list.lines().filter_map(listed).map(str::to_owned).collect();
    wrong.extend(named.difference(&listed).map(|name| format!("{LIST} lacks `{name}`")));
    wrong.extend(listed.difference(&named).map(|name| format!("{LIST} has `{name}`, which nothing writes")));
    if wrong.is_empty() {
        println!("{} events are named and listed", named.len());
        return Ok(());
    }
    Err(format!("log lines begin with `event = \"…\"` or `alert = \"…\"`:\n  {}", wrong.join("\n  ")))
}

/// What stands within the parentheses of each call that logs, and after.
fn calls(text: &str) -> impl Iterator<Item = &str> {
    ["error", "warn", "info", "debug", "trace"].into_iter().flat_map(move |level| {
        let call = format!("tracing::{level}!(");
        text.match_indices(&call).map(|(at, found)| &text[at + found.len()..]).collect::<Vec<_>>()
    })
}

/// The dotted name that a call begins with.
fn name(body: &str) -> Option<&str> {
    let body = body.trim_start();
    let value = body.strip_prefix("event = \"").or_else(|| body.strip_prefix("alert = \""))?;
    let name = value.split('"').next()?;
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|c| c.is_ascii_lowercase() || c == b'_');
    (name.split('.').count() == 2 && name.split('.').all(is_word)).then_some(name)
}

fn first_line(body: &str) -> &str {
    body.trim_start().lines().next().unwrap_or_default()
}

/// The name in the first cell of a row of the list.
fn listed(line: &str) -> Option<&str> {
    line.strip_prefix("| `")?.split('`').next().filter(|name| name.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_what_has_none_is() {
        let text = "tracing::info!(event = \"order.retried\", \"x\"); tracing::warn!(\n  alert = \"books.unsound\",\n)";
        let names: Vec<_> = calls(text).map(name).collect();
        assert_eq!(names, [Some("books.unsound"), Some("order.retried")]);
        for body in
            ["\"words\")", "%error, event = \"a.b\")", "event = \"Order.retried\"", "event = \"order\""]
        {
            assert_eq!(name(body), None, "{body}");
        }
        assert_eq!(listed("| `order.retried` | info | words |"), Some("order.retried"));
        assert_eq!(listed("| event | level |"), None);
    }
}
