//! The second factor of logins: codes are good once and for a while, answers are bounded, recovery codes stand in once each.

use std::time::Duration;

use domain::{
    email::EmailKey,
    ids::{SessionId, UserId},
    purge::{PurgeRule, Purgeable},
    role::Role,
};
use futures::future::join_all;
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use store::{
    StoreError,
    audit::Origin,
    credentials::CredentialsKeys,
    second_factor::{Challenge, ChallengeAnswer, Factor},
    sessions::{NewSession, SessionPolicy},
    throttles::{Admission, Attempt},
    users::User,
};
use testkit::{TestApp, app_code};

use crate::identity::registered;

const HOME: &str = "203.0.113.9";

struct Desk {
    app: TestApp,
    user: User,
    session: SessionId,
}

impl std::ops::Deref for Desk {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.app
    }
}

/// An account whose logins ask for codes of `secret`.
struct Enabled {
    desk: Desk,
    secret: SecretString,
    recovery_codes: Vec<SecretString>,
}

impl std::ops::Deref for Enabled {
    type Target = Desk;

    fn deref(&self) -> &Desk {
        &self.desk
    }
}

impl Desk {
    async fn open(pool: PgPool) -> Self {
        let app = TestApp::unseeded_with(pool, |store| {
            let key = format!("{}=", "A".repeat(43)).into();
            store.with_credentials_keys(CredentialsKeys::parse(&key).unwrap())
        });
        let opened = registered(&app.store).await;
        Self { app, user: opened.user, session: opened.session }
    }

    async fn attempt(&self) -> Attempt {
        // These tests are not about how often one may try.
        self.run("DELETE FROM auth_throttles").await;
        match self.store.admit_proof(self.session).await.unwrap() {
            Admission::Admitted(attempt) => attempt,
            Admission::Wait(_) => panic!("has to wait"),
        }
    }

    async fn set_up(&self) -> Result<SecretString, StoreError> {
        let attempt = self.attempt().await;
        let made = self.store.set_up_second_factor(self.user.id, &attempt, &Origin::system()).await?;
        assert!(made.uri.expose_secret().contains(made.secret.expose_secret()));
        Ok(made.secret)
    }

    async fn confirm(&self, code: &str) -> Result<Vec<SecretString>, StoreError> {
        let attempt = self.attempt().await;
        self.store.confirm_second_factor(self.user.id, &attempt, &code.into(), &Origin::system()).await
    }

    async fn enabled(pool: PgPool) -> Enabled {
        let desk = Self::open(pool).await;
        let secret = desk.set_up().await.unwrap();
        let recovery_codes = desk.confirm(&desk.code(&secret, 0).await).await.unwrap();
        // The step of the confirmation is used up; tests go on as if it was long ago.
        desk.run("UPDATE second_factors SET last_step = 0").await;
        Enabled { desk, secret, recovery_codes }
    }

    /// The app's code so many steps from now.
    async fn code(&self, secret: &SecretString, steps: i64) -> String {
        let now = self.count("SELECT extract(epoch FROM clock_timestamp())::bigint").await;
        app_code(secret.expose_secret(), now + 30 * steps)
    }

    async fn challenge(&self) -> SecretString {
        let key = EmailKey::of(&self.user.email);
        let Admission::Admitted(attempt) =
            self.store.admit_login(&key, HOME, &Origin::system()).await.unwrap()
        else {
            panic!("has to wait")
        };
        match self.store.challenge(self.user.id, &attempt, &Origin::system()).await.unwrap() {
            Challenge::SecondFactor(token) => token,
            Challenge::None => panic!("no challenge"),
        }
    }

    async fn answer(&self, token: &SecretString, factor: Factor) -> ChallengeAnswer {
        self.answer_from(HOME, token, factor).await
    }

    async fn answer_from(&self, network: &str, token: &SecretString, factor: Factor) -> ChallengeAnswer {
        let policy = SessionPolicy {
            refresh_ttl: Duration::from_secs(3_600),
            longest: Duration::from_secs(7_200),
            grace: Duration::from_secs(10),
        };
        let session = NewSession { user_agent: None, network: network.to_owned(), policy };
        let answered =
            self.store.answer_challenge(token.expose_secret(), &factor, &session, &Origin::system()).await;
        answered.unwrap()
    }

    async fn told(&self, event: &'static str) -> i64 {
        let sql = "SELECT count(*) FROM in_app_notifications n JOIN events e ON e.id = n.event_id WHERE e.kind = $1";
        sqlx::query_scalar(sql).bind(event).fetch_one(&self.pool).await.unwrap()
    }
}

