//! Every known error answer, in every shape.

use serde_json::{Value, json};

use super::*;
use crate::upstream::error_body::LONGEST_MESSAGE;

fn judge(tool: &str, status: u16, headers: &[(&'static str, &str)], body: &str) -> Value {
    let tools = crate::catalog::TOOLS;
    let tool = tools.iter().find(|one| one.name == tool).expect("a tool");
    let token = SecretString::from("pit-secret");
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| {
            let name = reqwest::header::HeaderName::from_static(name);
            (name, value.parse().expect("a value"))
        })
        .collect();
    let status = StatusCode::from_u16(status).expect("a status");
    let failure = classify_error(tool, &token, status, &headers, body.as_bytes());
    serde_json::from_str(&failure.text()).expect("JSON")
}

const READ: &str = "contacts_get-contact";
const CREATE: &str = "contacts_create-contact";

#[test]
fn known_messages_have_a_cause_each() {
    let rows: &[(&str, u16, &str, &str, &str)] = &[
        (
            READ,
            401,
            "version header was not found.",
            "upstream",
            "drops headers",
        ),
        (READ, 401, "Invalid JWT", "auth", "make a new one"),
        (
            READ,
            401,
            "Invalid token: access token is invalid",
            "auth",
            "make a new one",
        ),
        (
            READ,
            401,
            "The token is not authorized for this scope.",
            "scope",
            "the scope contacts.readonly",
        ),
        (
            READ,
            401,
            "Token's user type mismatch!",
            "token_class",
            "connect each location's own token",
        ),
        (
            READ,
            401,
            "This authClass type is not allowed to access this scope. Please reach out",
            "token_class",
            "Name the location",
        ),
        (
            READ,
            401,
            "This route is not yet supported by the IAM Service. Please update your IAM config.",
            "refused",
            "Do not try again",
        ),
        (
            READ,
            403,
            "The token does not have access to this location.",
            "location",
            "locationId",
        ),
        (
            READ,
            400,
            "Contact not found for id:c1",
            "not_found",
            "Check the id",
        ),
        (
            CREATE,
            400,
            "This location does not allow duplicated contacts.",
            "duplicate",
            "upsert",
        ),
        (
            CREATE,
            400,
            "Contact 9k2x has dnd enabled, not starting campaign",
            "dnd",
            "dndSettings",
        ),
        (
            READ,
            400,
            "Invalid API version segment 'bogus' at position 0",
            "upstream",
            "newer release",
        ),
        (
            CREATE,
            422,
            "property locationId should not exist",
            "invalid",
            "Leave out the property",
        ),
        (
            CREATE,
            422,
            "phone must be valid",
            "invalid",
            "created all the same",
        ),
        (READ, 404, "Cannot GET /x", "not_found", "Check the id"),
        (READ, 403, "Forbidden", "refused", "scopes"),
        (
            READ,
            500,
            "Internal server error",
            "upstream",
            "may be repeated",
        ),
        (
            CREATE,
            500,
            "Internal server error",
            "unknown_outcome",
            "before you repeat",
        ),
        (
            CREATE,
            503,
            "Service Unavailable",
            "unknown_outcome",
            "before you repeat",
        ),
        (
            READ,
            429,
            "Too many requests",
            "rate_limited",
            "Wait 10 seconds",
        ),
        (READ, 418, "tea", "invalid", "See the message"),
    ];
    for (tool, status, message, class, remedy) in rows {
        let body = json!({"statusCode": status, "message": message, "error": "E"}).to_string();
        let failure = judge(tool, *status, &[], &body);
        assert_eq!(failure["class"], *class, "{failure}");
        assert_eq!(failure["status"], *status);
        assert_eq!(failure["message"], *message);
        let said = failure["remedy"].as_str().expect("a remedy");
        assert!(said.contains(remedy), "{remedy:?} is not in {said:?}");
    }
}

#[test]
fn messages_are_read_in_every_shape() {
    let rows: &[(&str, Value, Value)] = &[
        (
            r#"{"statusCode":422,"message":["a must be a string","property b should not exist"]}"#,
            json!("a must be a string; property b should not exist"),
            Value::Null,
        ),
        (
            r#"{"status":400,"message":"m","name":"HttpException","traceId":"t-1"}"#,
            json!("m"),
            json!("t-1"),
        ),
        (
            r#"{"error":"UnAuthorized!","error_description":"Authorization code not found"}"#,
            json!("Authorization code not found"),
            Value::Null,
        ),
        (r#"{"error":"only this"}"#, json!("only this"), Value::Null),
        (
            r#"{"message":{"code":"X"}}"#,
            json!(r#"{"code":"X"}"#),
            Value::Null,
        ),
        ("plain text", json!("plain text"), Value::Null),
        ("", Value::Null, Value::Null),
        (
            r#"{"message":"your pit-secret is odd","traceId":"pit-secret"}"#,
            json!("your [a secret] is odd"),
            json!("[a secret]"),
        ),
        (
            "<html><head><title>Access denied | 1010</title></head></html>",
            json!("Access denied | 1010"),
            Value::Null,
        ),
    ];
    for (body, message, trace_id) in rows {
        let failure = judge(READ, 400, &[("x-other", "1")], body);
        assert_eq!(
            (&failure["message"], &failure["traceId"]),
            (message, trace_id),
            "{body}"
        );
    }
    let long = format!(r#"{{"message":"{}"}}"#, "é".repeat(5000));
    let failure = judge(READ, 400, &[], &long);
    assert_eq!(
        failure["message"].as_str().map(|text| text.chars().count()),
        Some(LONGEST_MESSAGE)
    );
    assert_eq!(
        judge(READ, 400, &[("x-trace-id", "t-2")], "{}")["traceId"],
        "t-2"
    );
}

#[test]
fn html_is_a_proxy_and_redirects_are_named() {
    let html = "<!DOCTYPE html><title>Just a moment</title>";
    let failure = judge(READ, 403, &[], html);
    assert_eq!(failure["class"], "upstream");
    assert!(
        failure["error"]
            .as_str()
            .is_some_and(|text| text.contains("page of HTML"))
    );
    // Whether a write happened is not known, whatever stands between.
    for (status, body) in [
        (502, html),
        (504, html),
        (504, ""),
        (408, ""),
        (499, html),
        (302, ""),
        (303, ""),
        (304, ""),
        (103, ""),
    ] {
        let failure = judge(CREATE, status, &[("location", "/contacts/new1")], body);
        assert_eq!(failure["class"], "unknown_outcome", "{status}");
        let remedy = failure["remedy"].as_str().unwrap_or_default();
        assert!(remedy.contains("Read the record"), "{status}: {failure}");
        assert_ne!(
            judge(READ, status, &[], body)["class"],
            "unknown_outcome",
            "{status}"
        );
    }
    let failure = judge(
        READ,
        302,
        &[("location", "https://login.example/x?t=1")],
        "",
    );
    assert_eq!(
        failure["error"],
        "HighLevel redirects this call to login.example, which is not followed."
    );
}

#[test]
fn a_limit_says_how_long_to_wait() {
    let rows: &[(&[(&'static str, &str)], Value, &str)] = &[
        (&[("retry-after", "3")], json!(3000), "Wait 3 seconds"),
        (
            &[("x-ratelimit-interval-milliseconds", "2500")],
            json!(2500),
            "Wait 3 seconds",
        ),
        (&[("retry-after", "soon")], json!(10_000), "Wait 10 seconds"),
        (
            &[("x-ratelimit-interval-milliseconds", "99999999999999")],
            json!(10_000),
            "Wait 10 seconds",
        ),
        (
            &[("x-ratelimit-daily-remaining", "0")],
            Value::Null,
            "tomorrow",
        ),
    ];
    for (headers, wait, remedy) in rows {
        let failure = judge(READ, 429, headers, "{}");
        assert_eq!(failure["retryAfterMs"], *wait);
        assert!(
            failure["remedy"]
                .as_str()
                .is_some_and(|text| text.contains(remedy)),
            "{failure}"
        );
    }
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(30);
    let date = jiff::fmt::rfc2822::to_string(&soon.to_zoned_datetime(jiff::tz::TimeZone::UTC))
        .expect("a date");
    let wait = judge(READ, 429, &[("retry-after", &date)], "{}")["retryAfterMs"].as_u64();
    assert!(
        wait.is_some_and(|wait| (20_000..=30_000).contains(&wait)),
        "{date}: {wait:?}"
    );
}

#[test]
fn every_answer_but_an_unknown_token_accepts_the_token() {
    use TokenVerdict::{Accepted, Doubtful, Silent, Unknown};
    let tools = crate::catalog::TOOLS;
    let tool = tools.iter().find(|one| one.name == READ).expect("a tool");
    let token = SecretString::from("pit-secret");
    let page = "<html><title>Blocked</title></html>";
    // Status, body, verdict on the token, and whether the call may have been executed.
    #[rustfmt::skip]
    let rows: &[(u16, &str, TokenVerdict, bool)] = &[
        (401, r#"{"message":"Invalid JWT"}"#, Unknown, false),
        (401, r#"{"message":["Invalid token: access token is invalid"]}"#, Unknown, false),
        (401, r#"{"message":"The token is not authorized for this scope."}"#, Accepted, false),
        (401, r#"{"message":"Token's user type mismatch!"}"#, Accepted, false),
        (401, r#"{"message":"This authClass type is not allowed to access this scope."}"#, Accepted, false),
        (401, r#"{"message":"This route is not yet supported by the IAM Service."}"#, Accepted, false),
        (401, r#"{"message":"version header was not found."}"#, Accepted, false),
        (401, r#"{"message":"Nope."}"#, Doubtful, false),
        (401, "{}", Doubtful, false),
        (401, "Invalid JWT", Doubtful, true),
        (401, page, Doubtful, true),
        (403, r#"{"message":"The token does not have access to this location."}"#, Accepted, false),
        (403, page, Doubtful, true),
        (404, r#"{"message":"Not found"}"#, Accepted, true),
        (404, page, Doubtful, true),
        (400, "{}", Accepted, true),
        (409, "{}", Accepted, true),
        (422, "{}", Accepted, true),
        (408, "{}", Silent, true),
        (429, "{}", Silent, false),
        (429, page, Silent, false),
        (302, "", Silent, true),
        (500, "{}", Silent, true),
        (503, page, Silent, true),
    ];
    for (status, body, expected, executed) in rows {
        let status = StatusCode::from_u16(*status).expect("a status");
        let headers = HeaderMap::new();
        let (failure, verdict) = super::judge(tool, &token, status, &headers, body.as_bytes());
        assert_eq!(verdict, *expected, "{status} {body}");
        assert_eq!(failure.not_executed(), !executed, "{status} {body}");
    }
}

#[test]
fn answers_of_public_operations_are_no_verdict_on_a_token() {
    let tools = crate::catalog::TOOLS;
    for path in PUBLIC {
        let tool = tools.iter().find(|tool| tool.path == *path);
        let tool = tool.expect("a tool");
        assert!(tool.access.is_empty(), "{path}");
        for verdict in [TokenVerdict::Accepted, TokenVerdict::Unknown] {
            assert_eq!(verdict.for_operation(tool), TokenVerdict::Doubtful);
        }
    }
    let tool = tools.iter().find(|one| one.name == READ).expect("a tool");
    for verdict in [TokenVerdict::Accepted, TokenVerdict::Unknown] {
        assert_eq!(verdict.for_operation(tool), verdict);
    }
}
