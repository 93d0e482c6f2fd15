//! Linodes.

use std::net::Ipv4Addr;

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{instance::PowerState, provisioning::FailureClass, server::ProviderServer};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

use super::{
    super::types::{CreateLinode, Deploy, Instance, Metadata},
    error::failure,
};
use crate::providers::{CreateServer, ProviderError, cloud_init::together};

/// The label is the order's tag: labels are unique at the vendor, so an order's second create is refused.
pub(in super::super) fn to_create(request: &CreateServer) -> CreateLinode<'_> {
    CreateLinode {
        label: &request.tag,
        region: &request.region,
        kind: &request.size,
        tags: [&request.fleet, &request.cohort, &request.tag],
        deploy: deploy(&request.image, &request.ssh_public_keys, request.root_password.as_ref()),
        metadata: Metadata { user_data: STANDARD.encode(user_data(request)) },
        booted: true,
    }
}

/// The vendor demands a root password with every image. Where none is wanted it is one that nobody gets to know.
pub(super) fn deploy<'a>(
    image: &'a str,
    ssh_public_keys: &'a [String],
    root_password: Option<&SecretString>,
) -> Deploy<'a> {
    let root_pass = root_password.map_or_else(unknown_password, |known| known.expose_secret().to_owned());
    Deploy { image, root_pass, authorized_keys: ssh_public_keys }
}

/// 244 random bits, in all the kinds of characters that a password may be asked for.
fn unknown_password() -> String {
    let random = || Uuid::new_v4().simple().to_string();
    format!("{}-{}", random(), random().to_uppercase())
}

/// The vendor sets keys and password itself, but would name the machine after its label. JSON is YAML, so no name can
/// break out of its place.
fn cloud_config(request: &CreateServer) -> String {
    let mut config = json!({ "fqdn": request.hostname });
    if request.root_password.is_some() {
        config["ssh_pwauth"] = json!(true);
    }
    format!("#cloud-config\n{config}\n")
}

/// What it is told at its first boot.
fn user_data(request: &CreateServer) -> String {
    together(Some(cloud_config(request)), request.user_data.as_ref()).unwrap_or_default()
}

pub(in super::super) fn to_server(linode: Instance) -> ProviderServer {
    let ipv4 = linode.ipv4.iter().filter_map(|text| text.parse().ok()).find(|ip: &Ipv4Addr| !ip.is_private());
    let ipv6 = linode.ipv6.as_deref().and_then(|text| text.split('/').next()?.parse().ok());
    ProviderServer {
        id: linode.id.to_string(),
        name: linode.label,
        size: linode.kind,
        region: linode.region,
        ready: linode.status == "running" && ipv4.is_some(),
        power: match linode.status.as_str() {
            "running" => PowerState::On,
            "offline" | "stopped" | "billing_suspension" => PowerState::Off,
            _ => PowerState::Unknown,
        },
        ipv4,
        ipv6,
        tags: linode.tags,
        created_at: linode.created.and_utc(),
    }
}

