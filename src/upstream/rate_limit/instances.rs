//! The number of instances of the server that call HighLevel for the same locations.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// The number of live instances, including this one.
pub struct InstanceCount {
    live: AtomicU32,
    /// Notifies waiting calls that this instance's part changed.
    changed: Notify,
}

impl Default for InstanceCount {
    fn default() -> Self {
        Self {
            live: AtomicU32::new(1),
            changed: Notify::new(),
        }
    }
}

impl InstanceCount {
    /// From now on the windows of this instance are divided by this number.
    pub fn set(&self, live: u32) {
        let live = live.max(1);
        if self.live.swap(live, Ordering::Relaxed) != live {
            self.wake();
        }
    }

    pub fn get(&self) -> u32 {
        self.live.load(Ordering::Relaxed)
    }

    /// Waiting calls check again.
    pub(super) fn wake(&self) {
        self.changed.notify_waiters();
    }

    /// Ends at the next change after this call.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }
}
