//! Answers and arguments that exceed their limits.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::agency::{BY_OPERATOR, branches};
use super::budgets::{LONGEST_ANSWER, within};
use super::highlevel::highlevel;
use super::setup::Setup;
use crate::times;

#[tokio::test]
async fn e10_limits_hold_after_every_decoding() {
    let highlevel = highlevel().await;
    let program = branches(1).serve(&highlevel.url).await;
    let start = Instant::now();
    let domains = vec!["contacts"; times(2_000, 19_000)];
    let arguments = json!({"query": "contacts of a customer", "domains": domains, "limit": 20});
    let call = program.call(
        &BY_OPERATOR,
        "/mcp/l/b01/compat",
        "search_operations",
        arguments,
    );
    let reply = within(Duration::from_secs(10), call).await;
    let bytes = reply.map_or(usize::MAX, |reply| reply.text.len());
    println!(
        "{} domains: {bytes} bytes out in {:?}",
        domains.len(),
        start.elapsed()
    );
    assert!(
        bytes <= LONGEST_ANSWER && start.elapsed() < Duration::from_secs(3),
        "{bytes} bytes"
    );
    let fields = vec!["a"; 300_000];
    let output = json!({"fields": fields}).to_string();
    let start = Instant::now();
    let rows = [
        (
            "/mcp/l/b01/x/contacts",
            "contacts_get-contacts",
            json!({"output": output}),
        ),
        (
            "/mcp/l/b01",
            "call_read",
            json!({"operation": "contacts_get-contacts", "output": output}),
        ),
        (
            "/mcp/l/b01",
            "call_read",
            json!({"operation": "contacts_get-contacts",
            "arguments": json!({"query": fields}).to_string()}),
        ),
    ];
    for (path, tool, arguments) in rows {
        let reply = program.call(&BY_OPERATOR, path, tool, arguments).await;
        println!(
            "{path}: 300,000 values in a text: {} after {:?}",
            reply.class(),
            start.elapsed()
        );
        let refused = reply.status == 413 || (!reply.ok && reply.text.contains("20000"));
        assert!(
            refused && reply.text.len() < 5_000,
            "{path}: {:.200}",
            reply.text
        );
    }
    assert!(highlevel.seen().is_empty());
}

#[tokio::test]
async fn e13_the_list_of_locations_is_cut() {
    let setup = Setup::new()
        .set("HIGHLEVEL_MCP_SERVER_ACCESS_KEY", BY_OPERATOR[0].1)
        .set("ONE_TOKEN", "pit-of-L1");
    let mut text = String::new();
    for number in 0..4_000 {
        text += &format!(
            "[locations.l{number}]\nname = \"Customer number {number} of the agency, with a long name as customers have\"\nlocation_id = \"loc{number:017}\"\ntoken = {{ env = \"ONE_TOKEN\" }}\n"
        );
    }
    setup.write("settings.toml", &text);
    let program = setup.serve("http://127.0.0.1:9").await;
    let reply = program
        .call(&BY_OPERATOR, "/mcp", "list_locations", json!({}))
        .await;
    println!("4,000 locations: {} bytes", reply.text.len());
    assert!(
        reply.ok && reply.text.len() <= 140_000,
        "{} bytes",
        reply.text.len()
    );
    let told: Value = reply.value;
    assert!(
        told["locations"]
            .as_array()
            .is_some_and(|rows| rows.len() > 10),
        "{told:.200}"
    );
}
