//! What may go wrong, on purpose: workers killed at every step, answers lost, the engine and the database away. Nothing
//! is lost and nothing is done twice.

mod chaos;
mod outages;
