//! Refuses foreign Host and Origin headers, which is how a web page reaches a local server.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::config;
use crate::host::problem::Problem;

/// Hosts and origins that are served.
pub struct Allowed {
    hosts: Vec<String>,
    origins: Vec<String>,
}

/// Served whatever the settings say.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

impl Allowed {
    pub fn new(settings: &config::Server) -> Self {
        let lower = |list: &[String]| list.iter().map(|one| one.to_lowercase()).collect();
        Self {
            hosts: lower(&settings.allowed_hosts),
            origins: lower(&settings.allowed_origins),
        }
    }

    /// Says which flag and value would allow the request.
    fn check(&self, host: Option<&str>, headers: &HeaderMap) -> Result<(), Problem> {
        let refused = |what: String| Problem::new(StatusCode::FORBIDDEN, "forbidden", what);
        let authority = host.and_then(|host| host.parse::<Authority>().ok());
        let Some(authority) = authority else {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid_request",
                "The request names no Host.",
            ));
        };
        let (full, name) = (
            authority.as_str().to_lowercase(),
            authority.host().to_lowercase(),
        );
        let allowed = |host: &String| *host == full || *host == name;
        if !LOOPBACK.contains(&name.as_str()) && !self.hosts.iter().any(allowed) {
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

pub async fn check_host_and_origin(
    State(allowed): State<Arc<Allowed>>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let named = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = named.or_else(|| request.uri().authority().map(Authority::as_str));
    match allowed.check(host, headers) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, origin: Option<&str>, expected: Result<(), &str>) {
        let allowed = Allowed {
            hosts: vec![
                "mcp.example.com".to_owned(),
                "other.example:8443".to_owned(),
            ],
            origins: vec!["https://app.example.com".to_owned()],
        };
        let mut headers = HeaderMap::new();
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().expect("a value"));
        }
        match (allowed.check(Some(host), &headers), expected) {
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
        check("", None, Err("names no Host"));
        check("localhost", Some("https://app.example.com"), Ok(()));
        check("localhost", Some("https://App.example.com"), Ok(()));
        check(
            "localhost",
            Some("https://evil.example"),
            Err("--allowed-origin https://evil.example "),
        );
        check("localhost", Some("null"), Err("--allowed-origin null "));
    }
}
