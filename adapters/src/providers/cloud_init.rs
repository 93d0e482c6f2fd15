//! What a new server is told at its first boot, as cloud-init's user data. Adapters encode it as their vendor wants.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha_crypt::{PasswordHasher, ShaCrypt, password_hash};
use tokio::task::JoinError;
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
pub async fn cloud_config(
    ssh_public_keys: &[String],
    root_password: Option<&SecretString>,
) -> Result<Option<String>, NotHashed> {
    let hash = match root_password {
        Some(password) => Some(off_the_async_threads(password.clone()).await?),
        None => None,
    };
    Ok(compose(ssh_public_keys, hash.as_deref()))
}

/// Why a password has no hash.
#[derive(Debug, thiserror::Error)]
pub enum NotHashed {
    /// It can't have one.
    #[error("the root password can't be hashed: {0}")]
    Refused(#[from] password_hash::Error),
    /// The thread that was at it is gone.
    #[error("the thread that hashed the root password ended")]
    Thread(#[from] JoinError),
}

/// A hash takes a core for milliseconds: some at once would keep everything else in the process waiting.
async fn off_the_async_threads(password: SecretString) -> Result<String, NotHashed> {
    Ok(tokio::task::spawn_blocking(move || hash(&password)).await??)
}

fn compose(ssh_public_keys: &[String], root_password_hash: Option<&str>) -> Option<String> {
    if ssh_public_keys.is_empty() && root_password_hash.is_none() {
        return None;
    }
    let mut config = json!({ "chpasswd": { "expire": false } });
    if !ssh_public_keys.is_empty() {
        config["users"] = json!([{ "name": "root", "ssh_authorized_keys": ssh_public_keys }]);
    }
    if let Some(hash) = root_password_hash {
        config["ssh_pwauth"] = json!(true);
        config["chpasswd"]["users"] = json!([{ "name": "root", "password": hash, "type": "hash" }]);
    }
    Some(format!("#cloud-config\n{config}\n"))
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

    async fn config(keys: &[&str], password: Option<&str>) -> serde_json::Value {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let password = password.map(SecretString::from);
        let text = cloud_config(&keys, password.as_ref()).await.unwrap().unwrap();
        let (first, config) = text.split_once('\n').unwrap();
        assert_eq!(first, "#cloud-config");
        serde_json::from_str(config).unwrap()
    }

    #[tokio::test]
    async fn keys_stay_in_their_place() {
        let keys = ["ssh-ed25519 AAAA andi@laptop", "x\"]\nruncmd: [\"id\"]"];
        let told = config(&keys, None).await;
        assert_eq!(told["users"], json!([{ "name": "root", "ssh_authorized_keys": keys }]));
        assert_eq!(told["chpasswd"], json!({ "expire": false }));
        assert_eq!(told.get("runcmd"), None);
    }

    #[tokio::test]
    async fn a_password_opens_password_logins_only_when_there_is_one() {
        let told = config(&[], Some("correct horse")).await;
        assert_eq!(told["ssh_pwauth"], true);
        let user = &told["chpasswd"]["users"][0];
        assert_eq!((&user["name"], &user["type"]), (&json!("root"), &json!("hash")));
        assert_eq!(config(&["k"], None).await.get("ssh_pwauth"), None);
        assert_eq!(cloud_config(&[], None).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_password_is_told_as_a_hash_that_it_opens() {
        let password = "correct horse";
        let mut hashes = Vec::new();
        for _ in 0..2 {
            let told = config(&[], Some(password)).await;
            assert!(!told.to_string().contains(password));
            hashes.push(told["chpasswd"]["users"][0]["password"].as_str().unwrap().to_owned());
        }
        for hash in &hashes {
            let parts: Vec<&str> = hash.split('$').collect();
            assert_eq!((parts[1], parts[3].len(), parts[4].len()), ("6", 16, 86), "{hash}");
            ShaCrypt::SHA512.verify_password(password.as_bytes(), hash.as_str()).unwrap();
            assert!(ShaCrypt::SHA512.verify_password(b"incorrect horse", hash.as_str()).is_err());
        }
        assert_ne!(hashes[0], hashes[1], "each has a salt of its own");
    }

    /// The only thread beside the async one is taken: were it hashed on the async one, that would be done at once.
    #[test]
    fn hashing_keeps_nobody_waiting() {
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let (free, taken) = std::sync::mpsc::channel::<()>();
            let other = tokio::task::spawn_blocking(move || taken.recv());
            let password = SecretString::from("correct horse");
            let mut hashing = std::pin::pin!(cloud_config(&[], Some(&password)));
            assert!(futures::poll!(&mut hashing).is_pending());
            free.send(()).unwrap();
            assert!(hashing.await.unwrap().is_some());
            other.await.unwrap().unwrap();
        });
    }

    #[test]
    fn hashes_are_those_of_crypt() {
        // From the specification of SHA-crypt, whose salt is the text as it stands.
        let known = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";
        ShaCrypt::SHA512.verify_password(b"Hello world!", known).unwrap();
    }
}
