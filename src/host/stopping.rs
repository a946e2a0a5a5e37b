//! Whether the server has been told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::http::StatusCode;

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

/// For orchestrators: `503` from the moment on that the server is told to stop. Nothing is loaded after start, so
/// that who can answer is ready before.
pub async fn ready(State(stopping): State<Stopping>) -> (StatusCode, &'static str) {
    match stopping.has_begun() {
        true => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
        false => (StatusCode::OK, "ok\n"),
    }
}
