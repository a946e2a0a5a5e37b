//! Every frame with a readable id is answered under it, over stdio and over HTTP.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::stdio::program;
use test_support::recording::{Recording, json as answer};
use test_support::server::TestServer;

const ACCOUNT: [(&str, &str); 2] = [
    ("HIGHLEVEL_TOKEN", "pit-stdio"),
    ("HIGHLEVEL_LOCATION_ID", "L0"),
];

const HELLO: &str = r#"{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;

/// Half of a surrogate pair, as JavaScript cuts it.
const HALF: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"contacts_get-contacts","arguments":{"query":"caf\ud83d"}}}"#;

/// The program's answers to exactly these bytes, followed by the end of stdin.
async fn answers(input: &[u8], variables: &[(&str, &str)]) -> Vec<Value> {
    let variables = [&ACCOUNT[..], variables].concat();
    let mut child = program(&["stdio"], &variables)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut stdin = child.stdin.take().expect("stdin");
    let mut stdout = child.stdout.take().expect("stdout");
    let input = input.to_vec();
    let written = tokio::spawn(async move {
        stdin.write_all(&input).await.expect("written");
        drop(stdin);
    });
    let mut out = String::new();
    let read = stdout.read_to_string(&mut out);
    let read = tokio::time::timeout(Duration::from_secs(20), read).await;
    read.expect("the program ends").expect("text");
    written.await.expect("written");
    let ended = child.wait_with_output().await.expect("an end");
    let log = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{log}");
    let frames = out.lines().map(serde_json::from_str);
    frames.collect::<Result<_, _>>().expect("frames alone")
}

/// The codes of the answers under each id. 0 is a result.
fn codes(answers: &[Value]) -> Vec<(Value, i64)> {
    let code = |one: &Value| match one.get("result") {
        Some(_) => 0,
        None => one["error"]["code"].as_i64().expect("a code"),
    };
    answers
        .iter()
        .map(|one| (one["id"].clone(), code(one)))
        .collect()
}

