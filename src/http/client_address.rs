//! The address of a client, as far as the proxies in between are trusted.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

use crate::config;
use crate::upstream::standing::network;

/// The peer of the connection, as an extension of every request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub IpAddr);

/// Finds the addresses of clients.
pub(super) struct ClientAddresses {
    trusted: Vec<IpNet>,
    /// There is a proxy, but nothing distinguishes its clients.
    one_for_all: bool,
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

impl ClientAddresses {
    pub(super) fn new(settings: &config::ServerSettings) -> Self {
        Self {
            one_for_all: settings.is_behind_proxy() && settings.trusted_proxies.is_empty(),
            trusted: settings.trusted_proxies.clone(),
        }
    }

    /// Whether connections from `peer` carry the requests of many clients.
    pub(super) fn is_proxy(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.one_for_all || self.trusted.iter().any(|network| network.contains(&peer))
    }

    /// The client's address, an IPv6 address as its network; `None` if the proxy does not distinguish clients. A client
    /// may write anything into the headers, and each proxy appends to them: the last address that is not a proxy's is
    /// the client's.
    pub(super) fn client(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = peer?;
        if !self.is_proxy(peer) {
            return Some(network(peer));
        }
        if self.one_for_all {
            return None;
        }
        let name = match headers.contains_key(FORWARDED_FOR) {
            true => FORWARDED_FOR,
            false => header::FORWARDED,
        };
        let lines = headers.get_all(&name).iter().rev();
        let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        let mut last = None;
        for hop in hops {
            // An unreadable entry of a trusted proxy distinguishes nobody.
            let address = hop_address(hop, name == header::FORWARDED)?;
            last = Some(network(address));
            if !self.is_proxy(address) {
                break;
            }
        }
        last
    }
}

/// Parses the address of one hop, with or without a port: `192.0.2.1`, `[2001:db8::1]:80` or `for="…";proto=https`.
fn hop_address(hop: &str, is_forwarded: bool) -> Option<IpAddr> {
    let text = if is_forwarded {
        hop.split(';').find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            let is_for = name.eq_ignore_ascii_case("for");
            is_for.then(|| value.trim_matches('"'))
        })?
    } else {
        hop.trim()
    };
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<IpAddr>().or_else(|_| with_port()).ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Flags};

    /// `headers`: name and value; `proxies`: the setting.
    fn check(
        (proxies, tls): (&str, &str),
        peer: &str,
        headers: &[(&str, &str)],
        expected: Option<&str>,
    ) {
        let variables = [
            ("HIGHLEVEL_MCP_SERVER_TRUSTED_PROXIES", proxies),
            ("HIGHLEVEL_MCP_SERVER_TLS", tls),
        ];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let config = Config::from_sources(&Flags::default(), variables).expect("settings");
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            map.append(name, value.parse().expect("a value"));
        }
        let peer = peer.parse().expect("an address");
        let found = ClientAddresses::new(&config.server).client(Some(peer), &map);
        let expected = expected.map(|text| text.parse().expect("an address"));
        assert_eq!(found, expected, "{proxies} {tls} {peer} {headers:?}");
    }

    const DIRECT: (&str, &str) = ("", "off");
    const BEHIND: (&str, &str) = ("10.0.0.0/8,2001:db8:1::1", "proxy");

    #[test]
    fn headers_of_strangers_are_not_believed() {
        let forged = [("x-forwarded-for", "192.0.2.7")];
        check(DIRECT, "203.0.113.1", &forged, Some("203.0.113.1"));
        check(BEHIND, "203.0.113.1", &forged, Some("203.0.113.1"));
        check(("", "proxy"), "10.0.0.1", &forged, None);
        check(DIRECT, "::ffff:203.0.113.1", &[], Some("203.0.113.1"));
        check(DIRECT, "2001:db8::5:6:7:8", &[], Some("2001:db8::"));
    }

    #[test]
    fn the_last_hop_that_is_not_a_proxy_is_the_client() {
        fn from(value: &str, expected: Option<&str>) {
            check(BEHIND, "10.1.2.3", &[("x-forwarded-for", value)], expected);
        }
        from("192.0.2.7", Some("192.0.2.7"));
        from("6.6.6.6, 192.0.2.7", Some("192.0.2.7"));
        from("6.6.6.6, 192.0.2.7, 10.9.9.9", Some("192.0.2.7"));
        from("6.6.6.6,192.0.2.7:4711 , 2001:db8:1::1", Some("192.0.2.7"));
        from("[2001:db8:2:3:4::5]:80", Some("2001:db8:2:3::"));
        from("2001:db8:2:3:4::5", Some("2001:db8:2:3::"));
        from("10.1.1.1, 10.2.2.2", Some("10.1.1.1"));
        from("192.0.2.7, unknown", None);
        from("", None);
        check(BEHIND, "10.1.2.3", &[], None);
        let two = [
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-for", "192.0.2.8"),
        ];
        check(BEHIND, "::ffff:10.1.2.3", &two, Some("192.0.2.8"));
        let other = [(
            "forwarded",
            "for=6.6.6.6, for=\"[2001:db8:2:3::4]:80\";proto=https, By=x;For=10.4.4.4",
        )];
        check(BEHIND, "10.1.2.3", &other, Some("2001:db8:2:3::"));
        check(BEHIND, "10.1.2.3", &[("forwarded", "for=_hidden")], None);
    }
}
