//! What a new server is told at its first boot, as cloud-init's user data. Adapters encode it as their vendor wants.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha_crypt::{PasswordHasher, ShaCrypt, password_hash};
use uuid::Uuid;

/// Bytes of a salt: 16 signs, the most that `crypt(3)` takes.
const SALT: usize = 12;

/// A `#cloud-config` that lets root in by keys, by password or both; `None` when there is neither. JSON is YAML, so
/// nothing that is put in can break out of its place. Vendors expire the root password of servers made without keys
/// of the *account*; unless undone, that bars key logins too.
///
/// User data is readable on the machine, by everybody who may ask the metadata service, and at the vendor for ever: a
/// password stands in it only as its hash.
///
/// # Errors
/// When the password can't be hashed.
pub fn cloud_config(
    ssh_public_keys: &[String],
    root_password: Option<&SecretString>,
) -> Result<Option<String>, password_hash::Error> {
    if ssh_public_keys.is_empty() && root_password.is_none() {
        return Ok(None);
    }
    let mut config = json!({ "chpasswd": { "expire": false } });
    if !ssh_public_keys.is_empty() {
        config["users"] = json!([{ "name": "root", "ssh_authorized_keys": ssh_public_keys }]);
    }
    if let Some(password) = root_password {
        config["ssh_pwauth"] = json!(true);
        config["chpasswd"]["users"] =
            json!([{ "name": "root", "password": hash(password)?, "type": "hash" }]);
    }
    Ok(Some(format!("#cloud-config\n{config}\n")))
}

/// SHA-512 crypt (`$6$`), which the `shadow` file of every Linux takes, with a random salt.
fn hash(password: &SecretString) -> Result<String, password_hash::Error> {
    let salt = &Uuid::new_v4().into_bytes()[..SALT];
    let hash = ShaCrypt::SHA512.hash_password_with_salt(password.expose_secret().as_bytes(), salt)?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use sha_crypt::PasswordVerifier;

    use super::*;

    fn config(keys: &[&str], password: Option<&str>) -> serde_json::Value {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let text = cloud_config(&keys, password.map(SecretString::from).as_ref()).unwrap().unwrap();
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
        let user = &told["chpasswd"]["users"][0];
        assert_eq!((&user["name"], &user["type"]), (&json!("root"), &json!("hash")));
        assert_eq!(config(&["k"], None).get("ssh_pwauth"), None);
        assert_eq!(cloud_config(&[], None).unwrap(), None);
    }

    #[test]
    fn a_password_is_told_as_a_hash_that_it_opens() {
        let password = "correct horse";
        let hashes = [(); 2].map(|()| {
            let told = config(&[], Some(password));
            assert!(!told.to_string().contains(password));
            told["chpasswd"]["users"][0]["password"].as_str().unwrap().to_owned()
        });
        for hash in &hashes {
            let parts: Vec<&str> = hash.split('$').collect();
            assert_eq!((parts[1], parts[3].len(), parts[4].len()), ("6", 16, 86), "{hash}");
            ShaCrypt::SHA512.verify_password(password.as_bytes(), hash.as_str()).unwrap();
            assert!(ShaCrypt::SHA512.verify_password(b"incorrect horse", hash.as_str()).is_err());
        }
        assert_ne!(hashes[0], hashes[1], "each has a salt of its own");
    }

    #[test]
    fn hashes_are_those_of_crypt() {
        // From the specification of SHA-crypt, whose salt is the text as it stands.
        let known = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";
        ShaCrypt::SHA512.verify_password(b"Hello world!", known).unwrap();
    }
}
