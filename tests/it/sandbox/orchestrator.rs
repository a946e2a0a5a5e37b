//! The small list: search, the call tools, batches, keys, pages, filters, and other clients' argument forms.

use ::sandbox::{LOCATION, TOKEN};
use serde_json::{Value, json};

use super::{Stack, list, text};

/// A stack whose calls go to `path`.
pub(super) async fn start_at(path: &'static str) -> Stack {
    let mut stack = Stack::start().await;
    stack.server.path = path;
    stack
}

async fn contact(stack: &Stack) -> String {
    let found = stack
        .call(
            "call_read",
            json!({"operation": "contacts_get-contacts", "output": {"maxItems": 1, "fields": ["id"]}}),
        )
        .await;
    text(&found, "/contacts/0/id").to_owned()
}

/// The number of requests with this method and path that the sandbox saw.
async fn seen(stack: &Stack, method: &str, path: &str) -> usize {
    let requests = stack.sandbox.requests().await;
    requests
        .iter()
        .filter(|one| {
            one["method"] == method && one["path"].as_str().is_some_and(|seen| seen.contains(path))
        })
        .count()
}

#[tokio::test]
async fn an_operation_is_found_and_called() {
    let stack = start_at("/mcp/orchestrator").await;
    let found = stack
        .call(
            "search_operations",
            json!({"queries": ["list the tasks of a contact"]}),
        )
        .await;
    let hits = list(&found, "/results");
    assert!(
        hits.iter()
            .any(|hit| hit["name"] == "contacts_get-all-tasks"),
        "{found}"
    );
    let id = contact(&stack).await;
    let arguments = json!({"operation": "contacts_get-all-tasks", "arguments": {"contactId": id}});
    let tasks = stack.call("call_read", arguments).await;
    assert!(tasks["tasks"]["rows"].is_array(), "{tasks}");
}

#[tokio::test]
async fn each_call_tool_refuses_other_effects() {
    let stack = start_at("/mcp/orchestrator").await;
    let cases = [
        ("call_read", "contacts_add-tags", "call_write"),
        ("call_write", "contacts_get-contact", "call_read"),
        (
            "call_write",
            "conversations_send-a-new-message",
            "call_send",
        ),
        ("call_send", "contacts_delete-contact", "call_destructive"),
        ("call_read", "contacts_delete-contact", "call_destructive"),
    ];
    for (tool, operation, right) in cases {
        let refused = stack.try_call(tool, json!({"operation": operation})).await;
        let refused = refused.expect_err(operation);
        assert_eq!(refused["class"], "refused", "{refused}");
        assert!(text(&refused, "/remedy").contains(right), "{refused}");
    }
    // Every operation by every call tool except its own: the right one is named, and nothing is sent.
    let mut refusals = 0;
    for tool in highlevel_mcp::catalog::TOOLS {
        for call in ["call_read", "call_write", "call_send", "call_destructive"] {
            let told = stack
                .try_call(call, json!({"operation": tool.name, "dryRun": true}))
                .await;
            let remedy = told.as_ref().err().map(|error| error["remedy"].to_string());
            let right = remedy.unwrap_or_default();
            refusals += usize::from(right.contains("Call it with call_") && !right.contains(call));
        }
    }
    assert_eq!(refusals, 3 * highlevel_mcp::catalog::TOOLS.len());
    let unknown = stack
        .try_call("call_read", json!({"operation": "contacts_get-contcat"}))
        .await;
    assert!(text(&unknown.expect_err("unknown"), "/remedy").contains("contacts_get-contact"));
    // What a dry run needs the company for is asked of the location, once; nothing else left.
    let sent = stack.sandbox.requests().await;
    let paths: Vec<&Value> = sent.iter().map(|one| &one["path"]).collect();
    assert_eq!(paths, [&json!(format!("/locations/{LOCATION}"))]);
}

#[tokio::test]
async fn a_dry_run_shows_the_request_and_sends_nothing() {
    let stack = start_at("/mcp/orchestrator").await;
    let arguments = json!({
        "operation": "contacts_add-tags", "dryRun": true,
        "arguments": "{\"contactId\": \"c1\", \"tags\": [\"a\"]}",
    });
    let shown = stack.call("call_write", arguments).await;
    assert_eq!(shown["request"]["method"], "POST");
    assert_eq!(shown["request"]["body"], json!({"tags": ["a"]}));
    assert!(!shown.to_string().contains(TOKEN), "{shown}");
    assert!(stack.sandbox.requests().await.is_empty());
}

