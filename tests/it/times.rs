//! Times without an offset: their time zone, the request to HighLevel for it, and the request that is sent.

use serde_json::{Value, json};

use test_support::recording::{RecordedRequest, Recording, json as reply};
use test_support::server::{TestServer, UNCONFIRMED, VOUCHED};

const READ_LOCATION: &str = "GET /locations/L0";

/// A HighLevel whose location is in Los Angeles.
async fn in_los_angeles() -> Recording {
    Recording::start(|request| match request.target.as_str() {
        "/locations/L0" => reply(
            200,
            r#"{"location":{"id":"L0","timezone":"America/Los_Angeles"}}"#,
        ),
        _ => reply(200, r#"{"ok":true}"#),
    })
    .await
}

/// A HighLevel that does not let the token read the location.
async fn that_tells_no_zone() -> Recording {
    Recording::start(|request| match request.target.as_str() {
        "/locations/L0" => reply(
            401,
            r#"{"statusCode":401,"message":"The token is not authorized for this scope."}"#,
        ),
        _ => reply(200, r#"{"ok":true}"#),
    })
    .await
}

async fn server(highlevel: &Recording, path: &'static str) -> TestServer {
    let mut server = TestServer::start_with(&highlevel.url, &[VOUCHED, UNCONFIRMED]).await;
    server.path = path;
    server
}

fn lines(requests: &[RecordedRequest]) -> Vec<String> {
    let lines = requests.iter();
    lines
        .map(|one| format!("{} {}", one.method, one.target))
        .collect()
}

fn body(request: &RecordedRequest) -> Value {
    serde_json::from_slice(&request.body).unwrap_or_default()
}

fn task(due: &str) -> Value {
    json!({"contactId": "c1", "title": "Call", "completed": false, "dueDate": due})
}

#[tokio::test]
async fn a_day_of_a_write_is_that_day_in_the_location() {
    let highlevel = in_los_angeles().await;
    let server = server(&highlevel, "/mcp/x/all").await;
    for (due, expected, lines_expected) in [
        (
            "2026-12-01",
            "2026-12-01T00:00:00-08:00",
            vec![READ_LOCATION, "POST /contacts/c1/tasks"],
        ),
        // The time zone is now known.
        (
            "2026-07-01T09:30",
            "2026-07-01T09:30:00-07:00",
            vec!["POST /contacts/c1/tasks"],
        ),
        (
            "2026-12-01T12:30:00Z",
            "2026-12-01T12:30:00Z",
            vec!["POST /contacts/c1/tasks"],
        ),
    ] {
        let (text, is_error) = server.call("contacts_create-task", task(due)).await;
        assert!(!is_error, "{text}");
        let requests = highlevel.take();
        assert_eq!(lines(&requests), lines_expected, "{due}");
        let sent = requests.last().map(body).unwrap_or_default();
        assert_eq!(sent["dueDate"], expected, "{due}");
    }
}

#[tokio::test]
async fn a_time_with_a_zone_needs_no_request() {
    let highlevel = in_los_angeles().await;
    let server = server(&highlevel, "/mcp/x/all").await;
    let book = |time: &str| json!({"calendarId": "ca", "contactId": "c1", "startTime": time});
    for (given, expected) in [
        (
            "2026-12-01T12:30:00[America/Los_Angeles]",
            "2026-12-01T12:30:00-08:00",
        ),
        ("2026-12-01T12:30:00-05:00", "2026-12-01T12:30:00-05:00"),
    ] {
        let (text, is_error) = server
            .call("calendars_create-appointment", book(given))
            .await;
        assert!(!is_error, "{text}");
        let [request] = <[_; 1]>::try_from(highlevel.take()).expect("one request");
        assert_eq!(body(&request)["startTime"], expected);
    }
    let slots = json!({"calendarId": "ca", "startDate": "2026-12-01", "endDate": "2026-12-01", "timezone": "America/Los_Angeles"});
    let (text, is_error) = server.call("calendars_get-slots", slots).await;
    assert!(!is_error, "{text}");
    let [request] = <[_; 1]>::try_from(highlevel.take()).expect("one request");
    assert!(
        request.target.contains("startDate=1796112000000"),
        "{}",
        request.target
    );
    assert!(
        request.target.contains("endDate=1796198399999"),
        "{}",
        request.target
    );
}

#[tokio::test]
async fn without_the_zone_a_write_is_refused_and_a_read_says_that_it_took_utc() {
    let highlevel = that_tells_no_zone().await;
    let server = server(&highlevel, "/mcp/x/all").await;
    let (text, is_error) = server
        .call("contacts_create-task", task("2026-12-01T09:00:00"))
        .await;
    assert!(is_error);
    for part in [
        "Nothing was sent: dueDate depends on the location's time zone",
        "-08:00",
        "[America/Los_Angeles]",
    ] {
        assert!(text.contains(part), "{text}");
    }
    // The failed read is not repeated for the next call.
    let slots = json!({"calendarId": "ca", "startDate": "2026-12-01", "endDate": "2026-12-01"});
    let (text, is_error) = server.call("calendars_get-slots", slots).await;
    assert!(!is_error, "{text}");
    let told: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(told["ok"], true);
    let warning = told["_warnings"][0].as_str().unwrap_or_default();
    assert!(
        warning.starts_with("Times without an offset were taken as UTC"),
        "{text}"
    );
    let sent = lines(&highlevel.take());
    let [asked, slots] = sent.as_slice() else {
        panic!("{sent:?}");
    };
    assert_eq!(asked, READ_LOCATION);
    assert!(
        slots.contains("endDate=1796169599999&startDate=1796083200000")
            || slots.contains("startDate=1796083200000&endDate=1796169599999"),
        "{slots}"
    );
}

#[tokio::test]
async fn invalid_times_and_a_reversed_window_need_no_request() {
    let highlevel = in_los_angeles().await;
    let server = server(&highlevel, "/mcp/x/all").await;
    let slots =
        |from: &str, to: &str| json!({"calendarId": "ca", "startDate": from, "endDate": to});
    for (from, to, part) in [
        ("tomorrow", "2026-12-01", "startDate must be a date"),
        (
            "2026-12-02T00:00:00Z",
            "2026-12-01T00:00:00Z",
            "startDate (\\\"2026-12-02T00:00:00Z\\\") is after endDate",
        ),
    ] {
        let (text, is_error) = server.call("calendars_get-slots", slots(from, to)).await;
        assert!(is_error && text.contains(part), "{text}");
        assert_eq!(lines(&highlevel.take()), [""; 0]);
    }
}

#[tokio::test]
async fn a_preview_shows_what_a_batch_then_sends_and_asks_once() {
    let highlevel = in_los_angeles().await;
    let server = server(&highlevel, "/mcp").await;
    let items: Vec<Value> = (1..=5)
        .map(|day| json!({"dueDate": format!("2026-12-0{day}")}))
        .collect();
    let mut call = json!({
        "operation": "contacts_create-task",
        "arguments": {"contactId": "c1", "title": "Call", "completed": false},
        "items": items,
        "dryRun": true,
    });
    let (text, is_error) = server.call("call_write", call.clone()).await;
    assert!(!is_error, "{text}");
    let told: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        told["request"][4]["body"]["dueDate"], "2026-12-05T00:00:00-08:00",
        "{text}"
    );
    call["dryRun"] = json!(false);
    let (text, is_error) = server.call("call_write", call).await;
    assert!(!is_error, "{text}");
    let requests = highlevel.take();
    let asked = lines(&requests)
        .iter()
        .filter(|line| *line == READ_LOCATION)
        .count();
    assert_eq!((asked, requests.len()), (1, 6));
    let sent = requests.last().map(body).unwrap_or_default();
    assert_eq!(sent["dueDate"], "2026-12-05T00:00:00-08:00");
}

#[tokio::test]
async fn a_confirmation_sends_the_request_that_was_shown() {
    let highlevel = in_los_angeles().await;
    let mut server = TestServer::start_with(&highlevel.url, &[VOUCHED]).await;
    server.path = "/mcp/x/all";
    let coupon = json!({"name": "n", "code": "C", "discountType": "percentage", "discountValue": 5, "startDate": "2026-12-01", "endDate": "2026-12-31"});
    let (text, _) = server.call("payments_create-coupon", coupon.clone()).await;
    let told: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        told["request"]["body"]["endDate"], "2026-12-31T23:59:59.999-08:00",
        "{text}"
    );
    let mut confirmed = coupon;
    confirmed["confirm"] = told["confirm"].clone();
    let (text, is_error) = server.call("payments_create-coupon", confirmed).await;
    assert!(!is_error, "{text}");
    let requests = highlevel.take();
    assert_eq!(lines(&requests), [READ_LOCATION, "POST /payments/coupon"]);
    assert_eq!(body(&requests[1]), told["request"]["body"]);
}

