//! The program as a person meets it: what it says, and how it fails.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use base64::{Engine, prelude::BASE64_STANDARD};
use rand::Rng;
use std::path::Path;
use std::process::{Command, Output};

/// The program in a directory of the test's own, with no variable of the machine that it would read.
fn webrana(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_webrana"));
    command.env_clear().current_dir(directory);
    command
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn help_names_every_command() {
    let directory = tempfile::tempdir().unwrap();
    let help = said(&webrana(directory.path()).arg("--help").output().unwrap());
    for command in [
        "dev",
        "demo",
        "serve",
        "worker",
        "migrate",
        "simulate",
        "admin",
        "api-key",
        "ledger",
        "openapi",
        "config",
        "healthcheck",
        "completions",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{command} in: {help}");
    }
}

#[test]
fn a_flag_goes_before_a_variable_and_a_variable_before_the_file() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("webrana.toml"), "[api]\nport = 1111\n").unwrap();
    let port = |command: &mut Command| {
        let text = said(&command.output().unwrap());
        let line =
            text.lines().find(|line| line.starts_with("api.port ")).unwrap_or_else(|| panic!("{text}"));
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    let check = || {
        let mut command = webrana(directory.path());
        command.args(["config", "check"]);
        command
    };
    assert_eq!(port(&mut check()), "1111");
    assert_eq!(port(check().env("API_PORT", "2222")), "2222");
    assert_eq!(port(check().env("API_PORT", "2222").args(["--api-port", "3333"])), "3333");
}

#[test]
fn a_named_file_is_read_and_a_missing_one_is_named() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("other.toml"), "[orders]\npayment_window = '2h'\n").unwrap();
    let named =
        webrana(directory.path()).args(["--config", "other.toml", "config", "check"]).output().unwrap();
    assert!(said(&named).contains("2h"), "{}", said(&named));
    let missing =
        webrana(directory.path()).env("WEBRANA_CONFIG", "none.toml").arg("openapi").output().unwrap();
    assert!(!missing.status.success());
    assert!(said(&missing).contains("none.toml cannot be read"), "{}", said(&missing));
}

#[test]
fn production_says_what_it_lacks_and_never_prints_a_secret() {
    let directory = tempfile::tempdir().unwrap();
    let bare = webrana(directory.path())
        .env("WEBRANA_ENV", "production")
        .args(["config", "check"])
        .output()
        .unwrap();
    assert!(!bare.status.success());
    assert!(said(&bare).contains("JWT_SECRET is missing"), "{}", said(&bare));
    let [jwt, token, server_key] = [(); 3].map(|()| webrana::random::random_token());
    let key = BASE64_STANDARD.encode(rand::rng().random::<[u8; 32]>());
    std::fs::write(directory.path().join("token"), format!("{token}\n")).unwrap();
    let sound = webrana(directory.path())
        .args(["config", "check", "--env", "production"])
        .env("INSTALLATION_ID", "production")
        .env("JWT_SECRET", &jwt)
        .env("CREDENTIALS_KEY", &key)
        .env("MIDTRANS_SERVER_KEY", &server_key)
        .env("SELLER_NAME", "PT Contoh")
        .env("SELLER_ADDRESS", "Jakarta")
        .env("SELLER_TAX_ID", "01.234.567.8-901.000")
        .env("SMTP_URL", "smtps://mail.example.com")
        .env("MAIL_FROM", "WeBrana Cloud <no-reply@example.com>")
        .env("APP_URL", "https://app.example.com")
        .env("DIGITALOCEAN_TOKEN_FILE", "token")
        .output()
        .unwrap();
    let text = said(&sound);
    assert!(sound.status.success(), "{text}");
    assert!(![jwt, key, token, server_key].iter().any(|secret| text.contains(secret)), "{text}");
    let bare = said(&bare);
    let line = |name: &str| bare.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert!(line("auth.jwt_secret ").contains("(the default, which everybody knows)"), "{bare}");
    assert!(line("api.port ").ends_with(" default"), "{bare}");
    std::fs::write(directory.path().join("webrana.toml"), "[api]\nport = 1111\n").unwrap();
    let from_file = said(&webrana(directory.path()).args(["config", "check"]).output().unwrap());
    assert!(
        from_file.lines().any(|line| line.starts_with("api.port ") && line.ends_with(" file")),
        "{from_file}"
    );
}

#[test]
fn production_refuses_local_stacks_and_simulators() {
    let directory = tempfile::tempdir().unwrap();
    for command in ["dev", "demo", "simulate"] {
        let output =
            webrana(directory.path()).env("WEBRANA_ENV", "production").arg(command).output().unwrap();
        assert!(!output.status.success(), "{command}");
        assert!(said(&output).contains("production refuses"), "{command}: {}", said(&output));
    }
}

#[test]
fn what_is_missing_is_said_in_one_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let output = webrana(directory.path()).arg("serve").output().unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("DATABASE_URL is missing") && text.contains("webrana dev"), "{text}");
}

#[test]
fn an_api_that_does_not_answer_is_not_well() {
    let directory = tempfile::tempdir().unwrap();
    let output = webrana(directory.path())
        .args(["healthcheck", "--url", "http://127.0.0.1:9/readyz"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(said(&output).contains("the API does not answer"), "{}", said(&output));
}

#[test]
fn the_document_and_the_completions_are_printed() {
    let directory = tempfile::tempdir().unwrap();
    let document = webrana(directory.path()).arg("openapi").output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&document.stdout).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let script = webrana(directory.path()).args(["completions", "bash"]).output().unwrap();
    assert!(String::from_utf8_lossy(&script.stdout).contains("webrana"));
}
