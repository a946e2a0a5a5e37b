//! The state of the connection to HighLevel at this moment, for operators.

use super::rate_limit::{GateStatus, ValkeyStatus};
use super::traffic::TrafficMinute;
use super::{TenantId, Transport};

/// Most windows that are inspected: the most recently used. The lock of all windows is held while this many pointers
/// are copied.
const MOST_WINDOWS: usize = 1_000;

/// What memory has about HighLevel.
pub struct UpstreamStatus {
    /// Calls are stopped, because HighLevel did not answer earlier ones.
    pub is_down: bool,
    /// The fullest first.
    pub windows: Vec<WindowStatus>,
    /// The number of instances that share the windows, and where they do, if anywhere.
    pub instances: u32,
    pub valkey: Option<ValkeyStatus>,
    /// The number of windows that were not inspected.
    pub unseen: usize,
    /// The last hour, oldest minute first.
    pub minutes: Vec<TrafficMinute>,
}

/// One window of HighLevel's limits.
#[derive(Clone, Debug)]
pub struct WindowStatus {
    /// `None`: a token's, whose location is unknown.
    pub location: Option<TenantId>,
    pub gate: GateStatus,
    /// Calls are stopped here, because earlier ones all failed.
    pub is_down: bool,
}

impl WindowStatus {
    /// The used part in thousandths: of the interval or of the day, whichever is greater.
    fn used(&self) -> u64 {
        let share = |used: u64, allowed: u64| used.saturating_mul(1_000) / allowed.max(1);
        let gate = &self.gate;
        share(gate.used, gate.allowed).max(share(gate.day_used, gate.day_allowed))
    }
}

impl Transport {
    /// The number of instances that share the windows, and where they do, if anywhere.
    pub fn sharing(&self) -> (u32, Option<ValkeyStatus>) {
        (self.instances().get(), self.shared.limits.valkey())
    }

    /// The present state, from memory.
    pub fn status(&self) -> UpstreamStatus {
        let (instances, valkey) = self.sharing();
        let (newest, unseen) = self.shared.limits.newest(MOST_WINDOWS);
        let windows = newest.into_iter().map(|(location, scope)| WindowStatus {
            location,
            gate: scope.gate.status(),
            is_down: scope.breaker.is_open(),
        });
        let mut windows: Vec<_> = windows.collect();
        windows.sort_by_cached_key(|window| {
            let is_stopped = window.is_down || window.gate.pause.is_some();
            std::cmp::Reverse((is_stopped, window.used()))
        });
        UpstreamStatus {
            is_down: self.shared.breaker.is_open(),
            windows,
            instances,
            valkey,
            unseen,
            minutes: self.shared.traffic.read(),
        }
    }
}
