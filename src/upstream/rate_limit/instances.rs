//! The number of instances of the server that call HighLevel for the same locations.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Instances that live at this moment, this one among them.
pub struct InstanceCount {
    live: AtomicU32,
    /// The share of this instance changed, for calls that wait.
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
    /// From now on the windows of this instance are divided by so many.
    pub fn set(&self, live: u32) {
        let live = live.max(1);
        if self.live.swap(live, Ordering::Relaxed) != live {
            self.wake();
        }
    }

    pub fn get(&self) -> u32 {
        self.live.load(Ordering::Relaxed)
    }

    /// Calls that wait look again.
    pub(super) fn wake(&self) {
        self.changed.notify_waiters();
    }

    /// Ends with the next change after this was called.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }
}
