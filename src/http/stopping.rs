//! Tells whether the server was told to stop, and whether it is paused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::http::StatusCode;

use state::instances::Membership;
use state::pause::Pauses;

/// Cheap to clone: routes and connections share one flag.
#[derive(Clone, Default)]
pub struct Stopping(Arc<AtomicBool>);

impl Stopping {
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The state for `ready`.
#[derive(Clone)]
pub(super) struct Readiness {
    pub stopping: Stopping,
    pub pauses: Pauses,
    pub membership: Membership,
}

/// The readiness for orchestrators. `503`: the server was told to stop; or the other instances on the database have not
/// yet made room for this one in HighLevel's limits; or the store has been out of reach for longer than reads may go
/// on, while another instance may reach it. Nothing is loaded after the start, so a server that answers is ready. A
/// paused server still reads, and is ready.
pub(super) async fn ready(State(now): State<Readiness>) -> (StatusCode, &'static str) {
    let unready = if now.stopping.has_begun() {
        Some("stopping\n")
    } else if !now.membership.is_settled() {
        Some("joining\n")
    } else if !now.pauses.is_known() {
        Some("without its store\n")
    } else {
        None
    };
    match (unready, now.pauses.is_any()) {
        (Some(why), _) => (StatusCode::SERVICE_UNAVAILABLE, why),
        (None, true) => (StatusCode::OK, "paused\n"),
        (None, false) => (StatusCode::OK, "ok\n"),
    }
}