#[tokio::test]
async fn irreversible_calls_need_a_confirmation_first() {
    let stack = start_at("/mcp/orchestrator").await;
    let id = contact(&stack).await;
    let call = |confirm: Option<&str>, id: &str| json!({"operation": "contacts_delete-contact", "arguments": {"contactId": id}, "confirm": confirm});
    let asked = stack.call("call_destructive", call(None, &id)).await;
    assert_eq!(asked["status"], "needs_confirmation", "{asked}");
    assert_eq!(seen(&stack, "DELETE", "/contacts/").await, 0);
    let token = text(&asked, "/confirm").to_owned();
    let other = stack
        .try_call("call_destructive", call(Some(&token), "another"))
        .await;
    assert_eq!(other.expect_err("another contact")["class"], "refused");
    let done = stack
        .call("call_destructive", call(Some(&token), &id))
        .await;
    assert_eq!(done["_location"]["id"], LOCATION, "{done}");
    assert_eq!(seen(&stack, "DELETE", "/contacts/").await, 1);
}

#[tokio::test]
async fn a_key_makes_a_call_happen_once() {
    let stack = start_at("/mcp/orchestrator").await;
    let id = contact(&stack).await;
    let call = |tag: &str| json!({"operation": "contacts_add-tags", "idempotencyKey": "k1", "arguments": {"contactId": id, "tags": [tag]}});
    let first = stack.call("call_write", call("a")).await;
    assert_eq!(first["_location"]["id"], LOCATION, "{first}");
    let second = stack.call("call_write", call("a")).await;
    assert_eq!(first["tags"], second["tags"]);
    assert!(
        text(&second, "/_repeated").contains("answered before"),
        "{second}"
    );
    assert_eq!(seen(&stack, "POST", "/tags").await, 1);
    let other = stack
        .try_call("call_write", call("b"))
        .await
        .expect_err("another body");
    assert!(
        text(&other, "/error").contains("other arguments"),
        "{other}"
    );
    // A call that was never sent may be tried again under its key.
    let wrong = json!({"operation": "contacts_add-tags", "idempotencyKey": "k2", "arguments": {"contactId": id}});
    stack
        .try_call("call_write", wrong)
        .await
        .expect_err("no tags");
    let right = json!({"operation": "contacts_add-tags", "idempotencyKey": "k2", "arguments": {"contactId": id, "tags": ["c"]}});
    stack.call("call_write", right).await;
}

