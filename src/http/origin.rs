//! Refuses foreign Host and Origin headers, which is how a web page reaches a local server.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::config;
use crate::http::problem::HttpProblem;

/// Hosts and origins that are served.
pub(super) struct HostRules {
    hosts: Vec<String>,
    origins: Vec<String>,
    /// Every IP address is a host that is served.
    any_address: bool,
}

/// Served whatever the settings say.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

impl HostRules {
    pub(super) fn new(settings: &config::ServerSettings) -> Self {
        let lower = |list: &[String]| list.iter().map(|one| one.to_lowercase()).collect();
        Self {
            hosts: lower(&settings.allowed_hosts),
            origins: lower(&settings.allowed_origins),
            any_address: false,
        }
    }

    /// For metrics at `listen`: programs that read them know the addresses of containers, which nobody can list before.
    /// A web page cannot: what reaches this server by its name for it says that name.
    pub(super) fn for_metrics(settings: &config::ServerSettings, listen: IpAddr) -> Self {
        Self {
            any_address: !listen.is_loopback(),
            origins: Vec::new(),
            ..Self::new(settings)
        }
    }

    /// Says which flag and value would allow the request.
    fn check(&self, authority: &Authority, headers: &HeaderMap) -> Result<(), HttpProblem> {
        let refused = |what: String| HttpProblem::new(StatusCode::FORBIDDEN, "forbidden", what);
        let (full, name) = (
            authority.as_str().to_lowercase(),
            authority.host().to_lowercase(),
        );
        let allowed = |host: &String| *host == full || *host == name;
        let is_address = self.any_address && address(&name).is_some();
        if !LOOPBACK.contains(&name.as_str()) && !is_address && !self.hosts.iter().any(allowed) {
            return Err(refused(format!(
                "The host {name} is not served here; start the server with --allowed-host {name} to serve it."
            )));
        }
        let Some(origin) = headers.get(header::ORIGIN) else {
            return Ok(());
        };
        let origin = origin.to_str().unwrap_or_default().to_lowercase();
        if !self.origins.contains(&origin) {
            return Err(refused(format!(
                "The web page {origin} may not call; start the server with --allowed-origin {origin} to allow it."
            )));
        }
        Ok(())
    }
}

/// The host that a request is for; an extension of every request that passed.
#[derive(Clone)]
pub(super) struct CheckedHost(pub Authority);

