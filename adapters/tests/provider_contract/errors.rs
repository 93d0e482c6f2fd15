//! What goes wrong, and how it is sorted.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use adapters::providers::{Call, CallOutcome, Health, NotAdmitted, Paced, Pacer, ProviderAction, Refuses};
use domain::{
    circuit::CircuitScope,
    ids::UserId,
    provisioning::FailureClass,
    rate_limit::{Caller, HeldBy},
};
use serde_json::{Value, json};

use crate::vendor::{Lab, TAG, Vendor, create, request, until};

pub async fn refusals_are_sorted<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    for (request, class) in V::impossible() {
        let error = lab.refusal(&request).await;
        assert_eq!((error.class, error.is_ambiguous()), (class, false), "{error}");
        assert!(error.status.is_none_or(|status| (400..500).contains(&status)), "{error:?}");
    }
    assert_eq!(lab.provider.find_by_tag(TAG).await.unwrap(), []);
}

pub async fn sold_out_and_full_are_told_apart<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    lab.fault(V::routes().create, "capacity", json!({})).await;
    assert_eq!(lab.refusal(&request::<V>(TAG)).await.class, FailureClass::Capacity);
    lab.configure(json!({ "account_limit": 0 })).await;
    let full = lab.refusal(&request::<V>(TAG)).await;
    assert_eq!((full.class, full.is_ambiguous()), (FailureClass::Configuration, false), "{full}");
    assert_eq!((full.refuses, full.is_passing()), (Some(Refuses::Kind), true), "no order is to blame");
    assert_eq!(lab.provider.find_by_tag(TAG).await.unwrap(), []);
}

pub async fn wrong_credentials_are_a_matter_of_configuration<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let stranger = lab.adapter(|account| account.credential = "wrong-token".into());
    let error = create(&stranger, &request::<V>(TAG)).await.unwrap_err();
    assert_eq!(
        (error.class, error.is_ambiguous(), error.status),
        (FailureClass::Configuration, false, Some(401))
    );
    assert_eq!((error.refuses, error.is_passing()), (Some(Refuses::Account), true), "no order is to blame");
    assert!(!format!("{error} {error:?} {stranger:?}").contains("wrong-token"));
}

pub async fn a_lost_answer_is_ambiguous_and_the_server_exists<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    lab.fault(V::routes().create, "drop_after_create", json!({})).await;
    let error = lab.refusal(&request::<V>(TAG)).await;
    assert_eq!((error.class, error.is_ambiguous(), error.status), (FailureClass::Retryable, true, None));
    assert_eq!(lab.provider.find_by_tag(TAG).await.unwrap().len(), 1);
    assert_eq!(lab.simulator.calls(V::routes().create), 1, "nothing below us tried again");
}

pub async fn a_late_answer_is_ambiguous_and_the_server_exists<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let hasty = lab.adapter(|account| account.request_timeout = Duration::from_secs(1));
    lab.fault(V::routes().create, "delay", json!({ "seconds": 30 })).await;
    let error = create(&hasty, &request::<V>(TAG)).await.unwrap_err();
    assert_eq!((error.class, error.is_ambiguous()), (FailureClass::Retryable, true));
    assert_eq!(error.message, "no answer in time");
    assert_eq!(lab.provider.find_by_tag(TAG).await.unwrap().len(), 1);
}

pub async fn a_server_error_is_ambiguous_only_where_something_changes<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let id = lab.make(TAG).await.id;
    let trouble = json!({ "status": 502, "body": "<html>Bad gateway</html>" });
    for route in [V::routes().create, V::routes().read, V::routes().list] {
        lab.fault(route, "status", trouble.clone()).await;
    }
    for (error, ambiguous) in [
        (create(&lab.provider, &request::<V>("wb-b")).await.map(drop).unwrap_err(), true),
        (lab.provider.get_server(&id).await.map(drop).unwrap_err(), false),
        (lab.provider.find_by_tag(TAG).await.map(drop).unwrap_err(), false),
    ] {
        assert_eq!(
            (error.class, error.is_ambiguous(), error.status),
            (FailureClass::Retryable, ambiguous, Some(502))
        );
        assert!(!error.message.contains("<html>"), "{error}");
    }
}

