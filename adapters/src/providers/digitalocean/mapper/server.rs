//! Droplets and their snapshots.

use domain::{instance::PowerState, provisioning::FailureClass, server::ProviderServer};
use uuid::Uuid;

use super::{
    super::types::{CreateDroplet, Droplet, DropletSnapshot, ImageRef, Network},
    error::{failure, not_an_id},
};
use crate::providers::{
    CreateServer, ProviderError, Snapshot,
    cloud_init::{NotHashed, first_boot},
};

/// What the machine is told at its first boot.
pub(in super::super) async fn user_data(request: &CreateServer) -> Result<Option<String>, ProviderError> {
    let not_hashed = |error: NotHashed| failure(FailureClass::Permanent, error.to_string());
    first_boot(&request.ssh_public_keys, request.root_password.as_ref(), request.user_data.as_ref())
        .await
        .map_err(not_hashed)
}

pub(in super::super) fn to_create(request: &CreateServer, user_data: Option<String>) -> CreateDroplet<'_> {
    CreateDroplet {
        name: &request.hostname,
        region: &request.region,
        size: &request.size,
        image: ImageRef::of(&request.image),
        tags: [&request.fleet, &request.cohort, &request.tag],
        user_data,
        vpc_uuid: request.network.as_deref(),
        ipv6: true,
        monitoring: true,
    }
}

pub(in super::super) fn to_server(droplet: Droplet) -> ProviderServer {
    let ipv4 = public(&droplet.networks.v4);
    ProviderServer {
        id: droplet.id.to_string(),
        name: droplet.name,
        size: droplet.size_slug,
        region: droplet.region.slug,
        ready: droplet.status == "active" && !droplet.locked && ipv4.is_some(),
        power: match droplet.status.as_str() {
            "active" => PowerState::On,
            "off" | "archive" => PowerState::Off,
            _ => PowerState::Unknown,
        },
        ipv4,
        ipv6: public(&droplet.networks.v6),
        tags: droplet.tags,
        created_at: droplet.created_at,
    }
}

fn public<T: std::str::FromStr>(networks: &[Network]) -> Option<T> {
    networks.iter().filter(|n| n.r#type == "public").find_map(|n| n.ip_address.parse().ok())
}

/// A number as the vendor's ids are; anything else, put into a path, would address something else.
pub(in super::super) fn to_id(id: &str, what: &str) -> Result<String, ProviderError> {
    match id.parse::<u64>() {
        Ok(number) => Ok(number.to_string()),
        Err(_) => Err(not_an_id(id, what)),
    }
}

/// A UUID as the ids of networks are, for the same reason.
pub(in super::super) fn to_uuid(id: &str, what: &str) -> Result<String, ProviderError> {
    match id.parse::<Uuid>() {
        Ok(id) => Ok(id.to_string()),
        Err(_) => Err(not_an_id(id, what)),
    }
}

pub(in super::super) fn to_snapshot(snapshot: DropletSnapshot) -> Snapshot {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a disk's GiB, rounded up")]
    let size_gb = snapshot.size_gigabytes.ceil() as u64;
    Snapshot { id: snapshot.id.to_string(), name: snapshot.name, size_gb, created_at: snapshot.created_at }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request() -> CreateServer {
        CreateServer {
            tag: "wb-1".to_owned(),
            fleet: "webrana-test".to_owned(),
            cohort: "wbc-1".to_owned(),
            hostname: "web-1".to_owned(),
            size: "s-1vcpu-1gb".to_owned(),
            region: "sgp1".to_owned(),
            image: "debian-12-x64".to_owned(),
            ssh_public_keys: vec![],
            root_password: None,
            user_data: None,
            network: None,
        }
    }

    fn droplet(body: serde_json::Value) -> ProviderServer {
        to_server(serde_json::from_value(body).unwrap())
    }

    #[test]
    fn a_create_carries_its_tags_and_no_empty_user_data() {
        assert_eq!(
            serde_json::to_value(to_create(&request(), None)).unwrap(),
            json!({
                "name": "web-1", "region": "sgp1", "size": "s-1vcpu-1gb", "image": "debian-12-x64",
                "tags": ["webrana-test", "wbc-1", "wb-1"], "ipv6": true, "monitoring": true,
            })
        );
        let network = Some("760e09ef-dc84-11e8-981e-3cfdfeaae000".to_owned());
        let alone = CreateServer { network, ..request() };
        assert_eq!(to_create(&alone, None).vpc_uuid, alone.network.as_deref());
        let snapshot = CreateServer { image: "7555620".to_owned(), ..request() };
        assert_eq!(serde_json::to_value(to_create(&snapshot, None)).unwrap()["image"], 7_555_620);
    }

    #[test]
    fn a_droplet_is_ready_once_active_unlocked_and_addressed() {
        let new = json!({
            "id": 7, "name": "web-1", "size_slug": "s-1vcpu-1gb", "region": { "slug": "sgp1" }, "status": "new", "locked": true, "created_at": "2026-01-02T03:04:05Z",
            "networks": { "v4": [], "v6": [] }, "tags": ["webrana", "wb-1"], "features": ["monitoring"],
        });
        let instance = droplet(new.clone());
        assert_eq!((instance.id.as_str(), instance.ready, instance.power), ("7", false, PowerState::Unknown));
        assert_eq!(instance.created_at.to_rfc3339(), "2026-01-02T03:04:05+00:00");

        let with = |change: serde_json::Value| {
            let mut body = new.clone();
            body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            droplet(body)
        };
        let private = json!({ "v4": [{ "ip_address": "10.0.0.2", "type": "private" }] });
        let public = json!({
            "v4": [{ "ip_address": "10.0.0.2", "type": "private" }, { "ip_address": "198.18.0.7", "type": "public" }],
            "v6": [{ "ip_address": "2001:db8::7", "type": "public" }],
        });
        let active = |networks: &serde_json::Value| json!({ "status": "active", "locked": false, "networks": networks });
        assert!(!with(active(&private)).ready);
        assert_eq!(with(active(&private)).ipv4, None);
        let ready = with(active(&public));
        assert!(ready.ready);
        assert_eq!(ready.power, PowerState::On);
        assert_eq!(ready.ipv4, Some("198.18.0.7".parse().unwrap()));
        assert_eq!(ready.ipv6, Some("2001:db8::7".parse().unwrap()));
        let off = with(json!({ "status": "off", "locked": false, "networks": public }));
        assert_eq!((off.ready, off.power), (false, PowerState::Off));
        assert!(!with(json!({ "status": "active", "networks": public })).ready, "still locked");
    }

    #[test]
    fn only_numbers_are_ids() {
        assert_eq!(to_id("42", "droplet").unwrap(), "42");
        for bad in ["", "..", "42/actions", "-1", "x"] {
            let error = to_id(bad, "droplet").unwrap_err();
            assert_eq!(error.class, FailureClass::NotFound, "{bad}");
            assert!(error.message.contains("is not a droplet id"), "{error}");
        }
    }

    #[test]
    fn a_snapshots_size_is_rounded_up() {
        let body = json!({
            "id": 6_372_321, "name": "before", "created_at": "2026-01-02T03:04:05Z", "regions": ["sgp1"],
            "min_disk_size": 25, "size_gigabytes": 2.34, "type": "snapshot",
        });
        let snapshot = to_snapshot(serde_json::from_value(body).unwrap());
        assert_eq!(
            (snapshot.id.as_str(), snapshot.name.as_str(), snapshot.size_gb),
            ("6372321", "before", 3)
        );
    }
}
