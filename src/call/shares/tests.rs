//! Places, lines and bytes, by counts.

use tokio::time::{Instant, sleep};

use super::*;
use crate::config::{Config, Flags};

const MINE: PrincipalId = PrincipalId::Token([1; 32]);
const OTHER: PrincipalId = PrincipalId::Token([2; 32]);

fn shares(calls: usize, per_caller: usize) -> Shares {
    let config = Config::from_sources(&Flags::default(), []).expect("defaults");
    let settings = config::ServerSettings {
        max_calls: calls,
        max_calls_per_caller: per_caller,
        max_bytes_in_flight: 1000,
        max_bytes_per_caller: 600,
        ..config.server
    };
    Shares::new(&settings, Duration::from_secs(3))
}

fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().expect("an address"))
}

#[tokio::test]
async fn a_caller_has_its_share_of_places_and_no_more() {
    let shares = shares(5, 3);
    let mut mine = Vec::new();
    for _ in 0..3 {
        mine.push(shares.enter(&MINE, None).await.expect("a place"));
    }
    assert_eq!(shares.enter(&MINE, None).await.err(), Some(Busy::Caller));
    let _first = shares.enter(&OTHER, None).await.expect("its own share");
    let _second = shares.enter(&OTHER, None).await.expect("its own share");
    assert_eq!(shares.enter(&OTHER, None).await.err(), Some(Busy::Server));
    let twin = mine.last().cloned();
    drop(mine);
    assert!(shares.enter(&OTHER, None).await.is_ok());
    drop(twin);
    assert_eq!(shares.entries().len(), 1, "idle entries go");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_holds_no_place() {
    let shares = shares(2, 2);
    let waiting = shares.enter(&MINE, None).await.expect("a place");
    let running = shares.enter(&MINE, None).await.expect("a place");
    waiting.suspend();
    waiting.suspend();
    let other = shares.enter(&OTHER, None).await.expect("the free place");
    assert!(
        timeout(Duration::from_secs(60), waiting.resume())
            .await
            .is_err(),
        "there is none"
    );
    let resumed = waiting.clone();
    let resumed = tokio::spawn(async move { resumed.resume().await });
    sleep(Duration::from_millis(1)).await;
    drop(other);
    // Who waits comes before who is new.
    assert_eq!(shares.enter(&OTHER, None).await.err(), Some(Busy::Server));
    resumed.await.expect("resumed");
    waiting.resume().await;
    drop((waiting, running));
    assert!(shares.entries().is_empty());
}

#[tokio::test(start_paused = true)]
async fn newcomers_wait_in_line_and_are_not_refused() {
    let shares = shares(1000, 64);
    let started = Instant::now();
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let shares = shares.clone();
            tokio::spawn(async move {
                let place = shares.enter(&MINE, Some(address("10.0.0.1"))).await?;
                sleep(Duration::from_secs(1)).await;
                drop(place);
                Ok::<_, Busy>(())
            })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.expect("ended"), Ok(()));
    }
    assert_eq!(started.elapsed().as_secs(), 2, "four at a time");
    let mut held = Vec::new();
    for _ in 0..NEW_CALLS {
        held.push(shares.enter(&MINE, Some(None)).await);
    }
    let busy = shares.enter(&MINE, Some(None)).await.err();
    assert_eq!(busy, Some(Busy::Newcomer));
    assert_eq!(started.elapsed().as_secs(), 5, "after the longest wait");
}

#[tokio::test(start_paused = true)]
async fn newcomers_leave_room_for_the_known() {
    async fn check(calls: usize, from: Option<IpAddr>, places: usize) {
        let shares = shares(calls, 64);
        let mut held = Vec::new();
        for token in 0..=u8::MAX {
            let id = PrincipalId::Token([token; 32]);
            match shares.enter(&id, Some(from)).await {
                Ok(place) => held.push(place),
                Err(busy) => assert_eq!(busy, Busy::Newcomer),
            }
        }
        assert_eq!(held.len(), places, "{calls} places, from {from:?}");
        assert!(shares.enter(&PrincipalId::Server, None).await.is_ok());
        if from.is_some() {
            let elsewhere = shares.enter(&MINE, Some(address("10.0.0.2"))).await;
            assert_eq!(elsewhere.is_ok(), places < calls / 2);
        }
    }
    check(1000, address("10.0.0.1"), NEWCOMER_CALLS_PER_ADDRESS).await;
    check(100, address("10.0.0.1"), 50).await;
    check(200, None, 100).await;
}

#[test]
fn bytes_are_a_share_of_the_whole_for_as_long_as_they_are_held() {
    let shares = shares(1, 1);
    let mut first = Arc::new(shares.caller(&MINE)).loan();
    assert_eq!(first.grow(500), Ok(()));
    let mut second = Arc::new(shares.caller(&MINE)).loan();
    assert_eq!(second.grow(101), Err(Full), "the same share");
    let mut other = Arc::new(shares.caller(&OTHER)).loan();
    assert_eq!(other.grow(501), Err(Full), "the whole is used up");
    assert_eq!(other.grow(500), Ok(()));
    first.shrink(200);
    assert_eq!(second.grow(200), Ok(()));
    assert_eq!((first.bytes(), shares.budget().used()), (300, 1000));
    drop((first, second, other));
    assert_eq!(shares.budget().used(), 0);
    assert!(shares.entries().is_empty());
}

#[tokio::test]
async fn a_caller_with_many_calls_yields_to_others() {
    let shares = shares(1000, 64);
    let mut mine = Vec::new();
    for _ in 0..64 {
        let place = shares.enter(&MINE, None).await.expect("a place");
        assert!(!place.is_one_of_many(), "nobody else is there");
        mine.push(place);
    }
    let other = shares.enter(&OTHER, None).await.expect("a place");
    assert!(mine.iter().all(CallPlace::is_one_of_many));
    assert!(!other.is_one_of_many());
    mine.truncate(FEW_CALLS);
    assert!(!mine.iter().any(CallPlace::is_one_of_many));
}
