//! `serve` that starts while its database is away: it waits, says for what, and ends with the reason.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use test_services::{ServiceChange, ServiceKind, TestService};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr};
use tokio::time::timeout;

use crate::stdio::program;

const LONGEST: Duration = Duration::from_secs(60);

/// What the log says where it waits.
const WAITS: &str = "waits for its database";

/// A server that starts, and what it says.
struct Starting {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    said: String,
    _state: tempfile::TempDir,
}

impl Starting {
    fn start(url: &str, wait_ms: &str) -> Self {
        let state = tempfile::tempdir().expect("a folder");
        let folder = state.path().to_str().expect("UTF-8");
        let variables = [
            ("HIGHLEVEL_MCP_STATE_FOLDER", folder),
            ("HIGHLEVEL_MCP_STATE_URL", url),
            ("HIGHLEVEL_MCP_STATE_KEYS", r#"[{"env": "STORE_KEY"}]"#),
            ("STORE_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
            ("HIGHLEVEL_MCP_STATE_START_WAIT_MS", wait_ms),
            ("HIGHLEVEL_MCP_METRICS_LISTEN", ""),
        ];
        let mut command = program(&["serve", "--listen", "127.0.0.1:0"], &variables);
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("started");
        let log = BufReader::new(child.stderr.take().expect("stderr")).lines();
        Self {
            child,
            log,
            said: String::new(),
            _state: state,
        }
    }

    /// Until it says this.
    async fn until(&mut self, part: &str) {
        while !self.said.contains(part) {
            let line = timeout(LONGEST, self.log.next_line()).await;
            let line = line.unwrap_or_else(|_| panic!("no {part:?} in {}", self.said));
            let line = line.expect("read");
            let line = line.unwrap_or_else(|| panic!("it ended without {part:?}: {}", self.said));
            self.said.push_str(&line);
            self.said.push('\n');
        }
    }

    /// How it ended, and all that it said.
    async fn end(mut self) -> (ExitStatus, String) {
        let end = async {
            while let Some(line) = self.log.next_line().await.expect("read") {
                self.said.push_str(&line);
                self.said.push('\n');
            }
            self.child.wait().await.expect("a status")
        };
        let status = timeout(LONGEST, end).await.expect("it ends");
        (status, self.said)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_waits_until_its_database_is_there() {
    let Some(mut server) = TestService::start(ServiceKind::Postgres) else {
        return;
    };
    server.change(ServiceChange::Stop);
    let mut starting = Starting::start(server.url(), "60000");
    starting.until(WAITS).await;
    assert!(
        starting.said.contains("cannot be reached") && starting.said.contains("refused"),
        "the reason: {}",
        starting.said
    );
    server.change(ServiceChange::Start);
    starting.until("can be reached now").await;
    starting.until("serving").await;
}

/// A row: what is wrong, the URL, how long it waits, whether it does, and what its last sentence names.
type EndRow<'a> = (&'a str, String, &'a str, bool, [&'a str; 3]);

async fn check_end((name, url, wait, waits, parts): EndRow<'_>, password: &str) {
    let (status, said) = Starting::start(&url, wait).end().await;
    assert!(!status.success(), "{name}: {said}");
    assert_eq!(said.contains(WAITS), waits, "{name}: {said}");
    let last = said.lines().last().unwrap_or_default();
    for part in parts {
        assert!(last.contains(part), "{name}: {part} is not in {last}");
    }
    assert!(!said.contains("is closed"), "{name}: {said}");
    assert!(!said.contains(password), "{name}: it says the password");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_ends_with_the_reason() {
    let Some(mut server) = TestService::start(ServiceKind::Postgres) else {
        return;
    };
    let url = server.url().to_owned();
    let (_, rest) = url.split_once("://").expect("a URL");
    let (user, address) = rest.split_once('@').expect("a user");
    let (_, password) = user.split_once(':').expect("a password");
    let (address, database) = address.split_once('/').expect("a database");
    let elsewhere = format!("{address}/not-{database}");
    let with = |part: &str, other: &str| {
        assert!(url.contains(part), "{part} is in the URL");
        url.replacen(part, other, 1)
    };
    let rows: [EndRow<'_>; 4] = [
        (
            "nobody listens",
            with(address, "127.0.0.1:1"),
            "700",
            true,
            [
                "cannot be reached",
                "check that its server runs",
                "state.start_wait_ms",
            ],
        ),
        (
            "no patience",
            with(address, "127.0.0.1:1"),
            "0",
            false,
            [
                "cannot be reached",
                "check that its server runs",
                "state.url",
            ],
        ),
        (
            "a wrong password",
            with(password, "wrong"),
            "60000",
            false,
            [
                "password authentication failed",
                "the user and the password",
                "state.url",
            ],
        ),
        (
            "no such database",
            with(&format!("{address}/{database}"), &elsewhere),
            "60000",
            false,
            ["does not exist", "CREATE DATABASE", "state.url"],
        ),
    ];
    for row in rows {
        check_end(row, password).await;
    }
    server.change(ServiceChange::Pause);
    let silent: EndRow<'_> = (
        "it is silent",
        url.clone(),
        "2500",
        true,
        [
            "did not answer in time",
            "check that its server runs",
            "state.start_wait_ms",
        ],
    );
    check_end(silent, password).await;
    server.change(ServiceChange::Resume);
}
