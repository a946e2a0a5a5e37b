//! Refuses foreign Host and Origin headers, by which a web page could reach a local server.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::config;
use crate::http::oauth::hosts::SignInHost;
use crate::http::problem::HttpProblem;

/// Hosts and origins that are served.
pub(super) struct HostRules {
    hosts: Vec<String>,
    origins: Vec<String>,
    /// Every IP address is a served host.
    any_address: bool,
    /// A TLS proxy is in front of the server.
    behind_tls: bool,
    /// The sign-in address.
    sign_in: Option<SignInHost>,
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
            behind_tls: settings.tls == config::Tls::Proxy,
            sign_in: None,
        }
    }

    /// Adds the sign-in address, which is served, and which pages of other sites may call where no cookie is read.
    pub(super) fn with_sign_in(mut self, settings: &config::OauthSettings) -> Self {
        self.sign_in = SignInHost::new(settings);
        let served = self.sign_in.iter().flat_map(SignInHost::served);
        self.hosts.extend(served);
        self
    }

    /// For metrics at `listen`: programs that read them use addresses of containers, which nobody can list in advance.
    /// A web page cannot do so: its request carries the host name by which it reaches this server.
    pub(super) fn for_metrics(settings: &config::ServerSettings, listen: IpAddr) -> Self {
        Self {
            any_address: !listen.is_loopback(),
            origins: Vec::new(),
            ..Self::new(settings)
        }
    }

    /// The error names the flag and the value that would allow the request.
    fn check(
        &self,
        authority: &Authority,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<CheckedHost, HttpProblem> {
        let refused = |what: String| HttpProblem::new(StatusCode::FORBIDDEN, "forbidden", what);
        let (full, name) = (
            authority.as_str().to_lowercase(),
            authority.host().to_lowercase(),
        );
        let allowed = |host: &String| *host == full || *host == name;
        let is_address = self.any_address && address(&name).is_some();
        if !LOOPBACK.contains(&name.as_str()) && !is_address && !self.hosts.iter().any(allowed) {
            return Err(refused(format!(
                "This server does not serve the host {name}. Start it with --allowed-host {name} to serve it."
            )));
        }
        let sign_in = self.sign_in.as_ref().filter(|one| one.is_at(authority));
        // There, too, only the origins in the settings are allowed, if any are named.
        let takes_any =
            self.origins.is_empty() && sign_in.is_some_and(|one| one.is_for_any_page(path));
        for origin in headers.get_all(header::ORIGIN) {
            let origin = origin.to_str().unwrap_or_default().to_lowercase();
            let is_own = sign_in.is_some_and(|one| one.is_own_origin(&origin))
                || self.is_own_page(&origin, authority);
            if !takes_any && !is_own && !self.origins.contains(&origin) {
                return Err(refused(format!(
                    "The web page {origin} may not call. Start the server with --allowed-origin {origin} to allow it."
                )));
            }
        }
        Ok(CheckedHost {
            authority: authority.clone(),
            is_sign_in: sign_in.is_some(),
        })
    }

    /// Whether the page is this server's own: of the request's host, which is already checked, and of its port. What
    /// names resolve to does not matter: a page that reaches this server by a name of its own sends that name as its
    /// host. Pages on other ports of this machine belong to other programs.
    fn is_own_page(&self, origin: &str, authority: &Authority) -> bool {
        let (page, usual_port) = match (origin.split_once("://"), self.behind_tls) {
            (Some(("https", page)), _) => (page, 443),
            (Some(("http", page)), false) => (page, 80),
            _ => return false,
        };
        let Ok(page) = page.parse::<Authority>() else {
            return false;
        };
        let port = |one: &Authority| one.port_u16().unwrap_or(usual_port);
        let is_same = page.host().eq_ignore_ascii_case(authority.host());
        let are_local = is_loopback(&page) && is_loopback(authority);
        (is_same || are_local) && port(&page) == port(authority) && !page.as_str().contains('@')
    }
}

/// The host of a request, as an extension of every request that passed the check.
#[derive(Clone, Debug)]
pub(super) struct CheckedHost {
    pub authority: Authority,
    /// It is the address where people and clients sign in.
    pub is_sign_in: bool,
}

