//! Customers' and staff's ways through the whole system, on real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod buying;
mod changes;
mod disputes;
mod failover;
mod instances;
mod leaving;
mod levers;
mod life;
mod money;
mod payments;
mod providers;
mod refunds;
