//! Servers that a test starts beside ours, by the script `tests/services`.

use std::process::Stdio;

use highlevel_mcp::config::variable;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/services");

/// Set where a test may not be skipped.
const REQUIRED: &str = "HIGHLEVEL_MCP_REQUIRE_SERVICES";

/// The script's word for: there is no such program here.
const MISSING: i32 = 77;

/// Ends with the test.
pub struct Service {
    pub url: String,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _script: Child,
}

impl Service {
    /// A Valkey, or a Redis; `None` where there is none, which it says.
    pub async fn valkey() -> Option<Self> {
        Self::start("valkey").await
    }

    async fn start(what: &str) -> Option<Self> {
        let script = Command::new(SCRIPT)
            .arg(what)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut script = script.expect("the script");
        let orders = script.stdin.take().expect("its input");
        let answers = script.stdout.take().expect("its output");
        let mut answers = BufReader::new(answers).lines();
        let url = answers.next_line().await.expect("a line");
        let Some(url) = url else {
            let ended = script.wait_with_output().await.expect("its end");
            let why = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
            let is_missing = ended.status.code() == Some(MISSING);
            assert!(is_missing, "tests/services {what}: {why}");
            assert!(variable(REQUIRED).is_none(), "{REQUIRED} is set: {why}");
            eprintln!("SKIPPED: {why}");
            return None;
        };
        let pid = answers.next_line().await.expect("a line");
        assert!(pid.is_some_and(|line| line.starts_with("pid ")));
        Some(Self {
            url,
            orders,
            answers,
            _script: script,
        })
    }

    /// Has the script `stop`, `start`, `pause` or `resume` it, and waits until that is done.
    pub async fn order(&mut self, word: &str) {
        let line = format!("{word}\n");
        let sent = self.orders.write_all(line.as_bytes()).await;
        sent.expect("the script listens");
        let answer = self.answers.next_line().await.expect("a line");
        let answer = answer.unwrap_or_default();
        assert!(answer.starts_with("done "), "{word}: {answer}");
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        self.url.split_once("://").map_or("", |(_, rest)| rest)
    }
}