#[tokio::test]
async fn a_batch_tells_each_outcome() {
    let stack = start_at("/mcp/orchestrator").await;
    let id = contact(&stack).await;
    let batch = |on_error: &str| {
        json!({
            "operation": "contacts_add-tags", "onError": on_error, "arguments": {"tags": ["x"]},
            "items": [{"contactId": id}, {"contactId": "nobody"}, {"contactId": id, "tags": ["y"]}],
        })
    };
    let stopped = stack.call("call_write", batch("stop")).await;
    assert_eq!(
        (&stopped["done"], &stopped["failed"], &stopped["notRun"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(
        stopped["stopped"],
        "An item failed; call again with the items from 2 on."
    );
    let went_on = stack.call("call_write", batch("continue")).await;
    assert_eq!(
        (&went_on["done"], &went_on["failed"], &went_on["notRun"]),
        (&json!(2), &json!(1), &json!(0))
    );
    assert_eq!(went_on["stopped"], Value::Null);
    let outcomes = list(&went_on, "/outcomes");
    assert_eq!(outcomes[1]["error"]["class"], "not_found", "{went_on}");
    assert!(
        outcomes[2]["answer"]["tags"].to_string().contains("\"y\""),
        "{went_on}"
    );
    let many: Vec<Value> = (0..101).map(|_| json!({})).collect();
    let refused = stack
        .try_call(
            "call_write",
            json!({"operation": "contacts_add-tags", "items": many}),
        )
        .await;
    assert!(text(&refused.expect_err("too many"), "/error").contains("1 to 100"));
}

#[tokio::test]
async fn a_batch_is_no_longer_than_other_answers() {
    const MOST: usize = 6_000;
    let bytes = MOST.to_string();
    let mut stack = Stack::start_with(&[("HIGHLEVEL_MCP_TOOLS_MAX_ANSWER_BYTES", &bytes)]).await;
    stack.server.path = "/mcp/orchestrator";
    let id = contact(&stack).await;
    let reads = json!({
        "operation": "contacts_get-contact", "items": vec![json!({"contactId": id}); 20],
    });
    let read = stack.call("call_read", reads).await;
    let outcomes = list(&read, "/outcomes");
    assert!(read.to_string().len() < MOST + 300, "{read}");
    assert!((2..20).contains(&outcomes.len()), "{read}");
    assert_eq!(read["notRun"], 20 - outcomes.len(), "{read}");
    let next = format!("the items from {} on", outcomes.len());
    assert!(text(&read, "/stopped").contains(&next), "{read}");
    assert!(outcomes.iter().all(|one| one["answer"].is_object()));

    // Completed writes stay: each outcome is reported.
    let named = |number: usize| json!({"email": format!("batch{number}@x.example")});
    let writes = json!({
        "operation": "contacts_upsert-contact", "items": (0..20).map(named).collect::<Vec<_>>(),
        "output": {"fields": ["*"]},
    });
    let written = stack.call("call_write", writes).await;
    assert!(written.to_string().len() < MOST + 20 * 100, "{written}");
    assert_eq!(
        (&written["done"], &written["notRun"]),
        (&json!(20), &json!(0))
    );
    let withheld = list(&written, "/outcomes").last().expect("an outcome");
    assert!(
        text(withheld, "/withheld").contains("has no room"),
        "{written}"
    );
    assert_eq!(seen(&stack, "POST", "/contacts/upsert").await, 20);
}

#[tokio::test]
async fn pages_are_followed_and_rows_filtered_in_one_call() {
    let stack = start_at("/mcp/orchestrator").await;
    let arguments = json!({
        "operation": "payments_list-transactions",
        "output": {"allPages": true, "maxItems": 10, "fields": ["amount"], "filter": [{"field": "amount", "op": ">", "value": 100}]},
    });
    let found = stack.call("call_read", arguments).await;
    let rows = list(&found, "/data");
    assert!(!rows.is_empty() && rows.len() <= 10, "{found}");
    assert!(
        rows.iter()
            .all(|row| row["amount"].as_f64().is_some_and(|amount| amount > 100.0)),
        "{found}"
    );

    let week_ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(7 * 24);
    let arguments = json!({
        "operation": "contacts_get-contacts",
        "output": {"allPages": true, "fields": ["id"], "filter": {"field": "dateAdded", "op": "after", "value": week_ago.to_string()}},
    });
    let found = stack.call("call_read", arguments).await;
    assert!(!list(&found, "/contacts").is_empty(), "{found}");
    // All contacts were read, over more than one page, none twice.
    let every = json!({"operation": "contacts_get-contacts", "output": {"allPages": true, "fields": ["id"]}});
    let every = stack.call("call_read", every).await;
    let mut ids: Vec<&str> = list(&every, "/contacts")
        .iter()
        .map(|row| text(row, "/id"))
        .collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
    assert_eq!(
        json!(count),
        every["total"]
            .as_u64()
            .map_or(json!(count), |total| json!(total)),
        "{count}"
    );
    assert!(every["next"].is_null(), "{}", every["next"]);
}

#[tokio::test]
async fn rows_come_in_the_form_that_is_asked_for() {
    let stack = start_at("/mcp/orchestrator").await;
    let arguments = json!({
        "operation": "contacts_get-contacts",
        "arguments": {"limit": 2}, "output": {"format": "csv", "fields": ["id", "email"]},
    });
    let csv = stack.call("call_read", arguments).await;
    let csv = csv.as_str().expect("text");
    // The rows, and a separate block for the notes.
    let (rows, notes) = csv.split_once("\r\n\n").expect("two blocks");
    assert_eq!(rows.lines().next(), Some("id,email"), "{csv}");
    assert_eq!(rows.lines().count(), 3, "{csv}");
    let notes: Value = serde_json::from_str(notes).expect("JSON");
    assert!(notes["next"]["startAfterId"].is_string(), "{csv}");
}

#[tokio::test]
async fn locations_are_listed() {
    let stack = start_at("/mcp/orchestrator").await;
    let answer = stack.call("list_locations", json!({})).await;
    assert_eq!(answer["locations"][0]["id"], LOCATION, "{answer}");
    let headers = [("authorization", "Bearer pit-sandbox-agency")];
    let (answer, is_error) = stack
        .server
        .call_with(&headers, "list_locations", json!({}))
        .await;
    assert!(!is_error && answer.contains(LOCATION), "{answer}");
}

#[tokio::test]
async fn output_works_on_every_tool() {
    let stack = start_at("/mcp/official").await;
    let arguments = json!({"limit": 3, "output": {"fields": ["id"], "maxItems": 2}});
    let answer = stack.call("contacts_get-contacts", arguments).await;
    assert_eq!(list(&answer, "/contacts").len(), 2, "{answer}");
    assert_eq!(
        answer["contacts"][0].as_object().map(serde_json::Map::len),
        Some(1),
        "{answer}"
    );
    let wrong = stack
        .try_call("contacts_get-contacts", json!({"output": {"form": 1}}))
        .await;
    assert!(text(&wrong.expect_err("wrong"), "/error").contains("output"));
}

#[tokio::test]
async fn a_read_only_surface_neither_finds_nor_calls_what_writes() {
    let stack = start_at("/mcp/orchestrator/readonly").await;
    let names = stack.server.tool_names().await;
    assert_eq!(names, ["search_operations", "call_read", "list_locations"]);
    let found = stack
        .call(
            "search_operations",
            json!({"queries": ["delete contact"], "limit": 20}),
        )
        .await;
    assert!(
        list(&found, "/nearest")
            .iter()
            .all(|hit| hit["effect"] == "read"),
        "{found}"
    );
    let refused = stack
        .try_call("call_read", json!({"operation": "contacts_delete-contact"}))
        .await;
    assert!(text(&refused.expect_err("a write"), "/error").contains("only reads"));
}

#[tokio::test]
async fn the_first_server_of_highlevel_is_answered_for() {
    let stack = start_at("/mcp/legacy").await;
    assert_eq!(stack.server.tool_names().await.len(), 36);
    let answer = stack
        .call("contacts_get-contacts", json!({"query_limit": 2}))
        .await;
    assert_eq!(answer["success"], true, "{answer}");
    assert_eq!(answer["status"], 200);
    assert_eq!(list(&answer, "/data/contacts").len(), 2);
    let wrong = stack
        .try_call("contacts_get-contact", json!({"path_contactId": "nobody"}))
        .await
        .expect_err("nobody");
    assert_eq!(
        (&wrong["success"], &wrong["status"]),
        (&json!(false), &json!(400)),
        "{wrong}"
    );
}

#[tokio::test]
async fn the_later_server_of_highlevel_is_answered_for() {
    let stack = start_at("/mcp/compat").await;
    let names = stack.server.tool_names().await;
    assert_eq!(
        names,
        [
            "list_locations",
            "search_operations",
            "describe_operation",
            "execute_operation"
        ]
    );
    let found = stack
        .call(
            "search_operations",
            json!({"query": "list contacts", "kind": "read"}),
        )
        .await;
    assert!(
        found["operations"]
            .to_string()
            .contains("contacts_get-contacts"),
        "{found}"
    );
    let told = stack
        .call(
            "describe_operation",
            json!({"operationId": "contacts_get-contact"}),
        )
        .await;
    assert_eq!(told["path"], "/contacts/{contactId}", "{told}");
    let read = json!({"operationId": "contacts_get-contacts", "params": {"query": {"limit": 1}, "locationId": LOCATION}});
    let read = stack.call("execute_operation", read).await;
    let id = text(&read, "/contacts/0/id");
    let write = |key: Option<&str>| {
        json!({
            "operationId": "add-tags", "idempotencyKey": key,
            "params": {"path": {"contactId": id}, "body": {"tags": ["z"]}},
        })
    };
    let refused = stack
        .try_call("execute_operation", write(None))
        .await
        .expect_err("no key");
    assert!(
        text(&refused, "/error").contains("idempotencyKey"),
        "{refused}"
    );
    let done = stack.call("execute_operation", write(Some("1"))).await;
    assert!(done["tags"].to_string().contains("\"z\""), "{done}");
    let mut dry = write(None);
    dry["dryRun"] = json!(true);
    let dry = stack.call("execute_operation", dry).await;
    assert_eq!(dry["resolvedRequest"]["method"], "POST", "{dry}");
}

#[tokio::test]
async fn a_value_that_highlevel_drops_is_reported() {
    let stack = start_at("/mcp").await;
    let field = json!({"id": "nosuchfield000000001", "value": "x"});
    let contact =
        json!({"firstName": "Ada", "email": "warned@example.com", "customFields": [field]});
    let direct = stack.call("contacts_create-contact", contact.clone()).await;
    let mut other = contact;
    other["email"] = json!("warned2@example.com");
    let arguments = json!({"operation": "contacts_create-contact", "arguments": other});
    let through = stack.call("call_write", arguments).await;
    for answer in [direct, through] {
        assert!(
            answer["_warnings"]
                .to_string()
                .contains("nosuchfield000000001"),
            "{answer}"
        );
    }
}
