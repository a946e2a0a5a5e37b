//! Limits attempts from one address at the endpoints of clients, where callers are not yet known.
//!
//! Whoever floods them is refused at its own address, and nobody else. Where a proxy tells no client from another, no
//! address is counted: one client would shut out all.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hashlink::LruCache;

/// Addresses that are counted; beyond them that is forgotten which was seen longest ago.
const MOST_ADDRESSES: usize = 10_000;

/// Nobody waits for longer, whatever somebody else at the address did.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Attempts of each address.
pub(in crate::http) struct Attempts {
    /// New clients.
    pub registrations: AttemptLimiter,
    /// What was refused of those who redeem and revoke. Web clients come by the thousand from a few addresses, so that
    /// what is not refused has no limit.
    pub refusals: AttemptLimiter,
    /// Documents of clients that are fetched for whoever opens a consent. A site that never answers takes five seconds of
    /// the few that are fetched at once.
    pub documents: AttemptLimiter,
}

/// One kind of attempts: so many at once, and then one each time that the interval has passed.
pub(in crate::http) struct AttemptLimiter {
    every: Duration,
    at_once: u32,
    /// Of each address, when all that it did would have been done one by one.
    settled: Mutex<LruCache<IpAddr, Instant>>,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            registrations: AttemptLimiter::new(5, Duration::from_secs(12)),
            refusals: AttemptLimiter::new(60, Duration::from_millis(50)),
            documents: AttemptLimiter::new(25, Duration::from_secs(1)),
        }
    }
}

impl AttemptLimiter {
    pub(in crate::http) fn new(at_once: u32, every: Duration) -> Self {
        Self {
            every,
            at_once,
            settled: Mutex::new(LruCache::new(MOST_ADDRESSES)),
        }
    }

    /// Counts one more, or says how long to wait for it.
    pub(in crate::http) fn acquire(&self, address: Option<IpAddr>) -> Result<(), Duration> {
        self.acquire_at(address, Instant::now())
    }

    /// Says how long to wait for one more, and counts none.
    pub(in crate::http) fn check(&self, address: Option<IpAddr>) -> Result<(), Duration> {
        self.check_at(address, Instant::now())
    }

    /// Counts one that was let in: many at once may be more than may be.
    pub(in crate::http) fn count(&self, address: Option<IpAddr>) {
        self.count_at(address, Instant::now());
    }

    fn acquire_at(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        self.check_at(address, now)?;
        self.count_at(address, now);
        Ok(())
    }

    fn check_at(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        let Some(address) = address else {
            return Ok(());
        };
        let mut all = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = all.get(&address).map_or(Duration::ZERO, |settled| {
            settled.saturating_duration_since(now)
        });
        let most = self.every * self.at_once.saturating_sub(1);
        match ahead.checked_sub(most) {
            None | Some(Duration::ZERO) => Ok(()),
            Some(wait) => Err(wait),
        }
    }

    fn count_at(&self, address: Option<IpAddr>, now: Instant) {
        if let Some(address) = address {
            let mut all = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
            let settled = all.get(&address).copied().map_or(now, |at| at.max(now));
            all.insert(address, (settled + self.every).min(now + LONGEST_WAIT));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attempts at seconds since the start, and whether each may be.
    #[track_caller]
    fn check(name: &str, attempts: &[(Option<&str>, u64, bool)]) {
        let limiter = AttemptLimiter::new(3, Duration::from_secs(10));
        let start = Instant::now();
        for (address, at, expected) in attempts {
            let address = address.map(|text| text.parse().expect("an address"));
            let now = start + Duration::from_secs(*at);
            let may = limiter.check_at(address, now).is_ok();
            let did = limiter.acquire_at(address, now).is_ok();
            assert_eq!((may, did), (*expected, *expected), "{name} at {at}");
        }
    }

    #[test]
    fn an_address_has_so_many_at_once_and_then_one_by_one() {
        let (one, other) = (Some("192.0.2.1"), Some("192.0.2.2"));
        let rows = [
            (one, 0, true),
            (one, 0, true),
            (one, 0, true),
            (one, 9, false),
            (one, 10, true),
            (one, 10, false),
            (one, 1_000, true),
            (one, 1_000, true),
            (one, 1_000, true),
            (one, 1_000, false),
        ];
        check("one address", &rows);
        let rows = [0; 4].map(|at| (one, at, true));
        check("each its own", &[&rows[..3], &[(other, 0, true)]].concat());
        check("nobody knows whose", &[(None, 0, true); 20]);
    }

    #[test]
    fn the_wait_is_as_long_as_it_takes() {
        let limiter = AttemptLimiter::new(2, Duration::from_secs(10));
        let address = "192.0.2.1".parse().ok();
        let start = Instant::now();
        let waits = [0, 0, 0, 4].map(|at| {
            let now = start + Duration::from_secs(at);
            limiter
                .acquire_at(address, now)
                .err()
                .map(|wait| wait.as_secs())
        });
        assert_eq!(waits, [None, None, Some(10), Some(6)]);
    }

    /// What is known to be wrong only afterwards is counted all the same, and a minute later that is over.
    #[test]
    fn many_at_once_are_waited_for() {
        let limiter = AttemptLimiter::new(2, Duration::from_secs(10));
        let address = "192.0.2.1".parse().ok();
        let start = Instant::now();
        (0..100).for_each(|_| limiter.count_at(address, start));
        let at = |seconds| limiter.check_at(address, start + Duration::from_secs(seconds));
        assert_eq!(at(0), Err(LONGEST_WAIT - Duration::from_secs(10)));
        assert_eq!((at(49).is_ok(), at(50).is_ok()), (false, true));
    }

    #[test]
    fn as_many_addresses_are_counted_as_may_be() {
        let limiter = AttemptLimiter::new(1, Duration::from_secs(10));
        for number in 0..MOST_ADDRESSES as u32 + 5 {
            let address = IpAddr::V4(number.into());
            assert!(limiter.acquire(Some(address)).is_ok());
        }
        let counted = limiter.settled.lock().expect("no panic").len();
        assert_eq!(counted, MOST_ADDRESSES);
    }
}
