//! By what people are told, as settings say it.

use super::parse;

#[test]
fn mail_is_sent_by_a_server_that_is_one_and_in_production_by_tls() {
    let problems = |arguments: &[&str]| parse("", &[], arguments).unwrap().problems().join("\n");
    let mail = |url: &str| parse("", &[], &["--smtp-url", url]).unwrap().notifications.mail();
    assert_eq!(mail("smtp://mail.example.com").unwrap().server.port, 587);
    assert!(mail("").is_none(), "a variable that compose leaves empty");
    let plain = ["--smtp-url", "smtp+plain://127.0.0.1:4040"];
    assert!(!problems(&plain).contains("SMTP_URL"));
    assert!(problems(&[&plain[..], &["--env", "production"]].concat()).contains("SMTP_URL: production"));
    for (arguments, named) in [
        (["--smtp-url", "http://mail.example.com"], "SMTP_URL"),
        (["--smtp-username", "webrana"], "SMTP_PASSWORD"),
        (["--telegram-admin-chat-id", "our chat"], "TELEGRAM_ADMIN_CHAT_ID"),
        (["--notification-give-up-after", "0s"], "NOTIFICATION_GIVE_UP_AFTER"),
    ] {
        assert!(problems(&arguments).contains(named), "{arguments:?}");
    }
    let nobody = ["--smtp-url", "smtps://mail.example.com", "--mail-from", "nobody in particular"];
    assert!(problems(&nobody).contains("MAIL_FROM"), "{}", problems(&nobody));
    let config =
        parse("", &[], &["--telegram-admin-chat-id", "-100", "--smtp-connect-timeout", "1s"]).unwrap();
    assert_eq!(config.notifications.admin_chat(), Some(-100));
    assert_eq!(config.notifications.policy().settle_ms, 2 * (1_000 + 30_000));
    let usual = parse("", &[], &[]).unwrap().notifications.policy();
    assert_eq!(usual.steps, domain::delivery::DeliveryPolicy::default().steps);
}
