//! Previews show people: names beside ids, for one call and for many, on every surface.

use serde_json::{Value, json};

use test_support::recording::{RecordedRequest, Recording, json as answer};
use test_support::server::{TestServer, VOUCHED};

/// HighLevel with one record of each kind.
fn record(request: &RecordedRequest) -> Option<Value> {
    let found = match request.path() {
        "/contacts/c1" => {
            json!({"contact": {"id": "c1", "firstName": "Maria", "lastName": "Lopez", "dnd": true}})
        }
        "/opportunities/search" => json!({"opportunities": [{"id": "o1"}], "meta": {"total": 2}}),
        "/opportunities/o1" => {
            json!({"opportunity": {"id": "o1", "name": "New roof", "monetaryValue": 900}})
        }
        "/invoices/i1" => {
            json!({"_id": "i1", "name": "Roof", "invoiceNumber": "INV-7", "total": 500, "currency": "USD"})
        }
        "/calendars/events/appointments/e1" => {
            json!({"appointment": {"id": "e1", "title": "Visit", "startTime": "2030-01-01T10:00:00Z"}})
        }
        "/users/u1" => json!({"id": "u1", "name": "Sam Hill", "email": "s@x.example"}),
        "/contacts/c1/notes/n1" => json!({"note": {"id": "n1", "body": "Likes red"}}),
        _ => return None,
    };
    Some(found)
}

