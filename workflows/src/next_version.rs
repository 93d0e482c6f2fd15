//! A next version of this code, for tests of an upgrade: a worker that pretends to be one takes a further step in each order
//! and at each look at a server's life, behind a patch as every change of running workflows is. It is a constant of the
//! process, as the code itself is, and the product is built without it.

#[cfg(feature = "failpoints")]
mod pretended {
    use std::sync::atomic::{AtomicBool, Ordering};

    static PRETENDED: AtomicBool = AtomicBool::new(false);

    /// This process is of the next version from now on; said before its workers start.
    pub fn pretend() {
        PRETENDED.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_pretended() -> bool {
        PRETENDED.load(Ordering::Relaxed)
    }
}

#[cfg(not(feature = "failpoints"))]
mod pretended {
    pub(crate) const fn is_pretended() -> bool {
        false
    }
}

#[cfg(feature = "failpoints")]
pub use pretended::pretend;

use std::time::Duration;

use temporalio_workflow::WorkflowContext;

/// The further step, where there is one.
pub(crate) async fn step<W>(ctx: &WorkflowContext<W>) {
    if pretended::is_pretended() && ctx.patched("a-next-version") {
        let _ = ctx.timer(Duration::from_millis(1)).await;
    }
}
