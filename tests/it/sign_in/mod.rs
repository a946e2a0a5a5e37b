//! Connecting by address alone: what people bring, and what comes of it.

mod discovery;
mod hosts;
mod metadata;

use axum::body::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use test_support::server::TestServer;

/// Where clients sign in, in tests; requests say this host, and go to the server's port.
const URL: &str = "https://mcp.example.test";
const HOST: &str = "mcp.example.test";

/// What was answered.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// Empty where there is none.
    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("a text"))
    }
}

/// Asks at the address for sign-in, unless `headers` name another host.
async fn ask(
    server: &TestServer,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &'static str,
) -> Reply {
    let mut request = server
        .http
        .request(method, format!("{}{path}", server.url))
        .body(body);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", HOST);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let reply = request.send().await.expect("a reply");
    Reply {
        status: reply.status(),
        headers: reply.headers().clone(),
        body: reply.bytes().await.expect("a body"),
    }
}
