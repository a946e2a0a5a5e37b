//! Several programs in one folder. Each adds its counts when it ends, and a command shows them.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::recording::{Recording, json as answer};
use test_support::server::client;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::stdio::program;

const LONGEST: Duration = Duration::from_secs(20);

const ACCOUNT: [(&str, &str); 3] = [
    ("HIGHLEVEL_TOKEN", "pit-usage"),
    ("HIGHLEVEL_LOCATION_ID", "L0"),
    ("HIGHLEVEL_MCP_METRICS_LISTEN", ""),
];

/// A folder that programs share, and their HighLevel.
struct SharedFolder {
    folder: TempDir,
    highlevel: Recording,
}

impl SharedFolder {
    fn command(&self, arguments: &[&str]) -> Command {
        let folder = self.folder.path().to_str().expect("UTF-8");
        let own = [
            ("HIGHLEVEL_MCP_STATE_FOLDER", folder),
            ("HIGHLEVEL_MCP_UPSTREAM_BASE_URL", &self.highlevel.url),
        ];
        program(arguments, &[&own[..], &ACCOUNT].concat())
    }

    /// The output of a command. Panics on another exit code.
    async fn run(&self, arguments: &[&str], code: i32) -> String {
        let done = self.command(arguments).output().await.expect("run");
        let errors = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(code), "{arguments:?}: {errors}");
        match code {
            0 => String::from_utf8(done.stdout).expect("UTF-8"),
            _ => errors,
        }
    }

    /// A call over stdin and stdout of a program that then ends.
    async fn call_by_stdio(&self) {
        let mut command = self.command(&["stdio"]);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = piped.stderr(Stdio::null()).spawn().expect("started");
        let mut stdin = child.stdin.take().expect("stdin");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let read = json!({"name": "contacts_get-contacts", "arguments": {}});
        for (method, params) in [("initialize", hello), ("tools/call", read)] {
            let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
            let frame = format!("{request}\n");
            stdin.write_all(frame.as_bytes()).await.expect("written");
            let line = timeout(LONGEST, lines.next_line()).await.expect("in time");
            assert!(line.expect("a line").expect("a frame").contains("result"));
        }
        drop(stdin);
        let status = timeout(LONGEST, child.wait()).await.expect("in time");
        assert!(status.expect("a status").success());
    }

    /// Calls to a server that a signal ends.
    async fn call_by_server(&self, arguments: &[Value]) {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("HIGHLEVEL_MCP_LOG_FORMAT", "json");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("started");
        let mut log = BufReader::new(child.stderr.take().expect("stderr")).lines();
        let url = loop {
            let line = timeout(LONGEST, log.next_line()).await.expect("in time");
            let line = line.expect("a line").expect("it serves");
            if line.contains("serving ")
                && let Some(start) = line.find("http://127.0.0.1:")
            {
                let end = line[start..].find("/mcp").expect("an endpoint");
                break format!("{}/mcp", &line[start..start + end]);
            }
        };
        for arguments in arguments {
            let params = json!({"name": "contacts_get-contact", "arguments": arguments});
            let request = client()
                .post(&url)
                .header("accept", "application/json, text/event-stream")
                .json(
                    &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}),
                );
            let reply = request.send().await.expect("a reply");
            assert!(reply.text().await.expect("text").contains("content"));
        }
        let pid = child.id().expect("a process").try_into().expect("a pid");
        let pid = Pid::from_raw(pid).expect("a pid");
        kill_process(pid, Signal::TERM).expect("sent");
        let status = timeout(LONGEST, child.wait()).await.expect("in time");
        assert!(status.expect("a status").success());
    }
}

#[tokio::test]
async fn programs_on_one_folder_add_up_when_they_end() {
    let highlevel = Recording::start(|request| match request.path() {
        "/contacts/nobody" => answer(404, r#"{"message":"not found"}"#),
        _ => answer(200, r#"{"contacts":[],"contact":{"id":"c1"}}"#),
    });
    let shared = SharedFolder {
        folder: tempfile::tempdir().expect("a folder"),
        highlevel: highlevel.await,
    };
    let before = jiff::Timestamp::now();
    let nothing = shared.command(&["usage"]).output().await.expect("run");
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("there is no store"));
    let calls = [json!({"contactId": "c1"}), json!({"contactId": "nobody"})];
    tokio::join!(shared.call_by_stdio(), shared.call_by_server(&calls));
    shared.run(&["call", "contacts_get-contacts"], 0).await;
    let day = before.strftime("%Y-%m-%d").to_string();
    if jiff::Timestamp::now().strftime("%Y-%m-%d").to_string() != day {
        // Midnight passed meanwhile, and another day began.
        return;
    }
    let requests = shared.highlevel.take().len();
    let line = shared.run(&["usage", "--json"], 0).await;
    let line: Value = serde_json::from_str(&line).expect("one row");
    let who = line["who"].as_str().expect("a caller").to_owned();
    let id = who.strip_prefix("credential:").expect("a token");
    assert_eq!((id.len(), &line["location"]), (16, &json!("L0")), "{line}");
    let counts = [&line["calls"], &line["failed"], &line["requests"]];
    assert_eq!(counts, [&json!(4), &json!(1), &json!(requests)]);
    let header = "day,kind,who,name,ref,alias,location,effect,calls,failed,requests\r\n";
    let month = &day[..7];
    for (arguments, expected) in [
        (
            &["--csv"][..],
            format!("{header}{day},credential,{who},,,,L0,read,4,1,{requests}\r\n"),
        ),
        (
            &["--csv", "--by", "month", "--from", "2026-01-01"],
            format!(
                "{}{month},,,,,,,,4,1,{requests}\r\n",
                header.replace("day,", "month,")
            ),
        ),
        (&["--csv", "--month", "2020-02"], header.to_owned()),
        (
            &["--by", "effect,day", "--location", "L0"],
            format!("{day}\t\t\t\tread\t4\t1\t{requests}\n"),
        ),
        (&["--month", "2020-02"], String::new()),
    ] {
        let arguments = [&["usage"], arguments].concat();
        assert_eq!(shared.run(&arguments, 0).await, expected, "{arguments:?}");
    }
    for (arguments, part) in [
        (&["--month", "2026-13"][..], "give a month such as 2026-11"),
        (&["--location", "L9"], "there is no location L9"),
        (&["--from", "2026-11-02", "--to", "2026-11-01"], "is after"),
        (&["--by", "princpal"], "principal"),
    ] {
        let arguments = [&["usage"], arguments].concat();
        let errors = shared.run(&arguments, 2).await;
        assert!(errors.contains(part), "{arguments:?}: {errors}");
    }
    let info = shared.run(&["state", "info"], 0).await;
    assert!(info.contains("counts of usage\t1\n"), "{info}");
}
