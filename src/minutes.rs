//! The last hour, minute by minute, in a fixed amount of memory.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The number of minutes, including the current one.
const MINUTES: usize = 60;

/// The data of each of the last minutes. The lock is held for one change of one minute.
pub(crate) struct Minutes<T> {
    since: Instant,
    ring: Mutex<MinuteRing<T>>,
}

/// Minutes by their numbers since some start, each at its number modulo `MINUTES`.
pub(crate) struct MinuteRing<T> {
    newest: usize,
    minutes: Vec<T>,
}

impl<T: Default> Default for Minutes<T> {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            ring: Mutex::default(),
        }
    }
}

impl<T: Default> Default for MinuteRing<T> {
    fn default() -> Self {
        let mut minutes = Vec::new();
        minutes.resize_with(MINUTES, T::default);
        Self { newest: 0, minutes }
    }
}

impl<T: Default + Clone> Minutes<T> {
    /// Changes the data of the current minute.
    pub(crate) fn add(&self, change: impl FnOnce(&mut T)) {
        let number = self.number();
        self.ring().add(number, change);
    }

    /// All `MINUTES`, oldest first. The last one is the current one.
    pub(crate) fn read(&self) -> Vec<T> {
        let number = self.number();
        self.ring().read(number)
    }

    fn number(&self) -> usize {
        minute_number(self.since)
    }

    fn ring(&self) -> MutexGuard<'_, MinuteRing<T>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of minutes that have passed.
pub(crate) fn minute_number(since: Instant) -> usize {
    usize::try_from(since.elapsed().as_secs() / 60).unwrap_or(usize::MAX)
}

impl<T: Default + Clone> MinuteRing<T> {
    pub(crate) fn add(&mut self, number: usize, change: impl FnOnce(&mut T)) {
        self.turn(number);
        // A caller that read the clock before the minute ended counts in the new one.
        if let Some(minute) = self.minutes.get_mut(self.newest % MINUTES) {
            change(minute);
        }
    }

    pub(crate) fn read(&mut self, number: usize) -> Vec<T> {
        self.turn(number);
        let oldest = self.newest + 1;
        let places = (oldest..oldest + MINUTES).map(|number| number % MINUTES);
        let minutes = places.filter_map(|place| self.minutes.get(place));
        minutes.cloned().collect()
    }

    /// Drops minutes older than an hour.
    fn turn(&mut self, number: usize) {
        let passed = number.saturating_sub(self.newest);
        for step in 1..=passed.min(MINUTES) {
            if let Some(minute) = self.minutes.get_mut((self.newest + step) % MINUTES) {
                *minute = T::default();
            }
        }
        self.newest = self.newest.max(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_older_than_an_hour_are_removed() {
        fn check(added: &[usize], read: usize, expected: &[(usize, u32)]) {
            let minutes = Minutes::<u32>::default();
            let mut ring = minutes.ring();
            for number in added {
                ring.add(*number, |count| *count += 1);
            }
            let mut all = vec![0; MINUTES];
            for (ago, count) in expected {
                all[MINUTES - 1 - ago] = *count;
            }
            assert_eq!(ring.read(read), all, "{added:?} read in {read}");
        }
        check(&[], 0, &[]);
        check(&[0, 0], 0, &[(0, 2)]);
        check(&[0, 1, 1], 3, &[(3, 1), (2, 2)]);
        check(&[0, 59], 59, &[(59, 1), (0, 1)]);
        check(&[0, 59], 60, &[(1, 1)]);
        check(&[5, 70, 200], 200, &[(0, 1)]);
        check(&[5], 1_000_000, &[]);
        // Another thread read the clock just before the minute ended.
        check(&[7, 6], 7, &[(0, 2)]);
    }
}
