//! The vendor itself, where credentials for it are set: one server, created and deleted, for a few cents.

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    sync::Arc,
    time::Duration,
};

use adapters::providers::{Account, ActionProgress, CloudProvider, Paced, ProviderAction};
use domain::{ids::OrderId, provisioning};
use futures::FutureExt;

use crate::vendor::{Vendor, create, request, until_within};

const PATIENCE: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_secs(5);

pub async fn the_vendor_keeps_its_side<V: Vendor>() {
    let vendor = V::descriptor();
    // Not the product's own variable: servers of that account cost money, so it is never used by accident.
    let variable = format!("CONTRACT_{}", vendor.environment.credential);
    let Ok(token) = std::env::var(&variable) else {
        println!("{}: not asked for real, {variable} is not set", V::SLUG);
        return;
    };
    let account = Account {
        base_url: vendor.default_url.parse().unwrap(),
        credential: token.into(),
        request_timeout: Duration::from_secs(30),
        listing_lag: Duration::from_secs(30),
        pacer: Paced::unpaced(),
    };
    let provider = (vendor.connect)(account).unwrap();
    on_offer::<V>(&provider).await;

    let order = OrderId(uuid::Uuid::now_v7());
    let mut wanted = request::<V>(&provisioning::order_tag(order));
    wanted.cohort = provisioning::cohort_tag(order);
    let made = create(&provider, &wanted).await.unwrap();
    let used = AssertUnwindSafe(use_it(&provider, &made.id, &wanted.tag)).catch_unwind().await;
    // Whatever came of it, nothing is left behind that costs money.
    let deleted = async || provider.delete_server(&made.id).await.is_ok();
    until_within(PATIENCE, PAUSE, deleted, |deleted| *deleted).await;
    let listed = async || provider.find_by_tag(&wanted.tag).await.unwrap().len();
    until_within(PATIENCE, PAUSE, listed, |count| *count == 0).await;
    if let Err(panic) = used {
        resume_unwind(panic);
    }
}

async fn on_offer<V: Vendor>(provider: &Arc<dyn CloudProvider>) {
    assert!(provider.list_regions().await.unwrap().iter().any(|r| r.slug == V::OFFER.region));
    assert!(provider.list_sizes().await.unwrap().iter().any(|s| s.slug == V::OFFER.size));
    assert!(provider.list_images().await.unwrap().iter().any(|i| i.slug == V::OFFER.image));
}

async fn use_it(provider: &Arc<dyn CloudProvider>, id: &str, tag: &str) {
    let listed = async || provider.find_by_tag(tag).await.unwrap();
    let found = until_within(provider.listing_lag(), PAUSE, listed, |found| !found.is_empty()).await;
    assert_eq!(found.iter().map(|i| i.id.as_str()).collect::<Vec<_>>(), [id]);
    // A young server may not be known by its id yet.
    let ready = async || provider.get_server(id).await.is_ok_and(|i| i.ready);
    until_within(PATIENCE, PAUSE, ready, |ready| *ready).await;
    let receipt = provider.perform_action(id, &ProviderAction::Reboot).await.unwrap();
    let progress = async || provider.action_progress(id, &receipt).await.unwrap();
    let end = until_within(PATIENCE, PAUSE, progress, |p| *p != ActionProgress::InProgress).await;
    assert!(matches!(end, ActionProgress::Completed { .. }), "{end:?}");
}
