//! Numbers are sent with exactly the given digits, or not at all.

use serde_json::Value;
use test_support::server::KEY;

use super::{only, stack};

#[tokio::test]
async fn no_digit_is_lost_in_silence() {
    let (highlevel, server) = stack().await;
    let update = |value: &str| {
        format!(r#"{{"contactId":"c","customFields":[{{"id":"f","field_value":{value}}}]}}"#)
    };
    let in_call = |arguments: String| {
        format!(r#"{{"operation":"contacts_update-contact","arguments":{arguments}}}"#)
    };
    // `None` if it is refused.
    let rows = [
        ("9007199254740993", Some("9007199254740993")),
        ("18446744073709551615", Some("18446744073709551615")),
        ("0.1", Some("0.1")),
        ("100.50", Some("100.50")),
        ("\"3.141592653589793238\"", Some("\"3.141592653589793238\"")),
        ("3.141592653589793238", Some("3.141592653589793238")),
        ("12345678901234567890123", Some("12345678901234567890123")),
        ("1e-400", Some("1e-400")),
        ("1e400", None),
    ];
    for (value, expected) in rows {
        let calls = [
            ("contacts_update-contact", update(value)),
            ("call_write", in_call(update(value))),
            (
                "call_write",
                in_call(serde_json::to_string(&update(value)).expect("JSON")),
            ),
        ];
        for (tool, arguments) in calls {
            let frame = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
            );
            let reply = server.post("/mcp");
            let reply = reply.header("authorization", "Bearer pit-test");
            let reply = reply.header("x-access-key", KEY).header("locationid", "L0");
            let reply: Value = reply
                .body(frame)
                .send()
                .await
                .expect("a reply")
                .json()
                .await
                .expect("JSON");
            let text = reply["result"]["content"][0]["text"]
                .as_str()
                .unwrap_or_else(|| panic!("{reply}"));
            let sent = highlevel.take();
            match expected {
                Some(kept) => {
                    let sent = only(sent, &arguments);
                    let body = std::str::from_utf8(&sent.body).expect("UTF-8");
                    let expected =
                        format!(r#"{{"customFields":[{{"id":"f","field_value":{kept}}}]}}"#);
                    assert_eq!(body, expected, "{arguments}");
                }
                None => {
                    assert_eq!(sent.len(), 0, "{arguments}");
                    assert!(text.contains("give it as a string"), "{value}: {text}");
                }
            }
        }
    }
}
