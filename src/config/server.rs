//! The settings of the HTTP server, and checks of them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::uri::Authority;
use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de};
use toml::Value;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSettings {
    #[serde(deserialize_with = "listen_address")]
    pub listen: SocketAddr,
    pub allowed_hosts: Vec<String>,
    pub allowed_origins: Vec<String>,
    /// Empty: none.
    pub access_key: SecretString,
    /// Its holder may use an agency's own token.
    pub access_key_agency: bool,
    pub own_account: OwnAccount,
    pub location_header: LocationHeader,
    pub tls: Tls,
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    pub header_timeout_ms: u64,
    pub body_timeout_ms: u64,
    pub idle_timeout_ms: u64,
    pub max_connections: usize,
    pub max_connections_per_address: usize,
    pub max_body_bytes: usize,
    /// For the files in one request, in bytes.
    pub max_upload_bytes: usize,
    pub max_calls: usize,
    pub max_calls_per_caller: usize,
    pub max_bytes_in_flight: usize,
    pub max_bytes_per_caller: usize,
    pub drain_ms: u64,
    pub shutdown_grace_ms: u64,
}

/// The callers that may use the server's own account and locations over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnAccount {
    /// Programs of this machine, as long as there is no access key.
    Local,
    /// Holders of an access key.
    Key,
    /// Nobody.
    Off,
}

/// The protection of tokens on their way to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// The server itself speaks no TLS: only this machine may reach it.
    Required,
    /// A proxy in front speaks TLS.
    Proxy,
    Off,
}

/// The meaning of a client's `locationId` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LocationHeader {
    Pin,
    Default,
}

/// Shorter keys can be guessed: failed attempts are not counted.
const SHORTEST_KEY: usize = 24;

/// Room for the arguments beside files, in bytes.
const BESIDE_FILES: usize = 64 << 10;

impl ServerSettings {
    /// Values that protect nothing, or that no request has. Each sentence begins with the setting's name.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let key = self.access_key.expose_secret();
        if !key.is_empty() && key.chars().count() < SHORTEST_KEY {
            faults.push(format!(
                "server.access_key has fewer than {SHORTEST_KEY} characters and can be guessed. Use a random key, such \
                 as `openssl rand -hex 24` prints"
            ));
        }
        let hosts = self.allowed_hosts.iter().filter(|host| !is_host(host));
        faults.extend(hosts.map(|host| {
            format!(
                "server.allowed_hosts has {host:?}, which is not a host. Give only its name, such as \"mcp.example.com\""
            )
        }));
        let origins = self.allowed_origins.iter();
        let origins = origins.filter(|origin| !is_origin(origin));
        faults.extend(origins.map(|origin| {
            format!(
                "server.allowed_origins has {origin:?}, which is not the origin of a page. Give scheme and host without \
                 a slash at the end, such as \"https://app.example.com\""
            )
        }));
        faults
    }

    /// The largest request of a known caller, in bytes. Files in it are base64, possibly with line breaks, which take
    /// room too.
    pub fn largest_request(&self) -> usize {
        let encoded = self.max_upload_bytes.div_ceil(3).saturating_mul(4);
        let lines = encoded / 16;
        let files = encoded.saturating_add(lines).saturating_add(BESIDE_FILES);
        self.max_body_bytes.max(files)
    }

    /// Whether programs of this machine may use the server's own account and locations and show nothing, as long as
    /// there is no access key.
    pub fn opens_own_account(&self) -> bool {
        self.own_account == OwnAccount::Local
            && self.listen.ip().is_loopback()
            && !self.is_behind_proxy()
    }

    /// Whether a proxy is in front of the server, so that its peer is not its client.
    pub fn is_behind_proxy(&self) -> bool {
        self.tls == Tls::Proxy || !self.trusted_proxies.is_empty()
    }
}

/// A name or address, with or without a port.
pub(super) fn is_host(text: &str) -> bool {
    let host = text.parse::<Authority>();
    host.is_ok_and(|host| !host.as_str().contains('@') && !host.host().is_empty())
}

/// As browsers send it.
fn is_origin(text: &str) -> bool {
    let is_page = |(scheme, host): (&str, &str)| {
        let mut letters = scheme.chars();
        letters.all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
            && is_host(host)
    };
    text == "null" || text.split_once("://").is_some_and(is_page)
}

/// Parses an address and port. A port alone means this machine, as does `localhost`. Fails with a sentence that lists
/// the forms.
pub fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let port = text.strip_prefix("localhost:").unwrap_or(text);
    if let Ok(port) = port.parse::<u16>() {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    let why = match text.parse::<IpAddr>() {
        Ok(_) => "has no port",
        Err(_) => "is not an address and port",
    };
    Err(format!(
        "{text:?} {why}. Give both, such as 127.0.0.1:8100, or only a port, which then is one of this machine"
    ))
}

/// Reads a text, or a port as a number.
fn listen_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = match Value::deserialize(deserializer)? {
        Value::Integer(port) => port.to_string(),
        Value::String(text) => text,
        _ => {
            return Err(de::Error::custom(
                "must be an address and port, such as \"127.0.0.1:8100\"",
            ));
        }
    };
    parse_listen(&text).map_err(de::Error::custom)
}

/// Reads networks as CIDRs. An address alone is a network of one.
fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let network = |text: String| {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        address.or_else(|_| text.parse::<IpNet>()).map_err(|_| {
            de::Error::custom(format!(
                "has {text:?}, which is neither an address nor a network such as 10.0.0.0/8"
            ))
        })
    };
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.into_iter().map(network).collect()
}
