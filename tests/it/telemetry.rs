//! A running server's reports: a log line for each call, metrics on their own port, spans to a collector.

use std::process::Stdio;
use std::time::Duration;

use axum::response::IntoResponse;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

use crate::stdio::STATE;
use test_support::recording::{Recording, json as answer};
use test_support::server::client;

/// Secret and private texts. Neither may appear in the server's reports.
const TOKEN: &str = "pit-canary-7d1f";
const NAME: &str = "Ada-canary-91c2";

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const OTHER_TRACE: &str = "1bf7651916cd43dd8448eb211c80319c";

struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
    seen: Vec<Value>,
}

impl Process {
    fn start(upstream: &str, collector: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_highlevel-mcp"))
            .args(["serve", "--listen", "127.0.0.1:0", "--base-url", upstream])
            .env("HIGHLEVEL_MCP_METRICS_LISTEN", "127.0.0.1:0")
            .env("HIGHLEVEL_MCP_STATE_FOLDER", STATE)
            .env("HIGHLEVEL_MCP_LOG_LEVEL", "trace")
            .env(
                "HIGHLEVEL_MCP_TRACES_ENDPOINT",
                format!("{collector}/v1/traces"),
            )
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("started");
        let lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
        Self {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// The next line of the log whose message contains `part`. It is JSON because stderr is not a terminal.
    async fn line(&mut self, part: &str) -> Value {
        loop {
            let line = timeout(Duration::from_secs(10), self.lines.next_line()).await;
            let line = line.expect("in time").expect("a line").expect("a line");
            let line: Value =
                serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
            self.seen.push(line.clone());
            if line["message"]
                .as_str()
                .is_some_and(|message| message.contains(part))
            {
                return line;
            }
        }
    }

    async fn url(&mut self, part: &str) -> String {
        let line = self.line(part).await;
        let message = line["message"].as_str().expect("a message");
        let start = message.find("http://").expect("an address");
        message[start..]
            .split(' ')
            .next()
            .expect("an address")
            .to_owned()
    }
}

#[tokio::test]
async fn a_call_is_a_line_a_count_and_a_span() {
    let highlevel = Recording::start(|request| {
        if request.target.contains("gone") {
            return answer(
                400,
                json!({"message": "Contact not found for id:gone", "traceId": "t-1"}).to_string(),
            );
        }
        answer(200, json!({"contact": {"firstName": NAME}}).to_string())
    })
    .await;
    let collector = Recording::start(|_| "".into_response()).await;
    let mut server = Process::start(&highlevel.url, &collector.url);
    let mcp = server.url("serving").await;
    let metrics = server.url("metrics at").await;
    let http = client();
    let call = async |id: &str, meta: Value, header: &str| {
        let params =
            json!({"name": "contacts_get-contact", "arguments": {"contactId": id}, "_meta": meta});
        let request = http
            .post(&mcp)
            .header("accept", "application/json, text/event-stream")
            .header("authorization", format!("Bearer {TOKEN}"))
            .header("locationid", "L0")
            .header("traceparent", format!("00-{header}-b7ad6b7169203331-01"))
            .json(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}));
        request
            .send()
            .await
            .expect("a reply")
            .text()
            .await
            .expect("text")
    };
    let given = json!({"traceparent": format!("00-{TRACE}-b7ad6b7169203331-01")});
    call("c1", given, OTHER_TRACE).await;
    let line = server.line("call").await;
    for (field, expected) in [
        ("level", json!("INFO")),
        ("tool", json!("contacts_get-contact")),
        ("effect", json!("read")),
        ("location", json!("L0")),
        ("outcome", json!("ok")),
        ("status", json!(200)),
        ("retries", json!(0)),
    ] {
        assert_eq!(line[field], expected, "{field}: {line}");
    }
    assert!(
        line["duration_ms"]
            .as_f64()
            .is_some_and(|millis| millis > 0.0),
        "{line}"
    );
    call("gone", json!({}), OTHER_TRACE).await;
    let line = server.line("call").await;
    let told = (&line["outcome"], &line["status"], &line["trace_id"]);
    assert_eq!(told, (&json!("not_found"), &json!(400), &json!("t-1")));
    call("c2", json!({"traceparent": "no trace"}), "garbage").await;
    let text = http
        .get(&metrics)
        .send()
        .await
        .expect("metrics")
        .text()
        .await
        .expect("text");
    for line in [
        "highlevel_mcp_calls_total{tool=\"contacts_get-contact\",outcome=\"ok\"} 2",
        "highlevel_mcp_calls_total{tool=\"contacts_get-contact\",outcome=\"not_found\"} 1",
        "highlevel_mcp_call_duration_seconds_count{effect=\"read\"} 3",
        "highlevel_mcp_calls_under_way 0",
        "highlevel_mcp_http_answers_total{status=\"200\"} 3",
        "highlevel_mcp_connections 1",
        "# EOF",
    ] {
        assert!(
            text.lines().any(|other| other == line),
            "{line} is not in\n{text}"
        );
    }
    assert!(!text.contains("L0"), "metrics name no tenant");
    let stopped = Command::new("kill")
        .arg(server.child.id().expect("running").to_string())
        .status();
    assert!(stopped.await.expect("kill").success());
    let ended = timeout(Duration::from_secs(20), server.child.wait()).await;
    assert!(ended.expect("in time").expect("ended").success());
    let spans: Vec<u8> = collector
        .take()
        .iter()
        .flat_map(|request| request.body.to_vec())
        .collect();
    let holds = |bytes: &[u8]| spans.windows(bytes.len()).any(|part| part == bytes);
    let id = |hex: &str| {
        (0..16)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex"))
            .collect::<Vec<u8>>()
    };
    assert!(
        holds(b"tools/call contacts_get-contact"),
        "no span was sent"
    );
    assert!(holds(&id(TRACE)), "_meta names the trace");
    assert!(holds(&id(OTHER_TRACE)), "else the header does");
    assert!(holds(b"not_found") && holds(b"L0"));
    while let Ok(Some(line)) = server.lines.next_line().await {
        server.seen.push(serde_json::from_str(&line).expect("JSON"));
    }
    let log = Value::from(server.seen).to_string();
    for secret in [TOKEN, NAME, "c1"] {
        assert!(
            !log.contains(secret) && !text.contains(secret) && !holds(secret.as_bytes()),
            "{secret}: {log}"
        );
    }
}
