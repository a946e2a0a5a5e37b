//! What health checks and load balancers see of a server: that it is ready, that it stops and still takes requests,
//! that it is gone, and which connections may be used again.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::stdio::program;

const LONGEST: Duration = Duration::from_secs(20);

/// Longer than the test takes.
const DRAIN: (&str, &str) = ("HIGHLEVEL_MCP_SERVER_DRAIN_MS", "60000");

/// Exit code and output of the health check.
async fn health(address: &str, further: &[&str]) -> (Option<i32>, String) {
    let arguments: Vec<&str> = ["status", "--ready"]
        .iter()
        .chain(further)
        .copied()
        .collect();
    // The folder cannot exist, so nothing is opened.
    let variables = [
        ("HIGHLEVEL_MCP_SERVER_LISTEN", address),
        ("HIGHLEVEL_MCP_STATE_FOLDER", "/dev/null/nothing"),
    ];
    let output = program(&arguments, &variables).output().await.expect("run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), text)
}

/// A server on a free port, its process and its address.
async fn start(state: &str, further: &[&str]) -> (tokio::process::Child, Pid, String) {
    let arguments: Vec<&str> = ["serve", "--listen", "127.0.0.1:0"]
        .iter()
        .chain(further)
        .copied()
        .collect();
    let variables = [
        ("HIGHLEVEL_MCP_STATE_FOLDER", state),
        ("HIGHLEVEL_MCP_METRICS_LISTEN", ""),
        DRAIN,
    ];
    let mut command: Command = program(&arguments, &variables);
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("started");
    let mut log = BufReader::new(child.stderr.take().expect("stderr")).lines();
    let address = loop {
        let line = timeout(LONGEST, log.next_line()).await.expect("in time");
        let line = line.expect("a line").expect("a line");
        if let Some((_, rest)) = line.split_once("tools at http://") {
            break rest.split('/').next().expect("an address").to_owned();
        }
    };
    // A closed pipe would end a server that writes to its log.
    tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    let pid = child.id().expect("a process").try_into().expect("a pid");
    (child, Pid::from_raw(pid).expect("a pid"), address)
}

#[tokio::test]
async fn a_stopping_server_continues_until_the_load_balancer_knows() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().to_str().expect("UTF-8");
    let (mut child, pid, address) = start(state, &["--tls", "proxy"]).await;
    assert_eq!(health(&address, &[]).await, (Some(0), "ok\n".to_owned()));
    kill_process(pid, Signal::TERM).expect("sent");
    // No connection exists meanwhile, as with a balancer that opens one for each request.
    sleep(Duration::from_millis(300)).await;
    assert_eq!(
        health(&address, &[]).await,
        (Some(1), "stopping\n".to_owned())
    );
    child.kill().await.expect("ended");
    let (code, text) = health(&address, &["--json"]).await;
    let answer: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((code, &answer["is_ready"]), (Some(1), &false.into()));
    let expected = format!("http://{address}/readyz Connection refused (os error 111)");
    assert_eq!(answer["ready"], expected.as_str());
}

#[tokio::test]
async fn a_server_that_cannot_read_its_store_is_not_ready() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().to_str().expect("UTF-8");
    let (mut child, _, address) = start(state, &[]).await;
    assert_eq!(health(&address, &[]).await, (Some(0), "ok\n".to_owned()));
    for entry in std::fs::read_dir(folder.path()).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|ending| ending == "db") {
            std::fs::remove_file(path).expect("removed");
        }
    }
    let unready = (Some(1), "without its store\n".to_owned());
    let since = std::time::Instant::now();
    while health(&address, &[]).await != unready {
        assert!(since.elapsed() < LONGEST, "it stays ready");
        sleep(Duration::from_millis(20)).await;
    }
    child.kill().await.expect("ended");
}

#[tokio::test]
async fn a_server_of_one_machine_waits_for_no_load_balancer() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().to_str().expect("UTF-8");
    let (mut child, pid, address) = start(state, &[]).await;
    assert_eq!(health(&address, &[]).await, (Some(0), "ok\n".to_owned()));
    kill_process(pid, Signal::TERM).expect("sent");
    let status = timeout(LONGEST, child.wait()).await.expect("in time");
    assert!(status.expect("a status").success());
}

/// Sends a request whose body comes after the answer, and another on the same connection. Returns the heads of both
/// answers. The second is empty if the connection has ended.
async fn ask_twice(address: &str, head: &str, body: &str) -> [String; 2] {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let next = "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut heads = Vec::new();
    for sent in [head.to_owned(), format!("{body}{next}")] {
        // A connection that has ended may refuse it.
        let _ = stream.write_all(sent.as_bytes()).await;
        let mut answer = vec![0; 4096];
        let read = timeout(LONGEST, stream.read(&mut answer)).await;
        answer.truncate(read.expect("in time").unwrap_or_default());
        let text = String::from_utf8_lossy(&answer);
        let head = text.split("\r\n\r\n").next().unwrap_or_default();
        heads.push(head.to_lowercase());
    }
    heads.try_into().expect("two")
}

#[tokio::test]
async fn a_connection_that_ends_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().to_str().expect("UTF-8");
    let (_child, _, address) = start(state, &["--tls", "proxy"]).await;
    let check = async |head: &str, body: &str, status: &str, ends: bool| {
        let [first, second] = ask_twice(&address, head, body).await;
        assert!(first.starts_with(status), "{head}: {first}");
        assert_eq!(first.contains("connection: close"), ends, "{head}: {first}");
        assert_eq!(
            second.starts_with("http/1.1 200"),
            !ends,
            "{head}: {second}"
        );
    };
    // Refused before its body arrives, as from a proxy that forwards a head at once.
    let post = "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n";
    check(post, "0123456789", "http/1.1 401", true).await;
    let empty = "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    check(empty, "", "http/1.1 401", false).await;
    let get = "GET /mcp HTTP/1.1\r\nhost: localhost\r\n\r\n";
    check(get, "", "http/1.1 401", false).await;
}
