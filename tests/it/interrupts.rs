//! Ctrl-C at a terminal ends every command there. `nohup` keeps a server that outlives its terminal.

use std::time::{Duration, Instant};

use ::sandbox::SandboxOptions;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::login::Elsewhere;
use crate::sandbox::Sandbox;
use crate::serve::OnTerminal;

/// The longest time to the end on a busy machine.
const SOON: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn whatever_waits_ends_by_ctrl_c_with_code_130() {
    let slow = Sandbox::start(SandboxOptions {
        latency: Duration::from_secs(20),
        ..SandboxOptions::default()
    })
    .await;
    let (elsewhere, _) = Elsewhere::default().start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().to_str().expect("UTF-8");
    // A store for `logs` and `audit` to show.
    let made = [
        "keys",
        "create",
        "--name",
        "n8n",
        "--all-locations",
        "--state",
        state,
    ];
    let made = crate::stdio::program(&made, &[]).output().await;
    assert!(made.expect("run").status.success());
    let account = [
        ("HIGHLEVEL_TOKEN", ::sandbox::TOKEN),
        ("HIGHLEVEL_LOCATION_ID", ::sandbox::LOCATION),
        ("HIGHLEVEL_MCP_UPSTREAM_BASE_URL", slow.url.as_str()),
        // A wait is shown only on a terminal that can move its cursor.
        ("TERM", "xterm-256color"),
    ];
    let login = ["login", "--url", &elsewhere.url, "--no-browser"];
    let delete = [
        "call",
        "--sandbox",
        "contacts_delete-contact",
        "contactId=s2fv6dBtVu9jFsvXGyhm",
    ];
    let rows: [(&[&str], &[(&str, &str)], &str); 9] = [
        (
            &["serve", "--listen", "127.0.0.1:0"],
            &[],
            "made-up records",
        ),
        (
            &["sandbox", "--listen", "127.0.0.1:0"],
            &[],
            "webhooks signed",
        ),
        (&["logs", "-f", "--state", state], &[], "key made"),
        (&["audit", "tail", "-f", "--state", state], &[], ""),
        (
            &["stdio", "--sandbox"],
            &[],
            "waits for an MCP client on stdin",
        ),
        (&login, &[], "authorize?"),
        (
            &["call", "locations_get-location"],
            &account,
            "waiting for HighLevel's answer",
        ),
        (&delete, &[], "Send it?"),
        (&["init"], &[("HOME", state)], "What do you want"),
    ];
    for (arguments, variables, part) in rows {
        let mut program = OnTerminal::start(arguments, variables);
        match part {
            // It prints nothing that shows its start.
            "" => std::thread::sleep(Duration::from_millis(700)),
            part => drop(program.until_part(part)),
        }
        let (took, code) = program.interrupt();
        eprintln!("{} {took:?}", arguments.join(" "));
        assert_eq!(code, 130, "{arguments:?}");
        assert!(took < SOON, "{arguments:?}: {took:?}");
    }
}

/// A first Ctrl-C lets running calls finish; a second does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_ctrl_c_cuts_off_calls_under_way() {
    let slow = Sandbox::start(SandboxOptions {
        latency: Duration::from_secs(20),
        ..SandboxOptions::default()
    })
    .await;
    let variables = [
        ("HIGHLEVEL_TOKEN", ::sandbox::TOKEN),
        ("HIGHLEVEL_LOCATION_ID", ::sandbox::LOCATION),
        ("HIGHLEVEL_MCP_UPSTREAM_BASE_URL", slow.url.as_str()),
    ];
    let mut server = OnTerminal::start(&["serve", "--listen", "127.0.0.1:0"], &variables);
    let url = server.url();
    let asked = tokio::spawn(async move {
        let http = test_support::server::client();
        crate::serve::call(&http, &url, "locations_get-location", serde_json::json!({})).await
    });
    let begun = Instant::now();
    while slow.requests().await.is_empty() && begun.elapsed() < SOON {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.press_ctrl_c();
    server.until("Press Ctrl-C again to cut off calls under way");
    let (took, code) = server.interrupt();
    assert_eq!(code, 130);
    assert!(took < SOON, "{took:?}");
    asked.abort();
}

#[test]
fn nohup_keeps_a_server_whose_terminal_is_closed() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let log = log.to_str().expect("UTF-8");
    let program = env!("CARGO_BIN_EXE_highlevel-mcp");
    let line = format!(
        "nohup {program} serve --listen 127.0.0.1:0 --state {} > {log} 2>&1 & echo pid=$!.; wait",
        folder.path().display()
    );
    let path = ("PATH", "/usr/bin:/bin");
    let mut shell = OnTerminal::run("/bin/sh", &["-c", &line], &[path]);
    let seen = shell.until("pid=");
    let pid = seen
        .split("pid=")
        .nth(1)
        .and_then(|rest| rest.split('.').next());
    let pid: i32 = pid.and_then(|pid| pid.parse().ok()).expect("a pid");
    let pid = Pid::from_raw(pid).expect("a pid");
    let logged = |part: &str| {
        let begun = Instant::now();
        loop {
            let text = std::fs::read_to_string(log).unwrap_or_default();
            if text.contains(part) {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "no {part:?} in {text}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    logged("serving");
    shell.close();
    kill_process(pid, Signal::HUP).expect("sent");
    logged("read locations and rules again");
    test_kill_process(pid).expect("it goes on");
    kill_process(pid, Signal::TERM).expect("sent");
    logged("stopping");
}
