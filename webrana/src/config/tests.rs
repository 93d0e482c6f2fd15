use super::*;
use base64::{Engine, prelude::BASE64_STANDARD};
use clap::{Args, Command, FromArgMatches};
use rand::Rng;
use secrecy::ExposeSecret;
use std::path::Path;

mod notifications;
mod vendors;

/// Parses as the program does, with the variables of the test instead of the machine's.
fn parse(toml: &str, env: &[(&str, &str)], arguments: &[&str]) -> Result<Config> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("webrana.toml");
    std::fs::write(&file, toml)?;
    let variable =
        |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let command = layers::apply(Config::augment_args(Command::new("test")), Some(&file), &variable)?;
    let matches = command.try_get_matches_from(std::iter::once(&"test").chain(arguments))?;
    Ok(Config::from_arg_matches(&matches)?)
}

/// Each setting by its key, its flag and its variable.
pub(crate) fn settings_of(command: &Command) -> Vec<String> {
    command
        .get_arguments()
        .filter_map(|arg| {
            let (flag, variable) = (arg.get_long()?, arg.get_env()?.to_string_lossy());
            Some(format!("{} --{flag} {variable}", arg.get_id()))
        })
        .collect()
}

fn refusal(toml: &str, env: &[(&str, &str)]) -> String {
    format!("{:#}", parse(toml, env, &[]).unwrap_err())
}

#[test]
fn the_file_sets_what_no_flag_sets() {
    let toml = "[api]\nport = 4000\ntrusted_proxies = ['10.0.0.1', ' 10.1.0.0/16 ', '']\n[auth]\naccess_ttl = '5m'\n";
    let config = parse(toml, &[], &["--api-port", "5000"]).unwrap();
    assert_eq!(config.api.port, 5000);
    assert_eq!(config.api.trusted_proxies().len(), 2);
    assert_eq!(config.auth.access_ttl, std::time::Duration::from_secs(300));
    assert_eq!(config.api.internal_port, 3007, "the default stands where nothing is said");
}

#[test]
fn the_api_is_by_itself_what_the_settings_make_it_where_nobody_sets_them() {
    let config = parse("", &[], &[]).unwrap();
    assert_eq!(crate::wiring::limits(&config), ::api::Limits::default());
    assert_eq!(config.websocket.settings(), ::api::LiveSettings::default());
    let auth = ::api::AuthConfig::new(config.auth.jwt_secret.clone());
    assert_eq!(auth.access_ttl, config.auth.access_ttl);
    let (theirs, ours) = (auth.sessions, config.auth.sessions());
    assert_eq!(
        (theirs.refresh_ttl, theirs.longest, theirs.grace),
        (ours.refresh_ttl, ours.longest, ours.grace)
    );
}

#[test]
fn proxies_are_a_list_of_addresses_and_networks_with_blanks() {
    let proxies = |text: &str| -> Vec<String> {
        let config = parse("", &[], &["--api-trusted-proxies", text]).unwrap();
        config.api.trusted_proxies().iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        proxies("10.0.0.1, 10.1.0.0/16 ,2001:db8::/32,"),
        ["10.0.0.1/32", "10.1.0.0/16", "2001:db8::/32"]
    );
    assert_eq!(proxies(""), [""; 0], "a variable that compose leaves empty");
}

#[test]
fn a_key_that_is_no_setting_is_refused() {
    assert!(refusal("[api]\nprot = 1\n", &[]).contains("`api.prot`, which is no setting"));
}

#[test]
fn a_secret_may_be_in_a_file_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("secret");
    std::fs::write(&secret, "0123456789abcdef0123456789abcdef\n").unwrap();
    let variables = [("JWT_SECRET_FILE", secret.to_str().unwrap())];
    let config = parse("[auth]\njwt_secret = 'from the file below'\n", &variables, &[]).unwrap();
    assert_eq!(config.auth.jwt_secret.expose_secret(), "0123456789abcdef0123456789abcdef");
    let both = [variables[0], ("JWT_SECRET", "other")];
    assert!(refusal("", &both).contains("both JWT_SECRET and JWT_SECRET_FILE are set"));
    assert!(refusal("", &[("JWT_SECRET_FILE", "/no/such/file")]).contains("JWT_SECRET_FILE"));
}

