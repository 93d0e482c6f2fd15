//! The id of the request that a task is answering, for whatever is said on the way.

tokio::task_local! {
    static REQUEST_ID: String;
}

/// The id of the request that this task is answering.
pub(crate) fn current() -> Option<String> {
    REQUEST_ID.try_with(Clone::clone).ok()
}

/// `answer` with `id` as the current one.
pub(crate) async fn with<F: Future>(id: String, answer: F) -> F::Output {
    REQUEST_ID.scope(id, answer).await
}
