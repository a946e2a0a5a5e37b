//! What health checks see of a server: that it is ready, that it stops and goes on taking requests, and that it is gone.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
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
    // The folder cannot be: nothing is opened.
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
    // Whoever reads no more would end a server that says something.
    tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    let pid = child.id().expect("a process").try_into().expect("a pid");
    (child, Pid::from_raw(pid).expect("a pid"), address)
}

#[tokio::test]
async fn a_server_behind_a_load_balancer_goes_on_until_that_knows() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().to_str().expect("UTF-8");
    let (mut child, pid, address) = start(state, &["--tls", "proxy"]).await;
    assert_eq!(health(&address, &[]).await, (Some(0), "ok\n".to_owned()));
    kill_process(pid, Signal::TERM).expect("sent");
    // Nobody is connected meanwhile, as where a balancer opens a connection for each request.
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
async fn a_server_of_one_machine_waits_for_no_load_balancer() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().to_str().expect("UTF-8");
    let (mut child, pid, address) = start(state, &[]).await;
    assert_eq!(health(&address, &[]).await, (Some(0), "ok\n".to_owned()));
    kill_process(pid, Signal::TERM).expect("sent");
    let status = timeout(LONGEST, child.wait()).await.expect("in time");
    assert!(status.expect("a status").success());
}