/// Pages that proxies, firewalls and hotels put in the place of an answer, and JSON of gateways that are not the vendor's.
fn pages() -> Vec<Value> {
    let page = json!("<html><h1>Sorry, you have been blocked</h1></html>");
    vec![page, json!(""), json!({ "message": "Forbidden" }), json!({ "error": "Forbidden" }), json!([])]
}

pub async fn a_page_in_the_place_of_a_refusal_is_no_verdict<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let id = lab.make(TAG).await.id;
    for status in [400, 401, 402, 403, 404, 409, 422] {
        for page in pages() {
            let fault = json!({ "status": status, "body": page });
            for route in [V::routes().create, V::routes().read, V::routes().list, V::routes().delete] {
                lab.fault(route, "status", fault.clone()).await;
            }
            for (error, ambiguous) in [
                (create(&lab.provider, &request::<V>("wb-b")).await.map(drop).unwrap_err(), true),
                (lab.provider.get_server(&id).await.map(drop).unwrap_err(), false),
                (lab.provider.find_by_tag(TAG).await.map(drop).unwrap_err(), false),
                (lab.provider.delete_server(&id).await.unwrap_err(), true),
            ] {
                assert_eq!(
                    (error.class, error.is_ambiguous(), error.status),
                    (FailureClass::Retryable, ambiguous, Some(status)),
                    "{page}"
                );
                assert_eq!(error.refuses, None, "{page}");
            }
        }
    }
    assert_eq!(lab.read(&id).await.id, id, "nothing happened to it");
}

pub async fn a_page_in_the_place_of_a_success_is_none<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let id = lab.make(TAG).await.id;
    for page in pages() {
        let fault = json!({ "status": 200, "body": page });
        for route in [V::routes().create, V::routes().read, V::routes().list, V::routes().reboot] {
            lab.fault(route, "status", fault.clone()).await;
        }
        let mut answers = vec![
            (create(&lab.provider, &request::<V>("wb-b")).await.map(drop), true),
            (lab.provider.get_server(&id).await.map(drop), false),
            (lab.provider.find_by_tag(TAG).await.map(drop), false),
        ];
        // What tells nothing we need may be any object: the server itself shows what came of it.
        let rebooted = lab.provider.perform_action(&id, &ProviderAction::Reboot).await.map(drop);
        if !page.is_object() {
            answers.push((rebooted, true));
            lab.fault(V::routes().delete, "status", fault).await;
            answers.push((lab.provider.delete_server(&id).await, true));
        }
        for (answer, ambiguous) in answers {
            let error = answer.unwrap_err();
            assert_eq!(
                (error.class, error.is_ambiguous()),
                (FailureClass::Retryable, ambiguous),
                "{page}: {error}"
            );
        }
    }
    assert_eq!(lab.read(&id).await.id, id, "nothing happened to it");
    assert_eq!(lab.provider.find_by_tag(TAG).await.unwrap().len(), 1);
}

pub async fn a_credential_that_http_has_no_words_for_is_never_sent<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let turnstile = Arc::new(Turnstile::default());
    let broken = lab.adapter(|account| {
        account.credential = "two\nlines".into();
        account.pacer = through(&turnstile);
    });
    let calls = lab.calls().await;
    for error in [
        broken.find_by_tag(TAG).await.map(drop).unwrap_err(),
        create(&broken, &request::<V>(TAG)).await.map(drop).unwrap_err(),
    ] {
        assert_eq!((error.class, error.is_ambiguous()), (FailureClass::Configuration, false), "{error}");
        assert!(error.message.contains("can't be made"), "{error}");
        assert!(!format!("{error} {error:?}").contains("lines"));
    }
    assert_eq!(lab.calls().await, calls);
    assert_eq!(turnstile.0.lock().unwrap().health, [], "that is our mistake, not the vendor's trouble");
}

