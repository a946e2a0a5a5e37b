//! Calls that ask the person at their client during the call, for clients of the versions before 2026-07-28.

mod clients;
mod limits;
mod stdio;
mod strangers;

use std::process::Stdio;
use std::time::Duration;

use reqwest::Response;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr};
use tokio::time::timeout;

use crate::stdio::program;
use test_support::recording::Recording;
use test_support::server::{KEY, TestServer, VOUCHED};

/// Every write is asked about.
const ELICIT: &str = "[server]\nconfirm = { write = \"elicit\" }\n";

/// The longest wait for anything.
const LONGEST: Duration = Duration::from_secs(20);

/// A server under rules, and the HighLevel behind it.
struct Asked {
    highlevel: Recording,
    server: TestServer,
    rules: NamedTempFile,
}

impl Asked {
    async fn start(rules: &str) -> Self {
        Self::start_with(rules, &[]).await
    }

    async fn start_with(rules: &str, further: &[(&str, &str)]) -> Self {
        let answer = r#"{"tags":["vip"],"contacts":[{"id":"c1"},{"id":"c2"}],"total":2}"#;
        let highlevel = Recording::always(200, answer).await;
        let file = NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), rules).expect("written");
        let rules = file.path().to_str().expect("UTF-8");
        let variables = [&[VOUCHED, ("HIGHLEVEL_MCP_POLICY_FILE", rules)], further].concat();
        let server = TestServer::start_with(&highlevel.url, &variables).await;
        Self {
            highlevel,
            server,
            rules: file,
        }
    }

    /// Another process on the same store.
    async fn process_beside(&self) -> ProcessBeside {
        let folder = self.server.state.path().to_str().expect("UTF-8");
        let rules = self.rules.path().to_str().expect("UTF-8");
        let variables = [
            VOUCHED,
            ("HIGHLEVEL_MCP_POLICY_FILE", rules),
            ("HIGHLEVEL_MCP_STATE_FOLDER", folder),
        ];
        let arguments = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--base-url",
            &self.highlevel.url,
        ];
        let mut child = program(&arguments, &variables)
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let mut log = BufReader::new(child.stderr.take().expect("stderr")).lines();
        let line = log.next_line().await.expect("a line").expect("a line");
        let (_, after) = line.split_once("http://").expect("an address");
        let address = after.split_once("/mcp").expect("an address").0;
        ProcessBeside {
            url: format!("http://{address}"),
            _child: child,
            _log: log,
        }
    }

    fn client(&self) -> HttpClient {
        HttpClient::new(&self.server.url)
    }

    /// The number of writes that reached HighLevel.
    fn writes(&self) -> usize {
        self.highlevel.writes()
    }
}

/// Runs until it is dropped.
struct ProcessBeside {
    url: String,
    _child: Child,
    _log: Lines<BufReader<ChildStderr>>,
}

/// A client over Streamable HTTP.
#[derive(Clone)]
struct HttpClient {
    url: String,
    http: reqwest::Client,
    token: &'static str,
    version: String,
    session: Option<String>,
}

impl HttpClient {
    fn new(server: &str) -> Self {
        Self {
            url: format!("{server}/mcp"),
            http: test_support::server::client(),
            token: "Bearer pit-test",
            version: "2025-11-25".to_owned(),
            session: None,
        }
    }

    /// Performs the handshake as a client that shows forms.
    async fn greeted(mut self) -> Self {
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {"form": {}}},
            "clientInfo": {"name": "t", "version": "1"}});
        let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello});
        let answer = self.post(&hello).await;
        self.take_session(&answer);
        self
    }

    fn take_session(&mut self, answer: &Response) {
        let session = answer.headers().get("mcp-session-id");
        let session = session.expect("a session").to_str().expect("text");
        self.session = Some(session.to_owned());
    }

    async fn post(&self, frame: &Value) -> Response {
        let mut request = self
            .http
            .post(&self.url)
            .header("accept", "application/json, text/event-stream")
            .header("authorization", self.token)
            .header("locationid", "L0")
            .header("x-access-key", KEY)
            .header("mcp-protocol-version", &self.version);
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session);
        }
        request.json(frame).send().await.expect("an answer")
    }

    /// Adds a tag, which is asked about.
    async fn tag(&self) -> Response {
        self.call(
            "contacts_add-tags",
            json!({"contactId": "c1", "tags": ["vip"]}),
        )
        .await
    }

    async fn call(&self, tool: &str, arguments: Value) -> Response {
        let params = json!({"name": tool, "arguments": arguments});
        let call = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});
        self.post(&call).await
    }

    /// Sends the person's action for the question of this id. Returns the status.
    async fn answer(&self, id: &Value, action: &str) -> u16 {
        let frame =
            json!({"jsonrpc": "2.0", "id": id, "result": {"action": action, "content": {}}});
        self.post(&frame).await.status().as_u16()
    }
}

/// The frames of a stream.
struct Events {
    answer: Response,
    read: String,
    /// Lines that only show that the server lives.
    signs: usize,
}

impl Events {
    fn new(answer: Response) -> Self {
        let media = answer.headers()["content-type"].to_str().expect("text");
        assert_eq!(media, "text/event-stream");
        // A proxy that buffers answers would show the question too late.
        assert_eq!(answer.headers()["x-accel-buffering"], "no");
        Self {
            answer,
            read: String::new(),
            signs: 0,
        }
    }

    /// The question in the answer to a call, and its id.
    async fn question(answer: Response) -> (Self, Value) {
        let mut events = Self::new(answer);
        let question = events.next().await.expect("a question");
        assert_eq!(question["method"], "elicitation/create", "{question}");
        let id = question["id"].clone();
        (events, id)
    }

    /// `None` at the end.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let event = event.to_owned();
                self.read = rest.to_owned();
                if event.starts_with(':') {
                    self.signs += 1;
                    continue;
                }
                let data = event.lines().find_map(|line| line.strip_prefix("data: "));
                return Some(serde_json::from_str(data.expect("data")).expect("JSON"));
            }
            let chunk = timeout(LONGEST, self.answer.chunk()).await;
            let chunk = chunk.expect("in time").expect("a stream")?;
            self.read += std::str::from_utf8(&chunk).expect("UTF-8");
        }
    }

    /// The text of the call's result, which is the last frame.
    async fn result(mut self) -> (String, bool) {
        let last = self.next().await.expect("a result");
        assert_eq!(self.next().await, None, "the end");
        text(&last)
    }
}

/// The text of a result, and whether it is an error.
fn text(frame: &Value) -> (String, bool) {
    let result = &frame["result"];
    let text = result["content"][0]["text"].as_str();
    let text = text.unwrap_or_else(|| panic!("no text: {frame}"));
    (text.to_owned(), result["isError"] == true)
}
