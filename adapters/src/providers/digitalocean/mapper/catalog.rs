//! Regions, sizes and images.

use domain::catalog::{ProviderImage, ProviderRegion, ProviderSize};
use rust_decimal::Decimal;

use super::super::types::{Image, Region, Size};

pub(in super::super) fn to_region(region: Region) -> ProviderRegion {
    // The vendor does not say in which country a region is.
    ProviderRegion { slug: region.slug, name: region.name, country: None, available: region.available }
}

/// Nothing when its price is not a number we can keep.
pub(in super::super) fn to_size(size: Size) -> Option<ProviderSize> {
    let price = size.price_monthly.to_string();
    let price = price.parse().or_else(|_| Decimal::from_scientific(&price)).ok()?;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "terabytes of a month's traffic"
    )]
    let transfer_gb = (size.transfer * 1_000.0).round() as u32;
    Some(ProviderSize {
        slug: size.slug,
        vcpu: size.vcpus,
        memory_mb: size.memory,
        disk_gb: size.disk,
        transfer_gb,
        price_monthly_usd: price,
        regions: size.regions,
        available: size.available,
    })
}

/// Nothing for images without a slug: those are not offered to everyone for good.
pub(in super::super) fn to_image(image: Image) -> Option<ProviderImage> {
    let slug = image.slug.filter(|_| image.public)?;
    Some(ProviderImage {
        slug,
        name: format!("{} {}", image.distribution, image.name),
        distribution: image.distribution,
        available: image.status == "available",
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_size_keeps_its_price_to_the_cent() {
        let body = json!({
            "slug": "s-1vcpu-1gb-amd", "memory": 1024, "vcpus": 1, "disk": 25, "transfer": 1.5,
            "price_monthly": 7.3, "price_hourly": 0.01042, "regions": ["sgp1", "fra1"], "available": true,
            "description": "Basic AMD",
        });
        let size = to_size(serde_json::from_value(body).unwrap()).unwrap();
        assert_eq!(size.price_monthly_usd, Decimal::new(73, 1));
        assert_eq!((size.vcpu, size.memory_mb, size.disk_gb, size.transfer_gb), (1, 1024, 25, 1_500));
        assert_eq!(size.regions, ["sgp1", "fra1"]);
    }

    #[test]
    fn only_public_images_with_a_slug_are_offered() {
        let image = |slug: Option<&str>, public: bool, status: &str| {
            let body = json!({
                "id": 7_555_620, "name": "12 x64", "distribution": "Debian", "slug": slug, "public": public,
                "status": status, "regions": ["sgp1"], "type": "base",
            });
            to_image(serde_json::from_value(body).unwrap())
        };
        let debian = image(Some("debian-12-x64"), true, "available").unwrap();
        assert_eq!((debian.slug.as_str(), debian.name.as_str()), ("debian-12-x64", "Debian 12 x64"));
        assert!(debian.available);
        assert!(!image(Some("debian-12-x64"), true, "retired").unwrap().available);
        assert_eq!(image(None, true, "available"), None);
        assert_eq!(image(Some("mine"), false, "available"), None);
    }

    #[test]
    fn a_region_that_takes_nothing_says_so() {
        let body = json!({ "slug": "sfo2", "name": "San Francisco 2", "available": false, "features": [], "sizes": [] });
        let region = to_region(serde_json::from_value(body).unwrap());
        assert_eq!((region.slug.as_str(), region.available, region.country), ("sfo2", false, None));
    }
}