/// A 500 tells of its kind of call only, and of a change nothing at all.
pub async fn trouble_is_told_by_kind_of_call<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let turnstile = Arc::new(Turnstile::default());
    let paced = lab.adapter(|account| account.pacer = through(&turnstile));
    let id = lab.make_ready(TAG).await.id;
    let stranger = lab.adapter(|account| {
        account.credential = "wrong-token".into();
        account.pacer = through(&turnstile);
    });
    for route in [V::routes().create, V::routes().read, V::routes().list, V::routes().reboot] {
        lab.fault(route, "status", json!({ "status": 500 })).await;
    }
    create(&paced, &request::<V>("wb-b")).await.unwrap_err();
    paced.get_server(&id).await.unwrap_err();
    paced.find_by_tag(TAG).await.unwrap_err();
    paced.perform_action(&id, &ProviderAction::Reboot).await.unwrap_err();
    stranger.find_by_tag(TAG).await.unwrap_err();
    lab.configure(json!({ "account_limit": 0 })).await;
    create(&paced, &request::<V>("wb-b")).await.unwrap_err();
    paced.find_by_tag("wb-nobody").await.unwrap();

    let passed = turnstile.0.lock().unwrap();
    let told: Vec<_> = passed.health.iter().map(|(scope, health)| (*scope, kind_of(health))).collect();
    assert_eq!(
        told,
        [
            (CircuitScope::Creates, "unclear"),
            (CircuitScope::Servers, "failed"),
            (CircuitScope::Lists, "failed"),
            (CircuitScope::Servers, "unclear"),
            (CircuitScope::Lists, "refused account"),
            (CircuitScope::Creates, "refused creates"),
            (CircuitScope::Lists, "answered"),
        ]
    );
}

fn kind_of(health: &Health) -> &'static str {
    match health {
        Health::Answered => "answered",
        Health::Failed(_) => "failed",
        Health::Unclear => "unclear",
        Health::Refused(CircuitScope::Account, _) => "refused account",
        Health::Refused(CircuitScope::Creates, _) => "refused creates",
        Health::Refused(..) => "refused others",
    }
}

pub async fn a_provider_that_is_not_there_was_told_nothing<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    lab.simulator.stop().await.unwrap();
    let error = create(&lab.provider, &request::<V>(TAG)).await.unwrap_err();
    assert_eq!((error.class, error.is_ambiguous(), error.status), (FailureClass::Retryable, false, None));
}

pub async fn too_many_calls_say_when_to_come_back<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    lab.fault(V::routes().create, "status", json!({ "status": 429, "seconds": 17 })).await;
    let error = lab.refusal(&request::<V>(TAG)).await;
    assert_eq!((error.class, error.is_ambiguous()), (FailureClass::Retryable, false));
    assert_eq!(error.retry_after, Some(Duration::from_secs(17)));

    lab.configure(json!({ "rate_limits": true })).await;
    let calls = async || {
        let at_once = (0..20).map(|_| lab.provider.find_by_tag(TAG));
        futures::future::join_all(at_once).await.into_iter().find_map(Result::err)
    };
    let error = until(calls, Option::is_some).await.unwrap();
    assert_eq!((error.class, error.status), (FailureClass::Retryable, Some(429)));
    assert!(error.retry_after.is_some_and(|wait| wait > Duration::ZERO && wait <= Duration::from_secs(60)));
}

pub async fn a_locked_server_is_deleted_later<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let id = lab.make_ready(TAG).await.id;
    lab.fault(V::routes().delete, "locked_on_delete", json!({})).await;
    let error = lab.provider.delete_server(&id).await.unwrap_err();
    assert!(matches!(error.class, FailureClass::Conflict | FailureClass::Retryable), "{error:?}");
    assert_eq!(lab.read(&id).await.id, id, "it is still there");
    lab.provider.delete_server(&id).await.unwrap();
}

