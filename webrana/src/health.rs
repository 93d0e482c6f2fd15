//! `webrana healthcheck`: what a container asks about the API it holds.

use anyhow::{Context, Result, bail};
use std::time::Duration;
use url::Url;

/// Whom to ask.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The API
    #[arg(
        id = "healthcheck.url",
        long = "url",
        env = "HEALTHCHECK_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:3000/readyz"
    )]
    url: Url,

    /// Longest wait for its answer
    #[arg(
        id = "healthcheck.timeout",
        long = "timeout",
        env = "HEALTHCHECK_TIMEOUT",
        value_name = "DURATION",
        default_value = "2s",
        value_parser = crate::config::value::duration
    )]
    timeout: Duration,
}

/// Succeeds when the API says that it is ready.
///
/// # Errors
/// When it does not answer, or not that it is ready.
pub async fn check(arguments: &Arguments) -> Result<()> {
    let client = reqwest::Client::builder().timeout(arguments.timeout).no_proxy().build()?;
    let answer = client.get(arguments.url.clone()).send().await.context("the API does not answer")?;
    if !answer.status().is_success() {
        bail!("the API answers {}", answer.status());
    }
    Ok(())
}
