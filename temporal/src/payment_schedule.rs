//! The janitor of payments is due without anybody asking. Whoever serves the payments' queue makes sure at its start
//! that its schedule is there and as it is set.

use std::time::Duration;

use domain::payment_check::{PaymentCheckPolicy, PaymentCheckStart};
use temporalio_client::{
    Client, RpcOptions,
    schedules::{
        CreateScheduleOptions, ScheduleAction, ScheduleError, ScheduleOverlapPolicy, ScheduleSpec,
        ScheduleUpdate,
    },
};
use tonic::Code;
use workflows::{PaymentCheckWorkflow, queues};

/// How often waiting payments are looked at, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaymentCheckSettings {
    /// How often.
    pub every: Duration,
    /// Which, and how patient the runs are.
    pub policy: PaymentCheckPolicy,
}

impl Default for PaymentCheckSettings {
    /// Every minute.
    fn default() -> Self {
        Self { every: Duration::from_secs(60), policy: PaymentCheckPolicy::default() }
    }
}

/// Makes the schedule `payment-check`, behind the prefix of the queues, or sets it anew where it is there already.
/// Several processes may do so at once. A run that takes longer than the interval is not joined by a second one.
///
/// # Errors
/// [`ScheduleError`] when the engine refuses or does not answer.
pub async fn ensure(
    client: &Client,
    queue_prefix: &str,
    settings: &PaymentCheckSettings,
) -> Result<(), ScheduleError> {
    let id = format!("{queue_prefix}payment-check");
    let start = PaymentCheckStart { policy: settings.policy };
    let queue = queues::lifecycle(queue_prefix);
    let action = ScheduleAction::start_workflow(PaymentCheckWorkflow::run, start, &queue, &id);
    let spec = ScheduleSpec::from_interval(settings.every);
    let options = CreateScheduleOptions::builder()
        .action(action.clone())
        .spec(spec.clone())
        .overlap_policy(ScheduleOverlapPolicy::Skip)
        .build();
    match client.create_schedule(id.clone(), options).await {
        Ok(_) => Ok(()),
        Err(ScheduleError::Rpc(status)) if status.code() == Code::AlreadyExists => {
            let anew = move |update: &mut ScheduleUpdate| {
                update.set_spec(spec).set_action(action);
            };
            client.get_schedule_handle(id).update(anew, RpcOptions::default()).await
        }
        Err(error) => Err(error),
    }
}