fn code(text: &str) -> Factor {
    Factor::Code(text.into())
}

fn is_in(answer: &ChallengeAnswer) -> bool {
    matches!(answer, ChallengeAnswer::LoggedIn(_))
}

fn wrong<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::WrongCode))
}

fn conflict<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict { .. }))
}

#[sqlx::test(migrations = "../migrations")]
async fn logins_ask_once_the_app_showed_that_it_has_the_secret(pool: PgPool) {
    let desk = Desk::open(pool).await;
    assert!(conflict(desk.confirm("123456").await), "nothing is set up");
    let first = desk.set_up().await.unwrap();
    let secret = desk.set_up().await.unwrap();
    assert!(wrong(desk.confirm(&desk.code(&first, 0).await).await), "the first was replaced");
    assert_eq!(desk.store.second_factor(desk.user.id).await.unwrap().enabled_at, None);
    let attempt = desk.attempt().await;
    let none = desk.store.challenge(desk.user.id, &attempt, &Origin::system()).await.unwrap();
    assert!(matches!(none, Challenge::None), "what is not confirmed is not asked for");

    let codes = desk.confirm(&desk.code(&secret, 0).await).await.unwrap();
    assert_eq!(codes.len(), 10);
    let standing = desk.store.second_factor(desk.user.id).await.unwrap();
    assert!(standing.enabled_at.is_some() && standing.recovery_codes_left == 10);
    assert!(conflict(desk.set_up().await), "it is on");
    assert!(conflict(desk.confirm(&desk.code(&secret, 1).await).await));
    assert_eq!(desk.told("two_factor_enabled").await, 1);
    let kept: Vec<u8> =
        sqlx::query_scalar("SELECT sealed_secret FROM second_factors").fetch_one(&desk.pool).await.unwrap();
    let plain = secret.expose_secret().as_bytes();
    assert!(!kept.windows(plain.len()).any(|part| part == plain), "it is sealed");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_code_is_good_one_step_either_side_and_no_step_twice(pool: PgPool) {
    let desk = Desk::enabled(pool).await;
    for far in [-3, 3] {
        let late = desk.code(&desk.secret, far).await;
        assert!(matches!(desk.answer(&desk.challenge().await, code(&late)).await, ChallengeAnswer::Wrong));
    }
    let (before, now) = (desk.code(&desk.secret, -1).await, desk.code(&desk.secret, 0).await);
    assert!(is_in(&desk.answer(&desk.challenge().await, code(&now)).await));
    for used in [&now, &before] {
        let again = desk.answer(&desk.challenge().await, code(used)).await;
        assert!(matches!(again, ChallengeAnswer::Wrong), "a step that is used up, and those before it");
    }
}

/// Of one code shown by several at once one gets in.
#[sqlx::test(migrations = "../migrations")]
async fn of_the_same_code_at_once_one_is_taken(pool: PgPool) {
    let desk = Desk::enabled(pool).await;
    let tokens = [desk.challenge().await, desk.challenge().await, desk.challenge().await];
    let now = desk.code(&desk.secret, 0).await;
    let answers = join_all(tokens.iter().map(|token| desk.answer(token, code(&now)))).await;
    assert_eq!(answers.iter().filter(|answer| is_in(answer)).count(), 1, "{answers:?}");
    assert_eq!(desk.count("SELECT count(*) FROM sessions").await, 2, "with the one of the registration");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_challenge_is_answered_once_in_time_and_five_times_at_most(pool: PgPool) {
    let desk = Desk::enabled(pool).await;
    let used = desk.challenge().await;
    assert!(is_in(&desk.answer(&used, code(&desk.code(&desk.secret, 0).await)).await));
    desk.run("UPDATE second_factors SET last_step = 0").await;
    let late = desk.challenge().await;
    desk.run("UPDATE login_challenges SET expires_at = now()").await;
    let guessed = desk.challenge().await;
    for _ in 0..5 {
        assert!(matches!(desk.answer(&guessed, code("000000")).await, ChallengeAnswer::Wrong));
        desk.run("DELETE FROM auth_throttles").await;
    }
    for token in [used, late, guessed, "wbc_0".into()] {
        let right = desk.code(&desk.secret, 0).await;
        assert!(matches!(desk.answer(&token, code(&right)).await, ChallengeAnswer::Invalid));
    }
    let rule = PurgeRule { what: Purgeable::LoginChallenges, kept_for_ms: 0 };
    assert_eq!(desk.store.purge(&rule, 10).await.unwrap(), 1, "the late one");
}

#[sqlx::test(migrations = "../migrations")]
async fn many_challenges_do_not_help_who_guesses(pool: PgPool) {
    let desk = Desk::enabled(pool).await;
    let abroad = "198.51.100.7";
    for _ in 0..5 {
        let token = desk.challenge().await;
        assert!(matches!(desk.answer_from(abroad, &token, code("000000")).await, ChallengeAnswer::Wrong));
    }
    let token = desk.challenge().await;
    let right = desk.code(&desk.secret, 0).await;
    let answer = desk.answer_from(abroad, &token, code(&right)).await;
    assert!(matches!(answer, ChallengeAnswer::Wait(25..=30)), "right or wrong: {answer:?}");
    assert!(is_in(&desk.answer(&token, code(&right)).await), "its owner is elsewhere");
    assert!(desk.store.unlock_logins(&EmailKey::of(&desk.user.email), &Origin::system()).await.unwrap());
    desk.run("UPDATE second_factors SET last_step = 0").await;
    let right = desk.code(&desk.secret, 0).await;
    assert!(is_in(&desk.answer_from(abroad, &desk.challenge().await, code(&right)).await));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_recovery_code_stands_in_once_and_its_owner_is_told(pool: PgPool) {
    let desk = Desk::enabled(pool).await;
    let typed = desk.recovery_codes[0].expose_secret().to_uppercase().replace('-', " ");
    let factor = || Factor::RecoveryCode(typed.as_str().into());
    assert!(is_in(&desk.answer(&desk.challenge().await, factor()).await));
    assert!(matches!(desk.answer(&desk.challenge().await, factor()).await, ChallengeAnswer::Wrong));
    assert_eq!(desk.told("recovery_code_used").await, 1);
    assert_eq!(desk.store.second_factor(desk.user.id).await.unwrap().recovery_codes_left, 9);

    let right = desk.code(&desk.secret, 0).await;
    let attempt = desk.attempt().await;
    let (user, right, origin) = (desk.user.id, SecretString::from(right), Origin::system());
    let replaced = desk.store.replace_recovery_codes(user, &attempt, right, &origin).await.unwrap();
    assert_eq!(replaced.len(), 10);
    let old = Factor::RecoveryCode(desk.recovery_codes[1].clone());
    assert!(matches!(desk.answer(&desk.challenge().await, old).await, ChallengeAnswer::Wrong));
}

#[sqlx::test(migrations = "../migrations")]
async fn it_is_switched_off_with_the_factor_or_by_an_administrator(pool: PgPool) {
    let desk = Desk::enabled(pool).await;
    let disable = async |factor: Factor| {
        let attempt = desk.attempt().await;
        desk.store.disable_second_factor(desk.user.id, &attempt, &factor, &Origin::system()).await
    };
    assert!(wrong(disable(code("000000")).await));
    let waiting = desk.challenge().await;
    disable(Factor::RecoveryCode(desk.recovery_codes[0].clone())).await.unwrap();
    assert!(conflict(disable(code("000000")).await));
    assert_eq!(desk.told("two_factor_disabled").await, 1);
    let right = desk.code(&desk.secret, 0).await;
    assert!(matches!(desk.answer(&waiting, code(&right)).await, ChallengeAnswer::Invalid));

    let secret = desk.set_up().await.unwrap();
    desk.confirm(&desk.code(&secret, 0).await).await.unwrap();
    let admin: UserId = desk.account().role(Role::Admin).await;
    desk.store.reset_second_factor(desk.user.id, admin, &Origin::system()).await.unwrap();
    assert_eq!(desk.store.second_factor(desk.user.id).await.unwrap().enabled_at, None);
    assert_eq!(desk.told("two_factor_disabled").await, 2);
    assert!(desk.store.reset_second_factor(desk.user.id, admin, &Origin::system()).await.is_err());
}

#[sqlx::test(migrations = "../migrations")]
async fn logins_that_wait_end_with_the_sessions_and_nobody_suspended_gets_in(pool: PgPool) {
    let desk = Desk::enabled(pool).await;
    let waiting = desk.challenge().await;
    desk.store.revoke_all_sessions(desk.user.id, &Origin::system()).await.unwrap();
    let right = desk.code(&desk.secret, 0).await;
    assert!(matches!(desk.answer(&waiting, code(&right)).await, ChallengeAnswer::Invalid));
    let waiting = desk.challenge().await;
    desk.run("UPDATE users SET suspended_at = now()").await;
    assert!(matches!(desk.answer(&waiting, code(&right)).await, ChallengeAnswer::Suspended));
}