#[tokio::test]
async fn every_frame_with_an_id_is_answered() {
    let too_many = format!(
        r#"{{"jsonrpc":"2.0","id":14,"method":"tools/list","params":{{"x":[{}1]}}}}"#,
        "1,".repeat(20_000)
    );
    let too_large = format!(
        r#"{{"jsonrpc":"2.0","method":"tools/list","params":{{"x":"{}"}},"id":15}}"#,
        "x".repeat(5 << 20)
    );
    let nested = format!(
        r#"{{"jsonrpc":"2.0","id":16,"method":"ping","params":{}"#,
        "[".repeat(10_000)
    );
    let rows: &[(&[u8], Value, i64)] = &[
        (HALF.as_bytes(), json!(7), -32700),
        (b"{\"jsonrpc\":\"2.0\",\"id\":\"seven\",\"method\":\"ping\",\"params\":{\"q\":\"a\tb\"}}", json!("seven"), -32700),
        (b"{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"ping\",\"params\":{\"q\":\"\xff\xfe\"}}", json!(8), -32700),
        (br#"{"jsonrpc":"2.0","method":"ping","params":{"q":+1},"id":9}"#, json!(9), -32700),
        (br#"{"jsonrpc":"2.0","id":10,"method":"tools/ca"#, json!(10), -32700),
        (b"what is this", Value::Null, -32700),
        (br#"{"jsonrpc":"2.0","id":11}"#, json!(11), -32600),
        (br#"{"jsonrpc":"1.0","id":"b","method":"ping"}"#, json!("b"), -32600),
        (br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, Value::Null, -32600),
        (br#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, json!(1.5), -32600),
        (br#"[{"jsonrpc":"2.0","id":12,"method":"ping"}]"#, json!(12), -32600),
        (br#"[]"#, Value::Null, -32600),
        (br#""ping""#, Value::Null, -32600),
        (br#"{"jsonrpc":"2.0","id":13,"method":"tools/destroy"}"#, json!(13), -32601),
        (br#"{"jsonrpc":"2.0","id":"13","method":"tools/call","params":7}"#, json!("13"), -32600),
        (too_many.as_bytes(), json!(14), -32600),
        (too_large.as_bytes(), json!(15), -32600),
        (nested.as_bytes(), json!(16), -32700),
        (br#"{"jsonrpc":"2.0","id":"","method":"ping"}"#, json!(""), 0),
        (br#"{"jsonrpc":"2.0","id":-1,"method":"ping"}"#, json!(-1), 0),
    ];
    let mut input = format!("{HELLO}\n").into_bytes();
    let mut expected = vec![(json!("hello"), 0)];
    for (frame, id, code) in rows {
        input.extend_from_slice(frame);
        input.push(b'\n');
        expected.push((id.clone(), *code));
    }
    let small = [("HIGHLEVEL_MCP_SERVER_MAX_UPLOAD_BYTES", "0")];
    let mut found = codes(&answers(&input, &small).await);
    // Requests run concurrently, so the answers come in any order.
    let by_text = |one: &(Value, i64)| format!("{one:?}");
    found.sort_by_key(by_text);
    expected.sort_by_key(by_text);
    assert_eq!(found, expected);
}

#[tokio::test]
async fn frames_before_the_handshake_do_not_end_the_program() {
    let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let result = r#"{"jsonrpc":"2.0","id":3,"result":{}}"#;
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let list = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;
    let modern = r#"{"jsonrpc":"2.0","id":4,"method":"initialize","params":{"protocolVersion":"2026-07-28","capabilities":{},"clientInfo":{"name":"t","version":"1"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    let frames = [
        initialized,
        result,
        HALF,
        list,
        modern,
        ping,
        HELLO,
        initialized,
        ping,
    ];
    let found = codes(&answers(frames.join("\n").as_bytes(), &[]).await);
    let expected = [
        (json!(7), -32700),
        (json!(2), -32602),
        (json!(4), -32601),
        (json!(1), 0),
        (json!("hello"), 0),
        (json!(1), 0),
    ];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn lines_end_as_they_may_and_the_last_one_not_at_all() {
    async fn check(input: &[u8], expected: &[Value]) {
        let found = answers(input, &[]).await;
        let ids: Vec<Value> = found.iter().map(|one| one["id"].clone()).collect();
        assert_eq!(ids, expected, "{}", String::from_utf8_lossy(input));
    }
    let ping = r#"{"jsonrpc":"2.0","id":5,"method":"ping"}"#;
    check(b"", &[]).await;
    check(b"\n\r\n  \n", &[]).await;
    check(HELLO.as_bytes(), &[json!("hello")]).await;
    let windows = format!("\u{feff}{HELLO}\r\n\r\n{ping}\r\n");
    check(windows.as_bytes(), &[json!("hello"), json!(5)]).await;
    let no_end = format!("{HELLO}\n\n{HALF}");
    check(no_end.as_bytes(), &[json!("hello"), json!(7)]).await;
}

/// HighLevel takes longer than the library waits for calls after the end of stdin.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_answer_to_the_last_line_is_written_before_the_end() {
    let highlevel = Recording::start(|_| {
        std::thread::sleep(Duration::from_millis(5_500));
        answer(200, r#"{"contacts":[]}"#)
    })
    .await;
    // Two requests of one id. Neither is answered when the other arrives.
    let call = r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"contacts_get-contacts","arguments":{}}}"#;
    let input = format!("{HELLO}\n{call}\n{call}");
    let url = [("HIGHLEVEL_MCP_UPSTREAM_BASE_URL", highlevel.url.as_str())];
    let found = codes(&answers(input.as_bytes(), &url).await);
    assert_eq!(found, [(json!("hello"), 0), (json!(5), 0), (json!(5), 0)]);
}

#[tokio::test]
async fn over_http_an_error_has_the_id_of_its_request() {
    let highlevel = Recording::always(200, "{}").await;
    let server = TestServer::start(&highlevel.url).await;
    let rows: &[(&[u8], u16, Value, i64)] = &[
        (HALF.as_bytes(), 400, json!(7), -32700),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"ping\",\"params\":{\"q\":\"\xff\"}}",
            400,
            json!("a"),
            -32700,
        ),
        (
            br#"{"jsonrpc":"2.0","id":9,"method":"ping","params":{"q":+1}}"#,
            400,
            json!(9),
            -32700,
        ),
        (b"{", 400, Value::Null, -32700),
        (br#"{"jsonrpc":"2.0","id":11}"#, 400, json!(11), -32600),
        (
            br#"{"jsonrpc":"1.0","id":12,"method":"ping"}"#,
            400,
            json!(12),
            -32600,
        ),
        (br#"[]"#, 400, Value::Null, -32600),
        (
            b"\xEF\xBB\xBF{\"jsonrpc\":\"2.0\",\"id\":13,\"method\":\"ping\"}",
            200,
            json!(13),
            0,
        ),
        (
            br#"{"jsonrpc":"2.0","id":14,"method":"tools/destroy"}"#,
            200,
            json!(14),
            -32601,
        ),
    ];
    for (body, status, id, code) in rows {
        let shown = String::from_utf8_lossy(body);
        let reply = server
            .post("/mcp")
            .header("authorization", "Bearer pit-test")
            .body(body.to_vec())
            .send()
            .await
            .expect("a reply");
        assert_eq!(reply.status().as_u16(), *status, "{shown}");
        let reply: Value = reply.json().await.expect("JSON");
        assert_eq!(codes(&[reply]), [(id.clone(), *code)], "{shown}");
    }
    server.stop().await;
}
