//! Limits the attempts of one address: a number at once, and then one per interval.
//!
//! A flood is refused at its own address only.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hashlink::LruCache;

/// The most addresses that are counted. Beyond it, the one seen longest ago is forgotten.
const MOST_ADDRESSES: usize = 10_000;

/// The longest wait, whatever others at the address did, unless the number allowed at once takes longer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// One kind of attempts of each address, an IPv6 address as its network.
pub(crate) struct AddressLimiter {
    at_once: u32,
    every: Duration,
    /// All callers of unknown address share one limit, which is this many times larger. `None`: they are not counted.
    unknown: Option<u32>,
    /// For each address, the time at which its attempts would be over if they came one per interval.
    settled: Mutex<LruCache<Option<IpAddr>, Instant>>,
}

impl AddressLimiter {
    /// If a proxy hides its clients' addresses, none is counted: one client would shut out all others.
    pub(crate) fn new(at_once: u32, every: Duration) -> Self {
        Self {
            at_once,
            every,
            unknown: None,
            settled: Mutex::new(LruCache::new(MOST_ADDRESSES)),
        }
    }

    /// For attempts that are too expensive to leave uncounted: all callers of unknown address share `times` the limit.
    pub(crate) fn with_unknown(self, times: u32) -> Self {
        Self {
            unknown: Some(times),
            ..self
        }
    }

    /// Counts one attempt, or fails with the wait until the next is allowed.
    pub(crate) fn acquire(&self, address: Option<IpAddr>) -> Result<(), Duration> {
        self.acquire_at(address, Instant::now())
    }

    /// Fails with the wait until the next attempt is allowed. Counts none.
    pub(crate) fn check(&self, address: Option<IpAddr>) -> Result<(), Duration> {
        self.check_at(address, Instant::now())
    }

    /// Counts an attempt that was allowed. Many at once may exceed the limit.
    pub(crate) fn count(&self, address: Option<IpAddr>) {
        self.count_at(address, Instant::now());
    }

    /// Takes back an attempt that does not count.
    pub(crate) fn give_back(&self, address: Option<IpAddr>) {
        if let Some((every, _)) = self.share(address)
            && let Some(settled) = self.settled().get_mut(&address)
        {
            *settled = settled.checked_sub(every).unwrap_or(*settled);
        }
    }

    fn acquire_at(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        self.check_at(address, now)?;
        self.count_at(address, now);
        Ok(())
    }

    fn check_at(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        let Some((every, at_once)) = self.share(address) else {
            return Ok(());
        };
        let ahead = self
            .settled()
            .get(&address)
            .map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        let most = every.saturating_mul(at_once.saturating_sub(1));
        match ahead.checked_sub(most) {
            None | Some(Duration::ZERO) => Ok(()),
            Some(wait) => Err(wait),
        }
    }

    fn count_at(&self, address: Option<IpAddr>, now: Instant) {
        if let Some((every, at_once)) = self.share(address) {
            let mut all = self.settled();
            let settled = all.get(&address).copied().map_or(now, |at| at.max(now));
            let latest = now + LONGEST_WAIT.max(every.saturating_mul(at_once));
            all.insert(address, (settled + every).min(latest));
        }
    }

    /// Interval and number at once for the address; `None` if it is not counted.
    fn share(&self, address: Option<IpAddr>) -> Option<(Duration, u32)> {
        let times = match address {
            Some(_) => 1,
            None => self.unknown?.max(1),
        };
        Some((self.every / times, self.at_once.saturating_mul(times)))
    }

    fn settled(&self) -> MutexGuard<'_, LruCache<Option<IpAddr>, Instant>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attempts at seconds since the start, and whether each may be.
    #[track_caller]
    fn check(name: &str, limiter: &AddressLimiter, attempts: &[(Option<&str>, u64, bool)]) {
        let start = Instant::now();
        for (address, at, expected) in attempts {
            let address = address.map(|text| text.parse().expect("an address"));
            let now = start + Duration::from_secs(*at);
            let may = limiter.check_at(address, now).is_ok();
            let did = limiter.acquire_at(address, now).is_ok();
            assert_eq!((may, did), (*expected, *expected), "{name} at {at}");
        }
    }

    fn limiter() -> AddressLimiter {
        AddressLimiter::new(3, Duration::from_secs(10))
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
        check("one address", &limiter(), &rows);
        let rows = [0; 4].map(|at| (one, at, true));
        let rows = [&rows[..3], &[(other, 0, true)]].concat();
        check("each its own", &limiter(), &rows);
        check("nobody knows whose", &limiter(), &[(None, 0, true); 20]);
        let rows = [&[(None, 0, true); 6][..], &[(None, 0, false)]].concat();
        let together = limiter().with_unknown(2);
        check("nobody knows whose, together", &together, &rows);
        let rows = [(None, 5, true), (None, 5, false), (one, 5, true)];
        check("then one by one", &together, &rows);
    }

    #[test]
    fn the_wait_is_as_long_as_it_takes() {
        let limiter = AddressLimiter::new(2, Duration::from_secs(10));
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

    #[test]
    fn returned_tries_do_not_count() {
        let limiter = AddressLimiter::new(2, Duration::from_secs(600));
        let address = "192.0.2.1".parse().ok();
        for number in 0..10 {
            assert_eq!(limiter.acquire(address), Ok(()), "{number}");
            limiter.give_back(address);
        }
        assert_eq!(limiter.acquire(address), Ok(()));
        assert_eq!(limiter.acquire(address), Ok(()));
        let wait = limiter.acquire(address).map_err(|wait| wait.as_secs());
        assert!(wait.is_err_and(|seconds| (590..=600).contains(&seconds)));
    }

    /// What is known to be wrong only afterwards is counted all the same, and a minute later that is over.
    #[test]
    fn many_at_once_are_waited_for() {
        let limiter = AddressLimiter::new(2, Duration::from_secs(10));
        let address = "192.0.2.1".parse().ok();
        let start = Instant::now();
        (0..100).for_each(|_| limiter.count_at(address, start));
        let at = |seconds| limiter.check_at(address, start + Duration::from_secs(seconds));
        assert_eq!(at(0), Err(LONGEST_WAIT - Duration::from_secs(10)));
        assert_eq!((at(49).is_ok(), at(50).is_ok()), (false, true));
    }

    #[test]
    fn as_many_addresses_are_counted_as_may_be() {
        let limiter = AddressLimiter::new(1, Duration::from_secs(10));
        for number in 0..MOST_ADDRESSES as u32 + 5 {
            let address = IpAddr::V4(number.into());
            assert!(limiter.acquire(Some(address)).is_ok());
        }
        let counted = limiter.settled().len();
        assert_eq!(counted, MOST_ADDRESSES);
    }
}
