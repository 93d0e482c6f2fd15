//! The shop's own API, in this process.

mod api;
mod in_process;
mod setup;
mod user;

pub use api::TestApi;
pub use setup::Setup;
pub use user::{PASSWORD, User};