#[tokio::test]
async fn rules_that_forbid_the_read_are_obeyed() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("policy.toml");
    let text = "[server]\ndeny = [\"locations_get-location\"]\nconfirm = { write = \"off\" }\n";
    std::fs::write(&rules, text).expect("a file");
    let rules = rules.display().to_string();
    let highlevel = in_los_angeles().await;
    let variables = [VOUCHED, ("HIGHLEVEL_MCP_POLICY_FILE", rules.as_str())];
    let mut server = TestServer::start_with(&highlevel.url, &variables).await;
    server.path = "/mcp/x/all";
    let (text, is_error) = server
        .call("contacts_create-task", task("2026-12-01"))
        .await;
    assert!(
        is_error && text.contains("the rules do not let it be read"),
        "{text}"
    );
    assert_eq!(lines(&highlevel.take()), [""; 0]);
}

#[tokio::test]
async fn the_forms_of_highlevels_own_servers_take_utc() {
    let highlevel = in_los_angeles().await;
    let legacy = server(&highlevel, "/mcp/legacy").await;
    let window = json!({"query_calendarId": "ca", "query_startTime": "2026-12-01T00:00:00", "query_endTime": "2026-12-01T12:00:00"});
    let (text, is_error) = legacy.call("calendars_get-calendar-events", window).await;
    assert!(!is_error, "{text}");
    let compat = server(&highlevel, "/mcp/compat").await;
    let call = json!({"operationId": "contacts_create-task", "idempotencyKey": "k", "params": {"path": {"contactId": "c1"}, "body": {"title": "Call", "completed": false, "dueDate": "2026-12-01T09:00:00"}}});
    let (text, is_error) = compat.call("execute_operation", call).await;
    assert!(!is_error, "{text}");
    let [events, task] = <[_; 2]>::try_from(highlevel.take()).expect("two requests");
    assert!(
        events.target.contains("startTime=1796083200000"),
        "{}",
        events.target
    );
    assert_eq!(body(&task)["dueDate"], "2026-12-01T09:00:00Z");
}

#[tokio::test]
async fn a_zone_in_the_settings_needs_no_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = folder.path().join("settings.toml");
    let text = "[locations.acme]\nlocation_id = \"L0\"\ntoken = { env = \"ACME\" }\ntimezone = \"Asia/Tokyo\"\n";
    std::fs::write(&settings, text).expect("a file");
    let settings = settings.display().to_string();
    let highlevel = in_los_angeles().await;
    let variables = [
        VOUCHED,
        UNCONFIRMED,
        ("HIGHLEVEL_MCP_CONFIG", settings.as_str()),
        ("ACME", "pit-acme"),
    ];
    let mut server = TestServer::start_with(&highlevel.url, &variables).await;
    server.path = "/mcp/x/all";
    let (text, is_error) = server
        .call("contacts_create-task", task("2026-12-01"))
        .await;
    assert!(!is_error, "{text}");
    let [request] = <[_; 1]>::try_from(highlevel.take()).expect("one request");
    assert_eq!(body(&request)["dueDate"], "2026-12-01T00:00:00+09:00");
}
