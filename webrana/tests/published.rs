//! Every secret that stands in the repository is known as such, so that production refuses it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::fs;
use std::path::{Path, PathBuf};
use webrana::config::strength::is_published;

/// Words that name a secret at the end of a setting's, field's or constant's name.
const NAMES: [&str; 6] = ["secret", "token", "key", "password", "pwd", "pass"];

/// Names of code that end like one.
const NO_SECRETS: [&str; 3] = ["contains_key", "dedupe_key", "on_key"];

/// Shorter texts are refused for their length.
const SHORTEST: usize = 8;

/// Where secrets may stand: what is run, deployed, tested or shown.
fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = vec![root.join("docker-compose.yml"), root.join(".env.example"), root.join("README.md")];
    let rooms = [
        "deploy",
        "docs",
        ".github",
        "api",
        "adapters",
        "activities",
        "simulators",
        "store",
        "tests",
        "webrana",
    ];
    rooms.iter().for_each(|room| collect(&root.join(room), &mut files));
    files
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if path.is_dir() {
            collect(&path, files);
        } else if ["rs", "yml", "yaml", "md", "sh", "env", "toml"].contains(&extension)
            || path.file_name().is_some_and(|name| name == "Dockerfile")
        {
            files.push(path);
        }
    }
}

/// Texts of a file that look like the value of a secret setting, each with the name it stands by.
fn secrets(path: &Path, text: &str) -> Vec<(String, String)> {
    if path.extension().is_some_and(|extension| extension == "rs") {
        in_rust(text)
    } else {
        in_settings(text)
    }
}

/// `NAME=value`, `NAME: value` and `${NAME:-value}`.
fn in_settings(text: &str) -> Vec<(String, String)> {
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let mut found = Vec::new();
    for line in text.lines() {
        for (at, _) in line.match_indices(['=', ':']) {
            let name = line[..at].rsplit(|c| !is_name(c)).next().unwrap_or_default();
            let rest = line[at + 1..].trim_start_matches([' ', '-', '"', '\'']);
            let value = rest
                .split(|c: char| c.is_whitespace() || "}\"'`#;|,)".contains(c))
                .next()
                .unwrap_or_default();
            found.push((name.to_owned(), value.to_owned()));
        }
        // The password of an address.
        if let Some((_, rest)) = line.split_once("postgres://") {
            let password = rest.split_once('@').and_then(|(who, _)| who.split_once(':'));
            found.extend(password.map(|(_, password)| ("PASSWORD".to_owned(), password.to_owned())));
        }
    }
    found
}

/// A text in quotation marks soon after a name: `const JWT_SECRET: &str = "..."`, `token: "...".into()`,
/// `"--jwt-secret", "..."`, `.env("JWT_SECRET", "...")`.
fn in_rust(text: &str) -> Vec<(String, String)> {
    const FAR: usize = 48;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let mut found = Vec::new();
    let quotes: Vec<usize> = text.match_indices('"').map(|(at, _)| at).collect();
    for pair in quotes.windows(2) {
        let value = &text[pair[0] + 1..pair[1]];
        if value.contains('\n') {
            continue;
        }
        let mut begin = pair[0].saturating_sub(FAR);
        while !text.is_char_boundary(begin) {
            begin -= 1;
        }
        let before = text[begin..pair[0]].trim_end_matches(|c: char| !is_name(c));
        let before = ["String::from", "SecretString::from", "Some", "&str", "str", "default_value"]
            .iter()
            .fold(before, |before, word| before.strip_suffix(word).unwrap_or(before))
            .trim_end_matches(|c: char| !is_name(c));
        let name = before.rsplit(|c| !is_name(c)).next().unwrap_or_default();
        found.push((name.to_owned(), value.to_owned()));
    }
    found
}

fn names_a_secret(name: &str) -> bool {
    let last = name.rsplit(['_', '-']).next().unwrap_or_default().to_ascii_lowercase();
    NAMES.contains(&last.as_str()) && !NO_SECRETS.contains(&name)
}

/// Whether it could be a secret's value at all.
fn is_value(text: &str) -> bool {
    // Names of variables, headers, fields and problems are none, nor are texts for people.
    let is_word = text.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == '.')
        || text.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let is_name =
        text.starts_with("--") || text.starts_with("x-") || text.starts_with('$') || text.starts_with('<');
    let blank =
        text.contains(char::is_whitespace) || text.contains(['{', '}', '(', '[', '/', '…', '\\', ':', '@']);
    text.len() >= SHORTEST && !is_word && !is_name && !blank && !text.contains("...")
}

#[test]
fn every_secret_of_the_repository_is_refused_in_production() {
    let mut unknown = Vec::new();
    for path in files().into_iter().filter(|path| !path.ends_with(file!())) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (name, value) in secrets(&path, &text) {
            if names_a_secret(&name) && is_value(&value) && !is_published(&value) {
                unknown.push(format!("{}: {name} is `{value}`", path.display()));
            }
        }
    }
    unknown.sort();
    unknown.dedup();
    assert!(
        unknown.is_empty(),
        "put these into `PUBLISHED` (webrana/src/config/strength.rs):\n{}",
        unknown.join("\n")
    );
}

#[test]
fn a_new_one_would_be_found() {
    let compose = "  JWT_SECRET: ${JWT_SECRET:-a-new-default-1}\n  X: postgres://u:pass-word-2@h/d\n";
    let env = "# XENDIT_CALLBACK_TOKEN=a-new-default-3   # (secret)\n";
    let rust = r#"
        const TOKEN: &str = "a-new-default-4";
        let x = Config { server_key: "a-new-default-5".to_owned(), jwt_secret: SecretString::from("a-new-default-6") };
        parse(&["--credentials-key", "a-new-default-7"]);
    "#;
    let found = |name: &str, text: &str| -> Vec<String> {
        let all = secrets(Path::new(name), text).into_iter();
        all.filter(|(name, value)| names_a_secret(name) && is_value(value)).map(|(_, value)| value).collect()
    };
    assert_eq!(found("docker-compose.yml", compose), ["a-new-default-1", "pass-word-2"]);
    assert_eq!(found(".env.example", env), ["a-new-default-3"]);
    let in_rust = found("main.rs", rust);
    assert_eq!(in_rust, ["a-new-default-4", "a-new-default-5", "a-new-default-6", "a-new-default-7"]);
}
