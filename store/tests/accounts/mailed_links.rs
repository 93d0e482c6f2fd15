//! Links that prove an address: whom they go to, that each is good once and in time, and what using them does.

use domain::{
    delivery::DeliveryState,
    email::{EmailAddress, EmailKey},
    event::EventKind,
    ids::UserId,
    purge::{PurgeRule, Purgeable},
    sorting::DeliverySort,
};
use futures::future::join_all;
use sqlx::PgPool;
use store::{
    StoreError,
    audit::Origin,
    deliveries::DeliveryFilter,
    mailed_links::AskedAtLogin::{self, PasswordReset, Verification},
    page::SortedRequest,
    throttles::Admission,
    users::EMAIL_CONSTRAINT,
};
use testkit::{MailedLink, TestApp};

use crate::identity::{logged_in, registered};

const VERIFY: EventKind = EventKind::EmailToVerify;
const RESET: EventKind = EventKind::PasswordResetAsked;
const CHANGE: EventKind = EventKind::EmailChangeAsked;
const HASH: &str = "$argon2id$new";

struct Desk {
    app: TestApp,
    user: UserId,
    email: String,
    session: domain::ids::SessionId,
}

impl std::ops::Deref for Desk {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.app
    }
}

impl Desk {
    async fn open(pool: PgPool) -> Self {
        let app = TestApp::unseeded(pool);
        app.open_mail().await;
        let opened = registered(&app.store).await;
        Self { app, user: opened.user.id, email: opened.user.email, session: opened.session }
    }

    async fn ask(&self, asked: AskedAtLogin) {
        self.store.mail_link(&EmailKey::of(&self.email), asked, &Origin::system()).await.unwrap();
    }

    async fn link(&self, event: EventKind) -> MailedLink {
        self.mailed_link(self.user, event).await
    }

    async fn verify(&self, token: &str) -> Result<(), StoreError> {
        self.store.verify_email(token, &Origin::system()).await
    }

    async fn reset(&self, token: &str) -> Result<(), StoreError> {
        self.store.reset_password(token, HASH, &Origin::system()).await
    }

    async fn confirm(&self, token: &str) -> Result<bool, StoreError> {
        self.store.confirm_email_change(token, &Origin::system()).await
    }

    async fn ask_change(&self, new: &str) -> Result<(), StoreError> {
        let Admission::Admitted(attempt) = self.store.admit_proof(self.session).await.unwrap() else {
            panic!("has to wait")
        };
        let new = EmailAddress::parse(new).unwrap();
        self.store.ask_email_change(self.user, &attempt, &new, &Origin::system()).await
    }

    async fn told(&self, event: &'static str) -> i64 {
        let sql = "SELECT count(*) FROM in_app_notifications n JOIN events e ON e.id = n.event_id WHERE e.kind = $1";
        sqlx::query_scalar(sql).bind(event).fetch_one(&self.pool).await.unwrap()
    }

    async fn is_verified(&self) -> bool {
        self.store.user(self.user).await.unwrap().email_verified_at.is_some()
    }
}

fn invalid<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::LinkInvalid))
}

#[sqlx::test(migrations = "../migrations")]
async fn who_registers_is_mailed_a_link_that_verifies_the_address_once(pool: PgPool) {
    let desk = Desk::open(pool).await;
    let link = desk.link(VERIFY).await;
    assert_eq!(link.email, desk.email);
    assert!(link.token.starts_with("wbl_") && link.token.len() == 68, "256 bits");
    assert!(!desk.is_verified().await);
    for wrong in ["", "wbl_", &link.token.to_uppercase()] {
        assert!(invalid(desk.verify(wrong).await));
    }
    assert!(invalid(desk.reset(&link.token).await), "it is for something else");
    assert!(invalid(desk.confirm(&link.token).await));
    desk.verify(&link.token).await.unwrap();
    assert!(desk.is_verified().await);
    assert!(invalid(desk.verify(&link.token).await), "it was used");
    desk.ask(Verification).await;
    assert!(desk.mailed_links(desk.user, VERIFY).await.is_empty(), "there is nothing to verify any more");
    assert_eq!(desk.told("email_to_verify").await, 0, "a link is in the mail only");
}

