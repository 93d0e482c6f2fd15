//! `POST /v4/linode/instances`.

use axum::{Extension, Json, body::Bytes, extract::State as Shared};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    Answer, Sim,
    catalog::{Region, Type},
    deploy::{self, Source},
    error::Error,
    form::Form,
    model::{Address, Backups, Linode, Status, after},
    state::State,
};
use crate::kit::fault::{FaultKind, Faults};

/// A create that passed validation.
struct Order {
    kind: &'static Type,
    region: &'static Region,
    label: Option<String>,
    group: String,
    tags: Vec<String>,
    source: Option<Source>,
    keys: Vec<String>,
    user_data: Option<String>,
    boots: bool,
    swap: Option<u64>,
    private_ip: bool,
    backups: bool,
    disk_encryption: String,
    maintenance_policy: String,
}

pub(super) async fn create(
    Shared(simulator): Sim,
    Extension(faults): Extension<Faults>,
    body: Bytes,
) -> Answer {
    let now = Utc::now();
    let mut state = simulator.state();
    let order = check(Form::read(&body)?, &state, now)?;
    if faults.has(FaultKind::Capacity) || !order.kind.is_in(order.region) {
        return Err(Error::sold_out());
    }
    order.source.iter().try_for_each(|source| source.check_fits(order.kind.disk))?;
    if state.settings.account_limit.is_some_and(|limit| state.linodes.len() as u64 >= limit) {
        return Err(Error::bad_request("Account Limit reached. Please open a support ticket."));
    }
    let linode = make(&mut state, order, &faults, now);
    Ok(Json(linode.body_at_start(now)))
}

fn check(mut form: Form, state: &State, now: DateTime<Utc>) -> Result<Order, Error> {
    let kind = found(&mut form, "type", "A valid plan type by that ID was not found", Type::find);
    let region = found(&mut form, "region", "region is not valid", Region::find);
    let label = form.text("label").filter(|label| !label.is_empty());
    if let Some(label) = &label {
        check_label(&mut form, state, label, None);
    }
    let source = deploy::source(&mut form, state, now);
    let deploys = form.has("image");
    let keys = deploy::keys(&mut form, state, deploys);
    let tags = form.texts("tags").unwrap_or_default();
    check_tags(&mut form, &tags);
    if form.value("ipv4").and_then(Value::as_array).is_some_and(|reserved| !reserved.is_empty()) {
        form.refuse("ipv4", "Must provide a single valid reserved ipv4 address");
    }
    if form.has("backup_id") {
        form.refuse("backup_id", "backup_id is not valid");
    }
    let disk_encryption = one_of(&mut form, "disk_encryption", &["enabled", "disabled"]);
    one_of(&mut form, "interface_generation", &["legacy_config", "linode"]);
    let maintenance_policy = form.text("maintenance_policy").unwrap_or_else(|| "linode/migrate".to_owned());
    check_policy(&mut form, &maintenance_policy);
    let group = form.text("group").unwrap_or_default();
    let user_data = deploy::user_data(&mut form);
    let boots = form.flag("booted").unwrap_or(true) && deploys;
    let swap = form.integer("swap_size");
    let private_ip = form.flag("private_ip").unwrap_or(false);
    let backups = form.flag("backups_enabled").unwrap_or(false);
    form.finish()?;
    // Unless one of them was refused, both are there.
    let (Some(kind), Some(region)) = (kind, region) else { return Err(Error::not_found()) };
    Ok(Order {
        kind,
        region,
        label,
        group,
        tags: sorted(tags),
        source,
        keys,
        user_data,
        boots,
        swap,
        private_ip,
        backups,
        disk_encryption: disk_encryption.unwrap_or_else(|| "enabled".to_owned()),
        maintenance_policy,
    })
}

fn found<T>(
    form: &mut Form,
    field: &str,
    unknown: &str,
    find: impl FnOnce(&str) -> Option<&'static T>,
) -> Option<&'static T> {
    let wanted = form.required_text(field)?;
    let found = find(&wanted);
    if found.is_none() {
        form.refuse(field, unknown);
    }
    found
}

fn one_of(form: &mut Form, field: &str, words: &[&str]) -> Option<String> {
    let word = form.text(field)?;
    if !words.contains(&word.as_str()) {
        form.refuse(field, format!("Must be one of {}", words.join(", ")));
    }
    Some(word)
}

pub(super) fn check_policy(form: &mut Form, policy: &str) {
    if !["linode/migrate", "linode/power_off_on"].contains(&policy) {
        form.refuse("maintenance_policy", "Unsupported maintenance policy slug format.");
    }
}

/// Labels are unique, also among Linodes that lists don't show yet.
pub(super) fn check_label(form: &mut Form, state: &State, label: &str, own: Option<u64>) {
    let reason = if !(3..=64).contains(&label.chars().count()) {
        "Length must be 3-64 characters"
    } else if !is_label(label) {
        "Must begin with a letter and only use ASCII letters, numbers, underscores, periods, and dashes, \
         none of the latter doubled"
    } else if state.linodes.values().any(|linode| linode.label == label && Some(linode.id) != own) {
        "Label must be unique among your linodes"
    } else {
        return;
    };
    form.refuse("label", reason);
}

