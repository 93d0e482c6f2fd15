//! Being asked to stop: Ctrl-C, SIGTERM, or a terminal that goes away.

use anyhow::Result;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled at the first request to stop. The second one ends the process at once: its children
/// die with it.
///
/// # Errors
/// When the signals cannot be listened to.
pub fn stop_token() -> Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut next = async move || {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    };
    let cancelled = token.clone();
    tokio::spawn(async move {
        next().await;
        cancelled.cancel();
        next().await;
        std::process::exit(130);
    });
    Ok(token)
}

/// Lets this process have as many open files as it may, connections among them: what shells hand out is often 1024.
pub fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, wanted) {
        tracing::warn!(event = "process.file_limit", %error, "the limit of open files stays as it is");
    }
}

/// Cancels `token` when standard input ends: a parent that holds the other end can then never leave us behind,
/// however it ends itself.
pub fn stop_at_end_of_input(token: &CancellationToken) {
    let token = token.clone();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        token.cancel();
    });
}
