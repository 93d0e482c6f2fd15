//! Linode.

use std::{collections::BTreeSet, net::Ipv4Addr, time::Duration};

use adapters::providers::{ActionProgress, CreateServer, MetricKind, MetricsQuery, ProviderAction};
use chrono::TimeDelta;
use domain::provisioning::FailureClass;
use serde_json::{Value, json};

use crate::{
    catalog::now,
    vendor::{Lab, Offer, TAG, Vendor, request, until},
};

pub struct Linode;

impl Vendor for Linode {
    const SLUG: &'static str = "linode";
    const OFFER: Offer = Offer {
        region: "id-cgk",
        size: "g6-nanode-1",
        larger: "g6-standard-1",
        image: "linode/ubuntu24.04",
        other_image: "linode/debian12",
    };
    const PAGE: usize = 500;
    const UNIQUE_NAMES: bool = true;
    const TAKES_TURNS: bool = true;
    /// Private addresses reach everybody's of a data centre; interfaces in networks are listed apart.
    fn networks(server: &Value) -> BTreeSet<String> {
        assert!(server.get("interfaces").is_none_or(Value::is_null), "{server}");
        let addresses = server["ipv4"].as_array().expect("its addresses");
        let addresses = addresses.iter().filter_map(|ip| ip.as_str()?.parse::<Ipv4Addr>().ok());
        addresses.filter(Ipv4Addr::is_private).map(|_| "data centre".to_owned()).collect()
    }

    fn impossible() -> Vec<(CreateServer, FailureClass)> {
        let but = |change: fn(&mut CreateServer)| {
            let mut request = request::<Self>(TAG);
            change(&mut request);
            request
        };
        vec![
            (but(|r| r.image = "linode/templeos".to_owned()), FailureClass::Configuration),
            (but(|r| r.size = "huge".to_owned()), FailureClass::Configuration),
            (but(|r| r.region = "mars".to_owned()), FailureClass::Configuration),
            (
                but(|r| (r.region, r.size) = ("ap-south".to_owned(), "g7-premium-2".to_owned())),
                FailureClass::Capacity,
            ),
            (but(|r| r.tag = "no--label".to_owned()), FailureClass::Permanent),
            (but(|r| r.root_password = Some("short".into())), FailureClass::Permanent),
        ]
    }
}

contract!(Linode);

#[tokio::test]
async fn a_closed_api_is_left_alone_and_has_done_nothing() {
    let lab = Lab::<Linode>::open().await;
    lab.configure(json!({ "maintenance": true })).await;
    let closed = lab.refusal(&request::<Linode>(TAG)).await;
    assert_eq!(
        (closed.class, closed.is_ambiguous(), closed.status),
        (FailureClass::Retryable, false, Some(503))
    );
    assert!(closed.retry_after.is_some_and(|wait| wait >= Duration::from_secs(60)), "{closed:?}");
    lab.configure(json!({ "maintenance": false })).await;
    assert_eq!(lab.provider.find_by_tag(TAG).await.unwrap(), []);
}

#[tokio::test]
async fn a_label_that_a_lost_answer_took_is_a_conflict_although_no_list_shows_it() {
    let lab = Lab::<Linode>::open().await;
    lab.configure(json!({ "listing_lag_seconds": 60 })).await;
    lab.fault(Linode::routes().create, "drop_after_create", json!({})).await;
    assert!(lab.refusal(&request::<Linode>(TAG)).await.is_ambiguous());
    assert_eq!(lab.provider.find_by_tag(TAG).await.unwrap(), []);
    let again = lab.refusal(&request::<Linode>(TAG)).await;
    assert_eq!((again.class, again.code.as_deref()), (FailureClass::Conflict, Some("label")));
}

#[tokio::test]
async fn backups_that_are_as_wanted_are_no_refusal() {
    let lab = Lab::<Linode>::open().await;
    let id = lab.make_ready(TAG).await.id;
    for action in
        [ProviderAction::DisableBackups, ProviderAction::EnableBackups, ProviderAction::EnableBackups]
    {
        let receipt = lab.provider.perform_action(&id, &action).await.unwrap();
        let progress = lab.provider.action_progress(&id, &receipt).await.unwrap();
        assert_eq!(progress, ActionProgress::Completed { resource_id: None }, "{action:?}");
    }
}

#[tokio::test]
async fn a_snapshot_outlives_its_server() {
    let lab = Lab::<Linode>::open().await;
    let id = lab.make_ready(TAG).await.id;
    let name = "the last one before it goes, with a name longer than a label may be";
    let receipt =
        lab.provider.perform_action(&id, &ProviderAction::Snapshot { name: name.to_owned() }).await.unwrap();
    let listed = || async { lab.provider.list_snapshots(&id).await.unwrap().remove(0) };
    lab.provider.delete_server(&id).await.unwrap();
    let progress = async || lab.provider.action_progress(&id, &receipt).await.unwrap();
    let done = until(progress, |progress| *progress != ActionProgress::InProgress).await;
    assert_eq!(done, ActionProgress::Completed { resource_id: receipt.resource_id.clone() });
    let kept = listed().await;
    assert_eq!((kept.name.as_str(), Some(kept.id), kept.size_gb), (name, receipt.resource_id.clone(), 4));
}

#[tokio::test]
async fn metrics_reach_back_further_than_a_day() {
    let lab = Lab::<Linode>::open().await;
    let id = lab.make_ready(TAG).await.id;
    let end = now();
    let query = MetricsQuery { kind: MetricKind::Network, start: end - TimeDelta::days(20), end };
    let series = lab.provider.get_metrics(&id, &query).await.unwrap();
    let (first, last) = (series[0].points[0].0, series[0].points[series[0].points.len() - 1].0);
    assert!(
        first - query.start < TimeDelta::hours(3) && end - last < TimeDelta::hours(1),
        "{first} to {last}"
    );
    assert!(series[0].points.is_sorted_by(|a, b| a.0 < b.0));
}
