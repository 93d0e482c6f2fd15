//! What a new server is told at its first boot, as cloud-init's user data. Adapters encode it as their vendor wants.

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::user_data::UserData;
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

/// All that a new server is told at its first boot: what we tell it, and what its owner wants it told.
///
/// # Errors
/// When the password can't be hashed.
pub async fn first_boot(
    ssh_public_keys: &[String],
    root_password: Option<&SecretString>,
    user_data: Option<&UserData>,
) -> Result<Option<String>, NotHashed> {
    Ok(together(cloud_config(ssh_public_keys, root_password).await?, user_data))
}

/// Ours and the owner's as one text: each as it is when it is alone, else a message of two parts (MIME), ours first. What both
/// configure is ours where it is one value and both where it is a list, so nobody is locked out by what an owner forgot.
#[must_use]
pub fn together(ours: Option<String>, theirs: Option<&UserData>) -> Option<String> {
    match (ours, theirs) {
        (ours, None) => ours,
        (None, Some(theirs)) => Some(theirs.expose().to_owned()),
        (Some(ours), Some(theirs)) => Some(message(&ours, theirs)),
    }
}

fn message(ours: &str, theirs: &UserData) -> String {
    let kind = theirs.content_type().unwrap_or("text/plain");
    let (encoding, body) = match theirs.is_plain() {
        true => ("7bit", theirs.expose().to_owned()),
        false => ("base64", STANDARD.encode(theirs.expose())),
    };
    let boundary = boundary(&[ours, &body]);
    format!(
        "Content-Type: multipart/mixed; boundary=\"{boundary}\"\nMIME-Version: 1.0\n\n\
         --{boundary}\nContent-Type: text/cloud-config; charset=\"utf-8\"\nMIME-Version: 1.0\n\
         Content-Transfer-Encoding: 8bit\n\n{ours}\n\
         --{boundary}\nContent-Type: {kind}; charset=\"utf-8\"\nMIME-Version: 1.0\n\
         Content-Transfer-Encoding: {encoding}\nMerge-Type: list(append)+dict(no_replace,recurse_list)+str()\n\n{body}\n\
         --{boundary}--\n"
    )
}

/// A line that stands in none of the parts.
fn boundary(parts: &[&str]) -> String {
    (0..=parts.iter().map(|part| part.len()).sum::<usize>())
        .map(|number| format!("webrana-{number}"))
        .find(|line| !parts.iter().any(|part| part.contains(line.as_str())))
        .unwrap_or_default()
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
    use domain::user_data::{OURS, check_together};
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

    fn parts(text: &str) -> Vec<(String, String)> {
        let boundary = text.split('"').nth(1).unwrap();
        let (begin, end) = (format!("--{boundary}\n"), format!("\n--{boundary}--"));
        let parts = text.split(begin.as_str()).skip(1);
        let parts = parts.map(|part| part.split(end.as_str()).next().unwrap().split_once("\n\n").unwrap());
        parts.map(|(head, body)| (head.to_owned(), body.trim_end().to_owned())).collect()
    }

    #[tokio::test]
    async fn an_owners_user_data_stands_beside_ours() {
        let keys = ["ssh-ed25519 AAAA andi@laptop".to_owned()];
        let ours = cloud_config(&keys, None).await.unwrap().unwrap();
        // A text that looks like a boundary does not end its part.
        let script = UserData::from("#!/bin/sh\necho --webrana-0 webrana-1\n".to_owned());
        let told = first_boot(&keys, None, Some(&script)).await.unwrap().unwrap();
        let read = parts(&told);
        assert_eq!(read.len(), 2, "{told}");
        assert!(read[0].0.starts_with("Content-Type: text/cloud-config"));
        assert_eq!(read[0].1, ours.trim_end());
        assert!(read[1].0.starts_with("Content-Type: text/x-shellscript") && read[1].0.contains("7bit"));
        assert_eq!(read[1].1, script.expose().trim_end());
        let foreign = UserData::from("#cloud-config\nfqdn: é\n".to_owned());
        let told = first_boot(&keys, None, Some(&foreign)).await.unwrap().unwrap();
        let read = parts(&told);
        assert!(read[1].0.contains("base64") && read[1].0.contains("Merge-Type: "), "{told}");
        assert_eq!(STANDARD.decode(&read[1].1).unwrap(), foreign.expose().as_bytes());

        assert_eq!(first_boot(&keys, None, None).await.unwrap(), Some(ours));
        assert_eq!(first_boot(&[], None, Some(&script)).await.unwrap().as_deref(), Some(script.expose()));
    }

    #[tokio::test]
    async fn what_may_be_ordered_fills_what_each_vendor_takes_and_no_more() {
        let password = SecretString::from("correct horse");
        for descriptor in crate::providers::ALL {
            let limit = descriptor.first_boot_bytes;
            for text in ["x", "é"] {
                let mut data = "#!".to_owned();
                while check_together(&[], &UserData::from(data.clone()), limit).is_ok() {
                    data.push_str(&text.repeat(16));
                }
                data.truncate(data.len() - 16 * text.len());
                let told =
                    first_boot(&[], Some(&password), Some(&UserData::from(data))).await.unwrap().unwrap();
                let slug = descriptor.slug;
                assert!((limit - OURS..=limit).contains(&told.len()), "{slug}: {} of {limit}", told.len());
            }
        }
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
