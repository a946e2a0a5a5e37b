//! The sandbox, and the server in front of it.

mod app_scopes;
mod commands;
mod contacts;
mod contract;
mod cost;
pub(crate) mod every;
mod invoices;
mod lacking;
mod library;
pub(crate) mod marketplace;
mod official;
mod opportunities;
mod orchestrator;
mod plainly_meant;
mod prompts;
mod quirks;
mod ranges;
mod records;
mod seed;
mod slots;
mod tasks;
mod webhooks;
mod width;

use std::time::Duration;

use ::sandbox::{LOCATION, SandboxOptions, TOKEN, serve};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::timeout;

use test_support::server::{TestServer, client};

/// A sandbox on a free port. It ends with the test.
pub(crate) struct Sandbox {
    pub url: String,
    http: reqwest::Client,
}

impl Sandbox {
    pub(crate) async fn start(options: SandboxOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(serve(listener, options));
        let http = client();
        Self { url, http }
    }

    /// The error if it does not start; `None` if it does.
    pub(crate) async fn refusal(options: SandboxOptions) -> Option<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let served = timeout(Duration::from_millis(300), serve(listener, options)).await;
        Some(served.ok()?.expect_err("refused").to_string())
    }

    /// Sends a request such as `GET /contacts/x`. Returns status, headers and answer.
    pub(crate) async fn send(
        &self,
        request: &str,
        token: &str,
        body: Option<Value>,
    ) -> (u16, reqwest::header::HeaderMap, Value) {
        let (method, target) = request.split_once(' ').expect("method and target");
        let method = method.parse().expect("a method");
        let mut request = self
            .http
            .request(method, format!("{}{target}", self.url))
            .header("version", "2021-07-28")
            .bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        answer(request).await
    }

    /// A company's OAuth token, as HighLevel issues it when an app is installed.
    pub(crate) async fn company_token(&self) -> String {
        let form = "client_id=sandbox-client&client_secret=sandbox-secret&grant_type=authorization_code&code=sandbox-code-company";
        let request = self.http.post(format!("{}/oauth/token", self.url));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let (_, _, pair) = answer(request.body(form)).await;
        text(&pair, "/access_token").to_owned()
    }

    /// The requests that the sandbox has seen.
    pub(crate) async fn requests(&self) -> Vec<Value> {
        let request = self.http.get(format!("{}/__sandbox/requests", self.url));
        let (_, _, log) = answer(request).await;
        log["requests"].as_array().cloned().unwrap_or_default()
    }
}

pub(crate) async fn answer(
    request: reqwest::RequestBuilder,
) -> (u16, reqwest::header::HeaderMap, Value) {
    let reply = request.send().await.expect("a reply");
    let (status, headers) = (reply.status().as_u16(), reply.headers().clone());
    (status, headers, reply.json().await.unwrap_or_default())
}

/// A 2xx answer of the sandbox.
pub(crate) async fn ok(sandbox: &Sandbox, request: &str, body: Option<Value>) -> Value {
    let (status, _, answer) = sandbox.send(request, TOKEN, body).await;
    assert!((200..300).contains(&status), "{request}: {status} {answer}");
    answer
}

/// A 400 of the sandbox.
pub(crate) async fn refused(sandbox: &Sandbox, request: &str, body: Value) {
    let (status, _, answer) = sandbox.send(request, TOKEN, Some(body)).await;
    assert_eq!(status, 400, "{request}: {answer}");
}

/// The MCP server in front of a sandbox, and its calls with the sandbox's token.
pub(crate) struct Stack {
    pub sandbox: Sandbox,
    pub server: TestServer,
}

impl Stack {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With variables in the server's environment.
    pub(crate) async fn start_with(variables: &[(&str, &str)]) -> Self {
        let sandbox = Sandbox::start(SandboxOptions::default()).await;
        let server = TestServer::start_with(&sandbox.url, variables).await;
        Self { sandbox, server }
    }

    /// The answer of a tool, or its error as JSON.
    pub(crate) async fn try_call(&self, tool: &str, arguments: Value) -> Result<Value, Value> {
        let bearer = format!("Bearer {TOKEN}");
        let headers = [("authorization", bearer.as_str()), ("locationid", LOCATION)];
        self.try_call_with(&headers, tool, arguments).await
    }

    /// The same on another connection.
    pub(crate) async fn try_call_with(
        &self,
        headers: &[(&str, &str)],
        tool: &str,
        arguments: Value,
    ) -> Result<Value, Value> {
        let (text, is_error) = self.server.call_with(headers, tool, arguments).await;
        let value = serde_json::from_str(&text).unwrap_or_else(|_| json!(text));
        if is_error { Err(value) } else { Ok(value) }
    }

    /// The answer of a tool that must succeed.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Value {
        let answer = self.try_call(tool, arguments).await;
        answer.unwrap_or_else(|error| panic!("{tool}: {error}"))
    }
}

/// A member that must be text.
pub(crate) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text at {pointer} of {value}"))
}

/// A member that must be a list.
pub(crate) fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    let found = value.pointer(pointer).and_then(Value::as_array);
    found.unwrap_or_else(|| panic!("no list at {pointer} of {value}"))
}
