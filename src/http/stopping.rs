//! Whether the server has been told to stop, and whether it is paused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::http::StatusCode;

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
}

/// For orchestrators: `503` from the moment on that the server is told to stop. Nothing is loaded after start, so
/// that who can answer is ready before. What is paused still reads, and is ready.
pub(super) async fn ready(State(now): State<Readiness>) -> (StatusCode, &'static str) {
    match (now.stopping.has_begun(), now.pauses.is_any()) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
        (false, true) => (StatusCode::OK, "paused\n"),
        (false, false) => (StatusCode::OK, "ok\n"),
    }
}
