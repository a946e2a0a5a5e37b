//! Limits connections, in total and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config;
use crate::http::client_address::ClientAddresses;
use crate::telemetry::Metrics;
use crate::upstream::standing::network;

/// Counts connections.
pub(super) struct ConnectionLimiter {
    most: usize,
    most_per_address: usize,
    addresses: ClientAddresses,
    open: Mutex<OpenConnections>,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct OpenConnections {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One accepted connection. It is counted until dropped.
pub(super) struct ConnectionPermit {
    limiter: Arc<ConnectionLimiter>,
    address: IpAddr,
}

impl ConnectionLimiter {
    pub(super) fn new(settings: &config::ServerSettings, metrics: Arc<Metrics>) -> Self {
        Self {
            most: settings.max_connections,
            most_per_address: settings.max_connections_per_address,
            addresses: ClientAddresses::new(settings),
            open: Mutex::default(),
            metrics,
        }
    }

    /// `None` if there are too many.
    pub(super) fn acquire(self: &Arc<Self>, address: IpAddr) -> Option<ConnectionPermit> {
        // All clients have the proxy's address.
        let most_here = match self.addresses.is_proxy(address) {
            true => self.most,
            false => self.most_per_address,
        };
        let address = network(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let here = open.by_address.get(&address).copied().unwrap_or(0);
        if open.all >= self.most || here >= most_here {
            return None;
        }
        open.all += 1;
        self.metrics.connections.inc();
        open.by_address.insert(address, here + 1);
        Some(ConnectionPermit {
            limiter: Arc::clone(self),
            address,
        })
    }

    pub(super) fn count(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).all
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let open = self.limiter.open.lock();
        let mut open = open.unwrap_or_else(PoisonError::into_inner);
        open.all -= 1;
        self.limiter.metrics.connections.dec();
        if let Some(here) = open.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Flags};

    #[test]
    fn connections_are_counted_in_all_and_by_address() {
        let limits = [
            ("HIGHLEVEL_MCP_SERVER_MAX_CONNECTIONS", "3"),
            ("HIGHLEVEL_MCP_SERVER_MAX_CONNECTIONS_PER_ADDRESS", "2"),
        ];
        let limiter = |more: Option<(&str, &str)>| {
            let variables = limits
                .into_iter()
                .chain(more)
                .map(|(name, value)| (name.into(), value.into()));
            let config = Config::from_sources(&Flags::default(), variables).expect("settings");
            Arc::new(ConnectionLimiter::new(&config.server, Arc::default()))
        };
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let some = limiter(None);
        let first = some.acquire(address("2001:db8::1")).expect("room");
        let _second = some.acquire(address("2001:db8::ffff:2")).expect("room");
        assert!(
            some.acquire(address("2001:db8::3")).is_none(),
            "the same network"
        );
        let _third = some.acquire(address("10.0.0.1")).expect("room");
        assert!(some.acquire(address("10.0.0.2")).is_none(), "three in all");
        drop(first);
        assert_eq!(some.count(), 2);
        assert!(some.acquire(address("::ffff:10.0.0.1")).is_some());
        let behind_a_proxy = limiter(Some(("HIGHLEVEL_MCP_SERVER_TLS", "proxy")));
        let entries: Vec<_> = (0..4)
            .map(|_| behind_a_proxy.acquire(address("10.0.0.1")))
            .collect();
        assert_eq!(entries.iter().flatten().count(), 3);
        let trusted = ("HIGHLEVEL_MCP_SERVER_TRUSTED_PROXIES", "10.0.0.1");
        let behind_a_known_one = limiter(Some(trusted));
        let entries = |address: &str| {
            let address = address.parse().expect("an address");
            let entries = (0..4).map(|_| behind_a_known_one.acquire(address));
            entries.collect::<Vec<_>>().iter().flatten().count()
        };
        assert_eq!((entries("10.0.0.1"), entries("10.0.0.2")), (3, 2));
    }
}
