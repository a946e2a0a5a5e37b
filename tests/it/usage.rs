//! Usage: the calls that are counted, by caller and location, those that are not, and the sum of several processes.

#[cfg(unix)]
mod processes;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use state::usage::{UsageGrouping, UsageQuery};
use test_support::recording::{Recording, json as answer};
use test_support::server::TestServer;

use crate::agency::{Agency, branch};

const RULES: &str =
    "[server]\nconfirm = { bulk = \"off\" }\n[locations.b02]\ndeny = [\"contacts_add-tags\"]\n";

/// Caller, location and effect, with the numbers of calls, failed calls, and requests.
type Row = (String, String, String, i64, i64, i64);

/// The counts so far.
async fn counted(server: &TestServer) -> Vec<Row> {
    let usage = server.pipeline.controls().usage.as_ref();
    let written = usage.expect("it counts").write().await;
    assert_eq!(written, Ok(false));
    let today = TimeZone::UTC.to_datetime(Timestamp::now()).date();
    let by = UsageGrouping {
        day: false,
        principal: true,
        location: true,
        effect: true,
    };
    // Midnight may have passed meanwhile.
    let days = (today.yesterday().expect("a day"), today);
    let query = UsageQuery::sums(days, by);
    let rows = server.store().usage(&query).await.expect("read");
    rows.into_iter()
        .map(|row| {
            let counts = row.counts;
            let (calls, failed) = (counts.calls, counts.failed);
            (
                row.principal,
                row.location,
                row.effect,
                calls,
                failed,
                counts.requests,
            )
        })
        .collect()
}

fn row(who: &str, location: &str, effect: &str, (calls, failed, requests): (i64, i64, i64)) -> Row {
    let texts = [who, location, effect].map(str::to_owned);
    let [who, location, effect] = texts;
    (who, location, effect, calls, failed, requests)
}

/// A tool's answer to a key. Panics if it is not the expected one.
async fn call(agency: &mut Agency, key: &str, tool: &str, arguments: Value, works: bool) -> Value {
    let answer = agency.call("/mcp", key, tool, arguments).await;
    assert_eq!(answer.is_ok(), works, "{answer:?}");
    answer.unwrap_or_default()
}

#[tokio::test]
async fn sent_calls_are_counted_by_caller_and_location_and_others_are_not() {
    let mut agency = Agency::start(2, RULES).await;
    let one = agency.key("one", Some(&["b01"]), None);
    let other = agency.key("other", None, None);
    let contacts = "contacts_get-contacts";
    let at = |location: &str| json!({"location": location, "limit": 1});
    let found = call(&mut agency, &one, contacts, at("b01"), true).await;
    let contact = found["contacts"][0]["id"].as_str().expect("an id");
    call(&mut agency, &other, contacts, at("b01"), true).await;
    call(&mut agency, &other, contacts, at("b02"), true).await;
    let unknown = json!({"location": "b02", "contactId": "nobody"});
    call(&mut agency, &other, "contacts_get-contact", unknown, false).await;
    // Two items, of which one fails at HighLevel.
    let items = json!([{"contactId": contact}, {"contactId": "nobody"}]);
    let batch = json!({
        "operation": "contacts_add-tags", "arguments": {"tags": ["a"]}, "items": items, "onError": "continue"
    });
    call(&mut agency, &one, "call_write", batch, true).await;
    // None of these is sent.
    let dry = json!({"operation": "contacts_add-tags", "dryRun": true, "arguments": {"contactId": contact, "tags": ["b"]}});
    call(&mut agency, &one, "call_write", dry, true).await;
    call(&mut agency, &one, contacts, at("b02"), false).await;
    let wrong = json!({"location": "b01", "limit": "many"});
    call(&mut agency, &one, contacts, wrong, false).await;
    let denied = json!({"location": "b02", "contactId": contact, "tags": ["b"]});
    call(&mut agency, &other, "contacts_add-tags", denied, false).await;

    let keys = state::keys::Keys::new(&agency.server.store());
    let who = |name: &str| {
        let key = keys.with_name(name).expect("a key");
        format!("key:{}", key.id)
    };
    let mut expected = vec![
        row(&who("one"), &branch(1), "read", (1, 0, 1)),
        row(&who("one"), &branch(1), "write", (2, 1, 2)),
        row(&who("other"), &branch(1), "read", (1, 0, 1)),
        row(&who("other"), &branch(2), "read", (2, 1, 2)),
    ];
    expected.sort();
    assert_eq!(counted(&agency.server).await, expected);
    let sent = agency.sandbox.requests().await.len();
    let requests: i64 = expected.iter().map(|row| row.5).sum();
    assert_eq!(usize::try_from(requests), Ok(sent), "each that was sent");

    // Pages are requests of one call.
    let all = json!({"operation": contacts, "arguments": {"location": "b02", "limit": 1}, "output": {"allPages": true}});
    call(&mut agency, &other, "call_read", all, true).await;
    let pages = agency.sandbox.requests().await.len() - sent;
    assert!(pages > 1, "{pages}");
    let pages = i64::try_from(pages).expect("a number");
    let of_other = counted(&agency.server).await;
    let expected = row(&who("other"), &branch(2), "read", (3, 1, 2 + pages));
    assert!(of_other.contains(&expected), "{of_other:?}");
}

