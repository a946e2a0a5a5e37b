//! Rows that a person decides about, in the server's own pages or at the client.

use std::time::Duration;

use serde_json::{Value, json};
use state::approvals::Approvals;

use crate::agency::Agency;

const OPERATOR: &str = "Bearer operator-of-this-agency-1";

/// Tags the three contacts of a branch.
fn tag() -> Value {
    json!({
        "operation": "contacts_add-tags", "arguments": {"tags": ["asked"]},
        "each": {"operation": "contacts_search-contacts-advanced"},
    })
}

async fn tagged(agency: &Agency) -> usize {
    let writes = agency.writes().await;
    let is_tag = |one: &&Value| one.to_string().contains("/tags");
    writes.iter().filter(is_tag).count()
}

#[tokio::test]
async fn a_person_sees_the_rows_and_approving_runs_them() {
    let rules = "[server]\nconfirm = { write = \"human\" }\n";
    let mut agency = Agency::start(1, rules).await;
    let agency = &mut agency;
    let approvals = Approvals::new(&agency.server.store());
    let key = agency.key("one", None, None);
    let token = "Bearer pit-sandbox-branch-01";
    // The caller, and whether it runs without them.
    for (who, alone) in [(key.as_str(), true), (OPERATOR, true), (token, false)] {
        let before = tagged(agency).await;
        let asked = agency.call("/mcp/l/b01", who, "call_write", tag()).await;
        let asked = asked.expect("a question");
        assert_eq!(asked["status"], "needs_confirmation", "{asked}");
        let handle = asked["confirm"].as_str().expect("a handle");
        let confirm = json!({"confirm": handle});
        let kept = approvals.get(handle).await.expect("read").expect("kept");
        assert_eq!(kept.preview["calls"], 3, "{}", kept.preview);
        assert_eq!(kept.preview["records"], asked["records"]);
        assert!(kept.preview["records"][2]["name"].is_string(), "{asked}");
        let waits = agency
            .call("/mcp/l/b01", who, "call_write", confirm.clone())
            .await;
        assert!(
            waits
                .expect_err("nobody decided")
                .to_string()
                .contains("nobody has decided")
        );
        approvals
            .decide(handle, true, "Ada", None)
            .await
            .expect("decided");
        for _ in 0..100 {
            if !alone || tagged(agency).await == before + 3 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(
            tagged(agency).await - before,
            if alone { 3 } else { 0 },
            "{who}"
        );
        let done = agency.call("/mcp/l/b01", who, "call_write", confirm).await;
        assert_eq!(done.expect("the outcome")["done"], 3, "{who}");
        assert_eq!(tagged(agency).await - before, 3, "{who}");
    }
    let asked = agency.call("/mcp/l/b01", &key, "call_write", tag()).await;
    let asked = asked.expect("a question");
    let handle = asked["confirm"].as_str().expect("a handle");
    approvals
        .decide(handle, false, "Ada", Some("not these"))
        .await
        .expect("decided");
    let before = tagged(agency).await;
    let confirm = json!({"confirm": handle});
    let denied = agency.call("/mcp/l/b01", &key, "call_write", confirm).await;
    assert!(denied.expect_err("a no").to_string().contains("not these"));
    assert_eq!(tagged(agency).await, before);
}

/// A rule that was added after the preview applies to the rows that are not sent yet.
#[tokio::test]
async fn rows_are_judged_by_the_rules_of_their_moment() {
    let mut agency = Agency::start(1, "").await;
    let agency = &mut agency;
    let asked = agency
        .call("/mcp/l/b01", OPERATOR, "call_write", tag())
        .await;
    let confirm = json!({"confirm": asked.expect("a question")["confirm"]});
    agency.reload("[server]\ndeny = [\"contacts_add-tags\"]\n", &[1]);
    let refused = agency
        .call("/mcp/l/b01", OPERATOR, "call_write", confirm.clone())
        .await;
    assert!(
        refused
            .expect_err("a refusal")
            .to_string()
            .contains("[server] deny")
    );
    agency.reload("[server]\nconfirm = { write = \"human\" }\n", &[1]);
    let refused = agency
        .call("/mcp/l/b01", OPERATOR, "call_write", confirm.clone())
        .await;
    assert!(
        refused
            .expect_err("a refusal")
            .to_string()
            .contains("the rules changed")
    );
    assert_eq!(tagged(agency).await, 0);
    agency.reload("[server]\nconfirm = { read = \"off\" }\n", &[1]);
    let done = agency
        .call("/mcp/l/b01", OPERATOR, "call_write", confirm)
        .await;
    let done = done.expect("tagged");
    assert_eq!(done["done"], 3, "{done}");
    assert_eq!(tagged(agency).await, 3);
}

/// The result of a call by a client of MCP 2026-07-28 that can show questions.
async fn modern(agency: &Agency, arguments: &Value, rest: Value) -> Value {
    let mut params = json!({
        "name": "call_write",
        "arguments": arguments,
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "modern", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
        },
    });
    for (name, value) in rest.as_object().expect("an object") {
        params[name] = value.clone();
    }
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let reply = agency
        .server
        .post("/mcp/l/b01")
        .header("authorization", OPERATOR)
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "call_write")
        .json(&request);
    let reply = reply.send().await.expect("a reply");
    let reply: Value = reply.json().await.expect("JSON");
    reply["result"].clone()
}

#[tokio::test]
async fn the_user_of_the_client_is_asked_about_all_rows_at_once() {
    let agency = Agency::start(1, "[server]\nconfirm = { write = \"elicit\" }\n").await;
    let given = tag();
    let asked = modern(&agency, &given, json!({})).await;
    let message = asked["inputRequests"]["confirm"]["params"]["message"].as_str();
    let message = message.expect("a message");
    assert!(
        message.contains("3 times") && message.contains("\"records\""),
        "{message}"
    );
    let state = &asked["requestState"];
    let answer = |action: &str| json!({"requestState": state, "inputResponses": {"confirm": {"action": action, "content": {}}}});
    let no = modern(&agency, &given, answer("decline")).await;
    assert_eq!(no["isError"], true, "{no}");
    // A confirm token alone is not the user's consent.
    let alone = modern(&agency, &json!({"confirm": state}), json!({})).await;
    assert_eq!(alone["isError"], true, "{alone}");
    assert_eq!(tagged(&agency).await, 0);
    for _ in 0..2 {
        let yes = modern(&agency, &given, answer("accept")).await;
        assert!(
            yes["content"][0]["text"]
                .as_str()
                .is_some_and(|text| text.contains("\"done\":3")),
            "{yes}"
        );
        assert_eq!(tagged(&agency).await, 3, "once");
    }
}