/// Writes down what passes it, and lets nothing pass once it is shut.
#[derive(Debug, Default)]
struct Turnstile(Mutex<Passed>);

#[derive(Debug, Default)]
struct Passed {
    lanes: Vec<&'static str>,
    callers: Vec<Caller>,
    outcomes: Vec<CallOutcome>,
    health: Vec<(CircuitScope, Health)>,
    shut: bool,
}

fn through(turnstile: &Arc<Turnstile>) -> Paced {
    Paced::new(Arc::clone(turnstile) as Arc<dyn Pacer>, Caller::Servers)
}

#[async_trait::async_trait]
impl Pacer for Turnstile {
    async fn admit(&self, lane: &'static str, caller: Caller, _call: Call) -> Result<(), NotAdmitted> {
        let mut passed = self.0.lock().unwrap();
        if passed.shut {
            let retry_after = Duration::from_secs(7);
            return Err(NotAdmitted { reason: "shut".to_owned(), retry_after, by: HeldBy::Class });
        }
        passed.lanes.push(lane);
        passed.callers.push(caller);
        Ok(())
    }

    async fn report(&self, _lane: &'static str, outcome: &CallOutcome) {
        self.0.lock().unwrap().outcomes.push(outcome.clone());
    }

    async fn left(&self, scope: CircuitScope, health: &Health) {
        self.0.lock().unwrap().health.push((scope, health.clone()));
    }
}

pub async fn every_call_waits_for_its_turn<V: Vendor>() {
    let lab = Lab::<V>::open().await;
    let turnstile = Arc::new(Turnstile::default());
    let paced = lab.adapter(|account| account.pacer = through(&turnstile));
    let id = create(&paced, &request::<V>(TAG)).await.unwrap().id;
    paced.find_by_tag(TAG).await.unwrap();
    paced.get_server(&id).await.unwrap();
    let customer = Caller::Display(UserId(uuid::Uuid::from_u128(7)).into());
    paced.called_by(customer).list_sizes().await.unwrap();
    lab.fault(V::routes().read, "status", json!({ "status": 429, "seconds": 3 })).await;
    lab.fault(V::routes().list, "status", json!({ "status": 503 })).await;
    paced.get_server(&id).await.unwrap_err();
    paced.find_by_tag(TAG).await.unwrap_err();

    let calls = lab.calls().await;
    {
        let mut passed = turnstile.0.lock().unwrap();
        assert_eq!((passed.lanes.len() as u64, passed.outcomes.len() as u64), (calls, calls));
        let known: Vec<_> = paced.rate_limits().iter().map(|lane| lane.name).collect();
        assert!(passed.callers.contains(&customer), "calls of another caller keep the account's turn");
        assert_eq!(passed.callers.first(), Some(&Caller::Servers));
        assert!(passed.lanes.iter().all(|lane| known.contains(lane)), "{:?}", passed.lanes);
        assert!(passed.outcomes.contains(&CallOutcome::RateLimited(Some(Duration::from_secs(3)))));
        assert!(passed.outcomes.contains(&CallOutcome::Silent));
        assert_eq!(passed.health.len() as u64, calls);
        assert!(matches!(passed.outcomes[0], CallOutcome::Answered(_)));
        passed.shut = true;
    }
    for held in [
        create(&paced, &request::<V>("wb-b")).await.map(drop).unwrap_err(),
        paced.get_server(&id).await.map(drop).unwrap_err(),
    ] {
        assert_eq!((held.class, held.is_ambiguous()), (FailureClass::Retryable, false));
        assert_eq!((held.retry_after, held.held_by), (Some(Duration::from_secs(7)), Some(HeldBy::Class)));
    }
    assert_eq!(lab.calls().await, calls);
}