#[test]
fn production_refuses_default_secrets_and_simulators() {
    let bare = parse("", &[], &["--env", "production"]).unwrap().problems().join("\n");
    for name in [
        "INSTALLATION_ID",
        "JWT_SECRET",
        "CREDENTIALS_KEY",
        "MIDTRANS_SERVER_KEY",
        "SELLER_NAME",
        "SELLER_ADDRESS",
        "SELLER_TAX_ID",
        "SMTP_URL",
        "MAIL_FROM",
        "APP_URL",
    ] {
        assert!(bare.contains(&format!("{name} is missing")), "{name} in: {bare}");
    }
    assert!(bare.contains("none of DIGITALOCEAN_TOKEN, VULTR_API_KEY, LINODE_API_TOKEN"), "{bare}");
    let simulators =
        ["--env", "production", "--vultr-url", "http://127.0.0.1:4011", "--vultr-api-key", "simulated"];
    let problems = parse("", &[], &simulators).unwrap().problems().join("\n");
    assert!(problems.contains("VULTR_URL") && !problems.contains("DIGITALOCEAN_URL"), "{problems}");
}

#[test]
fn production_with_secrets_is_sound_and_development_needs_none() {
    let [jwt, key, token, server_key] = [secret(), key(), secret(), secret()];
    let given = [
        "--env",
        "production",
        "--installation-id",
        "production",
        "--jwt-secret",
        &jwt,
        "--credentials-key",
        &key,
        "--digitalocean-token",
        &token,
        "--midtrans-server-key",
        &server_key,
        "--seller-name",
        "PT Contoh",
        "--seller-address",
        "Jakarta",
        "--seller-tax-id",
        "01.234.567.8-901.000",
        "--smtp-url",
        "smtps://mail.example.com",
        "--mail-from",
        "WeBrana Cloud <no-reply@example.com>",
        "--app-url",
        "https://app.example.com",
    ];
    assert_eq!(parse("", &[], &given).unwrap().problems(), Vec::<String>::new());
    assert_eq!(parse("", &[], &[]).unwrap().problems(), Vec::<String>::new());
}

#[test]
fn an_installations_id_is_a_short_word() {
    let problems = |id: &str| parse("", &[], &["--installation-id", id]).unwrap().problems().join("\n");
    assert_eq!(problems("staging-2"), "");
    for wrong in ["", "Prod", "a b", "staging_2", &"x".repeat(25)] {
        assert!(problems(wrong).starts_with("INSTALLATION_ID"), "{wrong}");
    }
}

#[test]
fn shares_that_leave_too_little_for_servers_are_refused() {
    let problems = |arguments: &[&str]| parse("", &[], arguments).unwrap().problems().join("\n");
    assert_eq!(problems(&["--provider-share-actions", "8", "--provider-share-display", "12"]), "");
    for wrong in [
        ["--provider-share-display", "16"],
        ["--provider-share-actions", "0"],
        ["--provider-share-customer", "91"],
    ] {
        let refused = problems(&wrong);
        assert!(refused.contains("PROVIDER_SHARE_DISPLAY"), "{wrong:?}: {refused}");
    }
}

#[test]
fn a_credentials_key_that_is_none_is_refused_and_two_are_taken() {
    let problems = |key: &str| parse("", &[], &["--credentials-key", key]).unwrap().problems();
    let key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    assert_eq!(problems(&format!("{key},{key}")), Vec::<String>::new());
    let refused = problems("hunter2").join("\n");
    assert!(refused.contains("CREDENTIALS_KEY") && !refused.contains("hunter2"), "{refused}");
}

