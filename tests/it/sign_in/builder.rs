//! A builder whose customers connect locations: its key, its calls, and what its customers do at their pages.

use std::time::Duration;

use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use state::keys::{KeyLocations, Keys, NewKey};
use test_support::server::TestServer;
use tokio::time::sleep;
use url::Url;

use super::browser::{Browser, Page, SIGN_IN};
use crate::sandbox::{Sandbox, list, text};
use ::sandbox::SandboxOptions;

/// Where customers go afterwards.
pub(super) const RETURN: &str = "https://app.example.com/connected";

/// Of the sandbox's first location.
pub(super) const TOKEN: &str = "pit-5a4db0c0-0000-4000-8000-000000000001";

/// A server whose HighLevel is the sandbox, and a builder with its key.
pub(super) struct Builder {
    pub sandbox: Sandbox,
    pub server: TestServer,
    pub key: String,
}

impl Builder {
    pub(super) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(super) async fn start_with(settings: &[(&str, &str)]) -> Self {
        let sandbox = Sandbox::start(SandboxOptions::default()).await;
        let settings = [&SIGN_IN[..], settings].concat();
        let server = TestServer::start_with(&sandbox.url, &settings).await;
        Self::new(sandbox, server).await
    }

    /// A builder with a key of that server.
    pub(super) async fn new(sandbox: Sandbox, server: TestServer) -> Self {
        let key = make_key(&server, "Acme App", &[RETURN]).await;
        Self {
            sandbox,
            server,
            key,
        }
    }

    /// A JSON call under this key.
    pub(super) async fn ask_as(
        &self,
        key: &str,
        request: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let (method, path) = request.split_once(' ').expect("method and path");
        let method: Method = method.parse().expect("a method");
        let url = format!("{}{path}", self.server.url);
        let mut request = self.server.http.request(method, url);
        request = request.header("host", "mcp.example.test");
        if !key.is_empty() {
            request = request.bearer_auth(key);
        }
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let reply = request.send().await.expect("a reply");
        assert_eq!(reply.headers()["cache-control"], "no-store");
        let status = reply.status().as_u16();
        (status, reply.json().await.unwrap_or_default())
    }

    pub(super) async fn ask(&self, request: &str, body: Option<Value>) -> (u16, Value) {
        self.ask_as(&self.key, request, body).await
    }

    pub(super) async fn make(&self, reference: &str, rules: &str) -> Value {
        let return_url = format!("{RETURN}?session=s1");
        let body = json!({"ref": reference, "return_url": return_url, "rules": rules});
        let (status, made) = self.ask("POST /connect/links", Some(body)).await;
        assert_eq!(status, 201, "{made}");
        made
    }

    /// The link of this id, as the builder lists it.
    pub(super) async fn link(&self, id: &str) -> Value {
        let (status, listed) = self.ask("GET /connect/links", None).await;
        assert_eq!(status, 200, "{listed}");
        let mut links = list(&listed, "/links").iter();
        let found = links.find(|link| link["id"] == id);
        found.expect("a link").clone()
    }

    pub(super) async fn end(&self, link: &Value) {
        let path = format!("DELETE /connect/links/{}", text(link, "/id"));
        let (status, ended) = self.ask(&path, None).await;
        assert_eq!((status, &ended["state"]), (200, &json!("ended")));
    }

    /// Where a customer goes on who connects a location by this link.
    pub(super) async fn connect(&self, link: &Value, location: &str, token: &str) -> Url {
        let browser = Browser::new(&self.server);
        let page = open(&browser, link).await;
        let connected = browser
            .submit(
                "/connect/token",
                &page,
                &[("location", location), ("token", token)],
            )
            .await;
        connected.location().parse().expect("an address")
    }

    /// The key for what a customer has just connected.
    pub(super) async fn key_of(&self, back: &Url) -> Value {
        let body = json!({"code": value(back, "code")});
        let (status, given) = self.ask("POST /connect/keys", Some(body)).await;
        assert_eq!(status, 200, "{given}");
        given
    }

    /// What a tool answers to a key, and whether that is an error.
    pub(super) async fn call(&self, key: &str, tool: &str, arguments: Value) -> (String, bool) {
        let bearer = format!("Bearer {key}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("host", "mcp.example.test"),
        ];
        self.server.call_with(&headers, tool, arguments).await
    }

    /// The status of a request to MCP by a key.
    pub(super) async fn status(&self, key: &str) -> u16 {
        let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
        let request = self.server.http.post(format!("{}/mcp", self.server.url));
        let request = request
            .header("host", "mcp.example.test")
            .header("accept", "application/json, text/event-stream")
            .bearer_auth(key)
            .json(&ping);
        request.send().await.expect("a reply").status().as_u16()
    }
}

pub(super) async fn make_key(server: &TestServer, name: &str, return_urls: &[&str]) -> String {
    let new = NewKey {
        name,
        locations: match return_urls {
            [] => KeyLocations::All,
            _ => KeyLocations::Only(Vec::new()),
        },
        policy: None,
        expires: None,
        agency: false,
        rules: None,
        return_urls: return_urls.iter().map(ToString::to_string).collect(),
    };
    let made = Keys::new(&server.store()).make(new).await;
    let (_, text) = made.expect("a key");
    // The server knows it within 0.2 seconds.
    sleep(Duration::from_millis(400)).await;
    text.expose_secret().to_owned()
}

/// The page of a link, as a browser without script shows it.
pub(super) async fn open(browser: &Browser, link: &Value) -> Page {
    let first = browser.get("/connect").await;
    assert_eq!(
        (first.status, first.heading()),
        (200, "Connect your account")
    );
    let page = browser
        .post("/connect", &[("link", text(link, "/url"))])
        .await;
    assert_eq!(page.status, 200, "{}", page.text);
    page
}

pub(super) fn value(url: &Url, name: &str) -> String {
    let found = url.query_pairs().find(|(key, _)| key == name);
    found
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
