//! The server as `serve` starts it, on a free port, and a client that speaks plain JSON-RPC to it.

use std::sync::Arc;
use std::time::Duration;

use highlevel_mcp::call::{Controls, Pipeline};
use highlevel_mcp::config::{Config, Flags};
use highlevel_mcp::telemetry::Telemetry;
use highlevel_mcp::upstream::Transport;
use highlevel_mcp::{catalog, http};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use state::Store;
use tokio::sync::oneshot;

pub const TOKEN: &str = "pit-test";
pub const LOCATION: &str = "L0";

/// A setting under which nothing waits for a confirmation.
pub const UNCONFIRMED: (&str, &str) = (
    "HIGHLEVEL_MCP_POLICY_FILE",
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/unconfirmed.toml"),
);

/// A setting under which the server knows the usual caller by a key beside its token: a token alone is tried by a read
/// before it may write.
pub const VOUCHED: (&str, &str) = ("HIGHLEVEL_MCP_SERVER_ACCESS_KEY", KEY);
pub const KEY: &str = "the-access-key-of-tests-only";

/// An HTTP client; reqwest needs an installed provider of TLS first.
pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

pub struct TestServer {
    pub url: String,
    /// Endpoint of every request, `/mcp` unless a test sets another.
    pub path: &'static str,
    /// The usual caller shows the access key.
    pub vouched: bool,
    pub http: reqwest::Client,
    pub pipeline: Pipeline,
    /// The place of keys, approvals and the audit file.
    pub state: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    running: tokio::task::JoinHandle<()>,
}

impl TestServer {
    /// With the default settings, in front of `highlevel`.
    pub async fn start(highlevel: &str) -> Self {
        Self::start_with(highlevel, &[]).await
    }

    /// With environment variables beside the default settings.
    pub async fn start_with(highlevel: &str, variables: &[(&str, &str)]) -> Self {
        let flags = Flags {
            base_url: Some(highlevel.to_owned()),
            ..Flags::default()
        };
        let state = tempfile::tempdir().expect("a folder");
        let folder = state.path().to_str().expect("UTF-8");
        let own = [
            ("HIGHLEVEL_MCP_STATE_FOLDER", folder),
            ("HIGHLEVEL_MCP_APPROVALS_WAIT_MS", "0"),
        ];
        let vouched = variables.contains(&VOUCHED);
        // A test's own state setting replaces the default: it is another server's state.
        let is_given = |own: &&(&str, &str)| variables.iter().any(|(name, _)| *name == own.0);
        let own = own.iter().filter(|own| !is_given(own));
        let variables = own.chain(variables);
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let config = Config::from_sources(&flags, variables).expect("settings");
        let transport = Transport::open(&config).expect("a transport");
        let controls = Controls::open(&config, &transport).expect("files");
        let pipeline = Pipeline::new(
            catalog::TOOLS,
            transport,
            &config,
            Telemetry::default(),
            controls,
        )
        .expect("a pipeline");
        let keys = pipeline.controls().keys.clone();
        let access = http::Access::new(&config.server, &config.account, Some(keys));
        let access = access.expect("an account");
        let own = http::own_account(&config.account).expect("an account");
        tokio::spawn(pipeline.clone().run_approvals(own));
        tokio::spawn(pipeline.clone().follow_connected());
        tokio::spawn(pipeline.clone().follow_rules());
        pipeline.transport().meet_valkey();
        let stopping = http::Stopping::default();
        let sign_in = http::SignIn::open(&config, &pipeline).expect("sign-in");
        let router = http::router(&pipeline, access, sign_in, &stopping, &config);
        let metrics = Arc::clone(&pipeline.telemetry().metrics);
        let (listener, url) = super::listen();
        let (stop, stopped) = oneshot::channel::<()>();
        let settings = config.server.clone();
        let running = tokio::spawn(async move {
            let drain = Duration::from_millis(settings.drain_ms);
            let shutdown = async {
                drop(stopped.await);
                drain
            };
            http::run(listener, router, stopping, &settings, &metrics, shutdown).await;
        });
        let http = client();
        Self {
            url,
            path: "/mcp",
            vouched,
            http,
            pipeline,
            state,
            stop: Some(stop),
            running,
        }
    }

    /// The state of the server.
    pub fn store(&self) -> Store {
        self.pipeline.controls().store.clone()
    }

    /// A request to `path` with the headers every MCP client sends, and no credential.
    pub fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.http
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
    }

    /// One JSON-RPC request as the usual caller. Returns the whole reply.
    pub async fn rpc(&self, method: &str, params: Value) -> Value {
        self.rpc_with(&[], method, params).await
    }

    /// The same with headers in place of the usual credential and location.
    pub async fn rpc_with(&self, headers: &[(&str, &str)], method: &str, params: Value) -> Value {
        let usual = [
            ("authorization", "Bearer pit-test"),
            ("locationid", LOCATION),
            ("x-access-key", KEY),
        ];
        let usual = if self.vouched {
            &usual[..]
        } else {
            &usual[..2]
        };
        let headers = if headers.is_empty() { usual } else { headers };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = reqwest::header::HeaderName::from_bytes(name.as_bytes()).expect("a name");
            map.append(name, value.parse().expect("a value"));
        }
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let reply = self
            .post(self.path)
            .headers(map)
            .json(&request)
            .send()
            .await
            .expect("a reply");
        reply.json().await.expect("JSON")
    }

    /// Calls a tool as the usual caller. Returns the text, and whether it is an error.
    pub async fn call(&self, tool: &str, arguments: Value) -> (String, bool) {
        self.call_with(&[], tool, arguments).await
    }

    pub async fn call_with(
        &self,
        headers: &[(&str, &str)],
        tool: &str,
        arguments: Value,
    ) -> (String, bool) {
        let params = json!({"name": tool, "arguments": arguments});
        let reply = self.rpc_with(headers, "tools/call", params).await;
        let result = &reply["result"];
        let blocks = result["content"].as_array().map_or(&[][..], Vec::as_slice);
        // Rows in CSV come with a second text, and the text about a file comes with that file.
        let texts: Vec<&str> = blocks
            .iter()
            .filter(|block| block["type"] == "text")
            .filter_map(|block| block["text"].as_str())
            .collect();
        let is_whole = (1..=2).contains(&blocks.len()) && !texts.is_empty();
        assert!(is_whole, "{tool}: not one or two blocks: {reply}");
        (texts.join("\n"), result["isError"] == true)
    }

    pub async fn tool_names(&self) -> Vec<String> {
        let list = self.rpc("tools/list", json!({})).await;
        let tools = list["result"]["tools"].as_array().expect("tools");
        let names = tools
            .iter()
            .map(|tool| tool["name"].as_str().expect("a name"));
        names.map(str::to_owned).collect()
    }

    /// Tells the server to stop and waits until it has.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        (&mut self.running).await.expect("stopped");
    }
}
