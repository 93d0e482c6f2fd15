//! What waiting orders want to know of a provider, asked once for all of them: a list of the servers of their cohort
//! tells whether an order has a server already, and whether it is ready. Nobody is given a list that was begun before
//! they asked, so what it does not show was not there (or not listed yet) at that moment.

mod pace;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use adapters::providers::{CloudProvider, ProviderError, ServerPage};
use async_trait::async_trait;
use domain::{provisioning::FailureClass, server::ProviderServer};
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use pace::{Demand, Spacing};

/// A list that failed in passing is tried again after this long, once, before those who wait are told.
const RETRY: Duration = Duration::from_millis(500);

/// A list that was begun so long ago still tells an order that never had a create sent that it has no server.
const RECENT: Duration = Duration::from_secs(5);

/// The servers of a cohort, as a list that was begun after the question showed them.
pub(crate) type Listing = Arc<Vec<ProviderServer>>;
type Answer = Result<Listing, ProviderError>;

/// Who can list the servers of a cohort, page by page.
#[async_trait]
pub(crate) trait Lists: Send + Sync {
    /// One call.
    async fn page(&self, cohort: &str, page: Option<&str>) -> Result<ServerPage, ProviderError>;

    /// What one call takes of the limit, see [`CloudProvider::list_spacing`].
    fn spacing(&self) -> Option<Duration>;
}

#[async_trait]
impl Lists for Arc<dyn CloudProvider> {
    async fn page(&self, cohort: &str, page: Option<&str>) -> Result<ServerPage, ProviderError> {
        self.list_servers(cohort, page).await
    }

