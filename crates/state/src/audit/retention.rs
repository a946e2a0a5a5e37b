//! Which files of the audit are too old, by a clock that may be wrong.
//!
//! What is removed must be old by the clock and by what was known before. `audit.seen` holds the last day that was
//! believed. The next day is believed at once; a later one only if the clock still says so after this process has run
//! for a day; an earlier one at once, for it removes nothing. So one reading of a clock that is 400 days ahead removes
//! nothing, nor does a restart under one. Whatever the clock says, more than twice as many files as days to keep are
//! not kept.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::ToSpan;
use jiff::civil::Date;

use super::days::{days_with_files, file_path};
use crate::folder::StateFolder;

/// Holds the last day that was believed.
const SEEN: &str = "audit.seen";

/// How long a clock must be ahead, by another one, before it is believed.
const DOUBT: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug)]
pub struct Retention {
    keep_days: u32,
    /// Since when the clock is further ahead than a day.
    ahead_since: Option<Instant>,
}

impl Retention {
    pub fn new(keep_days: u32) -> Self {
        Self {
            keep_days,
            ahead_since: None,
        }
    }

    /// Removes what is too old. A file too many is no reason to refuse calls: it is only told.
    pub fn remove_old(&mut self, folder: &Path, today: Date, at: Instant) {
        let days = days_with_files(folder).unwrap_or_default();
        let believed = self.believe(folder, today, at, &days);
        let keep = i64::from(self.keep_days);
        let Ok(oldest) = believed.min(today).checked_sub(keep.days()) else {
            return;
        };
        let most = usize::try_from(self.keep_days).unwrap_or(usize::MAX);
        let too_many = days.len().saturating_sub(most.saturating_mul(2));
        let old = days
            .iter()
            .enumerate()
            .filter(|(index, day)| **day < oldest || *index < too_many)
            .filter(|(_, day)| **day != today);
        for (_, day) in old {
            let path = file_path(folder, *day);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    tracing::warn!(%error, path = %path.display(), "an old file of the audit cannot be removed");
                }
                _ => {}
            }
        }
    }

    /// The day that may be told from, and that is remembered.
    fn believe(&mut self, folder: &Path, today: Date, at: Instant, days: &[Date]) -> Date {
        let seen = fs::read_to_string(folder.join(SEEN)).ok();
        let seen: Option<Date> = seen.and_then(|text| text.trim().parse().ok());
        // Where nothing is known, nothing is old.
        let before =
            seen.unwrap_or_else(|| days.first().map_or(today, |oldest| *oldest.min(&today)));
        let next = before.tomorrow().unwrap_or(before);
        let believed = if today <= next {
            self.ahead_since = None;
            today
        } else {
            let since = *self.ahead_since.get_or_insert(at);
            if at.saturating_duration_since(since) >= DOUBT {
                self.ahead_since = None;
                today
            } else {
                before
            }
        };
        if seen != Some(believed) {
            let written = StateFolder::open(folder)
                .and_then(|folder| folder.replace(SEEN, format!("{believed}\n").as_bytes()));
            if let Err(error) = written {
                tracing::warn!(%error, "the last day of the audit is not remembered; old files stay");
            }
        }
        believed
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const START: Date = date(2026, 11, 1);

    fn day(number: i64) -> Date {
        START.checked_add(number.days()).expect("a day")
    }

    /// Each step: hours that the machine has run, the clock's day, whether the process is new, and the first day whose
    /// file is left and how many. The files of the first ten days are there; six days are kept.
    #[track_caller]
    fn check(name: &str, seen: Option<i64>, steps: &[(u64, i64, bool, i64, usize)]) {
        let folder = tempfile::tempdir().expect("a folder");
        for number in 0..10 {
            fs::write(file_path(folder.path(), day(number)), "{}\n").expect("written");
        }
        if let Some(seen) = seen {
            fs::write(folder.path().join(SEEN), day(seen).to_string()).expect("written");
        }
        let start = Instant::now();
        let mut retention = Retention::new(6);
        for (hours, today, restarted, first, count) in steps {
            if *restarted {
                retention = Retention::new(6);
            }
            fs::write(file_path(folder.path(), day(*today)), "{}\n").expect("written");
            let at = start + Duration::from_secs(hours * 3_600);
            retention.remove_old(folder.path(), day(*today), at);
            let left = days_with_files(folder.path()).expect("listed");
            let found = (left[0], left.len());
            assert_eq!(found, (day(*first), *count), "{name} at {hours}");
        }
    }

    #[test]
    fn one_reading_of_a_clock_removes_nothing() {
        check(
            "as it goes",
            Some(9),
            &[
                (0, 9, false, 3, 7),
                (24, 10, false, 4, 7),
                (48, 11, false, 5, 7),
            ],
        );
        check(
            "a step ahead",
            Some(9),
            &[(0, 400, false, 3, 8), (1, 9, false, 3, 8)],
        );
        check(
            "ahead at every start",
            Some(9),
            &[
                (0, 400, true, 3, 8),
                (30, 400, true, 3, 8),
                (60, 401, true, 3, 9),
            ],
        );
        check(
            "ahead, right, ahead",
            Some(9),
            &[
                (0, 400, false, 3, 8),
                (12, 9, false, 3, 8),
                (25, 400, false, 3, 8),
            ],
        );
        check(
            "ahead for a day",
            Some(9),
            &[
                (0, 400, false, 3, 8),
                (23, 400, false, 3, 8),
                (25, 401, false, 400, 2),
            ],
        );
        check(
            "off for a week",
            Some(9),
            &[(0, 16, false, 3, 8), (24, 17, false, 16, 2)],
        );
        check(
            "never seen",
            None,
            &[(0, 9, false, 0, 10), (25, 10, false, 4, 7)],
        );
        check(
            "never seen, and ahead",
            None,
            &[(0, 400, false, 0, 11), (1, 401, true, 0, 12)],
        );
        check(
            "put back, then right",
            Some(9),
            &[
                (0, -200, false, -200, 11),
                (1, 9, false, -200, 11),
                (26, 10, false, 4, 7),
            ],
        );
    }

    #[test]
    fn a_clock_that_is_never_right_fills_no_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        for start in 0..50 {
            fs::write(file_path(folder.path(), day(start * 100)), "{}\n").expect("written");
            Retention::new(5).remove_old(folder.path(), day(start * 100), Instant::now());
        }
        let left = days_with_files(folder.path()).expect("listed");
        assert_eq!((left.len(), left[0]), (10, day(4_000)));
    }
}