#[sqlx::test(migrations = "../migrations")]
async fn of_uses_at_once_one_takes_effect(pool: PgPool) {
    let desk = Desk::open(pool).await;
    desk.ask(PasswordReset).await;
    let link = desk.link(RESET).await;
    let uses = join_all((0..8).map(|_| desk.reset(&link.token))).await;
    assert_eq!(uses.iter().filter(|used| used.is_ok()).count(), 1);
    assert_eq!(desk.told("password_reset").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_kept_of_a_link_proves_nothing(pool: PgPool) {
    let desk = Desk::open(pool).await;
    let MailedLink { token, .. } = desk.link(VERIFY).await;
    let digits = token.trim_start_matches("wbl_").to_owned();
    let sql = "SELECT (SELECT count(*) FROM events WHERE data::text LIKE '%' || $1 || '%')
        + (SELECT count(*) FROM outbox WHERE payload::text LIKE '%' || $1 || '%')
        + (SELECT count(*) FROM mailed_link_tokens WHERE encode(token_hash, 'hex') = $1)
        + (SELECT count(*) FROM audit_log WHERE audit_log::text LIKE '%' || $1 || '%')";
    let seen: i64 = sqlx::query_scalar(sql).bind(&digits).fetch_one(&desk.pool).await.unwrap();
    assert_eq!(seen, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_later_link_voids_earlier_ones_and_one_that_expired_is_not_even_sent(pool: PgPool) {
    let desk = Desk::open(pool).await;
    let first = desk.link(VERIFY).await;
    desk.ask(Verification).await;
    let second = desk.link(VERIFY).await;
    assert!(invalid(desk.verify(&first.token).await));
    desk.run("UPDATE mailed_links SET expires_at = now()").await;
    assert!(invalid(desk.verify(&second.token).await), "by the database's clock");

    desk.ask(PasswordReset).await;
    desk.ask(PasswordReset).await;
    desk.link(RESET).await;
    let filter = DeliveryFilter { state: Some(DeliveryState::Suppressed), ..DeliveryFilter::default() };
    let not_sent =
        desk.store.deliveries(&filter, DeliverySort::Oldest, SortedRequest::first(10)).await.unwrap();
    let why: Vec<_> = not_sent.data.iter().map(|delivery| delivery.trouble.as_deref()).collect();
    assert_eq!(why, [Some("LINK_OVER")]);
}

#[sqlx::test(migrations = "../migrations")]
async fn each_attempt_to_send_a_link_has_its_own_token_and_any_may_be_used(pool: PgPool) {
    let desk = Desk::open(pool).await;
    let first = desk.link(VERIFY).await;
    // As if the answer to the first attempt had been lost.
    desk.run("ALTER TABLE notification_deliveries DISABLE TRIGGER notification_deliveries_stay").await;
    desk.run("UPDATE notification_deliveries SET state = 'PENDING', finished_at = NULL").await;
    let second = desk.link(VERIFY).await;
    assert_ne!(first.token, second.token);
    desk.verify(&first.token).await.unwrap();
    assert!(invalid(desk.verify(&second.token).await), "it is one link");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_link_is_mailed_to_an_address_that_took_no_mail_before(pool: PgPool) {
    let desk = Desk::open(pool).await;
    desk.run("UPDATE users SET email_undeliverable_since = now(), email_undeliverable_why = 'full'").await;
    desk.ask(PasswordReset).await;
    assert_eq!(desk.link(RESET).await.email, desk.email);
}

#[sqlx::test(migrations = "../migrations")]
async fn asking_is_bounded_and_nothing_is_mailed_to_strangers_or_who_is_suspended(pool: PgPool) {
    let desk = Desk::open(pool).await;
    let links = async || desk.count("SELECT count(*) FROM mailed_links WHERE kind = 'RESET_PASSWORD'").await;
    let nobody = EmailKey::of("nobody@example.com");
    desk.store.mail_link(&nobody, PasswordReset, &Origin::system()).await.unwrap();
    assert_eq!(links().await, 0);
    for _ in 0..7 {
        desk.ask(PasswordReset).await;
    }
    assert_eq!(links().await, 5, "within an hour");
    desk.run("UPDATE mailed_links SET created_at = created_at - interval '61 minutes'").await;
    desk.ask(PasswordReset).await;
    assert_eq!(links().await, 6);
    for _ in 0..6 {
        desk.run("UPDATE mailed_links SET created_at = created_at - interval '61 minutes'").await;
        join_all((0..8).map(|_| desk.ask(PasswordReset))).await;
    }
    assert_eq!(links().await, 20, "within a day");
    desk.run("UPDATE mailed_links SET created_at = created_at - interval '1 day'").await;
    desk.run("UPDATE users SET suspended_at = now()").await;
    desk.ask(PasswordReset).await;
    assert_eq!(links().await, 20);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_reset_shuts_everybody_out_who_was_in_and_lets_the_owner_in(pool: PgPool) {
    let desk = Desk::open(pool).await;
    let user = desk.store.user(desk.user).await.unwrap();
    let login = logged_in(&desk.store, user).await;
    desk.ask_change("thief@example.com").await.unwrap();
    let stolen = desk.mailed_links(desk.user, CHANGE).await;
    let code = desk.store.telegram_link_code(desk.user, std::time::Duration::from_secs(60)).await.unwrap();
    let address = EmailKey::of(&desk.email);
    for _ in 0..5 {
        let _ = desk.store.admit_login(&address, "198.51.100.1", &Origin::system()).await.unwrap();
    }
    desk.ask(PasswordReset).await;
    let link = desk.link(RESET).await;
    assert_eq!(desk.store.password_reset_email(&link.token).await.unwrap(), desk.email);
    desk.reset(&link.token).await.unwrap();

    assert!(invalid(desk.store.password_reset_email(&link.token).await));
    assert_eq!(desk.store.credentials(&address).await.unwrap().unwrap().password_hash, HASH);
    assert!(desk.is_verified().await, "who reads the mail has the address");
    for session in [desk.session, login.session] {
        let holder =
            desk.store.session_holder(session, desk.user, std::time::Duration::from_secs(9_000)).await;
        assert!(holder.unwrap().unwrap().revoked);
    }
    for link in stolen {
        assert!(invalid(desk.confirm(&link.token).await));
    }
    assert!(desk.store.link_telegram(&code.code, 7).await.unwrap().is_none());
    let again = desk.store.admit_login(&address, "198.51.100.1", &Origin::system()).await.unwrap();
    assert!(matches!(again, Admission::Admitted(_)), "failures are forgiven");
    assert_eq!(desk.told("password_reset").await, 1);
    assert_eq!(desk.count("SELECT count(*) FROM audit_log WHERE action = 'auth.password_reset'").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_address_changes_when_both_confirmed_it(pool: PgPool) {
    let desk = Desk::open(pool).await;
    let verification = desk.link(VERIFY).await;
    desk.ask_change("Siti.Aminah@example.com").await.unwrap();
    let links = desk.mailed_links(desk.user, CHANGE).await;
    let to: Vec<_> = links.iter().map(|link| link.email.as_str()).collect();
    assert_eq!(to, [desk.email.as_str(), "Siti.Aminah@example.com"]);
    assert!(!desk.confirm(&links[1].token).await.unwrap(), "one is not enough");
    assert!(invalid(desk.confirm(&links[1].token).await), "and not twice either");
    assert_eq!(desk.store.user(desk.user).await.unwrap().email, desk.email);
    desk.ask(PasswordReset).await;
    let reset = desk.link(RESET).await;
    assert!(desk.confirm(&links[0].token).await.unwrap());
    let user = desk.store.user(desk.user).await.unwrap();
    assert_eq!(user.email, "Siti.Aminah@example.com");
    assert!(user.email_verified_at.is_some());
    assert!(invalid(desk.reset(&reset.token).await), "what went to the old address is void");
    assert!(invalid(desk.verify(&verification.token).await));
    assert_eq!(desk.told("email_changed").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_address_that_has_an_account_is_nobody_elses(pool: PgPool) {
    let desk = Desk::open(pool).await;
    let taken = |result: Result<(), StoreError>| matches!(result, Err(StoreError::Taken { constraint }) if constraint == EMAIL_CONSTRAINT);
    assert!(taken(desk.ask_change(&desk.email.to_uppercase()).await), "it is one's own");
    desk.account().email("budi@example.com").await;
    assert!(taken(desk.ask_change("BUDI@example.com").await));
    // Somebody registers it while it is not confirmed.
    desk.ask_change("new@example.com").await.unwrap();
    let links = desk.mailed_links(desk.user, CHANGE).await;
    desk.account().email("New@example.com").await;
    assert!(!desk.confirm(&links[0].token).await.unwrap());
    assert!(taken(desk.confirm(&links[1].token).await.map(drop)));
    assert_eq!(desk.store.user(desk.user).await.unwrap().email, desk.email);
    // A later change takes an earlier one's place.
    desk.ask_change("a@example.com").await.unwrap();
    let first = desk.mailed_links(desk.user, CHANGE).await;
    desk.ask_change("b@example.com").await.unwrap();
    assert!(invalid(desk.confirm(&first[0].token).await));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_new_address_that_takes_no_mail_says_nothing_of_the_present_one(pool: PgPool) {
    let desk = Desk::open(pool).await;
    desk.ask_change("typo@example.com").await.unwrap();
    let refused = async |new: bool| {
        let sql = "SELECT d.id FROM mailed_links l JOIN notification_deliveries d ON d.id = l.delivery_id
            WHERE l.kind = 'CHANGE_EMAIL' AND (l.email = l.new_email) = $1";
        let id: uuid::Uuid = sqlx::query_scalar(sql).bind(new).fetch_one(&desk.pool).await.unwrap();
        let policy = domain::delivery::DeliveryPolicy::default();
        let turn = desk.store.begin_delivery(id.into(), &policy).await.unwrap();
        let store::deliveries::DeliveryTurn::Send(job) = turn else { panic!("{turn:?}") };
        let trouble = domain::delivery::DeliveryTrouble::BadAddress;
        desk.store.delivery_refused(id.into(), job.attempt, trouble, "550").await.unwrap();
        desk.count("SELECT count(*) FROM users WHERE email_undeliverable_since IS NOT NULL").await
    };
    assert_eq!(refused(true).await, 0);
    assert_eq!(refused(false).await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn links_go_a_week_after_they_expired(pool: PgPool) {
    let desk = Desk::open(pool).await;
    desk.link(VERIFY).await;
    let what = Purgeable::MailedLinks;
    let rule = PurgeRule { what, kept_for_ms: what.kept_for_ms() };
    desk.run("UPDATE mailed_links SET expires_at = now() - interval '6 days 23 hours'").await;
    assert_eq!(desk.store.purge(&rule, 10).await.unwrap(), 0);
    desk.run("UPDATE mailed_links SET expires_at = now() - interval '7 days 1 hour'").await;
    assert_eq!(desk.store.purge(&rule, 10).await.unwrap(), 1);
    assert_eq!(desk.count("SELECT count(*) FROM mailed_link_tokens").await, 0);
}
