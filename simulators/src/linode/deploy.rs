//! What creating and rebuilding have in common: which image, who gets in, and the disks that come of it.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    USERNAME,
    catalog::PublicImage,
    error::Error,
    form::Form,
    model::{Config, Disk},
    state::State,
};

const MAX_USER_DATA: usize = 65_535;
const SWAP: u64 = 512;
const KEY_TYPES: [&str; 6] =
    ["ssh-dss", "ssh-rsa", "ecdsa-sha2-nistp", "ssh-ed25519", "sk-ecdsa-sha2-nistp256", "sk-ssh-ed25519"];

/// An image that can be deployed.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) id: String,
    pub(super) label: String,
    /// In MiB.
    pub(super) size: u64,
}

impl Source {
    /// Refuses an image that a space of so many MiB can't hold.
    pub(super) fn check_fits(&self, space: u64) -> Result<(), Error> {
        if self.size > space {
            return Err(Error::field("image", "The image does not fit onto the disk."));
        }
        Ok(())
    }
}

/// The image a request names, if it does.
pub(super) fn source(form: &mut Form, state: &State, now: DateTime<Utc>) -> Option<Source> {
    let id = form.text("image")?;
    let found = match id.strip_prefix("private/") {
        None => PublicImage::find(&id).map(|image| Source {
            id: id.clone(),
            label: image.label.to_owned(),
            size: image.size,
        }),
        Some(number) => number
            .parse()
            .ok()
            .and_then(|number: u64| state.images.get(&number))
            .filter(|image| image.is_available(now))
            .map(|image| Source { id: id.clone(), label: image.label.clone(), size: image.size }),
    };
    if found.is_none() {
        form.refuse("image", "image is not valid");
    }
    found
}

/// The keys that get in; refuses a request that lets nobody in although it deploys an image.
pub(super) fn keys(form: &mut Form, state: &State, deploys: bool) -> Vec<String> {
    let password = form.text("root_pass");
    let mut keys = form.texts("authorized_keys").unwrap_or_default();
    let users = form.texts("authorized_users").unwrap_or_default();
    if let Some(password) = &password {
        check_password(form, "root_pass", password);
    }
    for (index, key) in keys.iter().enumerate() {
        if let Some(reason) = key_fault(key) {
            form.refuse("authorized_keys", format!("SSH Key {} {reason}", index + 1));
        }
    }
    if let Some(stranger) = users.iter().find(|user| *user != USERNAME) {
        form.refuse("authorized_users", format!("Invalid user: {stranger}"));
    } else if !users.is_empty() {
        keys.extend(state.keys.values().map(|key| key.ssh_key.clone()));
    }
    if deploys && password.is_none() && keys.is_empty() {
        form.refuse_whole("Must provide valid root_pass, authorized_keys, or authorized_users");
    }
    keys
}

pub(super) fn check_password(form: &mut Form, field: &str, password: &str) {
    if !(7..=128).contains(&password.chars().count()) {
        form.refuse(field, "Length must be 7-128 characters");
        return;
    }
    let mut distinct: Vec<char> = password.chars().collect();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < 5 {
        form.refuse(field, "Password does not meet strength requirement");
    }
}

/// What is wrong with an OpenSSH public key.
pub(super) fn key_fault(key: &str) -> Option<&'static str> {
    let mut words = key.split_whitespace();
    let known = words.next().is_some_and(|kind| KEY_TYPES.iter().any(|known| kind.starts_with(known)));
    match words.next() {
        _ if !known => Some(
            "key-type must be one of ssh-dss, ssh-rsa, ecdsa-sha2-nistp, ssh-ed25519, or sk-ecdsa-sha2-nistp256.",
        ),
        None => Some("is not valid"),
        Some(_) => None,
    }
}

/// `metadata.user_data`, still encoded.
pub(super) fn user_data(form: &mut Form) -> Option<String> {
    let text = form.inner_text("metadata", "user_data").filter(|text| !text.is_empty())?;
    match STANDARD.decode(&text) {
        Err(_) => form.refuse("metadata.user_data", "Must be valid base64"),
        Ok(data) if data.len() > MAX_USER_DATA => {
            form.refuse("metadata.user_data", format!("Decoded data must not exceed {MAX_USER_DATA} bytes"));
        }
        Ok(_) => return Some(text),
    }
    None
}

/// The disk of an image and a swap disk that share a type's space, and the profile that boots them.
pub(super) fn disks(
    state: &mut State,
    source: &Source,
    space: u64,
    swap: Option<u64>,
    ready_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> (Vec<Disk>, Config) {
    let swap = swap.unwrap_or(SWAP).min(space);
    let mut disk = |label: String, filesystem: &str, size| Disk {
        id: state.new_number(),
        label,
        filesystem: filesystem.to_owned(),
        size,
        created_at: now,
        ready_at,
    };
    let mut disks = vec![disk(format!("{} Disk", source.label), "ext4", space - swap)];
    if swap > 0 {
        disks.push(disk(format!("{swap} MB Swap Image"), "swap", swap));
    }
    let device = |disk: Option<&Disk>| disk.map(|disk| json!({ "disk_id": disk.id, "volume_id": null }));
    let devices = json!({
        "sda": device(disks.first()), "sdb": device(disks.get(1)), "sdc": null, "sdd": null,
        "sde": null, "sdf": null, "sdg": null, "sdh": null,
    });
    let config = config(state, &format!("My {} Disk Profile", source.label), &devices, now);
    (disks, config)
}

/// A configuration profile with everything else as the vendor's defaults are.
pub(super) fn config(state: &mut State, label: &str, devices: &Value, now: DateTime<Utc>) -> Config {
    let id = state.new_number();
    let made = super::show::stamp(now);
    let body = json!({
        "id": id,
        "label": label,
        "helpers": {
            "updatedb_disabled": true, "distro": true, "modules_dep": true, "network": true,
            "devtmpfs_automount": true,
        },
        "kernel": "linode/grub2",
        "comments": "",
        "memory_limit": 0,
        "created": made,
        "updated": made,
        "root_device": "/dev/sda",
        "devices": devices,
        "initrd": null,
        "run_level": "default",
        "virt_mode": "paravirt",
        "interfaces": [],
    });
    Config { id, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_from_other_text() {
        assert_eq!(key_fault("ssh-ed25519 AAAA andi@laptop"), None);
        assert_eq!(key_fault("ecdsa-sha2-nistp256 AAAA"), None);
        assert!(key_fault("hello world").is_some());
        assert_eq!(key_fault("ssh-rsa"), Some("is not valid"));
    }

    #[test]
    fn passwords_have_a_length_and_some_variety() {
        let fault = |password: &str| {
            let mut form = Form::read(b"{}").unwrap();
            check_password(&mut form, "root_pass", password);
            form.finish().is_err()
        };
        assert!(fault("short"));
        assert!(fault("aaaaaaaaaaaa"));
        assert!(fault(&"abcdefgh".repeat(17)));
        assert!(!fault("thisIsYourRootPassword"));
    }
}
