//! Between the wire and our words; [`error`] is the one place where the vendor's errors are sorted.

mod action;
mod catalog;
mod error;

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{instance::PowerState, provisioning::FailureClass, server::ProviderServer};
use secrecy::SecretString;
use uuid::Uuid;

pub(super) use self::{
    action::{description, progress, snapshot_progress, to_snapshot},
    catalog::{to_image, to_region, to_series, to_size},
    error::{failure, success},
};
use domain::user_data::UserData;

use super::types::{CreateRequest, Server, Source};
use crate::providers::{
    CreateServer, ProviderError,
    cloud_init::{NotHashed, first_boot},
};

pub(super) fn to_create(request: &CreateServer, user_data: Option<String>) -> CreateRequest<'_> {
    CreateRequest {
        region: &request.region,
        plan: &request.size,
        source: to_source(&request.image),
        label: &request.tag,
        hostname: &request.hostname,
        tags: [&request.fleet, &request.cohort, &request.tag],
        user_data,
        enable_ipv6: true,
        backups: "disabled",
        activation_email: false,
    }
}

/// Operating systems have numbers, snapshots have UUIDs, applications have names.
pub(super) fn to_source(image: &str) -> Source<'_> {
    match (image.parse(), image.parse::<Uuid>()) {
        (Ok(number), _) => Source::System(number),
        (_, Ok(id)) => Source::Snapshot(id.to_string()),
        _ => Source::Application(image),
    }
}

/// What the machine is told at its first boot, as the vendor wants it.
pub(super) async fn user_data(
    keys: &[String],
    root_password: Option<&SecretString>,
    theirs: Option<&UserData>,
) -> Result<Option<String>, ProviderError> {
    let not_hashed = |error: NotHashed| failure(FailureClass::Permanent, error.to_string());
    let config = first_boot(keys, root_password, theirs).await.map_err(not_hashed)?;
    Ok(config.map(|text| STANDARD.encode(text)))
}

pub(super) fn to_server(server: Server) -> ProviderServer {
    let ipv4 = server.main_ip.parse().ok().filter(|ip: &std::net::Ipv4Addr| !ip.is_unspecified());
    ProviderServer {
        ready: is_settled(&server) && server.power_status == "running" && ipv4.is_some(),
        power: match (server.status.as_str(), server.power_status.as_str()) {
            // The vendor says `running` of what is still to be installed.
            ("pending", _) => PowerState::Unknown,
            (_, "running") => PowerState::On,
            (_, "stopped") => PowerState::Off,
            _ => PowerState::Unknown,
        },
        ipv4,
        ipv6: server.v6_main_ip.parse().ok().filter(|ip: &std::net::Ipv6Addr| !ip.is_unspecified()),
        id: server.id,
        name: server.label,
        tags: server.tags,
        size: server.plan,
        region: server.region,
        created_at: server.date_created,
    }
}

/// Whether nothing is under way.
fn is_settled(server: &Server) -> bool {
    server.status == "active" && server.server_status == "ok"
}

