//! The facts about a process that the writing thread needs: running calls, whether there is room, the retention of the
//! audit, and unwritten counts.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::StoreError;
use crate::instances::Membership;
use crate::usage::UsageTally;

pub(crate) struct Housekeeping {
    /// This process's running calls that happen once.
    under_way: Mutex<HashSet<[u8; 32]>>,
    /// Handles of approved calls that this process runs.
    approved: Mutex<HashSet<String>>,
    /// Too many keys are stored.
    is_full: AtomicBool,
    /// Days that the audit is kept; 0: this process writes no audit.
    keep_days: AtomicU32,
    /// This process among the servers on the database.
    pub membership: Membership,
    /// Days that usage is kept; unset: this process does not decide that.
    usage_days: OnceLock<u32>,
    usage: UsageTally,
}

impl Housekeeping {
    pub(crate) fn new() -> Result<Self, StoreError> {
        Ok(Self {
            under_way: Mutex::default(),
            approved: Mutex::default(),
            is_full: AtomicBool::default(),
            keep_days: AtomicU32::default(),
            membership: Membership::new()?,
            usage_days: OnceLock::new(),
            usage: UsageTally::default(),
        })
    }

    pub(crate) fn enter(&self, id: [u8; 32]) {
        lock(&self.under_way).insert(id);
    }

    pub(crate) fn leave(&self, id: [u8; 32]) {
        lock(&self.under_way).remove(&id);
    }

    pub(crate) fn under_way(&self) -> HashSet<[u8; 32]> {
        lock(&self.under_way).clone()
    }

    pub(crate) fn enter_approved(&self, handle: &str) {
        lock(&self.approved).insert(handle.to_owned());
    }

    pub(crate) fn leave_approved(&self, handle: &str) {
        lock(&self.approved).remove(handle);
    }

    pub(crate) fn approved(&self) -> HashSet<String> {
        lock(&self.approved).clone()
    }

    /// Whether further idempotency keys may be stored.
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

    pub(crate) fn usage_days(&self) -> Option<u32> {
        self.usage_days.get().copied()
    }

    pub(crate) fn set_usage_days(&self, days: u32) {
        // Settings are read once.
        let _ = self.usage_days.set(days);
    }

    /// The counts of this process.
    pub(crate) fn usage(&self) -> &UsageTally {
        &self.usage
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
