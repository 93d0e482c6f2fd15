//! Regions, sizes and images.

use domain::catalog::{ProviderImage, ProviderRegion, ProviderSize};
use rust_decimal::Decimal;

use super::super::types::{Availability, Image, Region, Type};

pub(in super::super) fn to_region(region: Region) -> ProviderRegion {
    let sells = region.capabilities.iter().any(|capability| capability == "Linodes");
    ProviderRegion {
        available: region.status == "ok" && sells,
        slug: region.id,
        name: region.label,
        country: Some(region.country.to_uppercase()),
    }
}

/// The vendor lists where some of its types are to be had; the others are everywhere.
pub(in super::super) fn to_sizes(types: Vec<Type>, known: &[Availability]) -> Vec<ProviderSize> {
    types.into_iter().filter_map(|kind| to_size(kind, known)).collect()
}

/// Nothing when its price is not a number we can keep.
fn to_size(kind: Type, known: &[Availability]) -> Option<ProviderSize> {
    let price = kind.price.monthly.to_string();
    let price = price.parse().or_else(|_| Decimal::from_scientific(&price)).ok()?;
    let told = || known.iter().filter(|entry| entry.plan == kind.id);
    let regions: Vec<_> = told().filter(|entry| entry.available).map(|entry| entry.region.clone()).collect();
    Some(ProviderSize {
        vcpu: kind.vcpus,
        memory_mb: kind.memory,
        disk_gb: kind.disk / 1024,
        transfer_gb: kind.transfer,
        price_monthly_usd: price,
        available: !regions.is_empty() || told().next().is_none(),
        regions,
        slug: kind.id,
    })
}

/// Nothing for images that can't be set up at the first boot, or are not for everyone.
pub(in super::super) fn to_image(image: Image) -> Option<ProviderImage> {
    let sets_up = image.capabilities.iter().any(|capability| capability == "cloud-init");
    let distribution = image.vendor.filter(|_| image.is_public && sets_up)?;
    Some(ProviderImage {
        slug: image.id,
        name: image.label,
        distribution,
        available: image.status == "available" && !image.deprecated,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn size(known: serde_json::Value) -> ProviderSize {
        let body = json!({
            "id": "g6-standard-1", "label": "Linode 2GB", "class": "standard", "vcpus": 1, "memory": 2048,
            "disk": 51_200, "transfer": 2000, "network_out": 2000, "price": { "hourly": 0.018, "monthly": 12.5 },
        });
        let known: Vec<Availability> = serde_json::from_value(known).unwrap();
        to_sizes(vec![serde_json::from_value(body).unwrap()], &known).remove(0)
    }

    #[test]
    fn a_size_keeps_its_price_to_the_cent() {
        let size = size(json!([]));
        assert_eq!(size.price_monthly_usd, Decimal::new(125, 1));
        assert_eq!((size.vcpu, size.memory_mb, size.disk_gb, size.transfer_gb), (1, 2048, 50, 2000));
        assert!(size.available && size.regions.is_empty(), "everywhere");
    }

    #[test]
    fn a_size_is_where_the_vendor_says() {
        let entry = |region: &str, plan: &str, available: bool| json!({ "region": region, "plan": plan, "available": available });
        let some = size(json!([
            entry("id-cgk", "g6-standard-1", true),
            entry("us-east", "g6-standard-1", false),
            entry("us-east", "g6-nanode-1", true),
        ]));
        assert_eq!((some.regions, some.available), (vec!["id-cgk".to_owned()], true));
        assert!(!size(json!([entry("id-cgk", "g6-standard-1", false)])).available);
    }

    #[test]
    fn images_are_public_and_set_themselves_up() {
        let image = |change: serde_json::Value| {
            let mut body = json!({
                "id": "linode/debian12", "label": "Debian 12", "vendor": "Debian", "description": "",
                "created": "2023-06-11T18:25:44", "size": 1_800, "is_public": true, "deprecated": false,
                "status": "available", "capabilities": ["cloud-init"],
            });
            body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            to_image(serde_json::from_value(body).unwrap())
        };
        let debian = image(json!({})).unwrap();
        assert_eq!((debian.slug.as_str(), debian.name.as_str()), ("linode/debian12", "Debian 12"));
        assert!(debian.available);
        assert!(!image(json!({ "deprecated": true })).unwrap().available);
        assert_eq!(image(json!({ "capabilities": [] })), None);
        assert_eq!(image(json!({ "is_public": false, "vendor": null })), None);
    }

    #[test]
    fn a_region_says_where_it_is_and_whether_it_sells() {
        let region = |status: &str, capabilities: serde_json::Value| {
            let body = json!({
                "id": "id-cgk", "label": "Jakarta, ID", "country": "id", "status": status,
                "capabilities": capabilities,
            });
            to_region(serde_json::from_value(body).unwrap())
        };
        let open = region("ok", json!(["Linodes", "Metadata"]));
        assert_eq!(
            (open.slug.as_str(), open.country.as_deref(), open.available),
            ("id-cgk", Some("ID"), true)
        );
        assert!(!region("outage", json!(["Linodes"])).available);
        assert!(!region("ok", json!(["Object Storage"])).available);
    }
}
