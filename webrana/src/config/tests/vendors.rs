//! Settings of vendors: providers and payment gateways.

use super::*;

/// What vendors' settings are called outside never changes by accident.
#[test]
fn vendors_settings_are_called_what_they_always_were() {
    let settings = settings_of(&Config::augment_args(Command::new("test")));
    for known in [
        "providers.digitalocean_url --digitalocean-url DIGITALOCEAN_URL",
        "providers.digitalocean_token --digitalocean-token DIGITALOCEAN_TOKEN",
        "providers.digitalocean_enabled --digitalocean-enabled DIGITALOCEAN_ENABLED",
        "providers.digitalocean_listing_lag --digitalocean-listing-lag DIGITALOCEAN_LISTING_LAG",
        "providers.vultr_url --vultr-url VULTR_URL",
        "providers.vultr_api_key --vultr-api-key VULTR_API_KEY",
        "providers.vultr_enabled --vultr-enabled VULTR_ENABLED",
        "providers.vultr_listing_lag --vultr-listing-lag VULTR_LISTING_LAG",
        "providers.linode_url --linode-url LINODE_URL",
        "providers.linode_api_token --linode-api-token LINODE_API_TOKEN",
        "providers.linode_enabled --linode-enabled LINODE_ENABLED",
        "providers.linode_listing_lag --linode-listing-lag LINODE_LISTING_LAG",
        "providers.request_timeout --provider-request-timeout PROVIDER_REQUEST_TIMEOUT",
        "payments.midtrans_url --midtrans-url MIDTRANS_URL",
        "payments.midtrans_server_key --midtrans-server-key MIDTRANS_SERVER_KEY",
        "payments.midtrans_limits --midtrans-limits MIDTRANS_LIMITS",
        "payments.xendit_url --xendit-url XENDIT_URL",
        "payments.xendit_secret_key --xendit-secret-key XENDIT_SECRET_KEY",
        "payments.xendit_callback_token --xendit-callback-token XENDIT_CALLBACK_TOKEN",
        "payments.xendit_limits --xendit-limits XENDIT_LIMITS",
        "payments.gateway_qris --payment-gateway-qris PAYMENT_GATEWAY_QRIS",
    ] {
        assert!(settings.iter().any(|setting| setting == known), "{known} in {settings:#?}");
    }
}

#[test]
fn a_provider_is_usable_when_switched_on_and_given_its_credential() {
    let usable = |env: &[(&str, &str)]| -> Vec<&str> {
        let toml: String = env.iter().map(|(key, value)| format!("{key} = '{value}'\n")).collect();
        let config = parse(&format!("[providers]\n{toml}"), &[], &[]).unwrap();
        config.providers.usable_slugs().collect()
    };
    assert_eq!(usable(&[]), [""; 0]);
    assert_eq!(usable(&[("vultr_api_key", "k"), ("linode_api_token", "t")]), ["linode", "vultr"]);
    let switched_off = [("vultr_api_key", "k"), ("vultr_enabled", "false"), ("digitalocean_token", "")];
    assert_eq!(usable(&switched_off), [""; 0]);
}

#[test]
fn production_needs_the_gateways_that_serve_a_method() {
    let [jwt, key, token, server_key, callback] = [secret(), key(), secret(), secret(), secret()];
    let production = |arguments: &[&str]| {
        let sound = ["--env", "production", "--installation-id", "p1", "--jwt-secret", &jwt];
        let key = ["--credentials-key", &key];
        let seller = ["--seller-name", "P", "--seller-address", "J", "--seller-tax-id", "0123456789012345"];
        let mail = ["--smtp-url", "smtps://mail.example.com", "--mail-from", "no-reply@example.com"];
        let app = ["--app-url", "https://app.example.com", "--digitalocean-token", &token];
        let all = [&sound[..], &key, &seller, &mail, &app, arguments].concat();
        parse("", &[], &all).unwrap().problems().join("\n")
    };
    let xendit = ["--xendit-secret-key", &server_key, "--xendit-callback-token", &callback];
    let by_xendit = ["--payment-gateway-qris", "xendit", "--payment-gateway-virtual-account", "xendit"];
    assert_eq!(production(&[&xendit[..], &by_xendit].concat()), "");
    assert!(production(&[&xendit[..], &by_xendit[..2]].concat()).contains("MIDTRANS_SERVER_KEY is missing"));
    let with_midtrans = ["--midtrans-server-key", &server_key];
    assert!(production(&[&with_midtrans[..], &by_xendit].concat()).contains("XENDIT_SECRET_KEY is missing"));
    let half = production(&[&with_midtrans[..], &xendit[..2]].concat());
    assert!(half.contains("only of use together"), "{half}");
    let simulated = [&with_midtrans[..], &["--xendit-url", "http://127.0.0.1:4021"]].concat();
    assert!(production(&simulated).contains("XENDIT_URL"));
    for sandbox in ["https://api.sandbox.midtrans.com", "https://sandbox.example.com"] {
        let refused = production(&[&with_midtrans[..], &["--midtrans-url", sandbox]].concat());
        assert!(refused.contains("MIDTRANS_URL") && refused.contains("sandbox"), "{refused}");
    }
    let test_key = format!("SB-Mid-server-{server_key}");
    let refused = production(&["--midtrans-server-key", &test_key]);
    assert!(refused.contains("MIDTRANS_SERVER_KEY is a key of the gateway's sandbox"), "{refused}");
    assert!(!refused.contains(&test_key));
}