#[tokio::test]
async fn repetitions_are_requests_and_made_up_tokens_are_one_caller() {
    let highlevel = Recording::start(|request| match (request.token(), request.path()) {
        ("pit-test", "/contacts/") => answer(503, "{}"),
        ("pit-test", _) => answer(200, "{}"),
        _ => answer(401, r#"{"message":"Invalid Private Integration token"}"#),
    })
    .await;
    let server = TestServer::start(&highlevel.url).await;
    let (answered, is_error) = server
        .call("contacts_get-contact", json!({"contactId": "c1"}))
        .await;
    assert!(!is_error, "{answered}");
    highlevel.take();
    server.call("contacts_get-contacts", json!({})).await;
    let attempts = i64::try_from(highlevel.take().len()).expect("a number");
    assert!(attempts > 1, "{attempts}");
    for number in 0..3 {
        let (token, location) = (format!("Bearer pit-made-up-{number}"), format!("X{number}"));
        let headers = [("authorization", token.as_str()), ("locationid", &location)];
        let read = server.call_with(&headers, "contacts_get-contacts", json!({}));
        assert!(read.await.1);
    }
    let rows = counted(&server).await;
    let made_up = i64::try_from(highlevel.take().len()).expect("a number");
    let of_token = |row: &&Row| row.0 == "token";
    let tokens: Vec<&Row> = rows.iter().filter(of_token).collect();
    assert_eq!(
        tokens,
        [&row("token", "", "read", (3, 3, made_up))],
        "{rows:?}"
    );
    let known: Vec<&Row> = rows.iter().filter(|row| !of_token(row)).collect();
    let is_one = |row: &&Row| row.0.starts_with("credential:") && row.0 == known[0].0;
    assert!(known.iter().all(is_one), "{rows:?}");
    let sum = |count: fn(&Row) -> i64| known.iter().map(|row| count(row)).sum::<i64>();
    let sums = (sum(|row| row.3), sum(|row| row.4), sum(|row| row.5));
    assert_eq!(sums, (2, 1, 1 + attempts), "{rows:?}");
}

#[tokio::test]
async fn without_state_nothing_is_counted() {
    let highlevel = Recording::always(200, r#"{"contacts":[]}"#).await;
    for variable in [
        ("HIGHLEVEL_MCP_STATE_FOLDER", "none"),
        ("HIGHLEVEL_MCP_USAGE_KEEP_DAYS", "0"),
    ] {
        let server = TestServer::start_with(&highlevel.url, &[variable]).await;
        let (text, is_error) = server.call("contacts_get-contacts", json!({})).await;
        assert!(!is_error, "{text}");
        assert!(server.pipeline.controls().usage.is_none(), "{variable:?}");
    }
}