#[test]
fn a_seller_has_lines_of_address_and_a_tax_number_that_is_one() {
    let toml =
        "[seller]\nname = 'PT Contoh'\naddress = \"Jalan Satu\\nJakarta\"\ntax_id = '0123456789012345'\n";
    let seller = parse(toml, &[], &[]).unwrap().seller.seller();
    assert_eq!((seller.name.as_str(), seller.address.lines().count()), ("PT Contoh", 2));
    for wrong in ["1234", "01.234.567.8-901.00x", "no number"] {
        let problems = parse("", &[], &["--seller-tax-id", wrong]).unwrap().problems().join("\n");
        assert!(problems.contains("SELLER_TAX_ID"), "{wrong}: {problems}");
    }
    assert!(parse("", &[], &[]).unwrap().seller.seller().name.contains("development"));
}

/// A secret as it should be.
fn secret() -> String {
    crate::random::random_token()
}

fn key() -> String {
    BASE64_STANDARD.encode(rand::rng().random::<[u8; 32]>())
}

/// Every setting that is a secret, by its flag and its variable.
fn secret_settings() -> Vec<(String, String)> {
    let command = Config::augment_args(Command::new("test"));
    let secrets = command.get_arguments().filter(|arg| arg.is_hide_env_values_set());
    let names = secrets.map(|arg| (arg.get_long().unwrap(), arg.get_env().unwrap().to_string_lossy()));
    names.map(|(flag, variable)| (format!("--{flag}"), variable.into_owned())).collect()
}

/// A new secret setting is covered without anybody thinking of it.
#[test]
fn production_refuses_every_published_or_guessable_secret_in_every_setting() {
    let settings = secret_settings();
    assert!(settings.len() >= 9, "{settings:?}");
    let guessable =
        ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "Ab3Ab3Ab3Ab3Ab3Ab3Ab3Ab3Ab3Ab3Ab3Ab3Ab3Ab3"];
    for (flag, variable) in settings {
        for bad in strength::published().chain(guessable) {
            let value = match variable.as_str() {
                "DATABASE_URL" | "DATABASE_DIRECT_URL" => {
                    format!("postgres://webrana:{}@db.internal/webrana", bad.replace(' ', "%20"))
                }
                _ => bad.to_owned(),
            };
            let arguments = ["--env", "production", &flag, &value];
            let problems = parse("", &[], &arguments).unwrap().problems();
            let named = problems.iter().any(|problem| problem.starts_with(&variable));
            assert!(named, "{variable} takes `{bad}` in production: {problems:?}");
        }
    }
}

