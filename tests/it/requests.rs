//! Each tool sends exactly the request that HighLevel accepts: one row for each tool, and requests that it must not
//! send.

use highlevel_mcp::catalog::TOOLS;
use serde_json::{Map, Value, json};
use tool::{Effect, Place, Tool};

use test_support::recording::Recording;
use test_support::server::{KEY, LOCATION, TOKEN, TestServer, VOUCHED};

/// Tool and arguments, then method, path with query, `Version` and body of the request that is sent.
type Row = (
    &'static str,
    Value,
    &'static str,
    &'static str,
    &'static str,
    Option<Value>,
);

const CALENDARS: &str = "2021-04-15";
const USUAL: &str = "2021-07-28";

fn rows() -> Vec<Row> {
    vec![
        (
            "calendars_get-appointment-notes",
            json!({"appointmentId": "ap1"}),
            "GET",
            "/calendars/appointments/ap1/notes?limit=20&offset=0",
            CALENDARS,
            None,
        ),
        (
            "calendars_get-calendar-events",
            json!({"calendarId": "ca1", "startTime": "2026-01-31T09:00:00Z", "endTime": "2026-02-01T09:00:00Z"}),
            "GET",
            "/calendars/events?calendarId=ca1&endTime=1769936400000&locationId=L0&startTime=1769850000000",
            CALENDARS,
            None,
        ),
        (
            "contacts_add-tags",
            json!({"contactId": "c1", "tags": ["vip", "ünïcode"]}),
            "POST",
            "/contacts/c1/tags",
            USUAL,
            Some(json!({"tags": ["vip", "ünïcode"]})),
        ),
        (
            "contacts_create-contact",
            json!({"firstName": "Ada", "email": "ada@example.com", "tags": [], "customFields": [{"id": "f1", "field_value": 100.5}, {"key": "k", "field_value": ["a", "b"]}]}),
            "POST",
            "/contacts/",
            USUAL,
            Some(
                json!({"firstName": "Ada", "email": "ada@example.com", "tags": [], "customFields": [{"id": "f1", "field_value": 100.5}, {"key": "k", "field_value": ["a", "b"]}], "locationId": LOCATION}),
            ),
        ),
        (
            "contacts_get-all-tasks",
            json!({"contactId": "c1"}),
            "GET",
            "/contacts/c1/tasks",
            USUAL,
            None,
        ),
        (
            "contacts_get-contact",
            json!({"contactId": "c1"}),
            "GET",
            "/contacts/c1",
            USUAL,
            None,
        ),
        (
            "contacts_get-contacts",
            json!({"query": "ada & co", "limit": 20.0, "startAfter": 1_769_850_000_000_i64, "startAfterId": "c0"}),
            "GET",
            "/contacts/?limit=20&locationId=L0&query=ada+%26+co&startAfter=1769850000000&startAfterId=c0",
            USUAL,
            None,
        ),
        (
            "contacts_remove-tags",
            json!({"contactId": "c1", "tags": ["vip"]}),
            "DELETE",
            "/contacts/c1/tags",
            USUAL,
            Some(json!({"tags": ["vip"]})),
        ),
        (
            "contacts_update-contact",
            json!({"contactId": "c1", "clear": ["lastName"], "dnd": true, "tags": null}),
            "PUT",
            "/contacts/c1",
            USUAL,
            Some(json!({"lastName": null, "dnd": true})),
        ),
        (
            "contacts_upsert-contact",
            json!({"phone": "+15550100", "dndSettings": {"sms": {"status": "active"}}}),
            "POST",
            "/contacts/upsert",
            USUAL,
            Some(
                json!({"phone": "+15550100", "dndSettings": {"SMS": {"status": "active"}}, "locationId": LOCATION}),
            ),
        ),
        (
            "conversations_get-messages",
            json!({"conversationId": "cv1", "limit": 5, "type": ["TYPE_SMS", "TYPE_CALL"]}),
            "GET",
            "/conversations/cv1/messages?limit=5&type=TYPE_SMS%2CTYPE_CALL",
            CALENDARS,
            None,
        ),
        (
            "conversations_search-conversation",
            json!({"assignedTo": ["u1", "u2"], "status": "unread", "startDate": "2026-01-31T09:00:00Z"}),
            "GET",
            "/conversations/search?assignedTo=u1%2Cu2&locationId=L0&startDate=1769850000000&status=unread",
            CALENDARS,
            None,
        ),
        (
            "conversations_send-a-new-message",
            json!({"type": "SMS", "contactId": "c1", "message": "Hello"}),
            "POST",
            "/conversations/messages",
            CALENDARS,
            Some(json!({"type": "SMS", "contactId": "c1", "message": "Hello"})),
        ),
        (
            "locations_get-custom-fields",
            json!({"model": "opportunity"}),
            "GET",
            "/locations/L0/customFields?model=opportunity",
            USUAL,
            None,
        ),
        (
            "locations_get-location",
            json!({}),
            "GET",
            "/locations/L0",
            USUAL,
            None,
        ),
        (
            "opportunities_get-opportunity",
            json!({"opportunityId": "o1"}),
            "GET",
            "/opportunities/o1",
            USUAL,
            None,
        ),
        (
            "opportunities_get-pipelines",
            json!({}),
            "GET",
            "/opportunities/pipelines?locationId=L0",
            USUAL,
            None,
        ),
        (
            "opportunities_search-opportunity",
            json!({"q": "roof", "pipelineId": "p1", "status": "open", "date": "2026-01-31", "getTasks": true}),
            "GET",
            "/opportunities/search?date=01-31-2026&getTasks=true&location_id=L0&pipeline_id=p1&q=roof&status=open",
            USUAL,
            None,
        ),
        (
            "opportunities_update-opportunity",
            json!({"id": "o1", "status": "won", "monetaryValue": 1200, "customFields": [{"key": "k", "value": 7}]}),
            "PUT",
            "/opportunities/o1",
            USUAL,
            Some(
                json!({"status": "won", "monetaryValue": 1200, "customFields": [{"key": "k", "field_value": 7}]}),
            ),
        ),
        (
            "payments_get-order-by-id",
            json!({"orderId": "or1"}),
            "GET",
            "/payments/orders/or1?altId=L0&altType=location",
            USUAL,
            None,
        ),
        (
            "payments_list-transactions",
            json!({"entityId": "or1", "startAt": "2026-01-31T09:00:00+01:00", "limit": 10, "offset": 20}),
            "GET",
            "/payments/transactions?altId=L0&altType=location&entityId=or1&limit=10&offset=20&startAt=2026-01-31",
            USUAL,
            None,
        ),
    ]
}

