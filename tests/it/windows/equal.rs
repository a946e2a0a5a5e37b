//! Instances without a common count have an equal share each.

use super::*;

#[tokio::test]
async fn instances_without_a_valkey_stay_within_the_window_together() {
    let fleet = Fleet::start("").await;
    let load = fleet.load(&[0, 1, 2], 3 * INTERVAL).await;
    let (most, refused) = (fleet.highlevel.most(), fleet.highlevel.refused());
    println!("equal parts: {load:?}, {most} at most, {refused} refused");
    assert!(most <= CALLS, "{most} in one interval");
    assert_eq!(refused, 0);
    assert!(load.answered >= CALLS, "{load:?}");
    // Two are gone: the third has all of it at once.
    fleet.instances[0].pipeline.transport().instances().set(1);
    sleep(INTERVAL).await;
    fleet.highlevel.forget();
    fleet.load(&[0], INTERVAL / 2).await;
    let alone = fleet.highlevel.total();
    assert!(alone > CALLS / 2, "{alone} calls of one alone");
    assert!(fleet.highlevel.most() <= CALLS);
}
