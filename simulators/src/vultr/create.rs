//! `POST /v2/instances`: what is checked, and what is made.

use axum::{Extension, Json, body::Bytes, extract::State as Shared, http::StatusCode};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use rand::Rng;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Answer, Sim,
    catalog::{self, Application, Os, Plan, Region},
    error::Error,
    instance::{Instance, Schedule, Source},
    parse,
    state::{Key, Script, Snapshot, State, after},
};
use crate::kit::fault::{FaultKind, Faults};

const MAX_USER_DATA: usize = 64 * 1024;

/// The body of a create. Fields that change nothing here (`activation_email`, `app_variables`, …) are accepted and
/// ignored, as are nulls, which official clients send.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Create {
    region: Option<String>,
    plan: Option<String>,
    os_id: Option<Number>,
    iso_id: Option<String>,
    snapshot_id: Option<String>,
    app_id: Option<Number>,
    image_id: Option<String>,
    script_id: Option<String>,
    label: Option<String>,
    hostname: Option<String>,
    tag: Option<String>,
    tags: Option<Vec<String>>,
    sshkey_id: Option<Vec<String>>,
    user_data: Option<String>,
    user_scheme: Option<String>,
    backups: Option<String>,
    enable_ipv6: Option<bool>,
    disable_public_ipv4: Option<bool>,
    ddos_protection: Option<bool>,
    attach_vpc: Option<Vec<String>>,
    firewall_group_id: Option<String>,
    reserved_ipv4: Option<String>,
    vpc_only: Option<bool>,
}

/// A number, or the same as text: the vendor's own documents and clients have both.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Number {
    Number(u64),
    Text(String),
}

impl Number {
    /// Its value; zero and nothing mean absent, and what is no number means nothing known.
    pub(super) fn value(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number).filter(|number| *number > 0),
            Self::Text(text) if text.is_empty() => None,
            Self::Text(text) => Some(text.parse().unwrap_or(u64::MAX)),
        }
    }
}

/// A create that passed validation.
struct Order {
    region: &'static Region,
    plan: &'static Plan,
    source: Source,
    label: String,
    hostname: String,
    tags: Vec<String>,
    ssh_keys: Vec<Uuid>,
    user_data: String,
    user_scheme: String,
    backups: bool,
    ipv6: bool,
    public_ipv4: bool,
    ddos_protection: bool,
}

pub(super) async fn create(
    Shared(simulator): Sim,
    Extension(faults): Extension<Faults>,
    body: Bytes,
) -> Answer {
    let create: Create = parse(&body)?;
    let mut state = simulator.state();
    let order = create.check(&state)?;
    if faults.has(FaultKind::Capacity) || !order.plan.is_in(order.region.id) {
        return Err(Error::sold_out());
    }
    if state.settings.account_limit.is_some_and(|limit| state.instances.len() as u64 >= limit) {
        return Err(Error::account_full());
    }
    let instance = make(&mut state, order, &faults, Utc::now());
    let mut body = instance.body_at_birth();
    // Told here and never again.
    body["default_password"] = json!(new_password());
    Ok((StatusCode::ACCEPTED, Json(json!({ "instance": body }))))
}

fn make(state: &mut State, order: Order, faults: &Faults, now: DateTime<Utc>) -> Instance {
    let later = |from: DateTime<Utc>, kind| faults.get(kind).map_or(from, |fault| from + fault.duration());
    let boot = state.settings.boot_seconds;
    let (active_at, booted_at) = (after(now, boot * 2.0 / 3.0), after(now, boot));
    let addressed_at =
        if faults.has(FaultKind::ActiveWithoutIp) { booted_at } else { after(now, boot / 3.0) };
    let lag = if faults.has(FaultKind::ListingLag) { 0.0 } else { state.settings.listing_lag_seconds };
    let instance = Instance {
        id: Uuid::new_v4(),
        rank: state.new_number(),
        label: order.label,
        hostname: order.hostname,
        region: order.region.id.to_owned(),
        plan: order.plan.id.to_owned(),
        source: order.source,
        tags: order.tags,
        user_data: order.user_data,
        ssh_keys: order.ssh_keys,
        user_scheme: order.user_scheme,
        ipv6: order.ipv6,
        public_ipv4: order.public_ipv4,
        ddos_protection: order.ddos_protection,
        backups: order.backups.then(Schedule::usual),
        more_ipv4: Vec::new(),
        reverse: [].into(),
        created_at: now,
        active_at,
        booted_at,
        addressed_at: later(addressed_at, FaultKind::ActiveWithoutIp),
        listed_at: later(after(now, lag), FaultKind::ListingLag),
        readable_at: later(now, FaultKind::NotFoundAfterCreate),
        on: true,
        event: None,
    };
    state.keep(instance.clone());
    instance
}

