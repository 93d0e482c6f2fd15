//! The user's SSH public keys, to be named in orders.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header::LOCATION},
};
use chrono::{DateTime, Utc};
use domain::{ids::SshKeyId, label::Label};
use garde::Validate;
use serde::{Deserialize, Serialize};
use ssh_key::{HashAlg, PublicKey, public::KeyData};
use store::ssh_keys::{NewSshKey, SshKey};
use utoipa::ToSchema;

use super::CurrentUser;
use crate::{
    AppState,
    client::Client,
    extract::{Body, Id, Paged, Paging},
    problem::{Code, Problem},
};

/// Shorter RSA keys are refused by the servers themselves or can be broken.
const SHORTEST_RSA_BITS: usize = 2048;

/// A key to be kept.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    /// What to call it: 1 to 100 characters.
    #[garde(custom(acceptable_name))]
    #[schema(example = "my laptop")]
    name: String,
    /// One line of OpenSSH's format, as in `id_ed25519.pub`: Ed25519, ECDSA, RSA of 2048 bits or more, or a security
    /// key's. Its parts may be separated by any blanks and tabs.
    #[garde(length(max = 8192))]
    #[schema(
        example = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK7TPi7rWMd5azZCiSUy9WIDks1vL0nkzTmiaCB16KLg andi@laptop"
    )]
    public_key: String,
}

fn acceptable_name(text: &str, _: &()) -> garde::Result {
    Label::parse(text, 100).map(drop).map_err(|why| garde::Error::new(why.to_string()))
}

/// A key as it is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KeyBody {
    id: SshKeyId,
    #[schema(example = "my laptop")]
    name: String,
    /// One line of OpenSSH's format.
    public_key: String,
    /// As `ssh-keygen -l` prints it.
    #[schema(example = "SHA256:aRpwpyjEGeputf8ZWA1Lo0yXIf0IK2zwm3vmk0QDOrI")]
    fingerprint: String,
    created_at: DateTime<Utc>,
}

impl From<SshKey> for KeyBody {
    fn from(key: SshKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            public_key: key.public_key,
            fingerprint: key.fingerprint,
            created_at: key.created_at,
        }
    }
}

/// List my SSH keys
///
/// The user's keys, newest first.
#[utoipa::path(get, path = "/auth/me/ssh-keys", tag = "auth", operation_id = "list_ssh_keys",
    security(("bearer" = [])), params(Paging), responses(
    (status = 200, description = "A part of the list", body = Paged<KeyBody>),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    user: CurrentUser,
    paging: Paging,
) -> Result<Paged<KeyBody>, Problem> {
    Ok(Paged::new(state.store.ssh_keys(user.id, paging.request()).await?, KeyBody::from))
}

/// Add an SSH key
///
/// Keeps a public key, to be named in `ssh_key_ids` of orders. A server that is ordered with keys lets nobody in by
/// password.
#[utoipa::path(post, path = "/auth/me/ssh-keys", tag = "auth", operation_id = "add_ssh_key",
    security(("bearer" = [])), request_body = NewKey, responses(
        (status = 201, description = "The key", body = KeyBody,
            headers(("Location" = String, description = "Where to read it again"))),
        (status = 409, description = "`ssh_key_exists`: the user has this key already, under whatever name; \
            `too_many_ssh_keys`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_ssh_key`: not a public key of a kind that we take; `invalid_body` or \
            `validation_failed`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn add(
    State(state): State<AppState>,
    client: Client,
    user: CurrentUser,
    Body(body): Body<NewKey>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<KeyBody>), Problem> {
    let key =
        parse(&body.public_key).map_err(|why| Problem::field(Code::InvalidSshKey, "public_key", why))?;
    let new =
        NewSshKey { name: body.name.trim().to_owned(), public_key: key.line, fingerprint: key.fingerprint };
    let kept = state.store.add_ssh_key(user.id, &new, &client.origin(user.actor())).await?;
    let location = format!("/api/v1/auth/me/ssh-keys/{}", kept.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(kept.into())))
}

/// Read an SSH key
///
/// One of the user's own.
#[utoipa::path(get, path = "/auth/me/ssh-keys/{id}", tag = "auth", operation_id = "get_ssh_key",
    security(("bearer" = [])), params(("id" = SshKeyId, Path, description = "The key's id")), responses(
        (status = 200, description = "The key", body = KeyBody),
    ))]
