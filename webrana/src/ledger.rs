//! `webrana ledger`: proving the books, from the command line or a scheduled job.

use crate::config::Config;
use crate::wiring;
use anyhow::Result;
use std::io::Write;
use std::process::ExitCode;
use store::Store;
use store::ledger::LedgerReport;

/// Orders looked at with one query.
const PART: i64 = 500;

/// What can be done about the books.
#[derive(Debug, clap::Subcommand)]
pub enum LedgerAction {
    /// Prove that the books are sound: every movement balanced, every balance equal to its entries, the total zero. Exits with 1 when they are not
    Check(Box<CheckArguments>),
    /// Recognise the revenue that orders have earned until now; once a day is enough, and more is harmless
    Recognise(Box<Config>),
}

/// How the books are to be checked.
#[derive(Debug, clap::Args)]
pub struct CheckArguments {
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,

    /// The product's settings.
    #[command(flatten)]
    config: Config,
}

/// Does it.
///
/// # Errors
/// When the database does not answer.
pub async fn run(action: LedgerAction) -> Result<ExitCode> {
    match action {
        LedgerAction::Check(arguments) => check(&arguments).await,
        LedgerAction::Recognise(config) => {
            println!("{} movements were written.", recognise(&wiring::store(&config).await?).await?);
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Goes through all orders, a part at a time.
async fn recognise(store: &Store) -> Result<usize> {
    let (mut cursor, mut written, mut failed) = (None, 0, 0);
    loop {
        let part = store.recognise_revenue(cursor, PART).await?;
        written += part.made;
        failed += part.failed;
        cursor = part.last;
        if cursor.is_none() {
            anyhow::ensure!(
                failed == 0,
                "{failed} orders or invoices failed; {written} movements were written"
            );
            return Ok(written);
        }
    }
}

async fn check(arguments: &CheckArguments) -> Result<ExitCode> {
    let report = wiring::store(&arguments.config).await?.check_ledger().await?;
    let mut output = std::io::stdout().lock();
    if arguments.json {
        writeln!(output, "{}", serde_json::to_string(&report)?)?;
    } else {
        output.write_all(table(&report).as_bytes())?;
    }
    Ok(if report.sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The trial balance and the rules, for people.
fn table(report: &LedgerReport) -> String {
    let mut lines = vec![format!(
        "{:<18} {:>9} {:>22} {:>22} {:>22}",
        "account", "accounts", "debits", "credits", "balance"
    )];
    lines.extend(report.accounts.iter().map(|total| {
        let (name, debits, credits) =
            (total.account.as_str(), total.debits.to_string(), total.credits.to_string());
        format!(
            "{name:<18} {:>9} {debits:>22} {credits:>22} {:>22}",
            total.accounts,
            total.balance.to_string()
        )
    }));
    lines.push(String::new());
    for finding in &report.findings {
        let verdict =
            if finding.count == 0 { "ok".to_owned() } else { format!("BROKEN in {}", finding.count) };
        lines.push(format!("{:<45} {verdict}", finding.rule));
        lines.extend(finding.cases.iter().map(|case| format!("    {case}")));
    }
    let verdict = if report.sound { "The books are sound" } else { "THE BOOKS ARE NOT SOUND" };
    lines.push(format!("\n{verdict}: {} movements, {} entries.", report.movements, report.entries));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Rupiah, ledger::AccountKind};
    use store::ledger::{AccountTotal, Finding};

    #[test]
    fn a_broken_rule_is_shown_with_its_cases() {
        let shown = table(&LedgerReport {
            sound: false,
            movements: 2,
            entries: 5,
            accounts: vec![AccountTotal {
                account: AccountKind::Bank,
                accounts: 1,
                debits: Rupiah::new(133_200),
                credits: Rupiah::ZERO,
                balance: Rupiah::new(-133_200),
            }],
            findings: vec![
                Finding { rule: "every movement sums to zero".into(), cases: vec![], count: 0 },
                Finding { rule: "the total is zero".into(), cases: vec!["all entries: 7".into()], count: 1 },
            ],
        });
        for part in [
            "BANK",
            "-Rp133.200",
            "every movement sums to zero",
            "BROKEN in 1",
            "    all entries: 7",
            "NOT SOUND",
        ] {
            assert!(shown.contains(part), "{part} in:\n{shown}");
        }
    }
}