/// The query with its pairs sorted, since HighLevel ignores their order.
fn sorted(target: &str) -> String {
    let Some((path, query)) = target.split_once('?') else {
        return target.to_owned();
    };
    let mut pairs: Vec<&str> = query.split('&').collect();
    pairs.sort_unstable();
    format!("{path}?{}", pairs.join("&"))
}

#[tokio::test]
async fn every_tool_sends_exactly_its_request() {
    let rows = rows();
    let highlevel = Recording::always(200, r#"{"ok": true}"#).await;
    let mut server = TestServer::start_with(&highlevel.url, &[VOUCHED]).await;
    server.path = "/mcp/x/all";
    let official = TOOLS
        .iter()
        .filter(|tool| tool.toolsets.contains(&"official"));
    let official: Vec<&str> = official.map(|tool| tool.name).collect();
    let tested: Vec<&str> = rows.iter().map(|row| row.0).collect();
    assert_eq!(official, tested, "a row for every official tool");

    for (tool, arguments, method, target, version, body) in rows {
        let answer = server.call(tool, arguments).await;
        let found = TOOLS.iter().find(|one| one.name == tool).expect(tool);
        let expected = match found.effect {
            Effect::Read => r#"{"ok":true}"#,
            _ => r#"{"ok":true,"_location":{"id":"L0"}}"#,
        };
        assert_eq!(answer, (expected.to_owned(), false), "{tool}");
        let [request] = <[_; 1]>::try_from(highlevel.take()).expect(tool);
        assert_eq!(request.method, method, "{tool}");
        assert_eq!(sorted(&request.target), target, "{tool}");
        assert_eq!(request.header("version"), Some(version), "{tool}");
        assert_eq!(
            request.header("authorization"),
            Some(format!("Bearer {TOKEN}").as_str())
        );
        assert_eq!(request.header("accept"), Some("application/json"));
        assert!(
            request
                .header("user-agent")
                .is_some_and(|agent| agent.starts_with("highlevel-mcp/"))
        );
        for unwanted in [
            "api-version",
            "locationid",
            "cookie",
            "x-access-key",
            "mcp-protocol-version",
        ] {
            assert_eq!(request.header(unwanted), None, "{tool}");
        }
        let content_type = body.as_ref().map(|_| "application/json");
        assert_eq!(request.header("content-type"), content_type, "{tool}");
        match body {
            Some(body) => {
                let sent: Value = serde_json::from_slice(&request.body).expect(tool);
                assert_eq!(sent, body, "{tool}");
            }
            None => assert!(request.body.is_empty(), "{tool}"),
        }
    }
}

/// HighLevel's own server takes `path_contactId`, `query_limit`, `body_tags`. The same request is sent.
#[tokio::test]
async fn prefixed_names_send_the_same_request() {
    let highlevel = Recording::always(200, r#"{"ok": true}"#).await;
    let mut server = TestServer::start_with(&highlevel.url, &[VOUCHED]).await;
    server.path = "/mcp/x/all";
    for (tool, arguments, method, target, _, body) in rows() {
        let known = TOOLS.iter().find(|one| one.name == tool).expect(tool);
        let prefixed: Map<String, Value> = arguments
            .as_object()
            .expect("an object")
            .iter()
            .map(|(name, value)| (prefixed(known, name), value.clone()))
            .collect();
        let (text, is_error) = server.call(tool, Value::Object(prefixed)).await;
        assert!(!is_error, "{tool}: {text}");
        let [request] = <[_; 1]>::try_from(highlevel.take()).expect(tool);
        assert_eq!(request.method, method, "{tool}");
        assert_eq!(sorted(&request.target), target, "{tool}");
        assert_eq!(serde_json::from_slice(&request.body).ok(), body, "{tool}");
    }
}

fn prefixed(tool: &Tool, name: &str) -> String {
    // The argument is ours, and is not part of the request.
    if name == "clear" {
        return name.to_owned();
    }
    let argument = tool
        .arguments
        .iter()
        .find(|one| one.name == name || one.aliases.contains(&name))
        .expect(name);
    let places = ["path_", "query_", "body_"];
    let is_prefixed = |alias: &&&str| places.iter().any(|place| alias.starts_with(place));
    let alias = argument.aliases.iter().find(is_prefixed).expect(name);
    (*alias).to_owned()
}

/// A value that would change the path, encoded or not, is refused before anything is sent, in every path parameter of
/// every official tool.
#[tokio::test]
async fn nothing_but_an_id_reaches_a_path() {
    let strings = [
        "",
        ".",
        "..",
        "../locations/L9",
        "..%2Flocations%2FL9",
        "%2e%2e",
        "%252e%252e",
        "a/b",
        "a\\b",
        "\t..\t",
        "c1?limit=1",
        "c1#x",
        "c1 ",
        "é",
        "c1;x",
        "c1\u{0}",
    ];
    let highlevel = Recording::always(200, "{}").await;
    let mut server = TestServer::start_with(&highlevel.url, &[VOUCHED]).await;
    server.path = "/mcp/x/all";
    let mut tried = 0;
    for (tool, arguments, ..) in rows() {
        let known = TOOLS.iter().find(|one| one.name == tool).expect(tool);
        for argument in known
            .arguments
            .iter()
            .filter(|one| one.place == Place::Path)
        {
            for text in strings {
                let mut arguments = arguments.clone();
                for alias in argument.aliases {
                    arguments.as_object_mut().expect("an object").remove(*alias);
                }
                arguments[argument.name] = json!(text);
                let open = [("authorization", "Bearer pit-test"), ("x-access-key", KEY)];
                let (answer, is_error) = server.call_with(&open, tool, arguments).await;
                let refusal = match text {
                    "" => format!("{} is missing", argument.name),
                    _ => format!("{} must be an id", argument.name),
                };
                assert!(
                    is_error && answer.contains(&refusal),
                    "{tool} {text:?}: {answer}"
                );
                tried += 1;
            }
        }
    }
    // With an empty location id, HighLevel is asked for the locations of the token.
    assert_eq!(highlevel.count(|one| one.path() != "/locations/search"), 0);
    // `tests/gateway/injection.rs` does the same for every operation, without a server.
    assert_eq!(tried, strings.len() * 12);
}
