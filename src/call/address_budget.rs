//! A limit for expensive attempts from one address.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hashlink::LruCache;

const WINDOW: Duration = Duration::from_secs(600);

/// Addresses that are counted at once; of more the one that tried the longest ago is forgotten.
const MOST_ADDRESSES: usize = 10_000;

/// Those whose address is not known have so many times more, together.
const UNKNOWN: u32 = 12;

/// What was tried from each address in ten minutes, an IPv6 address as its network.
pub(crate) struct AddressBudget {
    most: u32,
    counts: Mutex<LruCache<Option<IpAddr>, TryCount>>,
}

struct TryCount {
    since: Instant,
    tries: u32,
}

impl AddressBudget {
    /// So many in ten minutes.
    pub(crate) fn new(most: u32) -> Self {
        Self {
            most,
            counts: Mutex::new(LruCache::new(MOST_ADDRESSES)),
        }
    }

    /// Counts one more, or says how long none may be.
    pub(crate) fn take(&self, address: Option<IpAddr>) -> Result<(), Duration> {
        self.take_at(address, Instant::now())
    }

    /// One that does not count.
    pub(crate) fn give_back(&self, address: Option<IpAddr>) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&address) {
            count.tries = count.tries.saturating_sub(1);
        }
    }

    fn take_at(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        let most = match address {
            Some(_) => self.most,
            None => self.most.saturating_mul(UNKNOWN),
        };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&address) {
            let passed = now.saturating_duration_since(count.since);
            if passed < WINDOW && count.tries >= most {
                return Err(WINDOW.saturating_sub(passed));
            }
            if passed < WINDOW {
                count.tries += 1;
                return Ok(());
            }
        }
        let first = TryCount {
            since: now,
            tries: 1,
        };
        counts.insert(address, first);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_tries_in_ten_minutes() {
        let budget = AddressBudget::new(5);
        let address = |last| Some(IpAddr::from([192, 0, 2, last]));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        for number in 0..5 {
            assert_eq!(budget.take_at(address(1), at(number)), Ok(()), "{number}");
        }
        let wait = budget.take_at(address(1), at(100));
        assert_eq!(wait, Err(Duration::from_secs(500)), "the sixth");
        assert_eq!(budget.take_at(address(2), at(100)), Ok(()), "another's");
        for number in 0..60 {
            assert_eq!(budget.take_at(None, at(100)), Ok(()), "{number}");
        }
        assert!(budget.take_at(None, at(100)).is_err());
        budget.give_back(address(1));
        assert_eq!(budget.take_at(address(1), at(101)), Ok(()));
        assert!(budget.take_at(address(1), at(102)).is_err());
        assert_eq!(budget.take_at(address(1), at(600)), Ok(()));
    }
}
