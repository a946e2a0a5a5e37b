//! What a running server reads again on the signal SIGHUP.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr};
use tokio::time::timeout;

use crate::serve::{LONGEST, logged};
use crate::stdio::program;

/// The program without a terminal, once it serves.
async fn serving(
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> (Child, Lines<BufReader<ChildStderr>>, Pid) {
    let mut command = program(arguments, variables);
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("started");
    let mut log = BufReader::new(child.stderr.take().expect("stderr")).lines();
    logged(&mut log, "serving").await;
    let pid = child.id().expect("a process").try_into().expect("a pid");
    (child, log, Pid::from_raw(pid).expect("a pid"))
}

async fn end(mut child: Child, pid: Pid) {
    kill_process(pid, Signal::TERM).expect("sent");
    let status = timeout(LONGEST, child.wait()).await.expect("in time");
    assert!(status.expect("a status").success());
}

#[tokio::test]
async fn a_hangup_without_a_terminal_reads_the_settings_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = ["serve", "--listen", "127.0.0.1:0"];
    let state = folder.path().to_str().expect("UTF-8");
    let variables = [
        ("HIGHLEVEL_MCP_STATE_FOLDER", state),
        ("HIGHLEVEL_MCP_METRICS_LISTEN", ""),
    ];
    let (child, mut log, pid) = serving(&arguments, &variables).await;
    for _ in 0..2 {
        kill_process(pid, Signal::HUP).expect("sent");
        logged(&mut log, "read locations and rules again").await;
    }
    end(child, pid).await;
}

/// An emptied file of settings must not open what the rules close.
#[tokio::test]
async fn settings_without_their_rules_change_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (settings, rules) = (path("settings.toml"), path("rules.toml"));
    std::fs::write(&rules, "[server]\ndeny = [\"effect:write\"]\n").expect("written");
    let whole = format!("[policy]\nfile = {rules:?}\n");
    std::fs::write(&settings, &whole).expect("written");
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--config", &settings];
    let state = path("state");
    let variables = [
        ("HIGHLEVEL_MCP_STATE_FOLDER", state.as_str()),
        ("HIGHLEVEL_MCP_METRICS_LISTEN", ""),
    ];
    let (child, mut log, pid) = serving(&arguments, &variables).await;
    for (text, expected) in [
        ("", "policy.file is no longer set"),
        ("# later\n", "policy.file is no longer set"),
        (whole.as_str(), "read locations and rules again"),
    ] {
        std::fs::write(&settings, text).expect("written");
        kill_process(pid, Signal::HUP).expect("sent");
        logged(&mut log, expected).await;
    }
    end(child, pid).await;
}
