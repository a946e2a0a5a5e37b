//! What one address may try at the endpoints of clients, where callers are not yet known.

use std::time::Duration;

use crate::call::AddressLimiter;

/// Attempts of each address.
pub(in crate::http) struct Attempts {
    /// New clients.
    pub registrations: AddressLimiter,
    /// What was refused of those who redeem and revoke. Web clients come by the thousand from a few addresses, so that
    /// what is not refused has no limit.
    pub refusals: AddressLimiter,
    /// Documents of clients that are fetched for whoever opens a consent. A site that never answers takes five seconds of
    /// the few that are fetched at once.
    pub documents: AddressLimiter,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            registrations: AddressLimiter::new(5, Duration::from_secs(12)),
            refusals: AddressLimiter::new(60, Duration::from_millis(50)),
            documents: AddressLimiter::new(25, Duration::from_secs(1)),
        }
    }
}