/// A number as the vendor's ids are; anything else, put into a path, would address something else.
pub(in super::super) fn to_id(id: &str, what: &str) -> Result<String, ProviderError> {
    match id.parse::<u64>() {
        Ok(number) => Ok(number.to_string()),
        Err(_) => Err(failure(FailureClass::NotFound, format!("`{id}` is not a {what}'s id"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(root_password: Option<&str>) -> CreateServer {
        CreateServer {
            tag: "wb-1".to_owned(),
            fleet: "webrana-test".to_owned(),
            cohort: "wbc-1".to_owned(),
            hostname: "web-1.example.com".to_owned(),
            size: "g6-nanode-1".to_owned(),
            region: "id-cgk".to_owned(),
            image: "linode/debian12".to_owned(),
            ssh_public_keys: vec!["ssh-ed25519 AAAA andi@laptop".to_owned()],
            root_password: root_password.map(SecretString::from),
            user_data: None,
            network: None,
        }
    }

    #[test]
    fn a_create_is_labelled_by_its_order() {
        let request = request(Some("Correct-horse-9"));
        let mut body = serde_json::to_value(to_create(&request)).unwrap();
        let user_data = body["metadata"]["user_data"].take();
        assert_eq!(
            body,
            json!({
                "label": "wb-1", "region": "id-cgk", "type": "g6-nanode-1", "image": "linode/debian12",
                "tags": ["webrana-test", "wbc-1", "wb-1"], "root_pass": "Correct-horse-9", "booted": true,
                "authorized_keys": ["ssh-ed25519 AAAA andi@laptop"], "metadata": { "user_data": null },
            })
        );
        let user_data = STANDARD.decode(user_data.as_str().unwrap()).unwrap();
        let text = String::from_utf8(user_data).unwrap();
        let (first, config) = text.split_once('\n').unwrap();
        assert_eq!(first, "#cloud-config");
        let config: serde_json::Value = serde_json::from_str(config).unwrap();
        assert_eq!(config, json!({ "fqdn": "web-1.example.com", "ssh_pwauth": true }), "and no password");
    }

    #[test]
    fn without_a_password_root_gets_one_that_nobody_knows() {
        let body = || serde_json::to_value(to_create(&request(None))).unwrap()["root_pass"].clone();
        let (one, other) = (body(), body());
        assert_ne!(one, other);
        let text = one.as_str().unwrap();
        assert!((32..=128).contains(&text.len()), "{}", text.len());
        assert!(text.contains(|c: char| c.is_ascii_digit()));
    }

    #[test]
    fn a_linode_is_ready_once_it_runs_and_has_an_address() {
        let linode = |change: serde_json::Value| {
            let mut body = json!({
                "id": 52_557_263, "label": "wb-1", "status": "running", "created": "2026-01-02T03:04:05",
                "updated": "2026-01-02T03:04:05", "type": "g6-nanode-1", "region": "id-cgk",
                "ipv4": ["192.168.130.7", "198.18.0.7"], "ipv6": "2001:db8::f03c:95ff:fe00:7/128",
                "tags": ["webrana", "wb-1"], "specs": { "vcpus": 1 }, "backups": { "enabled": false },
            });
            body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            to_server(serde_json::from_value(body).unwrap())
        };
        let ready = linode(json!({}));
        assert_eq!((ready.id.as_str(), ready.name.as_str(), ready.ready), ("52557263", "wb-1", true));
        assert_eq!(ready.ipv4, Some("198.18.0.7".parse().unwrap()), "not the private one");
        assert_eq!(ready.ipv6, Some("2001:db8::f03c:95ff:fe00:7".parse().unwrap()));
        assert_eq!(ready.created_at.to_rfc3339(), "2026-01-02T03:04:05+00:00");
        assert_eq!((ready.size.as_str(), ready.region.as_str()), ("g6-nanode-1", "id-cgk"));

        let bare = linode(json!({ "ipv4": ["192.168.130.7"], "ipv6": null }));
        assert_eq!((bare.ready, bare.ipv4, bare.power), (false, None, PowerState::On));
        for (status, power) in [
            ("provisioning", PowerState::Unknown),
            ("booting", PowerState::Unknown),
            ("rebuilding", PowerState::Unknown),
            ("offline", PowerState::Off),
            ("billing_suspension", PowerState::Off),
        ] {
            let linode = linode(json!({ "status": status }));
            assert_eq!((linode.ready, linode.power), (false, power), "{status}");
        }
    }

    #[test]
    fn only_numbers_are_ids() {
        assert_eq!(to_id("42", "Linode").unwrap(), "42");
        for bad in ["", "..", "42/boot", "-1", "x"] {
            assert_eq!(to_id(bad, "Linode").unwrap_err().class, FailureClass::NotFound, "{bad}");
        }
    }
}
