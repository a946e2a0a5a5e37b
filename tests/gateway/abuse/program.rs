//! The program as a process of its own, with a folder of settings, rules and state, and clients that speak plain
//! JSON-RPC to it.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::{sleep, timeout};

use crate::server::client;

/// Headers that show who calls.
pub type Headers<'a> = [(&'a str, &'a str)];

/// How the program is set up.
pub struct Setup {
    folder: Arc<tempfile::TempDir>,
    variables: Vec<(String, String)>,
    arguments: Vec<String>,
    /// What runs the program in place of the test itself.
    wrapper: Vec<String>,
}

/// The program serving, until dropped.
pub struct Program {
    pub url: String,
    /// Address of /metrics.
    pub metrics: String,
    pub http: reqwest::Client,
    child: Child,
    log: Arc<Mutex<Vec<Value>>>,
    /// Lives as long as who uses it.
    _folder: Arc<tempfile::TempDir>,
}

/// What a client got.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    /// The text of a tool's result, or else the whole body.
    pub text: String,
    /// The same as JSON; null where it is none.
    pub value: Value,
    /// A tool that succeeded.
    pub ok: bool,
}

impl Setup {
    pub fn new() -> Self {
        let setup = Self {
            folder: Arc::new(tempfile::tempdir().expect("a folder")),
            variables: Vec::new(),
            arguments: Vec::new(),
            wrapper: Vec::new(),
        };
        setup.write("settings.toml", "");
        let (state, settings) = (setup.text_path("state"), setup.text_path("settings.toml"));
        setup
            .set("HIGHLEVEL_MCP_STATE_FOLDER", &state)
            .set("HIGHLEVEL_MCP_CONFIG", &settings)
            .set("HIGHLEVEL_MCP_METRICS_LISTEN", "127.0.0.1:0")
            .set("HIGHLEVEL_MCP_LIMITS_CALLS_PER_INTERVAL", "10000000")
            .set("HIGHLEVEL_MCP_LIMITS_CALLS_PER_DAY", "100000000")
    }

    /// With a variable of the environment; a later one of the same name counts.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a file of rules.
    pub fn rules(self, rules: &str) -> Self {
        self.write("rules.toml", rules);
        let path = self.text_path("rules.toml");
        self.set("HIGHLEVEL_MCP_POLICY_FILE", &path)
    }

