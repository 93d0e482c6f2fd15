use std::collections::VecDeque;

use adapters::providers::Refuses;
use chrono::{DateTime, Utc};
use domain::instance::PowerState;
use tokio::sync::Semaphore;

use super::*;

/// A provider whose lists are scripted, and answered only when told.
#[derive(Default)]
struct Fake {
    pages: Mutex<VecDeque<Result<ServerPage, ProviderError>>>,
    asked: Mutex<Vec<(String, Option<String>)>>,
    begun: Notify,
    may_answer: Option<Semaphore>,
}

#[async_trait]
impl Lists for Arc<Fake> {
    async fn page(&self, cohort: &str, page: Option<&str>) -> Result<ServerPage, ProviderError> {
        self.asked.lock().unwrap().push((cohort.to_owned(), page.map(str::to_owned)));
        self.begun.notify_one();
        if let Some(gate) = &self.may_answer {
            gate.acquire().await.unwrap().forget();
        }
        self.pages.lock().unwrap().pop_front().unwrap_or_else(|| Ok(page_of(&[], None)))
    }

    fn spacing(&self) -> Option<Duration> {
        Some(Duration::from_millis(720))
    }
}

fn server(id: &str) -> ProviderServer {
    ProviderServer {
        id: id.to_owned(),
        name: String::new(),
        tags: vec![],
        size: String::new(),
        region: String::new(),
        ipv4: None,
        ipv6: None,
        power: PowerState::On,
        ready: true,
        created_at: DateTime::<Utc>::UNIX_EPOCH,
    }
}

fn page_of(ids: &[&str], next: Option<&str>) -> ServerPage {
    ServerPage { servers: ids.iter().map(|id| server(id)).collect(), next: next.map(str::to_owned) }
}

fn trouble(class: FailureClass) -> ProviderError {
    ProviderError::new("fake", class, "no".to_owned())
}

fn ids(listing: &Listing) -> Vec<&str> {
    listing.iter().map(|server| server.id.as_str()).collect()
}

#[tokio::test]
async fn orders_that_wait_together_share_a_list_of_all_pages() {
    let fake = Arc::new(Fake::default());
    fake.pages.lock().unwrap().extend([Ok(page_of(&["1"], Some("p2"))), Ok(page_of(&["2"], None))]);
    let board = Board::new(Arc::clone(&fake));
    let asking = (0..100).map(|_| board.listing("c1", Question::LookUp));
    for answer in futures::future::join_all(asking).await {
        assert_eq!(ids(&answer.unwrap()), ["1", "2"]);
    }
    let asked = fake.asked.lock().unwrap().clone();
    assert_eq!(asked, [("c1".to_owned(), None), ("c1".to_owned(), Some("p2".to_owned()))]);
}

#[tokio::test]
async fn nobody_is_given_a_list_that_was_begun_before_they_asked() {
    let fake = Arc::new(Fake { may_answer: Some(Semaphore::new(0)), ..Fake::default() });
    fake.pages.lock().unwrap().extend([Ok(page_of(&["old"], None)), Ok(page_of(&["new"], None))]);
    let board = Board::new(Arc::clone(&fake));
    let first = tokio::spawn({
        let board = Arc::clone(&board);
        async move { board.listing("c1", Question::LookUp).await }
    });
    fake.begun.notified().await;
    let second = tokio::spawn({
        let board = Arc::clone(&board);
        async move { board.listing("c1", Question::LookUp).await }
    });
    while board.lock().waiting.is_empty() {
        tokio::task::yield_now().await;
    }
    fake.may_answer.as_ref().unwrap().add_permits(2);
    assert_eq!(ids(&first.await.unwrap().unwrap()), ["old"]);
    assert_eq!(ids(&second.await.unwrap().unwrap()), ["new"]);
}

#[tokio::test]
async fn a_list_is_kept_for_some_seconds() {
    let fake = Arc::new(Fake::default());
    fake.pages.lock().unwrap().push_back(Ok(page_of(&["1"], None)));
    let board = Board::new(Arc::clone(&fake));
    assert!(board.recent("c1").is_none());
    board.listing("c1", Question::LookUp).await.unwrap();
    assert_eq!(ids(&board.recent("c1").unwrap()), ["1"]);
    assert!(board.recent("c2").is_none());
    for (begun, _) in board.lock().recent.values_mut() {
        *begun -= RECENT;
    }
    assert!(board.recent("c1").is_none());
}

#[tokio::test]
async fn each_cohort_gets_its_own_list() {
    let fake = Arc::new(Fake::default());
    let board = Board::new(Arc::clone(&fake));
    let (one, two) =
        tokio::join!(board.listing("c1", Question::LookUp), board.listing("c2", Question::LookUp));
    assert!(one.is_ok() && two.is_ok());
    let mut asked: Vec<String> =
        fake.asked.lock().unwrap().iter().map(|(cohort, _)| cohort.clone()).collect();
    asked.sort();
    assert_eq!(asked, ["c1", "c2"]);
}

#[tokio::test]
async fn passing_trouble_is_tried_once_more_and_lasting_trouble_is_told() {
    let fake = Arc::new(Fake::default());
    let board = Board::new(Arc::clone(&fake));
    fake.pages.lock().unwrap().extend([Err(trouble(FailureClass::Retryable)), Ok(page_of(&["1"], None))]);
    assert_eq!(ids(&board.listing("c1", Question::LookUp).await.unwrap()), ["1"]);

    let twice = [Err(trouble(FailureClass::Retryable)), Err(trouble(FailureClass::Retryable))];
    fake.pages.lock().unwrap().extend(twice);
    assert!(board.listing("c1", Question::LookUp).await.is_err());

    let later =
        ProviderError { retry_after: Some(Duration::from_secs(9)), ..trouble(FailureClass::Retryable) };
    fake.pages.lock().unwrap().extend([Err(later)]);
    assert!(board.listing("c1", Question::LookUp).await.is_err(), "the vendor said when, and that is later");
}

#[tokio::test]
async fn a_create_that_waits_is_counted_until_its_turn() {
    let board = Board::new(Arc::new(Fake::default()));
    let waiting = [board.create_waiting(), board.create_waiting()];
    assert_eq!(board.lock().creates_waiting, 2);
    drop(waiting);
    assert_eq!(board.lock().creates_waiting, 0);
}

#[tokio::test]
async fn no_answer_to_a_shared_list_ends_an_order() {
    let fake = Arc::new(Fake::default());
    let board = Board::new(Arc::clone(&fake));
    for class in [FailureClass::Permanent, FailureClass::NotFound, FailureClass::Unsupported] {
        fake.pages.lock().unwrap().extend([Err(trouble(class)), Err(trouble(class))]);
        let told = board.listing("c1", Question::LookUp).await.unwrap_err();
        assert!(told.is_passing(), "{class}");
    }
    let refused =
        || ProviderError { refuses: Some(Refuses::Account), ..trouble(FailureClass::Configuration) };
    fake.pages.lock().unwrap().extend([Err(refused()), Err(refused())]);
    let told = board.listing("c1", Question::LookUp).await.unwrap_err();
    assert_eq!((told.class, told.is_passing()), (FailureClass::Configuration, true));
}
