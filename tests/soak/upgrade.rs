//! A rolling upgrade: each instance is told to stop and replaced by one of the other build, and back again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::fleet::Fleet;
use crate::options::Options;

/// The time in which all instances run one build before the next round.
const BETWEEN: Duration = Duration::from_secs(5);

/// Replaces every instance by the next build and then by the first one again, while there is time. Returns the number
/// of replacements.
pub(crate) async fn roll(fleet: Arc<Fleet>, options: Options, until: Instant) -> usize {
    let Some(next) = &options.program_next else {
        return 0;
    };
    let mut replaced = 0;
    let mut builds = [next, &options.program].into_iter().cycle();
    while Instant::now() < until
        && let Some(program) = builds.next()
    {
        sleep(BETWEEN).await;
        for number in 0..fleet.len() {
            fleet.terminate(number).await;
            fleet.launch(number, program).await;
            fleet.wait_until_ready().await;
            replaced += 1;
        }
    }
    replaced
}