async fn serve(knows: bool) -> (Recording, TestServer) {
    let highlevel = Recording::start(move |request| match record(request) {
        Some(found) if request.method == "GET" && knows => answer(200, found.to_string()),
        _ if request.method == "GET" => answer(403, r#"{"message":"no"}"#),
        _ => answer(200, r#"{"ok":true}"#),
    })
    .await;
    let server = TestServer::start_with(&highlevel.url, &[VOUCHED]).await;
    (highlevel, server)
}

fn wrapped(operation: &str, arguments: &Value) -> Value {
    json!({"operation": operation, "arguments": arguments})
}

#[tokio::test]
async fn a_preview_names_its_records() {
    let (highlevel, server) = serve(true).await;
    let maria = json!({"contactId": "c1", "name": "Maria Lopez", "doNotDisturb": true});
    let mut with_deals = maria.clone();
    with_deals["deletesToo"] = json!({"opportunities": 2});
    let rows = [
        (
            "contacts_delete-contact",
            json!({"contactId": "c1"}),
            json!([with_deals]),
        ),
        (
            "contacts_delete-note",
            json!({"contactId": "c1", "id": "n1"}),
            json!([{"id": "n1", "name": "Likes red"}, maria]),
        ),
        (
            "opportunities_delete-opportunity",
            json!({"id": "o1"}),
            json!([{"id": "o1", "name": "New roof", "monetaryValue": 900}]),
        ),
        (
            "invoices_void-invoice",
            json!({"invoiceId": "i1"}),
            json!([{"invoiceId": "i1", "name": "Roof", "invoiceNumber": "INV-7", "total": 500, "currency": "USD"}]),
        ),
        (
            "calendars_delete-event",
            json!({"eventId": "e1"}),
            json!([{"eventId": "e1", "name": "Visit", "startTime": "2030-01-01T10:00:00Z"}]),
        ),
    ];
    for (operation, arguments, expected) in rows {
        let (text, is_error) = server
            .call("call_destructive", wrapped(operation, &arguments))
            .await;
        let asked: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(asked["records"], expected, "{operation}: {text}");
        assert!(
            !is_error && asked["status"] == "needs_confirmation",
            "{text}"
        );
    }
    assert!(highlevel.take().iter().all(|one| one.method == "GET"));
}

/// Whoever deletes several contacts learns what goes with each, by items and by rows.
#[tokio::test]
async fn the_deals_of_each_contact_to_be_deleted_are_counted() {
    let highlevel = Recording::start(|request| {
        let about = ["contact_id", "contactId"].into_iter();
        let about = about.filter_map(|name| request.query(name)).next();
        let found = match request.path() {
            "/contacts/search" => {
                let row = |number| json!({"id": format!("c{number}"), "firstName": "Ada"});
                let rows: Vec<Value> = (1..=7).map(row).collect();
                json!({"contacts": rows, "total": 7})
            }
            "/opportunities/search" => {
                let deals = if about.as_deref() == Some("c2") { 3 } else { 0 };
                json!({"opportunities": [], "meta": {"total": deals}})
            }
            path => json!({"contact": {"id": path, "firstName": "Ada"}}),
        };
        answer(200, found.to_string())
    })
    .await;
    let mut server = TestServer::start_with(&highlevel.url, &[VOUCHED]).await;
    server.path = "/mcp/orchestrator";
    let items = |count: usize| -> Vec<Value> {
        (1..=count)
            .map(|number| json!({"contactId": format!("c{number}")}))
            .collect()
    };
    let delete = |more: &str, value: Value| json!({"operation": "contacts_delete-contact", "arguments": {}, more: value});
    let each = json!({"operation": "contacts_search-contacts-advanced"});
    for (call, shown, are_more) in [
        (delete("items", json!(items(2))), 2, false),
        (delete("items", json!(items(7))), 5, true),
        (delete("each", each), 5, true),
    ] {
        let (text, is_error) = server.call("call_destructive", call).await;
        let asked: Value = serde_json::from_str(&text).expect("JSON");
        let records = asked["records"].as_array().expect("records");
        let deals: Vec<&Value> = records
            .iter()
            .map(|one| &one["deletesToo"]["opportunities"])
            .collect();
        assert_eq!(deals.len(), shown, "{text}");
        assert!(!is_error && *deals[1] == 3 && *deals[0] == 0, "{text}");
        let says_more = asked["_warnings"].to_string().contains("first 5 only");
        assert_eq!(says_more, are_more, "{text}");
    }
}

/// A record that cannot be read is shown by its id.
#[tokio::test]
async fn a_name_that_cannot_be_read_hinders_no_preview() {
    let (highlevel, server) = serve(false).await;
    let call = wrapped("contacts_delete-contact", &json!({"contactId": "c1"}));
    let (text, _) = server.call("call_destructive", call).await;
    let asked: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(asked["records"], json!([{"contactId": "c1"}]), "{text}");
    highlevel.take();
    let (text, is_error) = server
        .call("call_destructive", json!({"confirm": asked["confirm"]}))
        .await;
    assert!(!is_error, "{text}");
    let seen = highlevel.take();
    assert_eq!(seen.len(), 1, "a confirm reads nothing");
    assert_eq!(
        (seen[0].method.as_str(), seen[0].path()),
        ("DELETE", "/contacts/c1")
    );
}

/// The caller's rules apply to these reads too.
#[tokio::test]
async fn names_are_read_under_the_rules() {
    let highlevel = Recording::start(|request| match record(request) {
        Some(found) if request.method == "GET" => answer(200, found.to_string()),
        _ => answer(200, "{}"),
    })
    .await;
    let rules = tempfile::NamedTempFile::new().expect("a file");
    let text =
        "[server]\ndeny = [\"contacts_get-contact\", \"opportunities_search-opportunity\"]\n";
    std::fs::write(rules.path(), text).expect("written");
    let rules = (
        "HIGHLEVEL_MCP_POLICY_FILE",
        rules.path().to_str().expect("UTF-8"),
    );
    let server = TestServer::start_with(&highlevel.url, &[VOUCHED, rules]).await;
    let call = wrapped("contacts_delete-contact", &json!({"contactId": "c1"}));
    let (text, _) = server.call("call_destructive", call).await;
    assert!(text.contains(r#""records":[{"contactId":"c1"}]"#), "{text}");
    assert!(highlevel.take().is_empty());
}

/// A preview is not an error, except for clients of HighLevel's own servers, which would take it for a completed write.
#[tokio::test]
async fn a_preview_is_an_error_to_those_who_know_no_such_answer() {
    let (highlevel, mut server) = serve(true).await;
    let compat = json!({
        "operationId": "contacts_delete-contact", "idempotencyKey": "k",
        "params": {"path": {"contactId": "c1"}},
    });
    let rows = [
        (
            "/mcp/x/contacts",
            "contacts_delete-contact",
            json!({"contactId": "c1"}),
            false,
        ),
        (
            "/mcp/orchestrator",
            "call_destructive",
            wrapped("contacts_delete-contact", &json!({"contactId": "c1"})),
            false,
        ),
        ("/mcp/compat", "execute_operation", compat, true),
    ];
    for (path, tool, arguments, expected) in rows {
        server.path = path;
        let (text, is_error) = server.call(tool, arguments).await;
        assert_eq!(is_error, expected, "{path}: {text}");
        let place = if expected {
            "\"class\":"
        } else {
            "\"status\":"
        };
        assert!(
            text.contains(&format!("{place}\"needs_confirmation\"")),
            "{path}: {text}"
        );
    }
    assert!(highlevel.take().iter().all(|one| one.method == "GET"));
}
