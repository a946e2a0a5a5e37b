//! The HTTP client of commands that speak to a server of ours as its clients do.

mod challenge;

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, Url, redirect};

use super::CliError;
pub(super) use challenge::{HOST, SignInChallenge};

const USER_AGENT: &str = concat!("highlevel-mcp/", env!("CARGO_PKG_VERSION"));

/// Longest wait for a connection, and for the next bytes of an answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Of an answer that is read whole; what a server of ours says of itself is far smaller.
const LARGEST: usize = 256 * 1024;

/// Follows no redirect and tries nothing twice: what the first answer says is what clients see.
pub(super) fn client() -> Result<reqwest::Client, CliError> {
    client_with(|builder| builder)
}

/// The same with something changed.
pub(super) fn client_with(
    change: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<reqwest::Client, CliError> {
    // An error means that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .connect_timeout(PATIENCE)
        .read_timeout(PATIENCE)
        .retry(reqwest::retry::never());
    Ok(change(builder).build()?)
}

/// An answer that was read whole.
pub(super) struct WebAnswer {
    pub status: u16,
    headers: HeaderMap,
    pub body: Vec<u8>,
}

impl WebAnswer {
    /// Fails with a sentence where nothing answers.
    pub(super) async fn ask(request: RequestBuilder) -> Result<Self, String> {
        let mut response = request.send().await.map_err(|error| why(&error))?;
        let mut answer = Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: Vec::new(),
        };
        while let Some(part) = response.chunk().await.map_err(|error| why(&error))? {
            answer.body.extend_from_slice(&part);
            if answer.body.len() > LARGEST {
                return Err(format!("answers more than {} KB", LARGEST / 1024));
            }
        }
        Ok(answer)
    }

    /// A header that is text; empty where there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    pub(super) fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// With a body as HTML forms have it.
pub(super) fn with_form(request: RequestBuilder, fields: &[(&str, &str)]) -> RequestBuilder {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.finish())
}

/// The innermost cause: reqwest's own sentence names the address alone.
pub(super) fn why(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// The address of a server as a person gives it: with `/mcp` or without.
pub(super) struct ServerAddress {
    /// Scheme, host and port, without a slash.
    pub origin: String,
    /// Where MCP is, as clients are given it.
    pub endpoint: Url,
}

impl ServerAddress {
    /// Fails where it is not an address of a web server. A bare origin means its `/mcp`.
    pub(super) fn parse(text: &str) -> Result<Self, CliError> {
        let wrong = || {
            CliError(format!(
                "{text:?} is not an address of a server; give it as https://mcp.example.com"
            ))
        };
        let mut endpoint = Url::parse(text).map_err(|_| wrong())?;
        let is_web = matches!(endpoint.scheme(), "http" | "https") && endpoint.has_host();
        if !is_web || !endpoint.username().is_empty() || endpoint.password().is_some() {
            return Err(wrong());
        }
        endpoint.set_query(None);
        endpoint.set_fragment(None);
        if endpoint.path() == "/" {
            endpoint.set_path("/mcp");
        }
        Ok(Self {
            origin: endpoint.origin().ascii_serialization(),
            endpoint,
        })
    }

    /// Whether what is sent there can be read by nobody on the way.
    pub(super) fn is_private(&self) -> bool {
        let host = self.endpoint.host_str().unwrap_or_default();
        self.endpoint.scheme() == "https" || matches!(host, "localhost" | "127.0.0.1" | "[::1]")
    }

    pub(super) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }
}

/// What a client without a token begins with.
pub(super) fn hello(http: &reqwest::Client, method: Method, url: &str) -> RequestBuilder {
    let request = http.request(method.clone(), url);
    if method != Method::POST {
        return request.header("accept", "*/*");
    }
    let hello = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "highlevel-mcp", "version": env!("CARGO_PKG_VERSION")},
    }});
    request
        .header("accept", "application/json, text/event-stream")
        .json(&hello)
}
