//! Carrying out an action at the provider, so that its effect comes about once wherever that can be told:
//!
//! 1. Before the provider is asked, the database notes that it will be.
//! 2. What it gives for the action (the receipt) is saved before anything else; from then on it is only asked how
//!    the action goes.
//! 3. While the note stands without a receipt, the answer was lost. The next try looks whether the effect is there:
//!    a snapshot by its name, a resize by the server's size. What can't be told is asked again: power actions,
//!    rebuilds and restores have the same outcome when they are done twice.

use std::time::Duration;

use adapters::providers::{
    ActionProgress, ActionReceipt, CloudProvider, ProviderAction, ProviderError, Snapshot,
};
use chrono::TimeDelta;
use domain::{
    ids::ActionId,
    instance::{ActionStatus, InstanceAction, PowerState},
    provisioning::FailureClass,
    server::ServerState,
};
use store::instance_actions::ActionJob;
use tokio::time::{Instant, sleep};
use workflows::ActionRun;

use crate::{
    crash_point, failure::StepError, instance_server::ServerActivities, suspend::switch_off, turn::in_turn,
};

/// Shortest and longest wait between two questions how an action goes. In between: half of the time it has taken. Each
/// question is a call of the customer's share.
const PROGRESS_POLL: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(10));

/// First and longest wait before a busy provider is asked again.
const BUSY_POLL: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// How far a provider's clock may be from ours.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// How far asking came.
enum Asked {
    /// The provider is at it.
    Accepted(ActionReceipt),
    /// It is as wanted; with the id of what was made.
    Done(Option<String>),
    /// The action ended meanwhile.
    Over,
}

/// What a refusal for the server's state amounts to.
enum Clash {
    /// It is as wanted already.
    AsWanted,
    /// It is not going to pass by itself.
    Lasting(&'static str),
    /// The provider is busy with the server.
    Passing,
}

impl ServerActivities {
    pub(crate) async fn carry_out(&self, run: ActionRun) -> Result<(), StepError> {
        let job = self.store.action_job(run.action_id).await?;
        if job.status != ActionStatus::InProgress {
            return Ok(());
        }
        let provider = self.providers.get(&job.provider, job.caller)?;
        let provider = provider.as_ref();
        if job.action == InstanceAction::Suspend {
            self.prove_ours(provider, &job).await?;
            switch_off(provider, &job.provider_instance_id).await?;
            let off = ServerState::powered(PowerState::Off);
            return Ok(self.store.complete_action(run.action_id, None, &off).await?);
        }
        if let InstanceAction::DeleteSnapshot { snapshot_id } = &job.action {
            return self.delete_snapshot(provider, &job, run, snapshot_id).await;
        }
        let asked = self.asked(provider, &job, run).await?;
        crash_point("run_instance_action.asked");
        let (made, power) = match asked {
            Asked::Accepted(receipt) => {
                (await_done(provider, &job, &receipt).await?, power_afterwards(&job.action))
            }
            Asked::Done(made) => (made, None),
            Asked::Over => return Ok(()),
        };
        crash_point("run_instance_action.done");
        let snapshot = snapshot_made(provider, &job, made).await?;
        let seen = match power {
            Some(power) => ServerState::powered(power),
            None => in_turn(|| provider.get_server(&job.provider_instance_id)).await?.state(),
        };
        Ok(self.store.complete_action(run.action_id, snapshot.as_deref(), &seen).await?)
    }

    /// Makes a snapshot; answers with its id, unless the provider does not list it yet.
    pub(crate) async fn make_snapshot(
        &self,
        provider: &dyn CloudProvider,
        job: &ActionJob,
        run: ActionRun,
    ) -> Result<Option<String>, StepError> {
        let made = match self.asked(provider, job, run).await? {
            Asked::Accepted(receipt) => await_done(provider, job, &receipt).await?,
            Asked::Done(made) => made,
            Asked::Over => None,
        };
        snapshot_made(provider, job, made).await
    }

    /// What was asked before, or asks now.
    async fn asked(
        &self,
        provider: &dyn CloudProvider,
        job: &ActionJob,
        run: ActionRun,
    ) -> Result<Asked, StepError> {
        match &job.receipt {
            Some(receipt) => Ok(Asked::Accepted(read(receipt)?)),
            None => self.ask(provider, job, run).await,
        }
    }

