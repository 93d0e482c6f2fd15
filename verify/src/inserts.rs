//! Tests make what they need the way the product does: outside `store` and `testkit` nothing inserts rows of the business,
//! but for tests of the database's own constraints.

use std::fs;
use std::path::{Path, PathBuf};

/// What customers, money and servers are kept in, and what people and workflows are told.
const TABLES: [&str; 28] = [
    "credit_notes",
    "deposits",
    "disputes",
    "events",
    "images",
    "in_app_notifications",
    "instance_actions",
    "instances",
    "invoice_lines",
    "invoices",
    "ledger_accounts",
    "ledger_entries",
    "ledger_movements",
    "notification_deliveries",
    "order_placements",
    "orders",
    "outbox",
    "payment_proofs",
    "payments",
    "plans",
    "promo_redemptions",
    "promos",
    "providers",
    "provisioning_tasks",
    "refunds",
    "regions",
    "renewals",
    "users",
];
/// Whose rows they are.
const OWNERS: [&str; 2] = ["./store/src", "./testkit/src"];
/// Times how long a commit takes to be heard of, which no method of `Store` lets it do.
const TIMED: &str = "./webrana/src/bench/live/told.rs";
/// Files with tests of constraints.
const GUARDS: &str = "guards.rs";

/// Looks through every source of the workspace.
pub fn check() -> Result<(), String> {
    let mut wrong = Vec::new();
    for file in sources(Path::new("."))? {
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        wrong.extend(inserted(&text).map(|table| format!("{}: into {table}", file.display())));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!(
        "rows are made by `Store`, in tests through `testkit::TestApp`; inserted by hand are:\n  {}",
        wrong.join("\n  ")
    ))
}

/// Sources that must not insert, below a directory.
fn sources(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    let entries = fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| format!("{}: {error}", directory.display()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target"
                && !name.starts_with('.')
                && !OWNERS.iter().any(|owner| path == Path::new(owner))
            {
                files.extend(sources(&path)?);
            }
        } else if name.ends_with(".rs") && name != GUARDS && path != Path::new(TIMED) {
            files.push(path);
        }
    }
    Ok(files)
}

/// The tables of the business that a text inserts rows into.
fn inserted(text: &str) -> impl Iterator<Item = &str> {
    let into = text.split("INSERT INTO ").skip(1);
    let named = into.filter_map(|rest| rest.split(|c: char| c != '_' && !c.is_ascii_lowercase()).next());
    named.filter(|name| TABLES.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_business_are_found_and_others_are_not() {
        // Put together here, or this file would be found.
        let into = |table: &str| format!("{} INTO {table} (id) VALUES ($1)", "INSERT");
        let text = [into("orders"), into("auth_throttles"), into("orders_of_old"), into("users")].join("; ");
        assert_eq!(inserted(&text).collect::<Vec<_>>(), ["orders", "users"]);
        assert_eq!(inserted("SELECT FROM orders").count(), 0);
    }
}
