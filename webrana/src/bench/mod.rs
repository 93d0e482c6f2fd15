//! `webrana bench`: what the product does in numbers, on a stack of its own. It drives the product from outside, as
//! customers do, and never decides whether a number is good: no test waits for one.

mod api;
mod baseline;
mod figures;
mod history;
mod instances;
mod live;
mod load;
mod meter;
mod orders;
mod providers;
mod samples;
mod shop;
mod stack;
mod watch;
mod webhooks;
mod workers;

use anyhow::Result;

/// What is measured.
#[derive(Debug, clap::Subcommand)]
pub enum BenchAction {
    /// What is asked most, by many connections at once: catalog, lists, logins, beside a bare route and a bare query
    Api(Box<api::Arguments>),
    /// Orders from placed to ACTIVE: how many a second, how long each takes, and what the engine alone could do
    Orders(Box<orders::Arguments>),
    /// Servers whose terms end within the same minute: renewed, paid late or suspended, each exactly once, and how long that
    /// takes
    Instances(Box<instances::Arguments>),
    /// Open connections: what memory those take that nothing is said to, and how long it takes from a commit until others hear
    /// of it, each once
    Live(Box<live::Arguments>),
    /// Bursts of orders at each provider, with the vendors' rate limits on: how much of them is used, and how often a
    /// call is refused
    Providers(Box<providers::Arguments>),
    /// Notifications of a payment gateway, many of them more than once: how many a second are taken in, how long each
    /// takes, what the same machine does of the barest work, and whether each payment was credited once
    Webhooks(Box<webhooks::Arguments>),
}

/// Measures and prints.
///
/// # Errors
/// In production, when the stack cannot start, or when an order does not become ACTIVE.
pub async fn run(action: BenchAction) -> Result<()> {
    match action {
        BenchAction::Api(arguments) => api::run(*arguments).await,
        BenchAction::Orders(arguments) => orders::run(*arguments).await,
        BenchAction::Instances(arguments) => instances::run(*arguments).await,
        BenchAction::Live(arguments) => live::run(*arguments).await,
        BenchAction::Providers(arguments) => providers::run(*arguments).await,
        BenchAction::Webhooks(arguments) => webhooks::run(*arguments).await,
    }
}
