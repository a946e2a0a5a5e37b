//! The calls that one of several instances admits, if they do not count together.

use jiff::Timestamp;

use super::*;
use crate::upstream::rate_limit::daily_quota::DailyQuota;

const DAY_START: i64 = 20_000 * 86_400_000;

/// A window that this many instances share.
fn shared_by(instances: u32) -> (Arc<Gate>, Arc<InstanceCount>) {
    let count = Arc::new(InstanceCount::default());
    count.set(instances);
    (Arc::new(Gate::new(&settings(), &count)), count)
}

/// The number of further calls that are admitted at once.
async fn more(gate: &Arc<Gate>) -> usize {
    let mut calls = 0;
    while let Ok(permit) = gate.admit([1; 32], true, Instant::now()).await {
        drop(permit);
        calls += 1;
    }
    calls
}

#[tokio::test(start_paused = true)]
async fn each_instance_has_its_part_and_one_call_at_least() {
    for (instances, calls) in [(0, 95), (1, 95), (2, 47), (3, 31), (95, 1), (1_000, 1)] {
        let (gate, _) = shared_by(instances);
        assert_eq!(more(&gate).await, calls, "{instances} instances");
    }
}

#[tokio::test(start_paused = true)]
async fn the_part_follows_the_number_of_instances_at_once() {
    let (gate, count) = shared_by(3);
    assert_eq!(more(&gate).await, 31);
    count.set(2);
    assert_eq!(more(&gate).await, 16);
    count.set(3);
    assert_eq!(more(&gate).await, 0);
    advance(INTERVAL - Duration::from_secs(2)).await;
    let waiting = tokio::spawn({
        let gate = Arc::clone(&gate);
        async move {
            let start = Instant::now();
            let permit = admitted(&gate, 1).await.expect("a place");
            drop(permit);
            start.elapsed()
        }
    });
    sleep(Duration::from_millis(500)).await;
    count.set(1);
    assert_eq!(waiting.await.expect("a time"), Duration::from_millis(500));
    assert_eq!(more(&gate).await, 95 - 48);
}

#[test]
fn the_remaining_calls_in_a_header_are_shared_by_all_instances() {
    let rate = Rate {
        calls: 100,
        interval: INTERVAL,
        percent: 95,
    };
    let left = |remaining: u64, instances: u64| {
        let now = Instant::now();
        let mut window = RateWindow::new(rate);
        let place = window.take(now);
        window.end(place, now, answered_with(remaining, 100));
        let mut left = 0;
        while window.next(now, left, instances) <= now {
            left += 1;
        }
        left
    };
    assert_eq!(left(99, 3), 30, "its own part is less");
    assert_eq!(left(30, 1), 30);
    assert_eq!(left(30, 3), 10);
    assert_eq!(left(2, 3), 0);
    assert_eq!(left(0, 3), 0);
}

#[test]
fn the_daily_quota_is_shared_and_highlevels_count_is_for_all() {
    let now = Timestamp::from_millisecond(DAY_START).expect("a time");
    let more = |day: &mut DailyQuota, instances: u64| {
        let mut calls = 0;
        while day.wait(now, true, instances).is_none() {
            day.take(now);
            calls += 1;
        }
        calls
    };
    let mut day = DailyQuota::new(100);
    assert_eq!(more(&mut day, 4), 25);
    // The answer to one of the last calls shows that the others made 30.
    let heard = RateLimitHeaders {
        daily: Some(100),
        daily_remaining: Some(45),
        ..RateLimitHeaders::default()
    };
    assert_eq!(more(&mut day, 2), 25, "two are gone");
    let place = day.take(now);
    day.correct(place, heard);
    assert_eq!(day.used(now).0, 55);
    assert_eq!(more(&mut day, 3), 15);
    assert_eq!(more(&mut day, 1), 30);
    let mut small = DailyQuota::new(2);
    assert_eq!(more(&mut small, 100), 1, "one at least");
    small.raise(now, 2);
    assert_eq!(more(&mut small, 1), 0);
}
