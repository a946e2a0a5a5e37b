//! Addresses of the public internet, and a resolver that returns no others.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::{Ipv4Net, Ipv6Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

/// Most concurrent look-ups: if a name server does not answer, the look-up goes on after its fetch was given up, on a
/// thread of its own.
const MOST_LOOKUPS: usize = 32;

/// Resolves a name. It may block.
pub(crate) type AddressLookup = Arc<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>;

/// Addresses that do not mean a single machine of the internet (IANA's registries of special-purpose addresses).
const SPECIAL_V4: [Ipv4Net; 16] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    // Azure's address for its own services, inside a public network.
    v4([168, 63, 129, 16], 32),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];

/// All addresses that are assigned to machines so far. Others are local, multicast, mapped or translated.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// Inside it: protocols (Teredo and others), documentation twice, and 6to4, which contains any IPv4 address.
const SPECIAL_V6: [Ipv6Net; 4] = [
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
];

/// Gives reqwest only public addresses. The connection goes to the checked addresses, so a name that resolves
/// differently a moment later leads nowhere else.
pub(crate) struct PublicAddresses {
    lookup: AddressLookup,
    permits: Arc<Semaphore>,
}

/// The reason that no address is returned.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LookupProblem {
    #[error("the name has no public address")]
    NotPublic,
    #[error("too many names are being looked up")]
    Busy,
}

impl PublicAddresses {
    pub(crate) fn new(lookup: AddressLookup) -> Self {
        Self {
            lookup,
            permits: Arc::new(Semaphore::new(MOST_LOOKUPS)),
        }
    }

    /// Uses the system's resolver.
    pub(crate) fn of_system() -> Self {
        use std::net::ToSocketAddrs;
        let lookup = |name: &str| {
            let found = (name, 0).to_socket_addrs()?;
            Ok(found.map(|address| address.ip()).collect())
        };
        Self::new(Arc::new(lookup))
    }
}

impl Resolve for PublicAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = Arc::clone(&self.lookup);
        let permit = Arc::clone(&self.permits).try_acquire_owned();
        Box::pin(async move {
            let permit = permit.map_err(|_| LookupProblem::Busy)?;
            let found = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                lookup(name.as_str())
            });
            let found = found.await??;
            let found: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| is_public(*address))
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            if found.is_empty() {
                return Err(LookupProblem::NotPublic.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address) && !SPECIAL_V6.iter().any(|net| net.contains(&address))
        }
    }
}

const fn v4(octets: [u8; 4], bits: u8) -> Ipv4Net {
    let [a, b, c, d] = octets;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(groups: [u16; 8], bits: u8) -> Ipv6Net {
    let [a, b, c, d, e, f, g, h] = groups;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), bits)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn only_addresses_of_the_internet_are_public() {
        for public in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "198.17.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450::1",
            "2001:200::1",
        ] {
            assert!(is_public(public.parse().expect(public)), "{public}");
        }
        for local in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "168.63.129.16",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:1.1.1.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(local.parse().expect(local)), "{local}");
        }
    }

    #[tokio::test]
    async fn every_look_up_keeps_only_public_addresses() {
        let answers = Mutex::new(vec![
            vec!["1.1.1.1", "10.0.0.1", "2606:4700::1"],
            vec!["127.0.0.1", "::1"],
            vec![],
        ]);
        let lookup = move |name: &str| {
            assert_eq!(name, "client.example");
            let answer = answers.lock().expect("nobody").remove(0);
            Ok(answer
                .into_iter()
                .map(|one| one.parse().expect(one))
                .collect())
        };
        let addresses = PublicAddresses::new(Arc::new(lookup));
        let found = async || {
            let found = addresses
                .resolve("client.example".parse().expect("a name"))
                .await;
            found
                .ok()
                .map(|found| found.map(|one| one.ip().to_string()).collect::<Vec<_>>())
        };
        let public = vec!["1.1.1.1".to_owned(), "2606:4700::1".to_owned()];
        assert_eq!(found().await, Some(public));
        assert_eq!(found().await, None);
        assert_eq!(found().await, None);
    }

    #[tokio::test]
    async fn endless_look_ups_have_a_largest_number() {
        let (end, wait) = std::sync::mpsc::channel::<()>();
        let wait = Mutex::new(wait);
        let lookup = move |_: &str| {
            let _ = wait.lock().expect("nobody").recv();
            Ok(vec![IpAddr::from([1, 1, 1, 1])])
        };
        let addresses = PublicAddresses::new(Arc::new(lookup));
        let name = || "client.example".parse().expect("a name");
        let under_way: Vec<_> = (0..MOST_LOOKUPS)
            .map(|_| tokio::spawn(addresses.resolve(name())))
            .collect();
        let refused = addresses.resolve(name()).await.err().expect("one too many");
        assert_eq!(refused.downcast_ref(), Some(&LookupProblem::Busy));
        drop(end);
        for one in under_way {
            assert!(one.await.expect("no panic").is_ok());
        }
        assert!(addresses.resolve(name()).await.is_ok());
    }
}
