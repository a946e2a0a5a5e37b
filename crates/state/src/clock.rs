//! The time for expiry and for counting: a clock that is never set back while the process lives.
//!
//! Guarantees: The clock advances at the speed of the system's monotonic clock. A wall clock that is set back changes
//! nothing: what has expired stays expired. A wall clock that is set forward is believed only once it has stayed ahead
//! for a minute, so a single wrong reading expires nothing. If a wall clock is wrong for longer, its effects hold for
//! this process. A process that starts believes the wall clock; conclusions from file times are as correct as that.
//! Processes that share a database believe its server's clock, so that one with a wrong clock agrees with the others.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// The process's clock.
pub struct SteadyClock;

/// The most that two clocks may drift apart at once: more is a jump.
const DRIFT: SignedDuration = SignedDuration::from_secs(2);

/// How long the wall clock must be ahead before it is believed: longer than a time server's wrong answer stays, and
/// short compared with the life of a confirm token.
const PATIENCE: Duration = Duration::from_secs(60);

impl SteadyClock {
    /// Now, never earlier than a previous result.
    pub fn now() -> Timestamp {
        let (wall, monotonic) = (Timestamp::now(), Instant::now());
        let mut readings = readings(wall, monotonic);
        readings.read(wall, monotonic)
    }

    /// Follows another clock, which is this far ahead of the wall clock. Its first value is believed at once, whatever
    /// this clock showed before.
    pub(crate) fn follow(ahead: SignedDuration) {
        let (wall, monotonic) = (Timestamp::now(), Instant::now());
        readings(wall, monotonic).follow(ahead, wall, monotonic);
    }
}

fn readings(wall: Timestamp, monotonic: Instant) -> MutexGuard<'static, Readings> {
    static STATE: OnceLock<Mutex<Readings>> = OnceLock::new();
    let state = STATE.get_or_init(|| Mutex::new(Readings::new(wall, monotonic)));
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same in milliseconds since 1970, as rows have it.
pub(crate) fn now() -> i64 {
    SteadyClock::now().as_millisecond()
}

/// Both clocks when they were last believed.
struct Readings {
    wall: Timestamp,
    monotonic: Instant,
    /// The time since when the wall clock is ahead.
    ahead_since: Option<Instant>,
    last: Timestamp,
    /// How far the followed clock is ahead of the wall clock, if one is followed.
    followed: Option<SignedDuration>,
}

impl Readings {
    fn new(wall: Timestamp, monotonic: Instant) -> Self {
        Self {
            wall,
            monotonic,
            ahead_since: None,
            last: wall,
            followed: None,
        }
    }

    fn follow(&mut self, ahead: SignedDuration, wall: Timestamp, monotonic: Instant) {
        let Ok(there) = wall.checked_add(ahead) else {
            return;
        };
        let before = self.followed;
        // Answers take a varying time: smaller differences are ignored.
        if before.is_some_and(|before| (before - ahead).abs() <= DRIFT) {
            return;
        }
        self.followed = Some(ahead);
        (self.wall, self.monotonic, self.ahead_since) = (there, monotonic, None);
        self.last = match before {
            None => there,
            Some(_) => self.last.max(there),
        };
    }

    fn read(&mut self, wall: Timestamp, monotonic: Instant) -> Timestamp {
        let wall = match self.followed {
            Some(ahead) => wall.checked_add(ahead).unwrap_or(wall),
            None => wall,
        };
        let passed = monotonic.saturating_duration_since(self.monotonic);
        let passed = SignedDuration::try_from(passed).unwrap_or_default();
        let expected = self.wall.checked_add(passed).unwrap_or(self.last);
        let ahead = wall.duration_since(expected);
        if ahead <= DRIFT {
            self.ahead_since = None;
        } else {
            let since = *self.ahead_since.get_or_insert(monotonic);
            if monotonic.saturating_duration_since(since) >= PATIENCE {
                (self.wall, self.monotonic, self.ahead_since) = (wall, monotonic, None);
                self.last = self.last.max(wall);
                return self.last;
            }
        }
        // A slightly faster wall clock is followed, so that the two do not drift apart over weeks.
        if ahead > SignedDuration::ZERO && ahead <= DRIFT {
            (self.wall, self.monotonic) = (wall, monotonic);
            self.last = self.last.max(wall);
            return self.last;
        }
        self.last = self.last.max(expected);
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_elsewhere_is_followed_at_once_and_never_back_again() {
        let (wall, monotonic) = (Timestamp::now(), Instant::now());
        let seconds = SignedDuration::from_secs;
        let mut readings = Readings::new(wall, monotonic);
        // Each: how far the other clock is ahead, and how far this one is then.
        for (ahead, expected) in [(-10, -10), (-9, -10), (5, 5), (-10, 5)] {
            readings.follow(seconds(ahead), wall, monotonic);
            let now = readings.read(wall, monotonic);
            assert_eq!(now, wall + seconds(expected), "{ahead}");
        }
        let later = monotonic + Duration::from_secs(20);
        let now = readings.read(wall + seconds(20), later);
        assert_eq!(now, wall + seconds(10));
    }

    /// Each step: monotonic seconds since the start, the wall clock then, and this clock's time.
    #[track_caller]
    fn check(name: &str, steps: &[(u64, i64, i64)]) {
        let (start, wall) = (Instant::now(), Timestamp::UNIX_EPOCH);
        let mut readings = Readings::new(wall, start);
        for (monotonic, at, expected) in steps {
            let at = wall + SignedDuration::from_secs(*at);
            let found = readings.read(at, start + Duration::from_secs(*monotonic));
            assert_eq!(found.as_second(), *expected, "{name} at {monotonic}");
        }
    }

    #[test]
    fn time_is_never_put_back_and_not_put_ahead_by_one_reading() {
        let year = 400 * 86_400;
        check(
            "as it goes",
            &[(0, 0, 0), (10, 10, 10), (3_600, 3_600, 3_600)],
        );
        check(
            "put back",
            &[
                (10, 10, 10),
                (20, -5_000, 20),
                (4_000, -1_000, 4_000),
                (4_010, 4_010, 4_010),
            ],
        );
        check(
            "ahead once",
            &[
                (10, 10, 10),
                (11, year, 11),
                (12, 12, 12),
                (80, year, 80),
                (81, 81, 81),
            ],
        );
        check(
            "ahead for good",
            &[
                (10, 10, 10),
                (11, year, 11),
                (60, year, 60),
                (71, year, year),
                (72, year + 1, year + 1),
            ],
        );
        check(
            "ahead, then back",
            &[
                (0, year, 0),
                (60, year, year),
                (61, 61, year + 1),
                (62, 62, year + 2),
            ],
        );
        check(
            "a little faster",
            &[(100, 101, 101), (200, 202, 202), (300, 303, 303)],
        );
        check("a little slower", &[(100, 99, 100), (200, 198, 200)]);
    }

    #[test]
    fn the_process_has_one_clock() {
        let (before, wall) = (SteadyClock::now(), Timestamp::now());
        assert!(SteadyClock::now() >= before);
        assert!(before.duration_since(wall).abs() < SignedDuration::from_secs(5));
    }
}
