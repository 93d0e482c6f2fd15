//! What the vendor sells and measures.

use chrono::{NaiveTime, TimeDelta};
use domain::{
    catalog::{ProviderImage, ProviderRegion, ProviderSize},
    provisioning::FailureClass,
};
use rust_decimal::Decimal;

use crate::providers::{
    MetricsQuery, ProviderError, Series,
    vultr::types::{Bandwidth, Os, Plan, Region},
};

/// Families of what is no operating system to choose from, but a way to say how a server was made.
const NO_SYSTEMS: [&str; 4] = ["iso", "snapshot", "backup", "application"];

/// The vendor lists open regions only.
pub(in super::super) fn to_region(region: Region) -> ProviderRegion {
    ProviderRegion {
        slug: region.id,
        name: region.city,
        country: region.country.filter(|country| !country.is_empty()),
        available: true,
    }
}

pub(in super::super) fn to_size(plan: Plan) -> Result<ProviderSize, ProviderError> {
    let price: Decimal = plan.monthly_cost.to_string().parse().map_err(|_| {
        let message = format!("plan `{}` costs `{}`, which is no price", plan.id, plan.monthly_cost);
        super::failure(FailureClass::Retryable, message)
    })?;
    Ok(ProviderSize {
        slug: plan.id,
        vcpu: plan.vcpu_count,
        memory_mb: plan.ram,
        disk_gb: plan.disk,
        transfer_gb: plan.bandwidth,
        price_monthly_usd: price.normalize(),
        // A plan that is sold out everywhere is listed without any.
        available: !plan.locations.is_empty(),
        regions: plan.locations,
    })
}

/// An operating system; `None` for what only looks like one.
pub(in super::super) fn to_image(os: Os) -> Option<ProviderImage> {
    if NO_SYSTEMS.contains(&os.family.as_str()) {
        return None;
    }
    Some(ProviderImage {
        slug: os.id.to_string(),
        distribution: distribution(&os.name, &os.arch),
        name: os.name,
        available: true,
    })
}

/// `Rocky Linux` of `Rocky Linux 9 x64`: what comes before version and architecture.
fn distribution(name: &str, arch: &str) -> String {
    let words = name.split_whitespace();
    let words = words.take_while(|word| *word != arch && !word.starts_with(|c: char| c.is_ascii_digit()));
    words.collect::<Vec<_>>().join(" ")
}

/// Traffic of the days (in UTC) that the query touches; a point stands at its day's beginning.
pub(in super::super) fn to_series(bandwidth: &Bandwidth, query: &MetricsQuery) -> Vec<Series> {
    let days =
        bandwidth.bandwidth.iter().map(|(day, traffic)| (day.and_time(NaiveTime::MIN).and_utc(), traffic));
    let days: Vec<_> = days
        .filter(|(midnight, _)| *midnight + TimeDelta::days(1) > query.start && *midnight <= query.end)
        .collect();
    #[allow(clippy::cast_precision_loss, reason = "bytes of a day are below 2^53")]
    let line = |name: &str, bytes: fn(&crate::providers::vultr::types::Traffic) -> u64| Series {
        name: name.to_owned(),
        unit: "bytes_per_day",
        points: days.iter().map(|(midnight, traffic)| (*midnight, bytes(traffic) as f64)).collect(),
    };
    vec![
        line("inbound", |traffic| traffic.incoming_bytes),
        line("outbound", |traffic| traffic.outgoing_bytes),
    ]
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use serde_json::{Value, json};

    use super::*;
    use crate::providers::MetricKind;

    fn read<T: serde::de::DeserializeOwned>(body: Value) -> T {
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn sizes_have_exact_prices_and_the_regions_that_have_them() {
        let plan = |cost: Value, locations: Value| {
            to_size(read(json!({
                "id": "vc2-1c-1gb", "vcpu_count": 1, "ram": 1024, "disk": 25, "bandwidth": 1024,
                "monthly_cost": cost, "locations": locations,
            })))
            .unwrap()
        };
        let size = plan(json!(3.5), json!(["sgp", "nrt"]));
        assert_eq!(size.price_monthly_usd, "3.5".parse().unwrap());
        assert_eq!((size.memory_mb, size.transfer_gb, size.available), (1024, 1024, true));
        assert_eq!(size.regions, ["sgp", "nrt"]);
        let gone = plan(json!(160), json!([]));
        assert_eq!((gone.price_monthly_usd, gone.available), (160.into(), false));
    }

    #[test]
    fn systems_are_told_from_ways_to_install() {
        let os = |id: u64, name: &str, family: &str| {
            to_image(read(json!({ "id": id, "name": name, "arch": "x64", "family": family })))
        };
        let rocky = os(1869, "Rocky Linux 9 x64", "rockylinux").unwrap();
        assert_eq!((rocky.slug.as_str(), rocky.distribution.as_str()), ("1869", "Rocky Linux"));
        assert_eq!(os(2076, "Alpine Linux x64", "alpinelinux").unwrap().distribution, "Alpine Linux");
        assert_eq!(os(2136, "Debian 12 x64 (bookworm)", "debian").unwrap().distribution, "Debian");
        assert_eq!(os(164, "Snapshot", "snapshot"), None);
        assert_eq!(os(159, "Custom", "iso"), None);
    }

    #[test]
    fn regions_have_their_city_and_country() {
        let region = to_region(read(json!({ "id": "sgp", "city": "Singapore", "country": "SG" })));
        assert_eq!((region.slug.as_str(), region.country.as_deref()), ("sgp", Some("SG")));
    }

    #[test]
    fn days_are_those_the_query_touches() {
        let bandwidth: Bandwidth = read(json!({ "bandwidth": {
            "2026-01-01": { "incoming_bytes": 1, "outgoing_bytes": 10 },
            "2026-01-02": { "incoming_bytes": 2, "outgoing_bytes": 20 },
            "2026-01-03": { "incoming_bytes": 3, "outgoing_bytes": 30 },
        } }));
        let at = |text: &str| -> DateTime<Utc> { text.parse().unwrap() };
        let query = MetricsQuery {
            kind: MetricKind::Network,
            start: at("2026-01-02T12:00:00Z"),
            end: at("2026-01-03T00:00:00Z"),
        };
        let [inbound, outbound] = &to_series(&bandwidth, &query)[..] else { panic!("two lines") };
        assert_eq!((inbound.name.as_str(), inbound.unit), ("inbound", "bytes_per_day"));
        assert_eq!(inbound.points, [(at("2026-01-02T00:00:00Z"), 2.0), (at("2026-01-03T00:00:00Z"), 3.0)]);
        assert_eq!(outbound.points[1].1, 30.0);
    }
}
