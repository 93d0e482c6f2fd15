use super::*;
use clap::{Args, Command, FromArgMatches};
use secrecy::ExposeSecret;
use std::path::Path;

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

fn refusal(toml: &str, env: &[(&str, &str)]) -> String {
    format!("{:#}", parse(toml, env, &[]).unwrap_err())
}

#[test]
fn the_file_sets_what_no_flag_sets() {
    let toml = "[api]\nport = 4000\ntrusted_proxies = ['10.0.0.1', '10.0.0.2']\n[auth]\naccess_ttl = '5m'\n";
    let config = parse(toml, &[], &["--api-port", "5000"]).unwrap();
    assert_eq!(config.api.port, 5000);
    assert_eq!(config.api.trusted_proxies.len(), 2);
    assert_eq!(config.auth.access_ttl, std::time::Duration::from_secs(300));
    assert_eq!(config.api.internal_port, 3007, "the default stands where nothing is said");
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
        "JWT_SECRET",
        "CREDENTIALS_KEY",
        "MIDTRANS_SERVER_KEY",
        "SELLER_NAME",
        "SELLER_ADDRESS",
        "SELLER_TAX_ID",
    ] {
        assert!(bare.contains(&format!("{name} is missing")), "{name} in: {bare}");
    }
    assert!(bare.contains("none of DIGITALOCEAN_TOKEN, VULTR_API_KEY, LINODE_API_TOKEN is set"), "{bare}");
    let simulators =
        ["--env", "production", "--vultr-url", "http://127.0.0.1:4011", "--vultr-api-key", "simulated"];
    let problems = parse("", &[], &simulators).unwrap().problems().join("\n");
    assert!(problems.contains("VULTR_URL") && !problems.contains("DIGITALOCEAN_URL"), "{problems}");
}

#[test]
fn production_with_secrets_is_sound_and_development_needs_none() {
    let secret = "0123456789abcdef0123456789abcdef";
    let given = [
        "--env",
        "production",
        "--jwt-secret",
        secret,
        "--credentials-key",
        "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        "--digitalocean-token",
        "t",
        "--midtrans-server-key",
        "k",
        "--seller-name",
        "PT Contoh",
        "--seller-address",
        "Jakarta",
        "--seller-tax-id",
        "01.234.567.8-901.000",
    ];
    assert_eq!(parse("", &[], &given).unwrap().problems(), Vec::<String>::new());
    assert_eq!(parse("", &[], &[]).unwrap().problems(), Vec::<String>::new());
}

#[test]
fn a_provider_is_usable_when_switched_on_and_given_its_credential() {
    let usable = |env: &[(&str, &str)]| -> Vec<&str> {
        let toml: String = env.iter().map(|(key, value)| format!("{key} = '{value}'\n")).collect();
        let config = parse(&format!("[providers]\n{toml}"), &[], &[]).unwrap();
        config.providers.usable().map(|(slug, ..)| slug).collect()
    };
    assert_eq!(usable(&[]), [""; 0]);
    assert_eq!(usable(&[("vultr_api_key", "k"), ("linode_api_token", "t")]), ["linode", "vultr"]);
    let switched_off = [("vultr_api_key", "k"), ("vultr_enabled", "false"), ("digitalocean_token", "")];
    assert_eq!(usable(&switched_off), [""; 0]);
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

#[test]
fn production_needs_the_gateways_that_serve_a_method() {
    let production = |arguments: &[&str]| {
        let sound = ["--env", "production", "--jwt-secret", "0123456789abcdef0123456789abcdef"];
        let key = ["--credentials-key", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="];
        let seller = ["--seller-name", "P", "--seller-address", "J", "--seller-tax-id", "0123456789012345"];
        let all = [&sound[..], &key, &seller, &["--digitalocean-token", "t"], arguments].concat();
        parse("", &[], &all).unwrap().problems().join("\n")
    };
    let xendit = ["--xendit-secret-key", "k", "--xendit-callback-token", "t"];
    let by_xendit = ["--payment-gateway-qris", "xendit", "--payment-gateway-virtual-account", "xendit"];
    assert_eq!(production(&[&xendit[..], &by_xendit].concat()), "");
    assert!(production(&[&xendit[..], &by_xendit[..2]].concat()).contains("MIDTRANS_SERVER_KEY is missing"));
    let with_midtrans = ["--midtrans-server-key", "k"];
    assert!(production(&[&with_midtrans[..], &by_xendit].concat()).contains("XENDIT_SECRET_KEY is missing"));
    let half = production(&[&with_midtrans[..], &xendit[..2]].concat());
    assert!(half.contains("only of use together"), "{half}");
    let simulated = [&with_midtrans[..], &["--xendit-url", "http://127.0.0.1:4021"]].concat();
    assert!(production(&simulated).contains("XENDIT_URL"));
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
