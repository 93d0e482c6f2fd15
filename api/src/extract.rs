//! Extractors that answer with a [`Problem`](crate::problem::Problem) when a request can't be read: [`Body`], [`Params`],
//! [`Id`], [`Ids`], [`Paging`] and [`SortedPaging`] with their answer [`Paged`], [`IdempotencyKey`], [`Seen`] with its answer
//! [`Versioned`]; and [`Moment`], the type of times in them.

mod body;
mod idempotency_key;
mod ids;
mod if_match;
mod moment;
mod paging;
mod params;
mod strict;

pub use body::Body;
pub use idempotency_key::IdempotencyKey;
pub use ids::{Id, Ids};
pub use if_match::{Seen, Versioned};
pub use moment::Moment;
pub use paging::{Paged, Paging, SortedPaging};
pub use params::Params;
pub(crate) use params::invalid_query;