    /// With further arguments of `serve`.
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(ToString::to_string));
        self
    }

    /// Run by another program, such as `taskset -c 0`.
    pub fn wrapped(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(ToString::to_string).collect();
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn text_path(&self, name: &str) -> String {
        self.path(name).to_str().expect("UTF-8").to_owned()
    }

    /// Writes a file into the folder, for its owner alone.
    pub fn write(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(name);
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("closed");
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let program = [env!("CARGO_BIN_EXE_highlevel-mcp").to_owned()];
        let mut words = self.wrapper.iter().chain(&program);
        let mut command = Command::new(words.next().expect("a program"));
        command
            .args(words)
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .kill_on_drop(true);
        command
    }

    /// Runs a command to its end: its exit code, and what it printed.
    pub async fn run(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = self.command(arguments);
        let run = command.stdin(Stdio::null()).output();
        let done = timeout(Duration::from_secs(20), run).await;
        let done = done.expect("in time").expect("run");
        let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        (done.status.code().unwrap_or(-1), text.into_owned())
    }

    /// A new access key, as the value of an Authorization header.
    pub async fn key(&self, name: &str, further: &[&str]) -> String {
        let create = ["keys", "create", "--name", name];
        let (code, text) = self.run(&[&create, further].concat()).await;
        assert_eq!(code, 0, "{further:?}: {text}");
        let start = text.find("Bearer hlk_").expect("a key");
        let key = text[start..].lines().next().expect("a line");
        key.trim().to_owned()
    }

    pub async fn serve(&self, highlevel: &str) -> Program {
        let started = self.try_serve(highlevel).await;
        started.unwrap_or_else(|log| panic!("the program does not start: {log}"))
    }

    /// Or what it says where it does not start.
    pub async fn try_serve(&self, highlevel: &str) -> Result<Program, String> {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--base-url", highlevel];
        let further: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let mut command = self.command(&[&arguments, further.as_slice()].concat());
        command.stderr(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().expect("started");
        let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
        let (mut url, mut metrics, mut said) = (None, None, String::new());
        while url.is_none() || metrics.is_none() {
            let line = timeout(Duration::from_secs(20), lines.next_line()).await;
            let Ok(Ok(Some(line))) = line else {
                return Err(said);
            };
            url = url.or_else(|| address(&line, "serving "));
            metrics = metrics.or_else(|| address(&line, "metrics at "));
            said += &line;
            said.push('\n');
        }
        let log = said
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let log = Arc::new(Mutex::new(log.collect()));
        tokio::spawn(collect(lines.into_inner(), Arc::clone(&log)));
        let url = url.expect("an address");
        Ok(Program {
            url: url.trim_end_matches("/mcp").to_owned(),
            metrics: metrics.expect("an address"),
            http: client(),
            child,
            log,
            _folder: Arc::clone(&self.folder),
        })
    }

    /// The same without anybody who reads its log after the first lines.
    pub async fn serve_unread(&self, highlevel: &str) -> (Program, BufReader<ChildStderr>) {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--base-url", highlevel];
        let mut command = self.command(&arguments);
        command.stderr(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().expect("started");
        let mut stderr = BufReader::new(child.stderr.take().expect("stderr"));
        let (mut url, mut metrics) = (None, None);
        while url.is_none() || metrics.is_none() {
            let mut line = String::new();
            stderr.read_line(&mut line).await.expect("a line");
            assert!(!line.is_empty(), "the program does not start");
            url = url.or_else(|| address(&line, "serving "));
            metrics = metrics.or_else(|| address(&line, "metrics at "));
        }
        let url = url.expect("an address");
        let program = Program {
            url: url.trim_end_matches("/mcp").to_owned(),
            metrics: metrics.expect("an address"),
            http: client(),
            child,
            log: Arc::default(),
            _folder: Arc::clone(&self.folder),
        };
        (program, stderr)
    }
}

/// The address that a line of the log names.
fn address(line: &str, part: &str) -> Option<String> {
    let line = line.contains(part).then_some(line)?;
    let address = line[line.find("http://")?..].split([' ', '"']).next()?;
    Some(address.to_owned())
}

async fn collect(stderr: BufReader<ChildStderr>, log: Arc<Mutex<Vec<Value>>>) {
    let mut lines = stderr.lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let line = serde_json::from_str(&line).unwrap_or_else(|_| json!({"message": line}));
        log.lock().expect("the lock").push(line);
    }
}

impl Program {
    fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Memory that it holds, in KiB.
    pub fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let line = line.expect("VmRSS").trim_end_matches("kB").trim();
        line.parse().expect("a number")
    }

    /// The lines of its log that hold this in their message.
    pub fn lines(&self, message: &str) -> Vec<Value> {
        let log = self.log.lock().expect("the lock");
        let fits = |line: &&Value| {
            line["message"]
                .as_str()
                .is_some_and(|text| text.contains(message))
        };
        log.iter().filter(fits).cloned().collect()
    }

    /// Its log so far, as one text.
    pub fn log(&self) -> String {
        let log = self.log.lock().expect("the lock");
        let lines: Vec<String> = log.iter().map(Value::to_string).collect();
        lines.join("\n")
    }

    /// Sends SIGHUP and waits until the files were read again, or found wanting.
    pub async fn reload(&self) {
        let lines = || {
            self.lines("read locations and rules again").len()
                + self.lines("stay as they were").len()
        };
        let before = lines();
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-HUP", &pid]).status().await;
        assert!(sent.expect("kill").success());
        for _ in 0..200 {
            if lines() > before {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("not read again: {}", self.log());
    }

    pub async fn stop(mut self) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-INT", &pid]).status().await;
        assert!(sent.expect("kill").success());
        let ended = timeout(Duration::from_secs(10), self.child.wait()).await;
        assert!(ended.is_ok(), "it does not stop");
    }

    pub fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.http
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
    }

    /// A JSON-RPC request.
    pub async fn rpc(
        &self,
        headers: &Headers<'_>,
        path: &str,
        method: &str,
        params: Value,
    ) -> Reply {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut post = self.post(path).json(&request);
        for (name, value) in headers {
            post = post.header(*name, *value);
        }
        Reply::read(post).await
    }

    /// A call of a tool.
    pub async fn call(
        &self,
        headers: &Headers<'_>,
        path: &str,
        tool: &str,
        arguments: Value,
    ) -> Reply {
        let params = json!({"name": tool, "arguments": arguments});
        self.rpc(headers, path, "tools/call", params).await
    }

    /// The same, confirmed where that is asked for.
    pub async fn confirmed(
        &self,
        headers: &Headers<'_>,
        path: &str,
        tool: &str,
        arguments: Value,
    ) -> Reply {
        let first = self.call(headers, path, tool, arguments.clone()).await;
        let Some(token) = first.value["confirm"].as_str() else {
            return first;
        };
        let mut again = arguments;
        again["confirm"] = json!(token);
        self.call(headers, path, tool, again).await
    }

    /// How long /livez takes; a minute where it does not answer.
    pub async fn livez(&self) -> Duration {
        let start = Instant::now();
        let get = self.http.get(format!("{}/livez", self.url)).send();
        match timeout(Duration::from_mins(1), get).await {
            Ok(Ok(reply)) if reply.status() == 200 => start.elapsed(),
            _ => Duration::from_mins(1),
        }
    }
}

impl Reply {
    pub async fn read(request: reqwest::RequestBuilder) -> Self {
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

    /// Of a failure.
    pub fn class(&self) -> &str {
        self.value["class"].as_str().unwrap_or_default()
    }
}