    /// Asks the provider, until it accepts or it is clear that it won't.
    async fn ask(
        &self,
        provider: &dyn CloudProvider,
        job: &ActionJob,
        run: ActionRun,
    ) -> Result<Asked, StepError> {
        let mut request = to_request(job)?;
        if let ProviderAction::Rebuild { ssh_public_keys, root_password, .. }
        | ProviderAction::Restore { ssh_public_keys, root_password, .. } = &mut request
            && ssh_public_keys.is_empty()
        {
            *root_password = Some(self.store.ensure_root_password(job.instance_id).await?);
        }
        if let ProviderAction::Rebuild { user_data, .. } = &mut request {
            *user_data = self.store.user_data_of(job.order_id).await?;
        }
        if let ProviderAction::ResetPassword { root_password } = &mut request {
            *root_password = self.store.new_root_password(run.action_id).await?;
        }
        self.prove_ours(provider, job).await?;
        own_snapshot(provider, job).await?;
        let patience = Duration::from_millis(run.busy_patience_ms);
        let (begun, (mut wait, longest), mut clashes) = (Instant::now(), BUSY_POLL, 0);
        loop {
            if job.sent_at.is_some()
                && let Some(asked) = self.look(provider, job, run.action_id).await?
            {
                return Ok(asked);
            }
            let error = match self.send(provider, job, run.action_id, &request).await? {
                Ok(asked) => return Ok(asked),
                Err(error) if error.class == FailureClass::Conflict => error,
                Err(error) => return Err(error.into()),
            };
            clashes += 1;
            // One look may fall into a transition; what the second still sees, stays.
            match clash(provider, job).await? {
                Clash::AsWanted if clashes > 1 => return Ok(Asked::Done(None)),
                Clash::Lasting(reason) if clashes > 1 => {
                    let message = format!("{reason}; {error}");
                    return Err(StepError::ActionRefused { class: FailureClass::Conflict, message });
                }
                _ if begun.elapsed() >= patience => return Err(error.into()),
                _ => sleep(wait).await,
            }
            wait = (wait * 2).min(longest);
        }
    }

    /// One request. The note of it is taken back when the provider refused for certain and none was lost before.
    async fn send(
        &self,
        provider: &dyn CloudProvider,
        job: &ActionJob,
        action: ActionId,
        request: &ProviderAction,
    ) -> Result<Result<Asked, ProviderError>, StepError> {
        if !self.store.mark_action_sent(action).await? {
            return Ok(Ok(Asked::Over));
        }
        crash_point("run_instance_action.before_sending");
        match in_turn(|| provider.perform_action(&job.provider_instance_id, request)).await {
            Ok(receipt) => {
                crash_point("run_instance_action.after_sending");
                self.store.save_receipt(action, &write(&receipt)?).await?;
                Ok(Ok(Asked::Accepted(receipt)))
            }
            Err(error) => {
                if !error.is_ambiguous() && job.sent_at.is_none() {
                    self.store.clear_action_sent(action).await?;
                }
                Ok(Err(error))
            }
        }
    }

