//! What a new server is told at its first boot, as cloud-init's user data. Adapters encode it as their vendor wants.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

/// A `#cloud-config` that lets root in by keys, by password or both; `None` when there is neither. JSON is YAML, so
/// nothing that is put in can break out of its place. Vendors expire the root password of servers made without keys
/// of the *account*; unless undone, that bars key logins too.
#[must_use]
pub fn cloud_config(ssh_public_keys: &[String], root_password: Option<&SecretString>) -> Option<String> {
    if ssh_public_keys.is_empty() && root_password.is_none() {
        return None;
    }
    let mut config = json!({ "chpasswd": { "expire": false } });
    if !ssh_public_keys.is_empty() {
        config["users"] = json!([{ "name": "root", "ssh_authorized_keys": ssh_public_keys }]);
    }
    if let Some(password) = root_password {
        config["ssh_pwauth"] = json!(true);
        config["chpasswd"]["users"] =
            json!([{ "name": "root", "password": password.expose_secret(), "type": "text" }]);
    }
    Some(format!("#cloud-config\n{config}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(keys: &[&str], password: Option<&str>) -> serde_json::Value {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let text = cloud_config(&keys, password.map(SecretString::from).as_ref()).unwrap();
        let (first, config) = text.split_once('\n').unwrap();
        assert_eq!(first, "#cloud-config");
        serde_json::from_str(config).unwrap()
    }

    #[test]
    fn keys_stay_in_their_place() {
        let keys = ["ssh-ed25519 AAAA andi@laptop", "x\"]\nruncmd: [\"id\"]"];
        let told = config(&keys, None);
        assert_eq!(told["users"], json!([{ "name": "root", "ssh_authorized_keys": keys }]));
        assert_eq!(told["chpasswd"], json!({ "expire": false }));
        assert_eq!(told.get("runcmd"), None);
    }

    #[test]
    fn a_password_opens_password_logins_only_when_there_is_one() {
        let told = config(&[], Some("correct horse"));
        assert_eq!(told["ssh_pwauth"], true);
        assert_eq!(told["chpasswd"]["users"][0]["password"], "correct horse");
        assert_eq!(config(&["k"], None).get("ssh_pwauth"), None);
        assert_eq!(cloud_config(&[], None), None);
    }
}
