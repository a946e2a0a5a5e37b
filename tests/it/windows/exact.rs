//! Instances with a common count in a Valkey.

use super::*;

#[tokio::test]
async fn three_instances_never_send_more_than_the_window_takes() {
    let Some(valkey) = TestService::start(ServiceKind::Valkey) else {
        return;
    };
    let fleet = Fleet::start(valkey.url()).await;
    let load = fleet.load(&[0, 1, 2], 4 * INTERVAL).await;
    let (most, refused) = (fleet.highlevel.most(), fleet.highlevel.refused());
    println!("a Valkey: {load:?}, {most} at most, {refused} refused");
    assert!(most <= CALLS, "{most} in one interval");
    assert_eq!(refused, 0);
    assert!(load.answered >= 2 * CALLS, "{load:?}");
}

/// If only one instance sends, it gets more than its share. If a busy machine answers late, it gets that a moment
/// later.
#[tokio::test]
async fn an_instance_may_use_all_that_the_others_leave() {
    let Some(valkey) = TestService::start(ServiceKind::Valkey) else {
        return;
    };
    let fleet = Fleet::start(valkey.url()).await;
    for _ in 0..10 {
        fleet.wait_for_valkey(true).await;
        fleet.load(&[1], 2 * INTERVAL).await;
        if fleet.highlevel.most() > CALLS / 2 {
            break;
        }
    }
    let most = fleet.highlevel.most();
    assert!((CALLS / 2..=CALLS).contains(&most), "{most}");
}

#[tokio::test]
async fn a_pause_that_one_instance_receives_applies_to_all() {
    let Some(valkey) = TestService::start(ServiceKind::Valkey) else {
        return;
    };
    let fleet = Fleet::start(valkey.url()).await;
    let [first, second, _] = fleet.instances.as_slice() else {
        panic!("three");
    };
    let mut waits = Vec::new();
    for _ in 0..10 {
        fleet.wait_for_valkey(true).await;
        // Longer than any retry waits.
        fleet.highlevel.arrivals().pause = Some(5);
        read(first).await.expect_err("a pause");
        sleep(Duration::from_millis(100)).await;
        let before = fleet.highlevel.total();
        match read(second).await {
            Err(wait) => {
                assert_eq!(fleet.highlevel.total(), before, "it was sent");
                waits.push(wait);
                break;
            }
            // The message was lost because the machine is busy.
            Ok(()) => sleep(Duration::from_secs(5)).await,
        }
    }
    let [wait] = waits.as_slice() else {
        panic!("{waits:?}");
    };
    let range = Duration::from_secs(1)..=Duration::from_secs(5);
    assert!(range.contains(wait), "{wait:?}");
}

#[tokio::test]
async fn instances_count_one_day_without_highlevels_headers() {
    const OF_DAY: usize = 20;
    let Some(valkey) = TestService::start(ServiceKind::Valkey) else {
        return;
    };
    let silent = HighLevelCount::default();
    silent.arrivals().is_silent = true;
    let fleet = Fleet::start_before(silent, valkey.url(), OF_DAY).await;
    for _ in 0..2 * OF_DAY {
        for instance in &fleet.instances {
            let _ = read(instance).await;
        }
    }
    let total = fleet.highlevel.total();
    // The calls of a moment in which a busy machine does not answer in time are added.
    assert!((OF_DAY - 2..=OF_DAY + 2).contains(&total), "{total}");
}
