//! The shared window's last answer to this instance, so that no call asks again.

use tokio::time::Instant;

/// Calls that ask at this moment, and how many more may: each place that is left can go to one of them.
#[derive(Default)]
pub(super) struct SharedHint {
    asking: u64,
    /// Places that were left, and until when that says something.
    left: Option<(u64, Instant)>,
    /// Nobody has a place before.
    full_until: Option<Instant>,
}

impl SharedHint {
    /// When a call may ask.
    pub(super) fn next(&self, now: Instant) -> Instant {
        self.full_until.map_or(now, |until| until.max(now))
    }

    /// Whether one more may ask while others do: where the window is full, one asks for all.
    pub(super) fn has_room(&self, now: Instant) -> bool {
        let left = self.left.filter(|(_, until)| *until > now);
        left.is_none_or(|(left, _)| self.asking < left.max(1))
    }

    pub(super) fn begin(&mut self) {
        self.asking += 1;
    }

    pub(super) fn end(&mut self) {
        self.asking = self.asking.saturating_sub(1);
    }

    /// So many places are left; after `until` that says nothing any more.
    pub(super) fn open(&mut self, left: u64, until: Instant) {
        self.left = Some((left, until));
        self.full_until = None;
    }

    /// There is no place before `full_until`.
    pub(super) fn close(&mut self, full_until: Instant, until: Instant) {
        self.left = Some((0, until));
        self.full_until = Some(full_until);
    }
}
