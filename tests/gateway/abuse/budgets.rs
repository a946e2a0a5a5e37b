//! The memory and time of one caller: each attack with its upper limit.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use state::approvals::Approvals;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::agency::{BY_OPERATOR, branches};
use super::highlevel::highlevel;
use super::program::{Program, ToolReply};
use super::setup::Setup;
use crate::times;
use highlevel_mcp::catalog::TOOLS;
use test_support::recording::{Recording, json as answer};

const MIB: usize = 1024;

const SEND: &str = "conversations_send-a-new-message";

/// Longest answer, including its envelope.
pub(super) const LONGEST_ANSWER: usize = 131_072 + 8_192;

/// The growth of `program`'s memory since `before`, in MiB.
fn grown(program: &Program, before: usize) -> usize {
    program.memory().saturating_sub(before) / MIB
}

/// A reply within this time, or none.
pub(super) async fn within(
    limit: Duration,
    reply: impl Future<Output = ToolReply>,
) -> Option<ToolReply> {
    timeout(limit, reply).await.ok()
}

#[tokio::test]
async fn e1_sets_of_toolsets_are_not_kept_for_ever() {
    let program = Setup::new().serve("http://127.0.0.1:9").await;
    let stranger = [("authorization", "Bearer pit-x")];
    let ping = async |path: &str| program.rpc(&stranger, path, "ping", json!({})).await;
    let toolsets = TOOLS.iter().flat_map(|tool| tool.toolsets.iter().copied());
    let names: Vec<&str> = toolsets.collect::<BTreeSet<_>>().into_iter().collect();
    assert!(names.contains(&"contacts") && names.len() > 20, "{names:?}");
    ping("/mcp/x/contacts").await;
    let before = program.memory();
    let most = times(150, 1_028);
    let (mut sets, start) = (0, Instant::now());
    'sets: for (index, one) in names.iter().enumerate() {
        for other in &names[index + 1..] {
            sets += usize::from(ping(&format!("/mcp/x/{one}+{other}")).await.status == 200);
            if sets == most || start.elapsed() > Duration::from_secs(15) {
                break 'sets;
            }
        }
    }
    let grown = grown(&program, before);
    println!(
        "{sets} sets of toolsets: +{grown} MiB in {:?}",
        start.elapsed()
    );
    assert!(sets > 40 && grown <= 64, "{sets} sets: +{grown} MiB");
}

#[tokio::test]
async fn e2_a_long_name_is_simply_unknown() {
    let program = Setup::new().serve("http://127.0.0.1:9").await;
    let stranger = [("authorization", "Bearer pit-x")];
    let name = "contacts_".repeat(2_000);
    let ask = async |path: &str, tool: &str, arguments: Value| {
        let start = Instant::now();
        let call = program.call(&stranger, path, tool, arguments);
        let reply = within(Duration::from_secs(8), call).await;
        let took = start.elapsed();
        println!("{path} {}…: {took:?}", &tool[..8]);
        assert!(took < Duration::from_secs(1), "{path}: {took:?}");
        reply.expect("a reply")
    };
    let reply = ask("/mcp/x/all", &name, json!({})).await;
    assert!(
        !reply.ok && reply.text.len() < 2_000,
        "{}",
        reply.text.len()
    );
    ask("/mcp", "call_read", json!({"operation": name})).await;
    ask(
        "/mcp/compat",
        "execute_operation",
        json!({"operationId": name}),
    )
    .await;
    ask(
        "/mcp/compat",
        "describe_operation",
        json!({"operationId": name}),
    )
    .await;
    let livez = program.livez().await;
    assert!(livez < Duration::from_millis(500), "{livez:?}");
}

#[tokio::test]
async fn e3_no_answer_is_longer_than_any_may_be() {
    let highlevel = highlevel().await;
    let rules = "[server]\nconfirm = { send = \"token\" }\n";
    let program = branches(1).rules(rules).serve(&highlevel.url).await;
    let text = "x".repeat(300_000);
    let items = vec![json!({"contactId": "c1"}); 20];
    let note = json!({"body": text});
    let message = json!({"type": "SMS", "message": text});
    let before = program.memory();
    let mut wrong = Vec::new();
    for (operation, tool, dry, common) in [
        ("contacts_create-note", "call_write", true, &note),
        (SEND, "call_send", true, &message),
        (SEND, "call_send", false, &message),
    ] {
        let arguments =
            json!({"operation": operation, "dryRun": dry, "items": items, "arguments": common});
        let reply = program
            .call(&BY_OPERATOR, "/mcp/l/b01", tool, arguments)
            .await;
        let (bytes, grown) = (reply.text.len(), grown(&program, before));
        println!("{operation}, dry run {dry}: 0.3 MB in, {bytes} bytes out, +{grown} MiB");
        // The resulting arguments are shown in short form. Their length is not a reason to refuse them.
        let is_told = match dry {
            true => reply.ok && reply.text.contains("dryRun"),
            false => reply.class() == "needs_confirmation",
        };
        if bytes > LONGEST_ANSWER || grown > 64 || !is_told {
            wrong.push(format!("{operation}: {bytes} bytes, +{grown} MiB"));
        }
    }
    assert_eq!((highlevel.writes(), wrong), (0, Vec::new()));
}