    /// Whether what was sent before, and whose answer was lost, had its effect.
    async fn look(
        &self,
        provider: &dyn CloudProvider,
        job: &ActionJob,
        action: ActionId,
    ) -> Result<Option<Asked>, StepError> {
        match &job.action {
            InstanceAction::Snapshot { name } => match find_snapshot(provider, job, name).await? {
                Some(snapshot) if snapshot.size_gb > 0 => Ok(Some(Asked::Done(Some(snapshot.id)))),
                Some(snapshot) => {
                    let action_kind = to_request(job)?.capability();
                    let receipt = ActionReceipt {
                        action: action_kind,
                        action_id: None,
                        resource_id: Some(snapshot.id),
                    };
                    self.store.save_receipt(action, &write(&receipt)?).await?;
                    Ok(Some(Asked::Accepted(receipt)))
                }
                None => Ok(None),
            },
            InstanceAction::Resize { .. } => {
                let server = in_turn(|| provider.get_server(&job.provider_instance_id)).await?;
                Ok((Some(&server.size) == job.size.as_ref()).then_some(Asked::Done(None)))
            }
            _ => Ok(None),
        }
    }
}

/// Whether the server is on when its provider has told that the action is complete, for what changes nothing else: that
/// needs no further call. A shutdown is a request to the machine, which may not heed it.
const fn power_afterwards(action: &InstanceAction) -> Option<PowerState> {
    match action {
        InstanceAction::PowerOn
        | InstanceAction::Resume
        | InstanceAction::Reboot
        | InstanceAction::PowerCycle => Some(PowerState::On),
        InstanceAction::PowerOff => Some(PowerState::Off),
        _ => None,
    }
}

/// The id of the snapshot that was made; looked up where the provider did not tell it.
async fn snapshot_made(
    provider: &dyn CloudProvider,
    job: &ActionJob,
    told: Option<String>,
) -> Result<Option<String>, StepError> {
    match (told, &job.action) {
        (None, InstanceAction::Snapshot { name }) => {
            Ok(find_snapshot(provider, job, name).await?.map(|snapshot| snapshot.id))
        }
        (Some(told), InstanceAction::Snapshot { .. }) => Ok(Some(told)),
        _ => Ok(None),
    }
}

/// Waits for the end of what the provider accepted; answers with the id of what was made.
async fn await_done(
    provider: &dyn CloudProvider,
    job: &ActionJob,
    receipt: &ActionReceipt,
) -> Result<Option<String>, StepError> {
    let (begun, (shortest, longest)) = (Instant::now(), PROGRESS_POLL);
    loop {
        match in_turn(|| provider.action_progress(&job.provider_instance_id, receipt)).await? {
            ActionProgress::Completed { resource_id } => {
                return Ok(resource_id.or_else(|| receipt.resource_id.clone()));
            }
            ActionProgress::Failed(message) => {
                return Err(StepError::ActionRefused { class: FailureClass::Permanent, message });
            }
            ActionProgress::InProgress => sleep((begun.elapsed() / 2).clamp(shortest, longest)).await,
        }
    }
}

/// What the server's state says about a refusal.
async fn clash(provider: &dyn CloudProvider, job: &ActionJob) -> Result<Clash, StepError> {
    let server = in_turn(|| provider.get_server(&job.provider_instance_id)).await?;
    Ok(match (&job.action, server.power) {
        (InstanceAction::PowerOn | InstanceAction::Resume, PowerState::On) if server.ready => Clash::AsWanted,
        (InstanceAction::PowerOff | InstanceAction::Shutdown, PowerState::Off) => Clash::AsWanted,
        (InstanceAction::Reboot | InstanceAction::PowerCycle, PowerState::Off) => {
            Clash::Lasting("the server is off")
        }
        (InstanceAction::ResetPassword, PowerState::On) if server.ready => {
            Clash::Lasting("the server is on, and its provider sets passwords only of what is off")
        }
        (InstanceAction::Resize { .. }, PowerState::On) if server.ready => {
            Clash::Lasting("the server is on, and its provider resizes only what is off")
        }
        _ => Clash::Passing,
    })
}

/// A snapshot of this name that none of the server's other actions made.
async fn find_snapshot(
    provider: &dyn CloudProvider,
    job: &ActionJob,
    name: &str,
) -> Result<Option<Snapshot>, StepError> {
    let sent = job.sent_at.unwrap_or(job.read_at) - CLOCK_SKEW;
    let mut found = in_turn(|| provider.list_snapshots(&job.provider_instance_id)).await?;
    found.retain(|s| s.name == name && s.created_at >= sent && !job.other_snapshots.contains(&s.id));
    Ok(found.pop())
}

/// Refuses to restore what is not this server's own: ids are guessable, and an account's snapshots lie together.
async fn own_snapshot(provider: &dyn CloudProvider, job: &ActionJob) -> Result<(), StepError> {
    let InstanceAction::Restore { snapshot_id } = &job.action else { return Ok(()) };
    let own = in_turn(|| provider.list_snapshots(&job.provider_instance_id)).await?;
    if own.iter().any(|snapshot| snapshot.id == *snapshot_id) {
        return Ok(());
    }
    let message = format!("the server has no snapshot {snapshot_id}");
    Err(StepError::ActionRefused { class: FailureClass::NotFound, message })
}

fn to_request(job: &ActionJob) -> Result<ProviderAction, StepError> {
    Ok(match &job.action {
        InstanceAction::PowerOn | InstanceAction::Resume => ProviderAction::PowerOn,
        InstanceAction::PowerOff => ProviderAction::PowerOff,
        InstanceAction::Shutdown => ProviderAction::Shutdown,
        InstanceAction::Reboot => ProviderAction::Reboot,
        InstanceAction::PowerCycle => ProviderAction::PowerCycle,
        InstanceAction::Rebuild { image } => ProviderAction::Rebuild {
            image: job.image.clone().ok_or_else(|| not_offered("image", image))?,
            ssh_public_keys: job.ssh_keys.clone(),
            root_password: None,
            user_data: None,
        },
        InstanceAction::Resize { plan_id } => ProviderAction::Resize {
            size: job.size.clone().ok_or_else(|| not_offered("plan", plan_id))?,
            grow_disk: job.grows_disk,
        },
        InstanceAction::Snapshot { name } => ProviderAction::Snapshot { name: name.clone() },
        InstanceAction::Restore { snapshot_id } => {
            let ssh_public_keys = job.ssh_keys.clone();
            ProviderAction::Restore { snapshot_id: snapshot_id.clone(), ssh_public_keys, root_password: None }
        }
        InstanceAction::EnableBackups => ProviderAction::EnableBackups,
        InstanceAction::DisableBackups => ProviderAction::DisableBackups,
        // The password is put in before it is sent.
        InstanceAction::ResetPassword => {
            ProviderAction::ResetPassword { root_password: String::new().into() }
        }
        InstanceAction::DeleteSnapshot { .. }
        | InstanceAction::Rename { .. }
        | InstanceAction::Delete
        | InstanceAction::Suspend => {
            let message = format!("{} is not done this way", job.action.kind());
            return Err(StepError::ActionRefused { class: FailureClass::Permanent, message });
        }
    })
}

fn not_offered(what: &str, which: &impl std::fmt::Display) -> StepError {
    let message = format!("the {what} {which} is not offered at the server's provider any more");
    StepError::ActionRefused { class: FailureClass::Configuration, message }
}

fn read(receipt: &serde_json::Value) -> Result<ActionReceipt, StepError> {
    serde_json::from_value(receipt.clone()).map_err(|error| StepError::Store(error.into()))
}

fn write(receipt: &ActionReceipt) -> Result<serde_json::Value, StepError> {
    serde_json::to_value(receipt).map_err(|error| StepError::Store(error.into()))
}
