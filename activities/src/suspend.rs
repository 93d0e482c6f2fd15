//! Switching a server off for want of money: its operating system is asked to stop, and what does not heed that loses its
//! power. Nothing is kept of how far it came: asking again has the same outcome.

use std::time::Duration;

use adapters::providers::{CloudProvider, ProviderAction, ProviderError};
use domain::{
    instance::{Capability, PowerState},
    provisioning::FailureClass,
};
use tokio::time::{Instant, sleep};

use crate::{crash_point, failure::StepError, turn::in_turn};

/// How long an operating system may take to stop.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(60);
/// How long a power cut may take; then another try begins.
const POWER_OFF_PATIENCE: Duration = Duration::from_secs(300);
/// Shortest and longest wait between two looks.
const LOOKS: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(10));

/// Ends when the provider says that the server is off.
pub(crate) async fn switch_off(provider: &dyn CloudProvider, server: &str) -> Result<(), StepError> {
    crash_point("suspend.before");
    if is_off(provider, server).await? {
        return Ok(());
    }
    if provider.capabilities().contains(&Capability::Shutdown) {
        ask(provider, server, ProviderAction::Shutdown).await?;
        crash_point("suspend.shut_down");
        if becomes_off(provider, server, SHUTDOWN_PATIENCE).await? {
            crash_point("suspend.off");
            return Ok(());
        }
    }
    ask(provider, server, ProviderAction::PowerOff).await?;
    if becomes_off(provider, server, POWER_OFF_PATIENCE).await? {
        crash_point("suspend.off");
        return Ok(());
    }
    let message = "the server was told to power off, and is still on".to_owned();
    Err(StepError::ActionRefused { class: FailureClass::Retryable, message })
}

/// A server that is busy, or off by now, refuses for its state: the looks that follow tell which.
async fn ask(provider: &dyn CloudProvider, server: &str, action: ProviderAction) -> Result<(), StepError> {
    match in_turn(|| provider.perform_action(server, &action)).await {
        Ok(_) => Ok(()),
        Err(ProviderError { class: FailureClass::Conflict, .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn is_off(provider: &dyn CloudProvider, server: &str) -> Result<bool, StepError> {
    Ok(in_turn(|| provider.get_server(server)).await?.power == PowerState::Off)
}

async fn becomes_off(
    provider: &dyn CloudProvider,
    server: &str,
    patience: Duration,
) -> Result<bool, StepError> {
    let (begun, (shortest, longest)) = (Instant::now(), LOOKS);
    loop {
        if is_off(provider, server).await? {
            return Ok(true);
        }
        if begun.elapsed() >= patience {
            return Ok(false);
        }
        sleep((begun.elapsed() / 2).clamp(shortest, longest)).await;
    }
}
