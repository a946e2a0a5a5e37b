//! Signals to a running server: stop, or reload the settings.

use std::fs::File;
use std::io::{IsTerminal, stderr, stdin, stdout};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use crate::cli::INTERRUPTED;

/// The terminal of the process. Opening it fails if there is none any more.
const TERMINAL: &str = "/dev/tty";

/// The signals that a server handles from its start on.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    has_terminal: bool,
}

impl Signals {
    /// Call this before anything slow.
    pub(super) fn take() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            has_terminal: is_on_terminal() && terminal_opens(),
        })
    }

    /// Waits for the end, and wakes `reload` for each hangup that is not the end. Returns how long connections are
    /// still accepted: only a load balancer, which sends SIGTERM, needs time to look elsewhere.
    pub(super) async fn until_stop(
        mut self,
        reload: &Notify,
        drain: Duration,
        interrupted: &AtomicBool,
    ) -> Duration {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => {
                    tracing::info!("stopping");
                    return drain;
                }
                _ = self.interrupt.recv() => {
                    tracing::info!("stopping. Press Ctrl-C again to cut off calls under way");
                    interrupted.store(true, Relaxed);
                    tokio::spawn(end_at_once(self.interrupt));
                    return Duration::ZERO;
                }
                _ = self.hangup.recv() => {
                    if self.has_terminal && !terminal_opens() {
                        tracing::info!("stopping: the terminal is gone");
                        return Duration::ZERO;
                    }
                    reload.notify_one();
                }
            }
        }
    }
}

/// Ends the process at a second interrupt, without waiting for running calls.
async fn end_at_once(mut interrupt: Signal) {
    if interrupt.recv().await.is_some() {
        std::process::exit(INTERRUPTED.into());
    }
}

/// Under a service or `nohup`, none of the three is a terminal, even if the process has one.
fn is_on_terminal() -> bool {
    stdin().is_terminal() || stdout().is_terminal() || stderr().is_terminal()
}

fn terminal_opens() -> bool {
    File::open(TERMINAL).is_ok()
}
