//! The HTTP client of commands that act as clients of a server of ours.

mod challenge;

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, Url, redirect};

use super::CliError;
pub(super) use challenge::{HOST, NO_SIGN_IN, SignInChallenge, has_no_sign_in};

const USER_AGENT: &str = concat!("highlevel-mcp/", env!("CARGO_PKG_VERSION"));

/// Longest wait for a connection, and for the next bytes of an answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Largest whole answer: a server's description of itself is far smaller.
const LARGEST: usize = 256 * 1024;

/// Follows no redirect and does not retry: clients see the first answer.
pub(super) fn client() -> Result<reqwest::Client, CliError> {
    client_with(|builder| builder)
}

/// The same with changes to the builder.
pub(super) fn client_with(
    change: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<reqwest::Client, CliError> {
    // An error means that a provider is installed already.
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
    /// Fails with a sentence if nothing answers.
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
                return Err(format!("answers with more than {} KB", LARGEST / 1024));
            }
        }
        Ok(answer)
    }

    /// The text of a header; empty if it is missing or not text.
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

/// Adds a body in the form of HTML forms.
pub(super) fn with_form(request: RequestBuilder, fields: &[(&str, &str)]) -> RequestBuilder {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.finish())
}

/// The innermost cause: reqwest's own sentence has only the address.
pub(super) fn why(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// The address of a server as a person gives it, with or without `/mcp`.
pub(super) struct ServerAddress {
    /// Scheme, host and port, without a slash.
    pub origin: String,
    /// The MCP address for clients.
    pub endpoint: Url,
}

impl ServerAddress {
    /// Fails if it is not the address of a web server. A bare origin means its `/mcp`.
    pub(super) fn parse(text: &str) -> Result<Self, CliError> {
        let wrong = || {
            CliError(format!(
                "{text:?} is not the address of a server. Give one such as https://mcp.example.com"
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

    /// Whether nobody on the network can read what is sent there.
    pub(super) fn is_private(&self) -> bool {
        let host = self.endpoint.host_str().unwrap_or_default();
        self.endpoint.scheme() == "https" || matches!(host, "localhost" | "127.0.0.1" | "[::1]")
    }

    pub(super) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }
}

/// The first request of a client without a token.
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