pub(super) async fn get(
    State(state): State<AppState>,
    user: CurrentUser,
    Id(key): Id<SshKeyId>,
) -> Result<Json<KeyBody>, Problem> {
    Ok(Json(state.store.ssh_key(user.id, key).await?.into()))
}

/// Remove an SSH key
///
/// It can't be named in orders any more. Servers and orders that have it keep it.
#[utoipa::path(delete, path = "/auth/me/ssh-keys/{id}", tag = "auth", operation_id = "remove_ssh_key",
    security(("bearer" = [])), params(("id" = SshKeyId, Path, description = "The key's id")), responses(
        (status = 204, description = "Removed"),
    ))]
pub(super) async fn remove(
    State(state): State<AppState>,
    client: Client,
    user: CurrentUser,
    Id(key): Id<SshKeyId>,
) -> Result<StatusCode, Problem> {
    state.store.remove_ssh_key(user.id, key, &client.origin(user.actor())).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A key that is one.
#[derive(Debug)]
struct Parsed {
    /// The key on one line, as OpenSSH writes it.
    line: String,
    fingerprint: String,
}

fn parse(text: &str) -> Result<Parsed, &'static str> {
    let text = text.trim();
    if text.contains("PRIVATE KEY") {
        return Err("this is a private key: keep it to yourself, and send the public one (the .pub file)");
    }
    if text.starts_with("PuTTY-User-Key-File") {
        return Err(
            "this is PuTTY's private key file: keep it to yourself, and send what PuTTYgen shows as \
                    `Public key for pasting into OpenSSH authorized_keys file`",
        );
    }
    if text.contains("BEGIN SSH2 PUBLIC KEY") {
        return Err(
            "this is PuTTY's format (RFC 4716): send what PuTTYgen shows as `Public key for pasting into \
                    OpenSSH authorized_keys file`, or the output of `ssh-keygen -i -f <file>`",
        );
    }
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return Err("a public key is one line of text");
    }
    let key = PublicKey::from_openssh(&one_space(text))
        .map_err(|_| "not a public key in OpenSSH's format, such as `ssh-ed25519 AAAA… name`")?;
    match key.key_data() {
        KeyData::Ed25519(_) | KeyData::Ecdsa(_) | KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => {
        }
        KeyData::Rsa(rsa) if bits(rsa.n.as_positive_bytes()) >= SHORTEST_RSA_BITS => {}
        KeyData::Rsa(_) => return Err("an RSA key needs 2048 bits or more"),
        _ => return Err("keys of this kind are not taken: use Ed25519, ECDSA or RSA"),
    }
    let line = key.to_openssh().map_err(|_| "not a public key in OpenSSH's format")?;
    Ok(Parsed { line, fingerprint: fingerprint_of(&key) })
}