impl Create {
    fn check(self, state: &State) -> Result<Order, Error> {
        let region = self.region.as_deref().and_then(Region::find);
        let region = region.ok_or_else(|| Error::bad_request("Invalid location chosen."))?;
        let plan = self.plan.as_deref().and_then(Plan::find);
        let plan = plan.ok_or_else(|| Error::bad_request("Invalid plan chosen."))?;
        let source = self.source(state, plan)?;
        if let Some(script) = filled(self.script_id.as_ref()) {
            state.find::<Script>(script).map_err(|_| Error::bad_request("Invalid script_id."))?;
        }
        for (named, what) in [
            (filled(self.firewall_group_id.as_ref()), "firewall_group_id"),
            (filled(self.reserved_ipv4.as_ref()), "reserved_ipv4"),
            (self.attach_vpc.iter().flatten().next().map(String::as_str), "attach_vpc"),
        ] {
            // The account has none of these, so whatever is named does not exist.
            if named.is_some() {
                return Err(Error::bad_request(format!("Invalid {what}.")));
            }
        }
        if self.vpc_only == Some(true) {
            return Err(Error::bad_request("A VPC with a NAT gateway is required for vpc_only."));
        }
        let hostname =
            self.hostname.filter(|name| !name.is_empty()).unwrap_or_else(|| "vultr.guest".to_owned());
        check_hostname(&hostname)?;
        let ipv6 = self.enable_ipv6 == Some(true);
        Ok(Order {
            region,
            plan,
            source,
            label: self.label.unwrap_or_default(),
            hostname,
            tags: self.tags.or_else(|| self.tag.map(|tag| vec![tag])).unwrap_or_default(),
            ssh_keys: find_keys(state, &self.sshkey_id.unwrap_or_default())?,
            user_data: check_user_data(self.user_data)?,
            user_scheme: check_user_scheme(self.user_scheme)?.unwrap_or_else(|| "root".to_owned()),
            backups: check_backups(self.backups.as_deref())?.unwrap_or(false),
            ipv6,
            public_ipv4: !(ipv6 && self.disable_public_ipv4 == Some(true)),
            ddos_protection: self.ddos_protection == Some(true),
        })
    }

    /// What to install: exactly one way must be named.
    fn source(&self, state: &State, plan: &Plan) -> Result<Source, Error> {
        let os = self.os_id.as_ref().and_then(Number::value);
        let app = self.app_id.as_ref().and_then(Number::value);
        let [iso, snapshot, image] =
            [&self.iso_id, &self.snapshot_id, &self.image_id].map(|id| filled(id.as_ref()));
        match (os, app, iso, snapshot, image) {
            (Some(os), None, None, None, None) => system(os),
            (None, Some(app), None, None, None) => application(|a| a.id == app && a.image_id.is_empty()),
            (None, None, None, None, Some(image)) => application(|a| a.image_id == image),
            (None, None, None, Some(id), None) => {
                let snapshot = usable_snapshot(state, id, plan, Utc::now())?;
                Ok(Source::of_snapshot(snapshot))
            }
            (None, None, Some(_), None, None) => Err(Error::bad_request("Invalid iso_id.")),
            _ => Err(Error::bad_request(
                "Exactly one of os_id, iso_id, snapshot_id, app_id, image_id must be specified.",
            )),
        }
    }
}

