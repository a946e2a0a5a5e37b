//! The state of the way to HighLevel at this moment, for operators.

use super::rate_limit::{GateStatus, ValkeyStatus};
use super::traffic::TrafficMinute;
use super::{TenantId, Transport};

/// Windows that are looked at: those that were used last. The lock of all windows is held while so many pointers are copied.
const MOST_WINDOWS: usize = 1_000;

/// What is known of HighLevel from memory.
pub struct UpstreamStatus {
    /// Calls are stopped, for HighLevel did not answer those before.
    pub is_down: bool,
    /// Those nearest to their end first.
    pub windows: Vec<WindowStatus>,
    /// How many instances share the windows, and where, if anywhere.
    pub instances: u32,
    pub valkey: Option<ValkeyStatus>,
    /// How many more windows there are that were not looked at.
    pub unseen: usize,
    /// The last hour, oldest minute first.
    pub minutes: Vec<TrafficMinute>,
}

/// One window of HighLevel's limits.
#[derive(Clone, Debug)]
pub struct WindowStatus {
    /// `None`: of a token whose location is not known.
    pub location: Option<TenantId>,
    pub gate: GateStatus,
    /// Calls are stopped here, for those before all failed.
    pub is_down: bool,
}

impl WindowStatus {
    /// How much of it is used, in thousandths: of the interval or of the day, whichever is more.
    fn used(&self) -> u64 {
        let share = |used: u64, allowed: u64| used.saturating_mul(1_000) / allowed.max(1);
        let gate = &self.gate;
        share(gate.used, gate.allowed).max(share(gate.day_used, gate.day_allowed))
    }
}

impl Transport {
    /// How many instances share the windows, and where, if anywhere.
    pub fn sharing(&self) -> (u32, Option<ValkeyStatus>) {
        (self.instances().get(), self.shared.limits.valkey())
    }

    /// How it stands, from memory.
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