pub(super) async fn check_host_and_origin(
    State(allowed): State<Arc<HostRules>>,
    mut request: Request,
    next: Next,
) -> Response {
    let (uri, headers) = (request.uri(), request.headers());
    let checked = authority(uri, headers);
    let checked = checked.and_then(|authority| allowed.check(&authority, uri.path(), headers));
    match checked {
        Ok(host) => {
            request.extensions_mut().insert(host);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// The host of a request. A second host, or a user name before it, is a trick to make two parsers see different hosts.
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
                .ok_or_else(|| refused("The Host header is not a host."))?,
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
        return Err(refused("The Host contains a user name."));
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
    use axum::http::HeaderValue;

    use super::*;

    fn check(host: &str, origin: Option<&str>, expected: Result<(), &str>) {
        let allowed = HostRules {
            hosts: vec![
                "mcp.example.com".to_owned(),
                "other.example:8443".to_owned(),
            ],
            origins: vec!["https://app.example.com".to_owned()],
            any_address: false,
            behind_tls: false,
            sign_in: None,
        };
        let mut headers = HeaderMap::new();
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().expect("a value"));
        }
        headers.insert(header::HOST, host.parse().expect("a value"));
        let checked = authority(&Uri::from_static("/mcp"), &headers);
        match (
            checked.and_then(|host| allowed.check(&host, "/mcp", &headers)),
            expected,
        ) {
            (Ok(_), Ok(())) => {}
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
        check("", None, Err("is not a host"));
        check("me@127.0.0.1:8100", None, Err("a user name"));
        check("evil.example@localhost", None, Err("a user name"));
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
    fn pages_of_the_server_itself_may_call() {
        let foreign = Err("may not call");
        check("localhost:8100", Some("http://localhost:8100"), Ok(()));
        check("127.0.0.1:8100", Some("http://127.0.0.1:8100"), Ok(()));
        check("127.0.0.1:8100", Some("http://localhost:8100"), Ok(()));
        check("LOCALHOST:8100", Some("http://[::1]:8100"), Ok(()));
        check("localhost", Some("http://localhost:80"), Ok(()));
        check("mcp.example.com", Some("https://MCP.example.com"), Ok(()));
        check(
            "mcp.example.com:443",
            Some("https://mcp.example.com"),
            Ok(()),
        );
        // Another program of this machine, and the same names with another host.
        check("localhost:8100", Some("http://localhost:3000"), foreign);
        check("localhost:8100", Some("http://localhost"), foreign);
        check("mcp.example.com", Some("http://localhost"), foreign);
        check(
            "localhost:8100",
            Some("http://mcp.example.com:8100"),
            foreign,
        );
        check("localhost:8100", Some("http://evil.example:8100"), foreign);
        check(
            "localhost:8100",
            Some("http://localhost.evil.example:8100"),
            foreign,
        );
        check(
            "localhost:8100",
            Some("http://evil@localhost:8100"),
            foreign,
        );
        check(
            "localhost:8100",
            Some("http://localhost:8100/page"),
            foreign,
        );
        check("localhost:8100", Some("file://localhost:8100"), foreign);
        check("localhost:8100", Some("localhost:8100"), foreign);
        check("localhost:8100", Some(""), foreign);
        // A name that resolves to this machine is not a host of ours, whatever its page sends.
        check(
            "evil.example:8100",
            Some("http://evil.example:8100"),
            Err("--allowed-host"),
        );
        check(
            "evil.example:8100",
            Some("http://localhost:8100"),
            Err("--allowed-host"),
        );
    }

    #[test]
    fn behind_tls_a_page_without_it_is_foreign() {
        fn check(tls: &str, origin: &'static str, expected: bool) {
            let variables = [
                ("HIGHLEVEL_MCP_SERVER_TLS".into(), tls.into()),
                (
                    "HIGHLEVEL_MCP_SERVER_ALLOWED_HOSTS".into(),
                    "mcp.example.com".into(),
                ),
            ];
            let config = config::Config::from_sources(&config::Flags::default(), variables);
            let rules = HostRules::new(&config.expect("settings").server);
            let headers =
                HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static(origin))]);
            let checked = rules.check(&Authority::from_static("mcp.example.com"), "/mcp", &headers);
            assert_eq!(checked.is_ok(), expected, "{tls} {origin}");
        }
        check("proxy", "https://mcp.example.com", true);
        check("proxy", "http://mcp.example.com", false);
        check("off", "http://mcp.example.com", true);
    }

    #[test]
    fn every_origin_of_a_request_is_looked_at() {
        let config = config::Config::from_sources(&config::Flags::default(), []);
        let rules = HostRules::new(&config.expect("defaults").server);
        let mut headers = HeaderMap::new();
        for origin in ["http://localhost:8100", "http://evil.example"] {
            headers.append(header::ORIGIN, HeaderValue::from_static(origin));
        }
        let host = Authority::from_static("localhost:8100");
        assert!(rules.check(&host, "/mcp", &headers).is_err());
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
            let checked =
                allowed.check(&Authority::from_static(host), "/metrics", &HeaderMap::new());
            assert_eq!(checked.is_ok(), expected, "{listen} {host}");
        }
        check("127.0.0.1", "localhost:8101", true);
        check("127.0.0.1", "10.0.0.1:8101", false);
        check("0.0.0.0", "10.0.0.1:8101", true);
        check("0.0.0.0", "[2001:db8::1]:8101", true);
        check("0.0.0.0", "evil.example", false);
    }
}
