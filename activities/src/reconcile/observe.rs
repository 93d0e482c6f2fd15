//! Looking: what the provider lists, what we know of it, and what is to be thought of that.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use adapters::providers::CloudProvider;
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    ids::OrderId,
    provisioning::{FailureClass, order_tag},
    reconciliation::{
        FindingAction, FindingKind, FindingReason, KnownInstance, KnownOrder, Verdict, differences,
        is_correctable, judge, monthly_cost,
    },
    server::ProviderServer,
    upkeep::ReconcileSettings,
};
use rust_decimal::Decimal;
use serde_json::json;
use store::{
    Store,
    reconciliation::{Begun, NewFinding},
};
use tokio::sync::OnceCell;

use crate::failure::StepError;

/// Servers whose records are read at once.
const CHUNK: usize = 500;

/// One comparison under way.
pub(super) struct Observation<'a> {
    pub(super) store: &'a Store,
    /// For looking.
    pub(super) provider: &'a dyn CloudProvider,
    /// For what keeps and frees servers, which no looking keeps waiting.
    pub(super) servers: &'a dyn CloudProvider,
    pub(super) settings: ReconcileSettings,
    pub(super) run: Begun,
    prices: OnceCell<BTreeMap<String, Decimal>>,
    failed: AtomicUsize,
}

/// What the provider listed, with what we think of it.
pub(super) struct Observed {
    pub(super) servers: Vec<JudgedServer>,
}

/// A listed server with our records and the verdict.
pub(super) struct JudgedServer {
    pub(super) server: ProviderServer,
    /// The record that names it.
    pub(super) attached: Option<KnownOrder>,
    /// The order whose tag it carries.
    pub(super) order: Option<OrderId>,
    pub(super) verdict: Verdict,
}

