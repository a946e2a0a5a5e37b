//! Logs, metrics and the audit: one line for every call, and no line for each request of a stranger.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::agency::{BY_OPERATOR, bearer, branches};
use super::highlevel::highlevel;
use super::identity::audit_bytes;
use super::program::{Program, ToolReply};
use super::setup::Setup;
use crate::times;

/// The number of calls that /metrics has counted.
async fn counted(program: &Program) -> f64 {
    let text = ToolReply::read(program.http.get(&program.metrics))
        .await
        .text;
    let calls = text
        .lines()
        .filter(|line| line.starts_with("highlevel_mcp_calls_total"));
    calls
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// The number of calls in the log.
fn call_lines(program: &Program) -> usize {
    let lines = program.lines("call");
    lines
        .iter()
        .filter(|line| line["message"] == "call")
        .count()
}

#[tokio::test]
async fn e15_every_call_is_a_line_and_a_count_whatever_came_of_it() {
    let highlevel = highlevel().await;
    let rules = "[server]\ndeny = [\"contacts_create-contact\"]\ncaps = { send = { hour = 1 } }\n";
    let program = branches(1).rules(rules).serve(&highlevel.url).await;
    let everything = "/mcp/l/b01/x/all";
    let send = json!({"type": "SMS", "contactId": "c1", "message": "hello"});
    let rows: [(&str, &str, &str, Value); 11] = [
        ("done", everything, "contacts_get-contacts", json!({})),
        (
            "denied",
            everything,
            "contacts_create-contact",
            json!({"firstName": "Ada"}),
        ),
        (
            "previewed",
            everything,
            "contacts_delete-contact",
            json!({"contactId": "c1"}),
        ),
        (
            "invalid",
            everything,
            "contacts_add-tags",
            json!({"contactId": "c1"}),
        ),
        ("unknown", everything, "contacts_get-contcats", json!({})),
        (
            "unknown behind a call tool",
            "/mcp/l/b01",
            "call_read",
            json!({"operation": "nothing"}),
        ),
        (
            "of another effect",
            "/mcp/l/b01",
            "call_read",
            json!({"operation": "contacts_add-tags"}),
        ),
        (
            "dry run",
            "/mcp/l/b01",
            "call_read",
            json!({"operation": "contacts_get-contacts", "dryRun": true}),
        ),
        (
            "sent",
            everything,
            "conversations_send-a-new-message",
            send.clone(),
        ),
        (
            "over a cap",
            everything,
            "conversations_send-a-new-message",
            send,
        ),
        (
            "in a foreign location",
            everything,
            "contacts_get-contacts",
            json!({"locationId": "elsewhere"}),
        ),
    ];
    let mut silent = Vec::new();
    for (kind, path, tool, arguments) in rows {
        let before = (call_lines(&program), counted(&program).await);
        program.call(&BY_OPERATOR, path, tool, arguments).await;
        sleep(Duration::from_millis(120)).await;
        let lines = call_lines(&program) - before.0;
        let counts = counted(&program).await - before.1;
        if (lines, counts) != (1, 1.0) {
            silent.push(format!("{kind}: {lines} lines, {counts} counted"));
        }
    }
    println!(
        "{} of 11 kinds of calls leave no trace: {silent:?}",
        silent.len()
    );
    assert!(silent.is_empty(), "{silent:#?}");
}

#[tokio::test]
async fn e11_strangers_fill_no_disk() {
    let highlevel = highlevel().await;
    let setup = Setup::new();
    let program = setup.serve(&highlevel.url).await;
    // Accepted before the address has tried too many tokens.
    let known = [("authorization", "Bearer pit-of-L1"), ("locationid", "L1")];
    let read = program
        .call(&known, "/mcp", "contacts_get-contacts", json!({}))
        .await;
    assert!(read.ok, "{}", read.text);
    let many = times(400, 20_000);
    for number in 0..many {
        let token = bearer(&format!("pit-made-up-{}", number % 50));
        let caller = [("authorization", token.as_str()), ("locationid", "L1")];
        let arguments = match number % 3 {
            0 => json!({"contactId": "c1", "tags": ["a"]}),
            1 => json!({"contactId": "c1", "tags": ["a"], "locationId": "L2"}),
            _ => json!({"contactId": "c1", "tags": ["a"], "location": "b01"}),
        };
        program
            .call(&caller, "/mcp", "contacts_add-tags", arguments)
            .await;
    }
    let bytes = audit_bytes(&setup);
    println!("{many} writes of strangers: {bytes} bytes of audit file");
    assert!(bytes <= 4_096, "{bytes} bytes");
    // Each call of a known caller has its own line.
    for _ in 0..10 {
        let arguments = json!({"contactId": "c1", "tags": ["a"]});
        let reply = program
            .call(&known, "/mcp", "contacts_add-tags", arguments)
            .await;
        assert!(reply.ok, "{}", reply.text);
    }
    let (code, text) = setup.run(&["audit", "tail"]).await;
    assert!(
        code == 0 && text.matches("contacts_add-tags").count() >= 10,
        "{text}"
    );
}
