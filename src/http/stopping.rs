//! Knows whether the server was told to stop, and whether it is paused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::http::StatusCode;

use state::instances::Membership;
use state::pause::Pauses;

/// Cheap to clone: one flag for the routes and for the connections.
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

/// What `ready` looks at.
#[derive(Clone)]
pub(super) struct Readiness {
    pub stopping: Stopping,
    pub pauses: Pauses,
    pub membership: Membership,
}

/// For orchestrators: `503` from the moment on that the server is told to stop, and until the other instances on the database
/// have made room for this one in HighLevel's limits; and where it has not reached the store for longer than reads may go on,
/// for another instance may. Nothing is loaded after start, so that who can answer is ready before. What is paused still
/// reads, and is ready.
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
