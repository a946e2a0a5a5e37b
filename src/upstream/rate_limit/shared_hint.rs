//! The shared window's last answer to this instance, which saves calls from asking again.

use tokio::time::Instant;

/// The calls that are asking, and how many more may: one per place that is left.
#[derive(Default)]
pub(super) struct SharedHint {
    asking: u64,
    /// Places that were left, and the end of this fact's validity.
    left: Option<(u64, Instant)>,
    /// There is no place before this time.
    full_until: Option<Instant>,
}

impl SharedHint {
    /// The time at which a call may ask.
    pub(super) fn next(&self, now: Instant) -> Instant {
        self.full_until.map_or(now, |until| until.max(now))
    }

    /// Whether one more call may ask while others do. If the window is full, one asks for all.
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

    /// This many places are left; the fact is valid until `until`.
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
