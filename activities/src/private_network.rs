//! The private network of a customer's servers: found or made before a create is sent, deleted at the provider when the
//! last server is gone. A network is named after its customer, so whoever lost sight of one finds it again.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use adapters::providers::CloudProvider;
use domain::{
    ids::{InstanceId, OrderId},
    provisioning::{FailureClass, network_name},
};
use store::{Store, provisioning::ProvisioningJob};
use tokio::sync::Mutex as Turn;

use crate::failure::StepError;

/// Lets one order of a customer at a time look for their network in this process: the others then read what it kept.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<BTreeMap<String, Weak<Turn<()>>>>);

impl Turns {
    fn of(&self, name: &str) -> Arc<Turn<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(name).and_then(Weak::upgrade) {
            return turn;
        }
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::default();
        turns.insert(name.to_owned(), Arc::downgrade(&turn));
        turn
    }
}

/// The network an order's server is to be in; `None` where a server without one is alone.
pub(crate) async fn network_for(
    turns: &Turns,
    store: &Store,
    provider: &dyn CloudProvider,
    order: OrderId,
    job: &ProvisioningJob,
) -> Result<Option<String>, StepError> {
    let name = network_name(store.installation(), job.customer, &job.region);
    let turn = turns.of(&name);
    let _first = turn.lock().await;
    if let Some(known) = store.network_of(order).await? {
        return Ok(Some(known));
    }
    let network = provider.ensure_network(&name, &job.region).await?;
    if let Some(id) = &network {
        store.save_network(order, id).await?;
    }
    Ok(network)
}

/// Deletes the networks at a provider whose last server is gone, or those alone of the customer whose server was `of`. One
/// that is in use after all stays, and is looked at again by the next comparison; so is one there is trouble with. Idempotent:
/// what is gone already counts as deleted.
pub(crate) async fn remove_empty(
    store: &Store,
    provider: &dyn CloudProvider,
    of: Option<InstanceId>,
) -> Result<(), StepError> {
    for id in store.networks_to_remove(provider.slug(), of).await? {
        match provider.delete_network(&id).await {
            Ok(()) => store.note_network_removed(provider.slug(), &id).await?,
            Err(error) if error.class == FailureClass::Conflict => {}
            Err(error) => {
                tracing::warn!(
                    event = "network.not_deleted",
                    provider = provider.slug(),
                    network = id,
                    %error,
                    "an empty network could not be deleted"
                );
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