    fn spacing(&self) -> Option<Duration> {
        self.list_spacing()
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Question {
    /// Is there a server already?
    LookUp,
    /// Is the server ready? Asked for the how-manieth time, and first when.
    Ready { since: Instant, asked_before: u32 },
}

type ProviderBoard = Board<Arc<dyn CloudProvider>>;

/// One board per provider.
#[derive(Default)]
pub(crate) struct Boards(Mutex<BTreeMap<&'static str, Arc<ProviderBoard>>>);

impl Boards {
    pub(crate) fn of(&self, provider: &Arc<dyn CloudProvider>) -> Arc<ProviderBoard> {
        let mut boards = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let board = boards.entry(provider.slug()).or_insert_with(|| Board::new(Arc::clone(provider)));
        Arc::clone(board)
    }
}

/// The orders that wait for one provider in this process, and the lists they share.
pub(crate) struct Board<L> {
    lists: L,
    spacing: Spacing,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    waiting: BTreeMap<String, Vec<Waiter>>,
    /// The last list of each cohort, and when it was begun.
    recent: BTreeMap<String, (Instant, Listing)>,
    /// Orders that wait for the turn of their create.
    creates_waiting: usize,
    last_begun: Option<Instant>,
    /// Calls that the last round of lists took.
    pages: u32,
    /// Until when no list is begun after one failed.
    pause_until: Option<Instant>,
    driven: bool,
}

struct Waiter {
    question: Question,
    tried: bool,
    answer: oneshot::Sender<Answer>,
}

impl State {
    fn drop_cancelled(&mut self) {
        self.waiting.retain(|_, waiters| {
            waiters.retain(|waiter| !waiter.answer.is_closed());
            !waiters.is_empty()
        });
    }

    /// When the next round may begin. `None` when nobody waits.
    fn due(&self, now: Instant, spacing: Spacing) -> Option<Instant> {
        let questions = self.waiting.values().flatten().map(|waiter| waiter.question);
        let interval = Demand::of(questions, now)?.interval(self.creates_waiting, self.pages.max(1), spacing);
        let due = self.last_begun.map_or(now, |begun| begun + interval);
        Some(self.pause_until.map_or(due, |pause| due.max(pause)))
    }
}

/// Counts an order as waiting for the turn of its create until it is dropped.
pub(crate) struct CreateWaiting<L: Lists + 'static>(Arc<Board<L>>);

impl<L: Lists + 'static> Drop for CreateWaiting<L> {
    fn drop(&mut self) {
        self.0.lock().creates_waiting -= 1;
        self.0.changed.notify_one();
    }
}

impl<L: Lists + 'static> Board<L> {
    fn new(lists: L) -> Arc<Self> {
        let spacing = Spacing::of(lists.spacing());
        Arc::new(Self { lists, spacing, state: Mutex::default(), changed: Notify::new() })
    }

    /// Waits for a list of the cohort's servers that begins after this call.
    ///
    /// # Errors
    /// The provider's, when the list failed. It ends nobody's order: the list is everybody's, so what is said of it is no
    /// verdict on any of those who wait, some of whose servers exist.
    pub(crate) async fn listing(self: &Arc<Self>, cohort: &str, question: Question) -> Answer {
        let (answer, listing) = oneshot::channel();
        {
            let mut state = self.lock();
            let waiters = state.waiting.entry(cohort.to_owned()).or_default();
            waiters.push(Waiter { question, tried: false, answer });
            if !state.driven {
                state.driven = true;
                tokio::spawn(Driver { board: Arc::clone(self), done: false }.drive());
            }
        }
        self.changed.notify_one();
        listing.await.unwrap_or_else(|_| {
            Err(ProviderError::new("", FailureClass::Retryable, "the process is stopping".to_owned()))
        })
    }

    /// The cohort's servers as a list showed them that was begun some seconds ago at most.
    pub(crate) fn recent(&self, cohort: &str) -> Option<Listing> {
        let state = self.lock();
        let (begun, listing) = state.recent.get(cohort)?;
        (begun.elapsed() < RECENT).then(|| Arc::clone(listing))
    }

    /// Notes that an order waits for the turn of its create: lists are then made less often.
    pub(crate) fn create_waiting(self: &Arc<Self>) -> CreateWaiting<L> {
        self.lock().creates_waiting += 1;
        CreateWaiting(Arc::clone(self))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lists every cohort that is waited for, one after the other.
    async fn round(&self) {
        let cohorts: Vec<String> = {
            let mut state = self.lock();
            state.last_begun = Some(Instant::now());
            state.recent.retain(|_, (begun, _)| begun.elapsed() < RECENT);
            state.waiting.keys().cloned().collect()
        };
        let mut calls = 0;
        for cohort in cohorts {
            let waiters = self.lock().waiting.remove(&cohort).unwrap_or_default();
            let begun = Instant::now();
            match self.list(&cohort, &mut calls).await {
                Ok(listing) => {
                    let listing = Arc::new(listing);
                    self.lock().recent.insert(cohort, (begun, Arc::clone(&listing)));
                    answer_all(waiters, &Ok(listing));
                }
                Err(error) => self.failed(cohort, waiters, error),
            }
        }
        self.lock().pages = calls;
    }

    async fn list(&self, cohort: &str, calls: &mut u32) -> Result<Vec<ProviderServer>, ProviderError> {
        let (mut found, mut next) = (Vec::new(), None);
        loop {
            *calls += 1;
            let page = self.lists.page(cohort, next.as_deref()).await?;
            found.extend(page.servers);
            next = page.next;
            if next.is_none() {
                return Ok(found);
            }
        }
    }

    /// Passing trouble is tried again once before everybody is sent away.
    fn failed(&self, cohort: String, waiters: Vec<Waiter>, error: ProviderError) {
        let error = error.of_shared_call();
        let pause = error.retry_after.unwrap_or(RETRY);
        let passing = pause <= RETRY * 4;
        let (again, told): (Vec<_>, Vec<_>) =
            waiters.into_iter().partition(|waiter| passing && !waiter.tried);
        answer_all(told, &Err(error));
        let mut state = self.lock();
        state.pause_until = Some(Instant::now() + pause.min(RETRY * 4));
        if !again.is_empty() {
            let again = again.into_iter().map(|waiter| Waiter { tried: true, ..waiter });
            state.waiting.entry(cohort).or_default().extend(again);
        }
    }
}

fn answer_all(waiters: Vec<Waiter>, answer: &Answer) {
    for waiter in waiters {
        // One who left meanwhile needs no answer.
        let _ = waiter.answer.send(answer.clone());
    }
}

/// Makes lists as long as somebody waits.
struct Driver<L: Lists + 'static> {
    board: Arc<Board<L>>,
    done: bool,
}

impl<L: Lists + 'static> Drop for Driver<L> {
    /// The task's runtime may end before the waiting does: those who wait are told, and the next one begins anew.
    fn drop(&mut self) {
        if !self.done {
            let mut state = self.board.lock();
            state.driven = false;
            state.waiting.clear();
        }
    }
}

impl<L: Lists + 'static> Driver<L> {
    async fn drive(mut self) {
        while let Some(due) = self.next() {
            if due <= Instant::now() {
                self.board.round().await;
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep_until(due) => {}
                () = self.board.changed.notified() => {}
            }
        }
    }

    fn next(&mut self) -> Option<Instant> {
        let mut state = self.board.lock();
        state.drop_cancelled();
        let due = state.due(Instant::now(), self.board.spacing);
        if due.is_none() {
            state.driven = false;
            self.done = true;
        }
        due
    }
}

#[cfg(test)]
mod tests;
