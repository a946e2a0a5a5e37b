//! Divides HighLevel's limits among the servers on one database.

use std::time::Duration;

use tokio::time::sleep;

use super::Pipeline;

/// How often it is looked who lives. The number is in memory, and changes every few seconds at most.
const LOOK: Duration = Duration::from_millis(250);

impl Pipeline {
    /// Has the rate windows know how many instances live, for as long as the process does.
    pub async fn follow_instances(self) {
        let membership = self.controls().store.membership();
        loop {
            self.transport().instances().set(membership.live());
            sleep(LOOK).await;
        }
    }
}
