//! Acting: powering off what nobody should pay for, deleting it when its time is over, and giving back what was wanted
//! after all. A server is judged once more, by what the database says at that moment, before anything is done to it.

use std::collections::BTreeMap;

use adapters::providers::{ProviderAction, ProviderError};
use domain::{
    instance::{Capability, PowerState},
    provisioning::FailureClass,
    reconciliation::{FindingAction, FindingKind, FindingReason, Verdict, most_at_once},
    server::ProviderServer,
};
use serde_json::{Value, json};
use store::reconciliation::{NewFinding, NewQuarantine, Quarantined};

use super::observe::{JudgedServer, Observation, Observed};
use crate::failure::StepError;

/// What was done about a server, and what else there is to say.
type Done = (FindingAction, Value);

impl Observation<'_> {
    /// Findings about servers nobody should pay for, each with what was done about it.
    pub(super) async fn unwanted(&self, seen: &Observed) -> Result<Vec<NewFinding>, StepError> {
        let in_quarantine = self.in_quarantine().await?;
        let held = self.held(seen, &in_quarantine);
        let mut findings = Vec::new();
        for judged in &seen.servers {
            let Verdict::Unwanted(kind, reason) = judged.verdict else { continue };
            let known = in_quarantine.get(&judged.server.id);
            let found = self.unwanted_one(judged, (kind, reason), known, held).await;
            findings.extend(self.or_skip(&judged.server.id, found));
        }
        Ok(findings)
    }

    async fn unwanted_one(
        &self,
        judged: &JudgedServer,
        (kind, reason): (FindingKind, FindingReason),
        known: Option<&Quarantined>,
        held: Option<usize>,
    ) -> Result<Option<NewFinding>, StepError> {
        let (action, detail) = if !reason.may_be_quarantined() {
            (FindingAction::None, json!({}))
        } else if self.settings.dry_run {
            (would_do(known, self), detail_of(known))
        } else if let Some(held) = held.filter(|_| known.is_none()) {
            (FindingAction::Held, json!({ "newly_unwanted": held }))
        } else {
            self.deal_with(judged, kind, reason).await?
        };
        let finding = self.finding(judged, kind, reason, action).await?;
        Ok(Some(NewFinding { detail, ..finding }))
    }

    /// How many servers are newly unwanted, when they are so many that it looks like our own mistake and nobody has named
    /// that number.
    fn held(&self, seen: &Observed, in_quarantine: &BTreeMap<String, Quarantined>) -> Option<usize> {
        let newly_unwanted = seen.servers.iter().filter(|judged| match judged.verdict {
            Verdict::Unwanted(_, reason) => {
                reason.may_be_quarantined() && !in_quarantine.contains_key(&judged.server.id)
            }
            Verdict::Wanted | Verdict::NotYetJudged => false,
        });
        let count = newly_unwanted.count();
        let is_confirmed = self.settings.confirmed_unwanted.is_some_and(|named| named as usize == count);
        (!is_confirmed && count > most_at_once(seen.servers.len())).then_some(count)
    }

    /// Finishes what was decided before: notes what is gone, lets go what is wanted after all, and gives power back to
    /// what was let go. Done in a dry run too, since it begins nothing.
    pub(super) async fn settle_quarantine(&self, seen: &Observed) -> Result<(), StepError> {
        for quarantined in self.in_quarantine().await?.into_values() {
            let listed =
                seen.servers.iter().find(|judged| judged.server.id == quarantined.provider_instance_id);
            let settled = match listed {
                None => self.note_if_gone(&quarantined).await,
                Some(judged) => self.settle(&quarantined, judged).await,
            };
            self.or_skip(&quarantined.provider_instance_id, settled);
        }
        Ok(())
    }

    async fn in_quarantine(&self) -> Result<BTreeMap<String, Quarantined>, StepError> {
        let rows = self.store.quarantine_of(self.provider.slug()).await?;
        Ok(rows.into_iter().map(|row| (row.provider_instance_id.clone(), row)).collect())
    }

    async fn note_if_gone(&self, quarantined: &Quarantined) -> Result<(), StepError> {
        match self.provider.get_server(&quarantined.provider_instance_id).await {
            Err(error) if error.class == FailureClass::NotFound => {
                Ok(self.store.note_quarantined_gone(quarantined.id).await?)
            }
            Err(error) => Err(error.into()),
            Ok(_) => Ok(()),
        }
    }

    async fn settle(&self, quarantined: &Quarantined, judged: &JudgedServer) -> Result<(), StepError> {
        let is_wanted = !matches!(judged.verdict, Verdict::Unwanted(..));
        let mut wants_power = quarantined.wants_power();
        if is_wanted && quarantined.released_at.is_none() && self.store.release_wanted(quarantined.id).await?
        {
            wants_power = quarantined.powered_off_at.is_some();
        }
        if !wants_power {
            return Ok(());
        }
        if judged.server.power != PowerState::On
            && let Err(error) = self.servers.perform_action(&judged.server.id, &ProviderAction::PowerOn).await
        {
            refused_or_trouble(error)?;
            return Ok(());
        }
        Ok(self.store.note_power_restored(quarantined.id).await?)
    }

    /// Puts a server into quarantine, or deletes it when its time there is over.
    async fn deal_with(
        &self,
        judged: &JudgedServer,
        kind: FindingKind,
        reason: FindingReason,
    ) -> Result<Done, StepError> {
        if !self.is_still_unwanted(&judged.server, reason).await? {
            return Ok((FindingAction::None, json!({ "changed_meanwhile": true })));
        }
        let quarantined = self
            .store
            .quarantine_server(&NewQuarantine {
                provider: self.provider.slug().to_owned(),
                provider_instance_id: judged.server.id.clone(),
                kind,
                reason,
                name: Some(judged.server.name.clone()),
                tags: judged.server.tags.clone(),
                order_id: judged.order,
                monthly_cost: self.monthly_cost(&judged.server.size).await?,
                found_by: self.run.id,
                for_ms: self.settings.quarantine_ms,
            })
            .await?;
        let acted = if quarantined.released_at.is_some() {
            Ok(FindingAction::Released)
        } else if quarantined.powered_off_at.is_none() || judged.server.power == PowerState::On {
            self.power_off(&quarantined, &judged.server).await
        } else if quarantined.delete_after <= self.run.at {
            self.delete(&quarantined, reason).await
        } else {
            Ok(FindingAction::InQuarantine)
        };
        let mut detail = detail_of(Some(&quarantined));
        match acted {
            Ok(action) => Ok((action, detail)),
            Err(StepError::Provider(error)) => {
                detail["refused"] = refused_or_trouble(error)?.into();
                Ok((FindingAction::Refused, detail))
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the database still says so: an order may have been retried, a server attached since the list was read.
    async fn is_still_unwanted(
        &self,
        server: &ProviderServer,
        reason: FindingReason,
    ) -> Result<bool, StepError> {
        let judged = self.judge(std::slice::from_ref(server)).await?;
        Ok(judged.iter().all(|judged| match judged.verdict {
            Verdict::Unwanted(_, FindingReason::OrderFailed) => reason == FindingReason::OlderServerKept,
            Verdict::Unwanted(..) => true,
            Verdict::Wanted | Verdict::NotYetJudged => false,
        }))
    }

    async fn power_off(
        &self,
        quarantined: &Quarantined,
        server: &ProviderServer,
    ) -> Result<FindingAction, StepError> {
        if server.power != PowerState::Off {
            self.servers.perform_action(&server.id, &self.switch_off()).await?;
            tracing::warn!(
                event = "reconcile.quarantined",
                provider = self.provider.slug(),
                server = %server.id,
                reason = %quarantined.reason,
                "a server nobody uses was powered off"
            );
        }
        self.store.note_powered_off(quarantined.id).await?;
        Ok(FindingAction::Quarantined)
    }

    /// The provider's way to switch a server off.
    fn switch_off(&self) -> ProviderAction {
        if self.provider.capabilities().contains(&Capability::PowerOff) {
            ProviderAction::PowerOff
        } else {
            ProviderAction::Shutdown
        }
    }

    /// Deletes a server after a fresh look at the provider and in the database.
    async fn delete(
        &self,
        quarantined: &Quarantined,
        reason: FindingReason,
    ) -> Result<FindingAction, StepError> {
        let server = match self.servers.get_server(&quarantined.provider_instance_id).await {
            Ok(server) => server,
            Err(error) if error.class == FailureClass::NotFound => return Ok(FindingAction::Deleted),
            Err(error) => return Err(error.into()),
        };
        if !self.store.installation().owns(&server.tags) {
            return Ok(FindingAction::InQuarantine);
        }
        let may_be_deleted = self.is_still_unwanted(&server, reason).await?
            && self.store.note_delete_requested(quarantined.id).await?;
        if !may_be_deleted {
            return Ok(FindingAction::InQuarantine);
        }
        self.servers.delete_server(&server.id).await?;
        tracing::warn!(
            event = "reconcile.deleted",
            provider = self.provider.slug(),
            server = %server.id,
            reason = %quarantined.reason,
            "a server nobody uses was deleted"
        );
        Ok(FindingAction::Deleted)
    }
}

/// What a run that may act would do.
fn would_do(known: Option<&Quarantined>, observation: &Observation<'_>) -> FindingAction {
    match known {
        None => FindingAction::WouldQuarantine,
        Some(row) if row.released_by.is_some() => FindingAction::Released,
        Some(row) if row.released_at.is_some() || row.powered_off_at.is_none() => {
            FindingAction::WouldQuarantine
        }
        Some(row) if row.delete_after <= observation.run.at => FindingAction::WouldDelete,
        Some(_) => FindingAction::InQuarantine,
    }
}

fn detail_of(known: Option<&Quarantined>) -> Value {
    match known.filter(|row| row.released_at.is_none()) {
        Some(row) => json!({ "quarantined_server_id": row.id, "delete_after": row.delete_after }),
        None => json!({}),
    }
}

/// A refusal is a finding; passing trouble is counted. Either way the next run tries again.
fn refused_or_trouble(error: ProviderError) -> Result<String, StepError> {
    if error.is_passing() { Err(error.into()) } else { Ok(error.message) }
}