impl<'a> Observation<'a> {
    pub(super) fn new(
        store: &'a Store,
        [provider, servers]: [&'a dyn CloudProvider; 2],
        settings: ReconcileSettings,
        run: Begun,
    ) -> Self {
        Self { store, provider, servers, settings, run, prices: OnceCell::new(), failed: AtomicUsize::new(0) }
    }

    /// What came of one server. Trouble with it is counted and does not stop those behind it; the next run tries again.
    pub(super) fn or_skip<T: Default>(&self, server: &str, done: Result<T, StepError>) -> T {
        done.unwrap_or_else(|error| {
            self.failed.fetch_add(1, Ordering::Relaxed);
            tracing::error!(
                event = "reconcile.not_compared",
                provider = self.provider.slug(),
                server,
                %error,
                "a server could not be compared"
            );
            T::default()
        })
    }

    /// How many servers there was trouble with.
    pub(super) fn failed(&self) -> usize {
        self.failed.load(Ordering::Relaxed)
    }

    /// The moment before which a server's making must have settled: its create can't be under way any more, and it is
    /// sure to be listed.
    fn settled(&self) -> DateTime<Utc> {
        let window = self.provider.request_timeout() + self.provider.listing_lag();
        self.run.at - chrono::TimeDelta::from_std(window).unwrap_or(chrono::TimeDelta::MAX)
    }

    /// Lists every server of ours and judges it by records read afterwards.
    pub(super) async fn list(&self) -> Result<Observed, StepError> {
        self.judge_all(&self.fleet().await?).await
    }

    /// Judges servers that come oldest first.
    pub(super) async fn judge_all(&self, listed: &[ProviderServer]) -> Result<Observed, StepError> {
        let mut servers = Vec::with_capacity(listed.len());
        for chunk in listed.chunks(CHUNK) {
            servers.extend(self.judge(chunk).await?);
        }
        keep_oldest_of_failed_orders(&mut servers);
        Ok(Observed { servers })
    }

    /// Every server of this installation, oldest first. Another's on the same account is never looked at.
    async fn fleet(&self) -> Result<Vec<ProviderServer>, StepError> {
        let installation = self.store.installation();
        let mut fleet = self.provider.find_by_tag(&installation.tag()).await?;
        fleet.retain(|server| installation.owns(&server.tags));
        fleet.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        fleet.dedup_by(|a, b| a.id == b.id);
        Ok(fleet)
    }

    /// Judges servers by what the database says now.
    pub(super) async fn judge(&self, servers: &[ProviderServer]) -> Result<Vec<JudgedServer>, StepError> {
        let orders: Vec<OrderId> = servers.iter().filter_map(tagged_order).collect();
        let ids: Vec<String> = servers.iter().map(|server| server.id.clone()).collect();
        let slug = self.provider.slug();
        let known = self.store.known_servers(slug, &orders, &ids, self.run.at).await?;
        let here = |k: &&KnownOrder| k.instance.as_ref().is_some_and(|i| i.provider == slug);
        let by_server: BTreeMap<&str, &KnownOrder> = known
            .iter()
            .filter(here)
            .filter_map(|k| Some((k.instance.as_ref()?.server.as_deref()?, k)))
            .collect();
        let by_order: BTreeMap<OrderId, &KnownOrder> = known.iter().map(|k| (k.order_id, k)).collect();
        let settled = self.settled();
        let judged = servers.iter().map(|server| {
            let attached = by_server.get(server.id.as_str()).copied();
            let tagged = tagged_order(server).and_then(|order| by_order.get(&order).copied());
            JudgedServer {
                verdict: judge(server, attached, tagged, settled),
                attached: attached.cloned(),
                order: attached.or(tagged).map(|known| known.order_id),
                server: server.clone(),
            }
        });
        Ok(judged.collect())
    }

    /// Servers that are their orders' but not as we believe. Our record is corrected where that is all it takes.
    pub(super) async fn drifted(&self, seen_servers: &Observed) -> Vec<NewFinding> {
        let mut findings = Vec::new();
        for judged in seen_servers.servers.iter().filter(|judged| judged.verdict == Verdict::Wanted) {
            findings.extend(self.or_skip(&judged.server.id, self.drift(judged).await));
        }
        findings
    }

    async fn drift(&self, judged: &JudgedServer) -> Result<Option<NewFinding>, StepError> {
        let Some(instance) = judged.attached.as_ref().and_then(|known| known.instance.as_ref()) else {
            return Ok(None);
        };
        let found = differences(&judged.server, instance);
        if found.is_empty() {
            return Ok(None);
        }
        let action = if found.iter().any(is_correctable) {
            self.correct(instance, &judged.server).await?
        } else {
            FindingAction::None
        };
        let mut finding = self.finding(judged, FindingKind::Drifted, FindingReason::Differs, action).await?;
        finding.detail = json!({ "differences": found });
        Ok(Some(finding))
    }

    async fn correct(
        &self,
        instance: &KnownInstance,
        seen: &ProviderServer,
    ) -> Result<FindingAction, StepError> {
        if self.settings.dry_run {
            return Ok(FindingAction::WouldCorrect);
        }
        let corrected = self.store.correct_record(instance, seen).await?;
        Ok(if corrected { FindingAction::Corrected } else { FindingAction::None })
    }

    /// Servers we believe to run that are not listed: ghosts when they can't be read either, nor found by their order's
    /// tag; servers without our tag when they can be read.
    pub(super) async fn missing(&self, seen_servers: &Observed) -> Result<Vec<NewFinding>, StepError> {
        let listed: Vec<String> =
            seen_servers.servers.iter().map(|judged| judged.server.id.clone()).collect();
        let slug = self.provider.slug();
        let unlisted = self.store.unlisted_servers(slug, &listed, self.settled(), self.run.at).await?;
        let mut findings = Vec::new();
        for known in unlisted {
            let Some(instance) = known.instance.as_ref().filter(|instance| !instance.busy) else { continue };
            let Some(server) = instance.server.as_deref() else { continue };
            findings.extend(self.or_skip(server, self.absence(&known, instance, server).await));
        }
        Ok(findings)
    }

    async fn absence(
        &self,
        known: &KnownOrder,
        instance: &KnownInstance,
        server: &str,
    ) -> Result<Option<NewFinding>, StepError> {
        match self.provider.get_server(server).await {
            Ok(read) if self.store.installation().owns(&read.tags) => Ok(None),
            Ok(read) => {
                let judged = self.wanted(read, known);
                let (kind, reason) = (FindingKind::Drifted, FindingReason::NotTagged);
                self.finding(&judged, kind, reason, FindingAction::None).await.map(Some)
            }
            Err(error) if error.class == FailureClass::NotFound => {
                let by_tag = self.provider.find_by_tag(&order_tag(known.order_id)).await?;
                let is_listed = by_tag.iter().any(|listed| listed.id == server);
                Ok((!is_listed).then(|| ghost(known, instance, server.to_owned())))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn wanted(&self, server: ProviderServer, known: &KnownOrder) -> JudgedServer {
        JudgedServer {
            server,
            attached: Some(known.clone()),
            order: Some(known.order_id),
            verdict: Verdict::Wanted,
        }
    }

    /// A finding about a listed server.
    pub(super) async fn finding(
        &self,
        judged: &JudgedServer,
        kind: FindingKind,
        reason: FindingReason,
        action: FindingAction,
    ) -> Result<NewFinding, StepError> {
        let JudgedServer { server, attached, order, .. } = judged;
        Ok(NewFinding {
            kind,
            reason,
            action,
            provider_instance_id: server.id.clone(),
            name: Some(server.name.clone()),
            tags: server.tags.clone(),
            size: Some(server.size.clone()),
            region: Some(server.region.clone()),
            order_id: *order,
            instance_id: attached.as_ref().and_then(|known| known.instance.as_ref()).map(|i| i.id),
            server_created_at: Some(server.created_at),
            monthly_cost: self.monthly_cost(&server.size).await?,
            detail: json!({}),
        })
    }

    /// What a size costs a month; `None` when nobody knows its price.
    pub(super) async fn monthly_cost(&self, size: &str) -> Result<Option<Rupiah>, StepError> {
        let known = self.prices.get_or_try_init(|| self.known_prices(size)).await?;
        Ok(known.get(size).and_then(|price| monthly_cost(*price, self.settings.usd_idr).ok()))
    }

    /// Prices as the provider last told them; it is asked when the first one wanted is not among them.
    async fn known_prices(&self, wanted: &str) -> Result<BTreeMap<String, Decimal>, StepError> {
        let mut prices: BTreeMap<_, _> =
            self.store.size_prices(self.provider.slug()).await?.into_iter().collect();
        if !prices.contains_key(wanted) {
            let sizes = self.provider.list_sizes().await?;
            prices.extend(sizes.into_iter().map(|size| (size.slug, size.price_monthly_usd)));
        }
        Ok(prices)
    }
}

/// The order whose tag a server carries.
fn tagged_order(server: &ProviderServer) -> Option<OrderId> {
    server.tags.iter().find_map(|tag| tag.strip_prefix("wb-")?.parse().ok())
}

/// Of several servers of one failed order another try takes the oldest: the others are duplicates. Servers come oldest
/// first.
fn keep_oldest_of_failed_orders(servers: &mut [JudgedServer]) {
    let mut kept = std::collections::BTreeSet::new();
    for judged in servers {
        let failed = Verdict::Unwanted(FindingKind::Orphan, FindingReason::OrderFailed);
        if let Some(order) = judged.order.filter(|_| judged.verdict == failed)
            && !kept.insert(order)
        {
            judged.verdict = Verdict::Unwanted(FindingKind::Duplicate, FindingReason::OlderServerKept);
        }
    }
}

fn ghost(known: &KnownOrder, instance: &KnownInstance, server: String) -> NewFinding {
    NewFinding {
        kind: FindingKind::Ghost,
        reason: FindingReason::NotAtProvider,
        action: FindingAction::None,
        provider_instance_id: server,
        name: None,
        tags: Vec::new(),
        size: Some(instance.size.clone()),
        region: Some(instance.region.clone()),
        order_id: Some(known.order_id),
        instance_id: Some(instance.id),
        server_created_at: None,
        // A server that is not there costs nothing.
        monthly_cost: Some(Rupiah::ZERO),
        detail: json!({ "status": instance.status }),
    }
}