impl Source {
    pub(super) fn of_snapshot(snapshot: &Snapshot) -> Self {
        Self {
            os_id: catalog::SNAPSHOT_OS,
            app_id: snapshot.app_id,
            image_id: String::new(),
            snapshot_id: snapshot.id.to_string(),
        }
    }
}

/// The source that an `os_id` means.
pub(super) fn system(id: u64) -> Result<Source, Error> {
    let os = Os::find(id).ok_or_else(|| Error::bad_request("Invalid operating system chosen."))?;
    Ok(Source { os_id: os.id, app_id: 0, image_id: String::new(), snapshot_id: String::new() })
}

/// The source that an application means.
pub(super) fn application(wanted: impl Fn(&Application) -> bool) -> Result<Source, Error> {
    let app = catalog::APPLICATIONS.iter().find(|app| wanted(app));
    let app = app.ok_or_else(|| Error::bad_request("Invalid application image chosen."))?;
    Ok(Source {
        os_id: catalog::APPLICATION_OS,
        app_id: if app.image_id.is_empty() { app.id } else { 0 },
        image_id: app.image_id.to_owned(),
        snapshot_id: String::new(),
    })
}

/// A complete snapshot that fits on the disk of `plan`.
pub(super) fn usable_snapshot<'a>(
    state: &'a State,
    id: &str,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Result<&'a Snapshot, Error> {
    let snapshot = state.find::<Snapshot>(id).map_err(|_| Error::bad_request("Invalid snapshot chosen."))?;
    if snapshot.complete_at > now {
        return Err(Error::bad_request("Invalid snapshot chosen: it is not complete yet."));
    }
    if snapshot.disk > plan.disk {
        return Err(Error::bad_request("Invalid snapshot chosen: it is larger than the disk of the plan."));
    }
    Ok(snapshot)
}

/// What is named, unless it is empty.
pub(super) fn filled(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

fn find_keys(state: &State, wanted: &[String]) -> Result<Vec<Uuid>, Error> {
    let find = |id: &String| {
        let key = state.find::<Key>(id).map_err(|_| Error::bad_request(format!("Invalid SSH key: {id}")))?;
        Ok(key.id)
    };
    wanted.iter().map(find).collect()
}

pub(super) fn check_hostname(name: &str) -> Result<(), Error> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() <= 253 && name.split('.').all(is_label) {
        Ok(())
    } else {
        Err(Error::bad_request("Invalid hostname."))
    }
}

/// Base64 of 64 KiB at most, or nothing.
pub(super) fn check_user_data(data: Option<String>) -> Result<String, Error> {
    let data = data.unwrap_or_default();
    match STANDARD.decode(&data) {
        Ok(plain) if plain.len() <= MAX_USER_DATA => Ok(data),
        Ok(_) => Err(Error::bad_request("Invalid user_data: it is too large.")),
        Err(_) => Err(Error::bad_request("Invalid user_data: it must be base64 encoded.")),
    }
}

pub(super) fn check_user_scheme(scheme: Option<String>) -> Result<Option<String>, Error> {
    match scheme.filter(|scheme| !scheme.is_empty()) {
        Some(scheme) if !matches!(scheme.as_str(), "root" | "limited") => {
            Err(Error::bad_request("Invalid user_scheme: must be root or limited."))
        }
        scheme => Ok(scheme),
    }
}

pub(super) fn check_backups(backups: Option<&str>) -> Result<Option<bool>, Error> {
    match backups {
        None | Some("") => Ok(None),
        Some("enabled") => Ok(Some(true)),
        Some("disabled") => Ok(Some(false)),
        Some(_) => Err(Error::bad_request("Invalid backups: must be enabled or disabled.")),
    }
}

/// A password as the vendor gives to a new server.
fn new_password() -> String {
    const SIGNS: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789#!+-{}[]()=,";
    let mut rng = rand::rng();
    (0..16).map(|_| char::from(SIGNS[rng.random_range(0..SIGNS.len())])).collect()
}

/// The instance as an answer shows it, whatever faults the call met.
pub(super) fn shown(instance: &Instance, faults: &Faults, now: DateTime<Utc>) -> Value {
    if faults.has(FaultKind::ActiveWithoutIp) { instance.body_without_ip(now) } else { instance.body(now) }
}
