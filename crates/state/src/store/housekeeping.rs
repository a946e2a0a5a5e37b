//! What of a process the thread that writes has to know: calls under way, whether there is room, how long the audit is kept.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Default)]
pub(crate) struct Housekeeping {
    /// Calls that happen once, of this process.
    under_way: Mutex<HashSet<[u8; 32]>>,
    /// Too many keys are remembered.
    is_full: AtomicBool,
    /// Days that the audit is kept; 0: no audit is written here.
    keep_days: AtomicU32,
}

impl Housekeeping {
    pub(crate) fn enter(&self, id: [u8; 32]) {
        self.lock().insert(id);
    }

    pub(crate) fn leave(&self, id: [u8; 32]) {
        self.lock().remove(&id);
    }

    pub(crate) fn under_way(&self) -> HashSet<[u8; 32]> {
        self.lock().clone()
    }

    /// Whether more idempotency keys may come.
    pub(crate) fn has_room(&self) -> bool {
        !self.is_full.load(Ordering::Relaxed)
    }

    pub(crate) fn set_full(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::Relaxed);
    }

    pub(crate) fn keep_days(&self) -> u32 {
        self.keep_days.load(Ordering::Relaxed)
    }

    pub(crate) fn set_keep_days(&self, days: u32) {
        self.keep_days.store(days, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<[u8; 32]>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
