//! Durations of calls, as counts in buckets, each at most a quarter wider than the one before.

use std::time::Duration;

/// Four for each doubling, from a millisecond to a minute.
const BUCKETS: usize = 64;
const IN_A_DOUBLING: u64 = 4;

/// Unit of the buckets: about a quarter of a millisecond, the width of the first bucket.
const UNIT_MICROS: u64 = 256;

/// Counts of durations, of fixed size.
#[derive(Clone, Debug)]
pub struct Latencies([u32; BUCKETS]);

impl Default for Latencies {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Latencies {
    pub(super) fn add(&mut self, took: Duration) {
        if let Some(count) = self.0.get_mut(bucket(took)) {
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(&other.0) {
            *count = count.saturating_add(*more);
        }
    }

    /// The duration that `percent` of the calls did not exceed, at most a quarter too long; `None` if there are none.
    pub fn percentile(&self, percent: u64) -> Option<Duration> {
        let all: u64 = self.0.iter().copied().map(u64::from).sum();
        let wanted = (all * percent).div_ceil(100).max(1);
        let mut counted = 0;
        let found = self.0.iter().position(|count| {
            counted += u64::from(*count);
            counted >= wanted
        });
        found.map(end)
    }
}

fn bucket(took: Duration) -> usize {
    let units = u64::try_from(took.as_micros()).unwrap_or(u64::MAX) / UNIT_MICROS;
    let units = units.clamp(IN_A_DOUBLING, (IN_A_DOUBLING << 16) - 1);
    let doubling = u64::from(units.ilog2() - IN_A_DOUBLING.ilog2());
    let within = (units >> doubling) - IN_A_DOUBLING;
    usize::try_from(doubling * IN_A_DOUBLING + within).unwrap_or(BUCKETS - 1)
}

/// The start of the next bucket.
fn end(bucket: usize) -> Duration {
    let next = bucket as u64 + 1;
    let (doubling, within) = (next / IN_A_DOUBLING, next % IN_A_DOUBLING);
    let quarters = (IN_A_DOUBLING + within) << doubling;
    Duration::from_micros(quarters * UNIT_MICROS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_exact_to_a_quarter() {
        for millis in [1_u64, 2, 3, 5, 7, 10, 40, 123, 999, 5_000, 30_000, 60_000] {
            let took = Duration::from_millis(millis);
            let mut latencies = Latencies::default();
            latencies.add(took);
            let told = latencies.percentile(50).expect("a duration");
            assert!(told >= took, "{took:?} is told as {told:?}");
            let most = took.mul_f64(1.25) + Duration::from_millis(2);
            assert!(told <= most, "{took:?} is told as {told:?}");
        }
    }

    #[test]
    fn few_slow_calls_are_seen_beyond_the_median() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(50), None);
        let mut add = |millis: u64, times: u32| {
            (0..times).for_each(|_| latencies.add(Duration::from_millis(millis)));
        };
        add(10, 90);
        add(4_000, 10);
        let is_about = |percent, millis: u64| {
            let told = latencies
                .percentile(percent)
                .expect("a duration")
                .as_millis();
            (u128::from(millis)..=u128::from(millis * 3 / 2)).contains(&told)
        };
        assert!(is_about(50, 10));
        assert!(is_about(90, 10));
        assert!(is_about(95, 4_000));
        // Longer than any bucket.
        latencies.add(Duration::from_secs(86_400));
        assert!(latencies.percentile(100) > Some(Duration::from_secs(60)));
    }
}