/// Ids are UUIDs; anything else, put into a path, would address something else.
pub(super) fn to_id(id: &str, what: &str) -> Result<String, ProviderError> {
    let parsed: Result<Uuid, _> = id.parse();
    parsed
        .map(|id| id.to_string())
        .map_err(|_| failure(FailureClass::NotFound, format!("`{id}` is not {what} id of the provider")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn request() -> CreateServer {
        CreateServer {
            tag: "wb-1".to_owned(),
            fleet: "webrana-test".to_owned(),
            cohort: "wbc-2026010203".to_owned(),
            hostname: "web-1".to_owned(),
            size: "vc2-1c-1gb".to_owned(),
            region: "sgp".to_owned(),
            image: "2136".to_owned(),
            ssh_public_keys: vec![],
            root_password: None,
            user_data: None,
            network: None,
        }
    }

    fn server(change: Value) -> ProviderServer {
        let mut body = json!({
            "id": "4f0f12e5-1f84-404f-aa84-85f431ea5ec2", "os": "Debian 12 x64 (bookworm)", "ram": 1024, "disk": 25,
            "main_ip": "198.18.0.7", "vcpu_count": 1, "region": "sgp", "plan": "vc2-1c-1gb",
            "date_created": "2026-01-02T03:04:05-05:00", "status": "active", "power_status": "running",
            "server_status": "ok", "v6_main_ip": "2001:db8::7", "label": "wb-1", "os_id": 2136, "kvm": "",
            "features": ["ipv6"], "tags": ["webrana", "wb-1"],
        });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        to_server(serde_json::from_value(body).unwrap())
    }

    #[test]
    fn a_create_carries_label_and_tags_and_no_empty_user_data() {
        assert_eq!(
            serde_json::to_value(to_create(&request(), None)).unwrap(),
            json!({
                "region": "sgp", "plan": "vc2-1c-1gb", "os_id": 2136, "label": "wb-1", "hostname": "web-1",
                "tags": ["webrana-test", "wbc-2026010203", "wb-1"], "enable_ipv6": true, "backups": "disabled",
                "activation_email": false,
            })
        );
    }

    #[test]
    fn what_to_install_is_told_by_the_shape_of_its_id() {
        let named = |image: &str| {
            let request = CreateServer { image: image.to_owned(), ..request() };
            let body = serde_json::to_value(to_create(&request, None)).unwrap();
            (body["os_id"].clone(), body["snapshot_id"].clone(), body["image_id"].clone())
        };
        let snapshot = "cb676a46-66fd-4dfb-b839-443f2e6c0b60";
        assert_eq!(named("2284"), (json!(2284), Value::Null, Value::Null));
        assert_eq!(named(snapshot), (Value::Null, json!(snapshot), Value::Null));
        assert_eq!(named("docker"), (Value::Null, Value::Null, json!("docker")));
    }

    #[tokio::test]
    async fn user_data_is_base64() {
        let encoded = user_data(&["ssh-ed25519 AAAA".to_owned()], None, None).await.unwrap().unwrap();
        let text = String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap();
        assert!(text.starts_with("#cloud-config\n") && text.contains("ssh-ed25519 AAAA"));
    }

    #[test]
    fn an_instance_is_ready_once_all_three_axes_say_so_and_it_has_an_address() {
        let ready = server(json!({}));
        assert_eq!((ready.ready, ready.power), (true, PowerState::On));
        assert_eq!(ready.ipv4, Some("198.18.0.7".parse().unwrap()));
        assert_eq!(ready.ipv6, Some("2001:db8::7".parse().unwrap()));
        assert_eq!(
            (ready.name.as_str(), ready.size.as_str(), ready.region.as_str()),
            ("wb-1", "vc2-1c-1gb", "sgp")
        );
        assert_eq!(ready.created_at.to_rfc3339(), "2026-01-02T08:04:05+00:00");

        for (change, power) in [
            (json!({ "status": "pending", "server_status": "none" }), PowerState::Unknown),
            (json!({ "server_status": "installingbooting" }), PowerState::On),
            (json!({ "server_status": "locked" }), PowerState::On),
            (json!({ "status": "resizing" }), PowerState::On),
            (json!({ "status": "suspended", "power_status": "stopped" }), PowerState::Off),
            (json!({ "power_status": "stopped" }), PowerState::Off),
            (json!({ "main_ip": "0.0.0.0" }), PowerState::On),
        ] {
            let instance = server(change.clone());
            assert_eq!((instance.ready, instance.power), (false, power), "{change}");
        }
        let bare = server(json!({ "main_ip": "0.0.0.0", "v6_main_ip": "" }));
        assert_eq!((bare.ipv4, bare.ipv6), (None, None));
    }

    #[test]
    fn only_uuids_are_ids() {
        let id = "4f0f12e5-1f84-404f-aa84-85f431ea5ec2";
        assert_eq!(to_id(&id.to_uppercase(), "an instance").unwrap(), id);
        for bad in ["", "..", "42", &format!("{id}/halt")] {
            assert_eq!(to_id(bad, "an instance").unwrap_err().class, FailureClass::NotFound, "{bad}");
        }
    }
}