/// OpenSSH takes any blanks and tabs between the parts of a key, the parser one space only.
fn one_space(text: &str) -> String {
    text.split([' ', '\t']).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn bits(number: Option<&[u8]>) -> usize {
    let bytes = number.unwrap_or_default();
    bytes.first().map_or(0, |first| bytes.len() * 8 - first.leading_zeros() as usize)
}

fn fingerprint_of(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// The fingerprint of a key that was taken before; `None` for a line that is no key.
pub(crate) fn fingerprint(line: &str) -> Option<String> {
    PublicKey::from_openssh(line).ok().map(|key| fingerprint_of(&key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK7TPi7rWMd5azZCiSUy9WIDks1vL0nkzTmiaCB16KLg";
    const RSA_1024: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDPVX5KY8Z1/QqTnJ/5Ts7Z3pfS8l7HwWgR3iM+7YXInzVtzlnBqPoQZ6Jvswo9obXB8alOUcAOJgmUOAralnOV73pVQFFl34TByDqrzdB4SNyGpqueaUrsAZdTQlAGPruqSepSXG8NsK65zUZsKndaeVuCtw4aj2jiVM4OMsi2ww==";
    const RSA_2048: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDeVMVSuwypC9aQSFpEtnE7vR3bPH7w0APqORVG6DRyoqptTgJhrtrcztKVSxtPKIJSQaQPvYz0zoE4mSB7WTFB9/LjTorm429KpyRDtGaalFcLxxZ4EcCiNXHYkChITtBKyvkItzbUay+f6aOERlfvVjaxhDbToBRZ5SgAb0pIVsz9x9IVEeqoMs8pLCyjaq1aR8F3a9aRQIQwoTeOS3XzMVkBv87yeZo+3T5k+N+Rk3yAUvdLZS8bPgTspjN6ZF9N/SYjt+gOoKSlJzO6EW9sURhwEWT7eKpHR+Kw1AOQL/CBstjUiojtM02PFiOpYCqbfjDft4YjR/T5jwT+DIx9";
    const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBFCTdFhNTKoy5uhtAh4/FgJ3mpIMy/UIjjMYQhepfg9cFCDQecMb5DjSbIaKv+chffpLS83xHI8j2ru7dRv0B+Y=";

    #[test]
    fn a_key_is_taken_with_or_without_a_comment_and_has_one_fingerprint() {
        let bare = parse(ED25519).unwrap();
        let commented = parse(&format!("  {ED25519} andi@laptop \n")).unwrap();
        assert_eq!(bare.line, ED25519);
        assert_eq!(commented.line, format!("{ED25519} andi@laptop"));
        assert_eq!(bare.fingerprint, commented.fingerprint);
        assert_eq!(bare.fingerprint, "SHA256:aRpwpyjEGeputf8ZWA1Lo0yXIf0IK2zwm3vmk0QDOrI");
        assert_eq!(fingerprint(&commented.line), Some(bare.fingerprint));
        assert_eq!(fingerprint("no key"), None);
    }

    #[test]
    fn other_kinds_are_taken_too() {
        for (line, expected) in [
            (RSA_2048, "SHA256:xitUeqRQppeRN7Q32p6og1NmzFa81WHRDXOH9mOeBFw"),
            (ECDSA, "SHA256:t3rZfMMDlWEi4DpdBloBCpXkSYgwCYl7z2ikeh3jbfY"),
        ] {
            assert_eq!(parse(line).unwrap().fingerprint, expected);
        }
    }

    #[test]
    fn blanks_and_tabs_between_the_parts_are_read() {
        let (kind, data) = ED25519.split_once(' ').unwrap();
        for text in [
            format!("{kind}\t{data}\tandi@laptop"),
            format!("\t{kind}   {data} \t andi@laptop\t\r\n"),
            format!("{kind} {data} andi@laptop"),
        ] {
            assert_eq!(parse(&text).unwrap().line, format!("{ED25519} andi@laptop"), "{text:?}");
        }
        assert_eq!(parse(&format!("{kind}\t{data}")).unwrap().line, ED25519);
    }

    #[test]
    fn puttys_keys_are_named_and_the_way_out_told() {
        let private =
            "PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: none\r\nComment: andi\r\nPublic-Lines: 2\r\n";
        let public = "---- BEGIN SSH2 PUBLIC KEY ----\r\nComment: \"andi\"\r\nAAAAC3Nz\r\n---- END SSH2 PUBLIC KEY ----";
        for (text, word) in [(private, "private"), (public, "RFC 4716")] {
            let why = parse(text).unwrap_err();
            assert!(
                why.contains("PuTTY") && why.contains(word) && why.contains("OpenSSH authorized_keys"),
                "{why}"
            );
        }
    }

    #[test]
    fn what_is_no_good_key_is_refused_with_the_reason() {
        let cut = &ED25519[..ED25519.len() - 8];
        let options = format!("command=\"id\" {ED25519}");
        let two = format!("{ED25519}\n{ED25519}");
        let other_kind = ED25519.replace("ssh-ed25519", "ssh-rsa");
        for text in ["", "hello", "ssh-ed25519", cut, &options, &two, &other_kind, "ssh-dss AAAA x"] {
            assert!(parse(text).is_err(), "{text}");
        }
        let private = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----";
        assert!(parse(private).unwrap_err().contains("private key"));
        assert_eq!(parse(RSA_1024).unwrap_err(), "an RSA key needs 2048 bits or more");
    }
}
