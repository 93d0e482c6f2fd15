//! What there is to buy, what there is to see.

use adapters::providers::{MetricKind, MetricsQuery};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{instance::Capability, provisioning::FailureClass};
use rust_decimal::Decimal;
use secrecy::ExposeSecret;

use crate::vendor::{Lab, TAG, TOKEN, Vendor};

pub async fn what_is_ordered_is_on_offer<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let regions = lab.provider.list_regions().await.unwrap();
    let region = regions.iter().find(|region| region.slug == V::OFFER.region).unwrap();
    assert!(region.available && !region.name.is_empty());

    let sizes = lab.provider.list_sizes().await.unwrap();
    let size = |slug: &str| sizes.iter().find(|size| size.slug == slug).unwrap();
    let (small, large) = (size(V::OFFER.size), size(V::OFFER.larger));
    for size in [small, large] {
        assert!(size.available && size.vcpu > 0 && size.transfer_gb > 0, "{size:?}");
        assert!(size.regions.is_empty() || size.regions.iter().any(|slug| slug == V::OFFER.region));
    }
    assert!(small.memory_mb >= 512 && small.memory_mb < large.memory_mb, "MiB");
    assert!(small.disk_gb >= 10 && small.disk_gb < large.disk_gb, "GiB");
    assert!(small.price_monthly_usd >= Decimal::ONE && small.price_monthly_usd < large.price_monthly_usd);

    let images = lab.provider.list_images().await.unwrap();
    for slug in [V::OFFER.image, V::OFFER.other_image] {
        let image = images.iter().find(|image| image.slug == slug).unwrap();
        assert!(image.available && image.name.contains(&image.distribution), "{image:?}");
    }
}

/// The vendor's present.
#[expect(clippy::disallowed_methods, reason = "the vendor simulated here lives by this machine's clock")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

pub async fn metrics_are_well_formed<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let id = lab.make_ready(TAG).await.id;
    let now = now();
    let (start, end) = (now - TimeDelta::hours(1), now + TimeDelta::hours(1));
    for (kind, names) in [
        (MetricKind::Cpu, &["cpu"][..]),
        (MetricKind::Memory, &["memory"]),
        (MetricKind::Disk, &["read", "write", "io"]),
        (MetricKind::Network, &["inbound", "outbound"]),
    ] {
        let before = lab.calls().await;
        let answer = lab.provider.get_metrics(&id, &MetricsQuery { kind, start, end }).await;
        if !lab.can(kind.capability()) {
            let refused = answer.unwrap_err();
            assert_eq!((refused.class, refused.status), (FailureClass::Unsupported, None), "{kind:?}");
            assert_eq!(lab.calls().await, before);
            continue;
        }
        for series in answer.unwrap() {
            assert!(names.contains(&series.name.as_str()), "{series:?}");
            let units = ["percent", "bytes_per_second", "operations_per_second", "bytes_per_day"];
            assert!(units.contains(&series.unit), "{series:?}");
            assert!(series.points.is_sorted_by(|a, b| a.0 < b.0), "{series:?}");
            assert!(series.points.iter().all(|(_, value)| value.is_finite() && *value >= 0.0), "{series:?}");
            let percent = series.points.iter().all(|(_, value)| *value <= 100.0);
            assert!(series.unit != "percent" || percent, "{series:?}");
        }
    }
}

pub async fn a_console_is_secret_or_unsupported<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let id = lab.make_ready(TAG).await.id;
    let before = lab.calls().await;
    match lab.provider.console_url(&id).await {
        Ok(url) => {
            assert!(lab.can(Capability::Console));
            assert!(!url.expose_secret().contains(TOKEN));
            assert!(url.expose_secret().contains("://"), "a link");
        }
        Err(error) => {
            assert!(!lab.can(Capability::Console));
            assert_eq!(error.class, FailureClass::Unsupported);
            assert_eq!(lab.calls().await, before);
        }
    }
}