#[tokio::test]
async fn e4_a_key_keeps_no_arguments() {
    let highlevel = highlevel().await;
    let program = branches(1).serve(&highlevel.url).await;
    let call = async |number: usize, bytes: usize| {
        let key = format!("k{number}");
        let arguments = json!({"contactId": "c1", "tags": ["x".repeat(bytes)]});
        let arguments = json!({"operation": "contacts_add-tags", "idempotencyKey": key, "arguments": arguments});
        program
            .call(&BY_OPERATOR, "/mcp/l/b01", "call_write", arguments)
            .await
    };
    for number in 0..4 {
        call(number, 1_000_000).await;
    }
    let before = program.memory();
    let most = times(30, 300);
    for number in 4..4 + most {
        call(number, 1_000_000).await;
    }
    let grown = grown(&program, before);
    println!("{most} keyed calls of 1 MB: +{grown} MiB");
    assert_eq!(highlevel.writes(), 4 + most);
    assert!(grown <= 16, "+{grown} MiB");
}

#[tokio::test]
async fn e4_what_waits_for_a_person_is_small() {
    let highlevel = highlevel().await;
    let webhook = Recording::start(|_| answer(200, "{}")).await;
    let setup = branches(1)
        .rules("[server]\nconfirm = { write = \"human\" }\n")
        .set(
            "HIGHLEVEL_MCP_APPROVALS_WEBHOOKS",
            &json!([{"url": webhook.url}]).to_string(),
        );
    let program = setup.serve(&highlevel.url).await;
    let items = vec![json!({"contactId": "c1"}); 20];
    let arguments = json!({"operation": "contacts_add-tags", "items": items, "arguments": {"tags": ["x".repeat(300_000)]}});
    let reply = program
        .call(&BY_OPERATOR, "/mcp/l/b01", "call_write", arguments)
        .await;
    assert_eq!(reply.class(), "needs_confirmation", "{:.200}", reply.text);
    sleep(Duration::from_millis(500)).await;
    let told: usize = webhook.take().iter().map(|one| one.body.len()).sum();
    let kept = Approvals::new(&setup.store())
        .list()
        .wait()
        .expect("listed");
    let kept = kept.iter().map(|one| one.preview.to_string().len());
    let kept: usize = kept.sum();
    println!("0.3 MB in: {kept} bytes kept, {told} bytes to the webhook");
    let bounds = 1..=96_000;
    assert!(told > 0 && told <= 96_000, "{told} bytes");
    assert!(bounds.contains(&kept), "{kept} bytes");
}

/// `many` requests whose bodies lack the last byte.
pub(super) async fn unfinished(program: &Program, many: usize, headers: &str) -> Vec<TcpStream> {
    const BODY: usize = 4 << 20;
    let address = program.url.trim_start_matches("http://");
    let body = vec![b' '; BODY - 1];
    let mut open = Vec::new();
    for _ in 0..many {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: localhost\r\n{headers}content-type: application/json\r\ncontent-length: {BODY}\r\n\r\n"
        );
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = timeout(Duration::from_millis(200), stream.write_all(&body)).await;
        open.push(stream);
    }
    open
}

#[tokio::test]
async fn e5_unfinished_bodies_have_one_budget() {
    let highlevel = highlevel().await;
    for (who, headers, most) in [
        ("a stranger", "authorization: Bearer pit-x\r\n", 32),
        (
            "an accepted token",
            "authorization: Bearer pit-of-L1\r\n",
            // The caller's share, plus the memory of connections and allocator. 93 to 107 MiB were measured.
            64 + 64,
        ),
    ] {
        let program = Setup::new().serve(&highlevel.url).await;
        let caller = [("authorization", "Bearer pit-of-L1"), ("locationid", "L1")];
        program
            .call(&caller, "/mcp", "contacts_get-contacts", json!({}))
            .await;
        let before = program.memory();
        let open = unfinished(&program, times(60, 300), headers).await;
        sleep(Duration::from_millis(200)).await;
        let (grown, many) = (grown(&program, before), open.len());
        println!("{many} unfinished bodies of 4 MiB by {who}: +{grown} MiB");
        assert!(grown <= most, "{who}: +{grown} MiB");
        let other = [("authorization", "Bearer pit-of-L2"), ("locationid", "L2")];
        let reply = program
            .call(&other, "/mcp", "contacts_get-contacts", json!({}))
            .await;
        assert!(reply.ok, "another caller meanwhile: {}", reply.text);
    }
}