/// What copying adds: around a secret it is dropped, inside it is refused, whatever the mode.
#[test]
fn what_nobody_sees_in_a_secret_is_dropped_around_it_and_refused_inside() {
    let (around, within) =
        (["\n", "\r\n", " ", "\t", "\u{feff}", "\u{200b}"], ['\n', '\t', '\u{feff}', '\u{200b}', '\u{ad}']);
    for (flag, variable) in secret_settings() {
        let plain = match variable.as_str() {
            // A URL has its own rules, and a key in PEM has lines.
            "DATABASE_URL" | "DATABASE_DIRECT_URL" | "TEMPORAL_TLS_CLIENT_KEY_DATA" => continue,
            "CREDENTIALS_KEY" => key(),
            _ => secret(),
        };
        for blank in around {
            let config = parse("", &[], &[&flag, &format!("{blank}{plain}{blank}")]).unwrap();
            let kept = config.problems().into_iter().find(|problem| problem.contains("invisible character"));
            assert_eq!(kept, None, "{variable} {blank:?}");
        }
        for unseen in within {
            let (left, right) = plain.split_at(plain.len() / 2);
            let problems = parse("", &[], &[&flag, &format!("{left}{unseen}{right}")]).unwrap().problems();
            let told: Vec<_> =
                problems.iter().filter(|problem| problem.contains("invisible character")).collect();
            assert_eq!(told.len(), 1, "{variable} {unseen:?}: {problems:?}");
            assert!(told[0].starts_with(&variable) && !told[0].contains(left), "{told:?}");
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, "\u{feff}0123456789abcdef0123456789abcdef\r\n").unwrap();
    let from_file = [("DIGITALOCEAN_TOKEN_FILE", file.to_str().unwrap())];
    let config = parse("", &from_file, &[]).unwrap();
    let token = config.providers.account("digitalocean").unwrap().credential().unwrap();
    assert_eq!(token.expose_secret(), "0123456789abcdef0123456789abcdef");
}

#[test]
fn nothing_that_everybody_knows_guards_what_others_reach_in_any_mode() {
    let problems = |arguments: &[&str]| parse("", &[], arguments).unwrap().problems().join("\n");
    let everywhere = ["--api-bind", "0.0.0.0"];
    for open in [everywhere, ["--api-internal-bind", "0.0.0.0"]] {
        let open = problems(&open);
        for name in ["JWT_SECRET", "CREDENTIALS_KEY"] {
            assert!(open.contains(&format!("{name} stands in the public repository")), "{open}");
        }
    }
    let [jwt, key] = [secret(), key()];
    let own = ["--jwt-secret", &jwt, "--credentials-key", &key];
    assert_eq!(problems(&[&everywhere[..], &own].concat()), "");
    let simulated = ["--midtrans-server-key", "SB-Mid-server-simulator"];
    let forged = problems(&[&everywhere[..], &own, &simulated].concat());
    assert!(forged.contains("MIDTRANS_SERVER_KEY") && forged.contains("0.0.0.0"), "{forged}");
    assert_eq!(problems(&["--api-bind", "::1", "--midtrans-server-key", "SB-Mid-server-simulator"]), "");
}

#[test]
fn no_setting_prints_its_secret() {
    let secrets = [
        "--jwt-secret",
        "hunter2",
        "--credentials-key",
        "hunter2",
        "--digitalocean-token",
        "hunter2",
        "--database-url",
        "postgres://u:hunter2@h/d",
        "--xendit-secret-key",
        "hunter2",
        "--xendit-callback-token",
        "hunter2",
    ];
    let config = parse("", &[], &secrets).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn help_names_the_file_section_and_hides_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("webrana.toml");
    std::fs::write(&file, "[auth]\njwt_secret = 'hunter2'\n").unwrap();
    let command = Config::augment_args(Command::new("test"));
    let mut command = layers::apply(command, Some(Path::new(&file)), &|_| None).unwrap();
    let help = command.render_long_help().to_string();
    assert!(help.contains("[TOML: [api] port]"), "{help}");
    assert!(help.contains("JWT_SECRET_FILE"));
    assert!(!help.contains("hunter2"));
}

fn engine(toml: &str, arguments: &[&str]) -> Result<::engine::TemporalConfig> {
    parse(toml, &[], arguments)?.temporal.engine()
}

/// What is wrong with the settings about Temporal, in production or not.
fn engine_problems(arguments: &[&str], production: bool) -> String {
    parse("", &[], arguments).unwrap().temporal.problems(production).join("\n")
}

#[test]
fn tls_to_temporal_is_spoken_where_there_is_something_to_prove() {
    let plain = engine("[temporal]\naddress = 'engine:7233'\n", &[]).unwrap();
    assert!(plain.security.tls.is_none() && plain.security.api_key.is_none());
    assert_eq!(plain.namespace, "default");
    let arguments: [&[&str]; 4] = [
        &["--temporal-address", "engine:7233", "--temporal-api-key", "a key"],
        &["--temporal-address", "https://engine:7233"],
        &["--temporal-address", "engine:7233", "--temporal-tls", "true"],
        &["--temporal-address", "engine:7233", "--temporal-tls-server-name", "engine.internal"],
    ];
    for arguments in arguments {
        assert!(engine("", arguments).unwrap().security.tls.is_some(), "{arguments:?}");
    }
    let off = ["--temporal-address", "engine:7233", "--temporal-api-key", "a key", "--temporal-tls", "false"];
    assert!(engine("", &off).unwrap().security.tls.is_none());
    assert_eq!(engine_problems(&off, false), "");
    assert!(engine_problems(&off, true).contains("in plain text"));
}

#[test]
fn settings_of_temporal_that_contradict_each_other_are_refused() {
    let address = ["--temporal-address", "engine:7233"];
    let cases: [(&[&str], &str); 6] = [
        (&["--temporal-tls-client-cert-path", "client.pem"], "only of use together"),
        (
            &["--temporal-tls-server-ca-cert-path", "ca.pem", "--temporal-tls-server-ca-cert-data", "PEM"],
            "both TEMPORAL_TLS_SERVER_CA_CERT_PATH and TEMPORAL_TLS_SERVER_CA_CERT_DATA",
        ),
        (&["--temporal-tls-server-ca-cert-path", "/none/ca.pem"], "/none/ca.pem can't be read"),
        (&["--temporal-tls-disable-host-verification", "true"], "always checked"),
        (&["--temporal-config-file", "/none/temporal.toml"], "which is no file"),
        (&["--temporal-address", "https://engine:7233", "--temporal-tls", "false"], "TEMPORAL_TLS is false"),
    ];
    for (arguments, wanted) in cases {
        let own = arguments.first() == address.first();
        let arguments: Vec<&str> =
            if own { arguments.to_vec() } else { address.iter().chain(arguments).copied().collect() };
        let problems = engine_problems(&arguments, false);
        assert!(problems.contains(wanted), "{arguments:?}: {problems}");
    }
}

#[test]
fn a_profile_of_temporals_own_file_fills_what_is_not_set_here() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("temporal.toml");
    std::fs::write(
        &file,
        "[profile.shop]\naddress = 'cloud:7233'\nnamespace = 'shop.acct'\napi_key = 'the key of the profile'\n\
         [profile.shop.tls]\nserver_name = 'cloud.internal'\n[profile.shop.grpc_meta]\nx-team = 'shop'\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    // The machine's variable, if there is one, is none of the test's.
    let named = ["--temporal-address", "", "--temporal-config-file", file, "--temporal-profile", "shop"];
    let profile = engine("", &named).unwrap();
    assert_eq!((profile.address.as_str(), profile.namespace.as_str()), ("cloud:7233", "shop.acct"));
    assert_eq!(profile.security.api_key.unwrap().expose_secret(), "the key of the profile");
    assert_eq!(profile.security.tls.unwrap().server_name.as_deref(), Some("cloud.internal"));
    assert_eq!(profile.security.headers["x-team"].expose_secret(), "shop");

    let ours = [&["--temporal-namespace", "ours", "--temporal-address", "other:7233"], &named[2..]].concat();
    let over = engine("", &ours).unwrap();
    assert_eq!((over.address.as_str(), over.namespace.as_str()), ("other:7233", "ours"));

    let missing = ["--temporal-config-file", file, "--temporal-profile", "none"];
    assert!(engine_problems(&missing, false).contains("'none' not found"));
    std::fs::write(file, "[profile.default]\nadress = 'cloud:7233'\n").unwrap();
    assert!(!engine_problems(&["--temporal-config-file", file], false).is_empty(), "a key that is none");
}

#[test]
fn a_server_of_ones_own_is_told_nothing_that_is_meant_for_another() {
    let arguments = ["--temporal-address", "cloud:7233", "--temporal-api-key", "a key"];
    let config = parse("", &[], &arguments).unwrap().temporal;
    let kept = config.clone().with_server("cloud:7233", None).engine().unwrap();
    assert!(kept.security.api_key.is_some() && kept.security.tls.is_some());
    let own = config.with_server("127.0.0.1:7233", None).engine().unwrap();
    assert!(own.security.api_key.is_none() && own.security.tls.is_none());
}
