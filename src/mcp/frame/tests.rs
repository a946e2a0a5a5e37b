//! The ids under which a frame that is not a request is answered, and the answers.

use super::*;

/// One frame, with the ids and the code of its refusal; `None`: it gets no answer.
struct FrameRow {
    frame: &'static [u8],
    expected: Option<(i32, &'static [&'static str])>,
}

fn ids(ids: &[FrameId]) -> Vec<&str> {
    ids.iter().map(|id| id.0.get()).collect()
}

fn check(row: &FrameRow) {
    let shown = String::from_utf8_lossy(row.frame);
    match (FrameFault::find(row.frame, "it is strange"), row.expected) {
        (FrameFault::Unanswered, None) => {}
        (FrameFault::Refused(refusal), Some((code, expected))) => {
            assert_eq!(
                (refusal.code, ids(&refusal.ids)),
                (code, expected.to_vec()),
                "{shown}"
            );
            let answers = refusal.frames();
            assert_eq!(answers.len(), expected.len().max(1), "{shown}");
            for answer in answers {
                let answer: Value = serde_json::from_str(&answer).expect("JSON");
                assert_eq!(answer["error"]["code"], code, "{shown}");
            }
        }
        (found, expected) => panic!("{shown}: {found:?} is not {expected:?}"),
    }
}

#[test]
fn broken_json_is_answered_under_its_id() {
    let rows: &[(&[u8], &[&str])] = &[
        // A lone surrogate, raw control characters, bytes that are not UTF-8, an invalid number.
        (
            br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"query":"caf\ud83d"}}"#,
            &["7"],
        ),
        (b"{\"id\":7,\"query\":\"a\tb\"}", &["7"]),
        (b"{\"id\":\"a-1\",\"query\":\"\xff\xfe\"}", &["\"a-1\""]),
        (
            br#"{"params":{"id":3,"limit":+1,"list":[{"id":4}]},"id":7}"#,
            &["7"],
        ),
        // The id is last, as in the TypeScript SDK, and comes after texts that look like one.
        (
            br#"{"method":"x","params":{"a":"\",\"id\":5","b":"\ud83d"},"jsonrpc":"2.0","id":7}"#,
            &["7"],
        ),
        (br#"{"a":"id","b":"\ud83d","id" : -7 }"#, &["-7"]),
        (br#"{"\u0069d":8,"b":"\ud83d"}"#, &["8"]),
        (br#"{"id":"a\"b","b":"\ud83d"}"#, &[r#""a\"b""#]),
        (b"\xEF\xBB\xBF {\"id\":7,", &["7"]),
        // Truncated: the id is complete, or may continue.
        (br#"{"jsonrpc":"2.0","id":7,"meth"#, &["7"]),
        (br#"{"jsonrpc":"2.0","id":7"#, &[]),
        (br#"{"jsonrpc":"2.0","id":"seven"#, &[]),
        (br#"{"id":7} and more"#, &["7"]),
        // Nothing that is an id.
        (br#"{"id":null,"b":"\ud83d"}"#, &[]),
        (br#"{"id":{"id":7},"b":"\ud83d"}"#, &[]),
        (br#"{"id":1e,"b":2}"#, &[]),
        (br#"{"id":"\ud83d","b":2}"#, &[]),
        (br#"{"params":{"id":7,"#, &[]),
        (br#"[{"id":7,"b":"\ud83d"}]"#, &[]),
        (b"hello", &[]),
        (b"", &[]),
    ];
    for (frame, ids) in rows {
        let expected = Some((PARSE_ERROR, *ids));
        check(&FrameRow { frame, expected });
    }
    let long = format!(r#"{{"id":"{}","b":"\ud83d"}}"#, "x".repeat(5000));
    let mut scanner = IdScanner::default();
    scanner.feed(long.as_bytes());
    assert!(scanner.finish().is_none(), "an id of any length");
}

#[test]
fn invalid_requests_are_answered_under_their_id() {
    let rows: &[(&[u8], &[&str])] = &[
        (br#"{"jsonrpc":"2.0","id":7}"#, &["7"]),
        (br#"{"jsonrpc":"2.0","id":7,"method":5}"#, &["7"]),
        (br#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#, &["7"]),
        (br#"{"id":"a","method":"ping"}"#, &["\"a\""]),
        (br#"{"method":"ping"}"#, &[]),
        (br#"{"jsonrpc":"2.0","id":7,"method":"ping","result":{}}"#, &["7"]),
        (br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, &[]),
        (br#"{"jsonrpc":"2.0","id":[7],"method":"ping"}"#, &[]),
        (br#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, &["1.5"]),
        (br#"{"jsonrpc":"2.0","id":18446744073709551615,"method":"ping"}"#, &["18446744073709551615"]),
        (br#"{"jsonrpc":"2.0","id":1e400,"method":"ping"}"#, &[]),
        (br#"[]"#, &[]),
        (br#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":"b","method":"ping"},{"id":3,"result":{}},4]"#, &["1", "\"b\""]),
        (br#""ping""#, &[]),
        (br#"7"#, &[]),
    ];
    for (frame, ids) in rows {
        let expected = Some((INVALID_REQUEST, *ids));
        check(&FrameRow { frame, expected });
    }
}

#[test]
fn notifications_get_no_answer() {
    let frames: &[&[u8]] = &[
        br#"{"jsonrpc":"2.0","method":"notifications/progress","params":7}"#,
        br#"{"jsonrpc":"2.0","id":7,"result":7}"#,
        br#"{"jsonrpc":"1.0","id":7,"error":{}}"#,
    ];
    for frame in frames {
        check(&FrameRow {
            frame,
            expected: None,
        });
    }
}