pub(super) async fn check_host_and_origin(
    State(allowed): State<Arc<HostRules>>,
    mut request: Request,
    next: Next,
) -> Response {
    let checked = authority(request.uri(), request.headers()).and_then(|authority| {
        allowed.check(&authority, request.headers())?;
        Ok(authority)
    });
    match checked {
        Ok(authority) => {
            request.extensions_mut().insert(CheckedHost(authority));
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// The host that a request is for. A second one, or a user's name before it, is how one reader of a request is made to
/// see another host than the next.
fn authority(uri: &Uri, headers: &HeaderMap) -> Result<Authority, HttpProblem> {
    let refused = |what: &str| HttpProblem::new(StatusCode::BAD_REQUEST, "invalid_request", what);
    let mut named = headers.get_all(header::HOST).iter();
    let (first, second) = (named.next(), named.next());
    if second.is_some() {
        return Err(refused("The request names more than one Host."));
    }
    let first = match first {
        None => None,
        Some(host) => Some(
            host.to_str()
                .ok()
                .and_then(|host| host.parse::<Authority>().ok())
                .ok_or_else(|| refused("The Host header is no host."))?,
        ),
    };
    let authority = match (first, uri.authority()) {
        (Some(host), Some(other)) if host != *other => {
            return Err(refused("The Host header and the request's URL differ."));
        }
        (Some(host), _) => host,
        (None, Some(other)) => other.clone(),
        (None, None) => return Err(refused("The request names no Host.")),
    };
    if authority.as_str().contains('@') {
        return Err(refused("The Host holds a user's name."));
    }
    Ok(authority)
}

/// Whether a request is for this machine by a name that only this machine can mean.
pub(super) fn is_loopback(authority: &Authority) -> bool {
    LOOPBACK.contains(&authority.host().to_lowercase().as_str())
}

fn address(host: &str) -> Option<IpAddr> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, origin: Option<&str>, expected: Result<(), &str>) {
        let allowed = HostRules {
            hosts: vec![
                "mcp.example.com".to_owned(),
                "other.example:8443".to_owned(),
            ],
            origins: vec!["https://app.example.com".to_owned()],
            any_address: false,
        };
        let mut headers = HeaderMap::new();
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().expect("a value"));
        }
        headers.insert(header::HOST, host.parse().expect("a value"));
        let checked = authority(&Uri::from_static("/mcp"), &headers);
        match (
            checked.and_then(|host| allowed.check(&host, &headers)),
            expected,
        ) {
            (Ok(()), Ok(())) => {}
            (Err(problem), Err(part)) => {
                assert!(problem.description.contains(part), "{host}: {problem:?}");
            }
            (checked, expected) => panic!("{host}: {checked:?} is not {expected:?}"),
        }
    }

    #[test]
    fn foreign_hosts_and_origins_are_refused_with_the_flag_that_allows_them() {
        check("localhost:8100", None, Ok(()));
        check("[::1]:8100", None, Ok(()));
        check("MCP.example.com", None, Ok(()));
        check("mcp.example.com:443", None, Ok(()));
        check("other.example:8443", None, Ok(()));
        check("other.example", None, Err("--allowed-host other.example "));
        check(
            "localhost.evil.example",
            None,
            Err("--allowed-host localhost.evil.example "),
        );
        check("", None, Err("is no host"));
        check("me@127.0.0.1:8100", None, Err("a user's name"));
        check("evil.example@localhost", None, Err("a user's name"));
        check("10.0.0.1", None, Err("--allowed-host 10.0.0.1 "));
        check("localhost", Some("https://app.example.com"), Ok(()));
        check("localhost", Some("https://App.example.com"), Ok(()));
        check(
            "localhost",
            Some("https://evil.example"),
            Err("--allowed-origin https://evil.example "),
        );
        check("localhost", Some("null"), Err("--allowed-origin null "));
    }

    #[test]
    fn a_request_is_for_one_host() {
        fn check(uri: &str, hosts: &[&str], expected: Result<&str, &str>) {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, host.parse().expect("a value"));
            }
            let found = authority(&uri.parse().expect("a URI"), &headers);
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.as_str(), expected),
                (Err(problem), Err(part)) => {
                    assert!(problem.description.contains(part), "{problem:?}");
                    assert_eq!(problem.status, StatusCode::BAD_REQUEST);
                }
                (found, _) => panic!("{uri} {hosts:?}: {found:?}"),
            }
        }
        check("/mcp", &["localhost:1"], Ok("localhost:1"));
        check("http://localhost:1/mcp", &[], Ok("localhost:1"));
        check(
            "http://localhost:1/mcp",
            &["localhost:1"],
            Ok("localhost:1"),
        );
        check("http://evil.example/", &["localhost"], Err("differ"));
        check("/mcp", &["localhost", "evil.example"], Err("more than one"));
        check("/mcp", &["localhost", "localhost"], Err("more than one"));
        check("/mcp", &[], Err("names no Host"));
    }

    #[test]
    fn metrics_are_for_addresses_where_other_machines_read_them() {
        fn check(listen: &str, host: &'static str, expected: bool) {
            let config = config::Config::from_sources(&config::Flags::default(), []);
            let settings = config.expect("defaults").server;
            let listen = listen.parse().expect("an address");
            let allowed = HostRules::for_metrics(&settings, listen);
            let checked = allowed.check(&Authority::from_static(host), &HeaderMap::new());
            assert_eq!(checked.is_ok(), expected, "{listen} {host}");
        }
        check("127.0.0.1", "localhost:8101", true);
        check("127.0.0.1", "10.0.0.1:8101", false);
        check("0.0.0.0", "10.0.0.1:8101", true);
        check("0.0.0.0", "[2001:db8::1]:8101", true);
        check("0.0.0.0", "evil.example", false);
    }
}
