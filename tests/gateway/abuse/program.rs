//! The program as a process of its own, and clients that speak plain JSON-RPC to it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::{sleep, timeout};

use test_support::server::client;

/// Headers that identify the caller.
pub(super) type Headers<'a> = [(&'a str, &'a str)];

/// The serving program. It ends on drop.
pub(super) struct Program {
    pub url: String,
    /// Address of /metrics.
    pub metrics: String,
    pub http: reqwest::Client,
    child: Child,
    log: Arc<Mutex<Vec<Value>>>,
    /// Kept as long as the program is used.
    _folder: Arc<tempfile::TempDir>,
}

/// A client's reply.
#[derive(Clone, Debug)]
pub(super) struct ToolReply {
    pub status: u16,
    /// The text of a tool's result, or otherwise the whole body.
    pub text: String,
    /// The same as JSON. Null if it is not JSON.
    pub value: Value,
    /// Whether the tool succeeded.
    pub ok: bool,
}

impl Program {
    /// `log` is its log so far.
    pub(super) fn new(
        child: Child,
        url: &str,
        metrics: String,
        log: &str,
        folder: Arc<tempfile::TempDir>,
    ) -> Self {
        let log = log
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        Self {
            url: url.to_owned(),
            metrics,
            http: client(),
            child,
            log: Arc::new(Mutex::new(log.collect())),
            _folder: folder,
        }
    }

    /// Reads its log to the end.
    pub(super) fn collect(&self, stderr: BufReader<ChildStderr>) {
        let log = Arc::clone(&self.log);
        tokio::spawn(async move {
            let mut lines = stderr.lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let line = serde_json::from_str(&line).unwrap_or_else(|_| json!({"message": line}));
                log.lock().expect("the lock").push(line);
            }
        });
    }

    fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// The program's memory, in KiB.
    pub(super) fn memory(&self) -> usize {
        self.status("VmRSS:")
    }

    /// The program's peak memory, in KiB.
    pub(super) fn peak_memory(&self) -> usize {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let line = line.expect("a line").trim_end_matches("kB").trim();
        line.parse().expect("a number")
    }

    /// The lines of its log whose message contains `message`.
    pub(super) fn lines(&self, message: &str) -> Vec<Value> {
        let log = self.log.lock().expect("the lock");
        let fits = |line: &&Value| {
            line["message"]
                .as_str()
                .is_some_and(|text| text.contains(message))
        };
        log.iter().filter(fits).cloned().collect()
    }

    /// Its log so far, as one text.
    pub(super) fn log(&self) -> String {
        let log = self.log.lock().expect("the lock");
        let lines: Vec<String> = log.iter().map(Value::to_string).collect();
        lines.join("\n")
    }

    /// Sends SIGHUP and waits for the program's log line about the result.
    pub(super) async fn reload(&self) {
        const OUTCOMES: [&str; 2] = [
            "read locations and rules again",
            "locations and rules stay as they were",
        ];
        let told = || -> usize { OUTCOMES.iter().map(|one| self.lines(one).len()).sum() };
        let before = told();
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-HUP", &pid]).status().await;
        assert!(sent.expect("kill").success());
        for _ in 0..500 {
            if told() > before {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("the program does not say what came of SIGHUP");
    }

    pub(super) async fn stop(mut self) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-INT", &pid]).status().await;
        assert!(sent.expect("kill").success());
        let ended = timeout(Duration::from_secs(10), self.child.wait()).await;
        assert!(ended.is_ok(), "it does not stop");
    }

    pub(super) fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.http
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
    }

    /// Sends a JSON-RPC request.
    pub(super) async fn rpc(
        &self,
        headers: &Headers<'_>,
        path: &str,
        method: &str,
        params: Value,
    ) -> ToolReply {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut post = self.post(path).json(&request);
        for (name, value) in headers {
            post = post.header(*name, *value);
        }
        ToolReply::read(post).await
    }

    /// Calls a tool.
    pub(super) async fn call(
        &self,
        headers: &Headers<'_>,
        path: &str,
        tool: &str,
        arguments: Value,
    ) -> ToolReply {
        let params = json!({"name": tool, "arguments": arguments});
        self.rpc(headers, path, "tools/call", params).await
    }

    /// Calls a tool, and confirms the call if asked to.
    pub(super) async fn confirmed(
        &self,
        headers: &Headers<'_>,
        path: &str,
        tool: &str,
        arguments: Value,
    ) -> ToolReply {
        let first = self.call(headers, path, tool, arguments.clone()).await;
        let Some(token) = first.value["confirm"].as_str() else {
            return first;
        };
        let mut again = arguments;
        again["confirm"] = json!(token);
        self.call(headers, path, tool, again).await
    }

    /// The response time of /livez, or a minute if it does not answer.
    pub(super) async fn livez(&self) -> Duration {
        let start = Instant::now();
        let get = self.http.get(format!("{}/livez", self.url)).send();
        match timeout(Duration::from_mins(1), get).await {
            Ok(Ok(reply)) if reply.status() == 200 => start.elapsed(),
            _ => Duration::from_mins(1),
        }
    }
}

impl ToolReply {
    pub(super) async fn read(request: reqwest::RequestBuilder) -> Self {
        let reply = request.send().await.expect("a reply");
        let status = reply.status().as_u16();
        let body = reply.text().await.expect("text");
        let parsed: Value = serde_json::from_str(&body).unwrap_or_default();
        let result = &parsed["result"];
        let text = result["content"][0]["text"].as_str();
        let text = text.map_or(body, str::to_owned);
        Self {
            status,
            value: serde_json::from_str(&text).unwrap_or_default(),
            ok: status == 200 && result.is_object() && result["isError"] != true,
            text,
        }
    }

    /// The class of a failure.
    pub(super) fn class(&self) -> &str {
        let class = self.value.get("class").or(self.value.get("status"));
        class.and_then(Value::as_str).unwrap_or_default()
    }
}
