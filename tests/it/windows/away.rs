//! A Valkey that crashes, loses its data, is slow, or is not there yet. Calls go on, within the window.

use super::*;
use test_support::proxy::Proxy;

/// Far longer than a call ever waits for its place: none hangs.
const PATIENCE: Duration = Duration::from_secs(15);

/// Changes the Valkey while agents call. No call hangs, and once all instances know of the change they stay within the
/// window.
async fn change_under_load<T>(fleet: &Fleet, name: &str, change: impl Future<Output = T>) -> T {
    let (load, changed) = tokio::join!(fleet.load(&[0, 1, 2], 2 * INTERVAL), change);
    let (most, refused) = (fleet.highlevel.most(), fleet.highlevel.refused());
    println!("{name} in the middle: {load:?}, {most} at most, {refused} refused");
    // An instance that used less than its share does not know how much more the others used.
    assert!(most < 2 * CALLS, "{most} in the interval in which it goes");
    assert!(load.slowest < PATIENCE, "{load:?}");
    sleep(INTERVAL).await;
    fleet.highlevel.forget();
    let load = fleet.load(&[0, 1, 2], 2 * INTERVAL).await;
    let most = fleet.highlevel.most();
    println!("{name}: {load:?}, {most} at most");
    assert!(most <= CALLS, "{most} in one interval");
    assert!(load.answered >= CALLS, "{load:?}");
    changed
}

#[tokio::test]
async fn calls_go_on_by_equal_parts_while_it_is_dead_and_together_when_it_is_back() {
    let Some(valkey) = TestService::start(ServiceKind::Valkey) else {
        return;
    };
    let fleet = Fleet::start(valkey.url()).await;
    fleet.wait_for_valkey(true).await;
    let dies = async {
        sleep(INTERVAL).await;
        change(valkey, ServiceChange::Stop).await
    };
    let valkey = change_under_load(&fleet, "killed", dies).await;
    fleet.wait_for_valkey(false).await;
    let _valkey = change(valkey, ServiceChange::Start).await;
    fleet.wait_for_valkey(true).await;
    let load = fleet.load(&[0, 1, 2], 2 * INTERVAL).await;
    let most = fleet.highlevel.most();
    println!("back: {load:?}, {most} at most");
    assert!(most <= CALLS, "{most} in one interval");
    assert!(load.answered >= CALLS / 2, "{load:?}");
}

/// After a loss of data, HighLevel's next answers give it the counts again. Until then each instance's own window
/// holds.
#[tokio::test]
async fn figures_that_the_valkey_lost_are_learned_again() {
    let Some(valkey) = TestService::start(ServiceKind::Valkey) else {
        return;
    };
    let fleet = Fleet::start(valkey.url()).await;
    let url = valkey.url().to_owned();
    let forgets = async {
        for _ in 0..3 {
            sleep(INTERVAL).await;
            let url = url.clone();
            let flush = move || {
                let client = redis::Client::open(url).expect("an address");
                let mut connection = client.get_connection().expect("a connection");
                let flush = redis::cmd("FLUSHALL").query::<()>(&mut connection);
                flush.expect("done");
            };
            tokio::task::spawn_blocking(flush).await.expect("flushed");
        }
    };
    let (load, ()) = tokio::join!(fleet.load(&[0, 1, 2], 4 * INTERVAL), forgets);
    let (most, refused) = (fleet.highlevel.most(), fleet.highlevel.refused());
    println!("flushed three times: {load:?}, {most} at most, {refused} refused");
    // At most as many as were running at the loss.
    assert!(most <= CALLS + 3 * AGENTS, "{most} in one interval");
    assert!(load.answered >= 2 * CALLS, "{load:?}");
}

#[tokio::test]
async fn a_slow_valkey_counts_as_absent() {
    let Some(valkey) = TestService::start(ServiceKind::Valkey) else {
        return;
    };
    let proxy = Proxy::start(valkey.url().trim_start_matches("redis://"));
    let fleet = Fleet::start(&format!("redis://{}", proxy.address)).await;
    fleet.wait_for_valkey(true).await;
    let slows = async {
        sleep(INTERVAL).await;
        proxy.delay(Duration::from_millis(200));
    };
    change_under_load(&fleet, "slow by 200 ms", slows).await;
    fleet.wait_for_valkey(false).await;
    proxy.delay(Duration::ZERO);
    fleet.wait_for_valkey(true).await;
}

#[tokio::test]
async fn one_that_comes_later_is_found() {
    let Some(valkey) = TestService::start(ServiceKind::Valkey) else {
        return;
    };
    let valkey = change(valkey, ServiceChange::Stop).await;
    let fleet = Fleet::start(valkey.url()).await;
    fleet.wait_for_valkey(false).await;
    let load = fleet.load(&[0, 1, 2], 2 * INTERVAL).await;
    let most = fleet.highlevel.most();
    println!("absent at the start: {load:?}, {most} at most");
    assert!(most <= CALLS, "{most} in one interval");
    assert!(load.answered >= CALLS / 2, "{load:?}");
    let _valkey = change(valkey, ServiceChange::Start).await;
    fleet.wait_for_valkey(true).await;
}
