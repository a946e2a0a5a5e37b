//! Keeps HighLevel's raw answers, for a command that reports on them. Servers never use it.

use std::sync::{Mutex, PoisonError};

use reqwest::header::HeaderMap;

use tool::Tool;

/// Most answers that are kept.
const MOST: usize = 100;

/// One answer, whatever its status.
pub struct Observation {
    /// The variant that was called.
    pub tool: &'static Tool,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// The answers since they were last taken.
#[derive(Default)]
pub(super) struct Observer(Mutex<Vec<Observation>>);

impl Observer {
    pub(super) fn record(&self, observation: Observation) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < MOST {
            all.push(observation);
        }
    }

    pub(super) fn take(&self) -> Vec<Observation> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
