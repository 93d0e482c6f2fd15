//! Tokens of people's own programs.

use std::time::Duration;

use domain::{api_token::TokenScope, event::EventKind};
use sqlx::PgPool;
use store::{
    StoreError, api_tokens::NewApiToken, audit::Origin, mailed_links::AskedAtLogin, page::PageRequest,
};
use testkit::TestApp;

const ALL: PageRequest = PageRequest { before: None, limit: 100 };

fn new(name: &str, life: Option<Duration>) -> NewApiToken {
    NewApiToken { name: name.to_owned(), scopes: vec![TokenScope::Read, TokenScope::Orders], life }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_token_is_known_until_it_ends_and_says_when_it_was_used(pool: PgPool) {
    let app = TestApp::unseeded(pool);
    let customer = app.customer().await;
    let origin = Origin::system();
    let day = Some(Duration::from_secs(86_400));
    let (made, token) = app.store.make_api_token(customer, &new("Terraform", day), &origin).await.unwrap();
    assert!(token.starts_with("wbp_") && token.len() == 4 + 64 + 8, "{}", token.len());
    assert_eq!(made.expires_at.unwrap() - made.created_at, chrono::TimeDelta::days(1));
    let holder = app.store.use_api_token(&token).await.unwrap().unwrap();
    assert_eq!((holder.id, holder.user), (made.id, customer));
    assert_eq!(holder.scopes, [TokenScope::Read, TokenScope::Orders]);
    let used = app.store.api_tokens(customer, ALL).await.unwrap().data[0].last_used_at.unwrap();
    assert_eq!(used.timestamp() % 60, 0, "to the minute");

    for wrong in ["wbp_", "", "é", &token[..75], &format!("{}0", &token[..75]), &token.to_uppercase()] {
        assert!(app.store.use_api_token(wrong).await.unwrap().is_none(), "{wrong}");
    }
    app.run("UPDATE api_tokens SET expires_at = now()").await;
    assert!(app.store.use_api_token(&token).await.unwrap().is_none(), "by the database's clock");
    let seen = app.count("SELECT count(*) FROM events WHERE kind = 'api_token_made'").await;
    assert_eq!(seen, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn there_are_twenty_at_most_and_each_is_its_owners_to_remove(pool: PgPool) {
    let app = TestApp::unseeded(pool);
    let (customer, other) = (app.customer().await, app.customer().await);
    let origin = Origin::system();
    let (first, token) = app.store.make_api_token(customer, &new("0", None), &origin).await.unwrap();
    for n in 1..20 {
        app.store.make_api_token(customer, &new(&n.to_string(), None), &origin).await.unwrap();
    }
    let refused = app.store.make_api_token(customer, &new("20", None), &origin).await;
    assert!(matches!(refused, Err(StoreError::TooManyApiTokens)));
    let strangers = app.store.remove_api_token(other, first.id, &origin).await;
    assert!(matches!(strangers, Err(StoreError::NotFound(_))));
    app.store.remove_api_token(customer, first.id, &origin).await.unwrap();
    assert!(app.store.use_api_token(&token).await.unwrap().is_none());
    assert_eq!(app.count("SELECT count(*) FROM events WHERE kind = 'api_token_removed'").await, 1);
    assert_eq!(app.store.api_tokens(customer, ALL).await.unwrap().data.len(), 19);
    app.store.make_api_token(customer, &new("20", None), &origin).await.unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn a_password_that_is_reset_ends_all_tokens(pool: PgPool) {
    let app = TestApp::unseeded(pool);
    app.open_mail().await;
    let customer = app.account().email("sari@example.com").await;
    let origin = Origin::system();
    let (_, token) = app.store.make_api_token(customer, &new("Terraform", None), &origin).await.unwrap();
    let email = domain::email::EmailKey::of("sari@example.com");
    app.store.mail_link(&email, AskedAtLogin::PasswordReset, &origin).await.unwrap();
    let link = app.mailed_link(customer, EventKind::PasswordResetAsked).await;
    app.store.reset_password(&link.token, "$argon2id$", &origin).await.unwrap();
    assert!(app.store.use_api_token(&token).await.unwrap().is_none());
}