/// `^[a-zA-Z]((?!--|__|\.\.)[a-zA-Z0-9-_.])+$`
fn is_label(label: &str) -> bool {
    label.starts_with(|first: char| first.is_ascii_alphabetic())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && !["--", "__", ".."].iter().any(|doubled| label.contains(doubled))
}

pub(super) fn check_tags(form: &mut Form, tags: &[String]) {
    if tags.iter().any(|tag| !(3..=50).contains(&tag.chars().count())) {
        form.refuse("tags", "Length must be 3-50 characters");
    }
}

/// The vendor keeps tags sorted and each once.
pub(super) fn sorted(mut tags: Vec<String>) -> Vec<String> {
    tags.sort();
    tags.dedup();
    tags
}

fn make(state: &mut State, order: Order, faults: &Faults, now: DateTime<Utc>) -> Linode {
    let later = |from: DateTime<Utc>, kind| faults.get(kind).map_or(from, |fault| from + fault.duration());
    let lag = if faults.has(FaultKind::ListingLag) { 0.0 } else { state.settings.listing_lag_seconds };
    let boot = state.settings.boot_seconds;
    let id = state.new_number();
    let deployed_at = after(now, boot * 0.7);
    let (disks, configs) = match &order.source {
        Some(source) => {
            let (disks, config) = deploy::disks(state, source, order.kind.disk, order.swap, deployed_at, now);
            (disks, vec![config])
        }
        None => (Vec::new(), Vec::new()),
    };
    let mut linode = Linode {
        id,
        label: order.label.unwrap_or_else(|| format!("linode{id}")),
        group: order.group,
        region: order.region.id.to_owned(),
        r#type: order.kind.id.to_owned(),
        resized_from: None,
        image: order.source.as_ref().map(|source| source.id.clone()),
        tags: order.tags,
        user_data: order.user_data,
        authorized_keys: order.keys,
        watchdog_enabled: true,
        alerts: json!({
            "cpu": 90 * order.kind.vcpus, "network_in": 10, "network_out": 10, "transfer_quota": 80, "io": 10_000,
            "system_alerts": [], "user_alerts": [],
        }),
        maintenance_policy: order.maintenance_policy,
        disk_encryption: order.disk_encryption,
        created_at: now,
        updated_at: now,
        steps: Vec::new(),
        on: false,
        was_on: false,
        addressed_at: now,
        listed_at: later(after(now, lag), FaultKind::ListingLag),
        readable_at: later(now, FaultKind::NotFoundAfterCreate),
        addresses: addresses(id, order.private_ip),
        disks,
        configs,
        backups: order.backups.then(Backups::default),
    };
    let steps = [(Status::Provisioning, boot * 0.7), (Status::Booting, boot * 0.3)];
    let running_at = linode.begin(if order.boots { &steps } else { &steps[..1] }, order.boots, now);
    if faults.has(FaultKind::ActiveWithoutIp) {
        linode.addressed_at = later(running_at, FaultKind::ActiveWithoutIp);
    }
    state.keep(linode.clone());
    let image = order.source.map_or(Value::Null, |source| {
        let url = format!("/v4/images/{}", source.id);
        json!({ "id": source.id, "type": "image", "label": source.label, "url": url })
    });
    state.note("linode_create", &linode, image, now, deployed_at);
    if order.boots {
        state.note("linode_boot", &linode, Value::Null, now, running_at);
    }
    linode
}

/// Addresses that follow from an id, the public one out of a range that leads nowhere (RFC 2544).
fn addresses(id: u64, private: bool) -> Vec<Address> {
    let mut addresses = vec![public_address(id)];
    if private {
        addresses.push(private_address(id));
    }
    addresses
}

pub(super) fn public_address(id: u64) -> Address {
    let [.., b, c, d] = (id % 0x2_0000).to_be_bytes();
    let address = format!("198.{}.{c}.{d}", 18 + b);
    let rdns = format!("{}.ip.linodeusercontent.com", address.replace('.', "-"));
    Address { address, public: true, rdns: Some(rdns) }
}

pub(super) fn private_address(id: u64) -> Address {
    let [.., c, d] = (id % 0x8000).to_be_bytes();
    Address { address: format!("192.168.{}.{d}", 128 + c), public: false, rdns: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_follow_the_vendors_pattern() {
        for good in ["web", "wb-0193e7d0-4362-7709-b262-4de1f9ad2f5e", "a.b_c-d", "A1-"] {
            assert!(is_label(good), "{good}");
        }
        for bad in ["1web", "-web", "web--1", "web__1", "web..1", "web 1", "wéb"] {
            assert!(!is_label(bad), "{bad}");
        }
    }

    #[test]
    fn addresses_stay_in_their_ranges() {
        for id in [0, 1, 52_557_263, 0x1_ffff, u64::MAX] {
            let text = public_address(id).address;
            let [a, b, ..] = text.parse::<std::net::Ipv4Addr>().unwrap().octets();
            assert!(a == 198 && (b == 18 || b == 19), "{text}");
            assert!(private_address(id).address.parse::<std::net::Ipv4Addr>().unwrap().is_private());
        }
    }
}
