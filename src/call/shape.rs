//! Makes the text that a client gets of HighLevel's answer: minified, and within the size budget.
//!
//! Works on the text. Carrying an answer of 100 KB through a tree of values costs more than all
//! else in a call, and would change numbers that no float holds.

use serde_json::json;
use serde_json::value::RawValue;

use crate::call::output::CutNote;
use crate::catalog::decoding::{REPLACEMENT, walk_string};
use crate::catalog::masking::{mask_secrets, may_end_in_secret};
use crate::upstream::failure::{Failure, FailureClass};
use tool::{Effect, PagingStyle, Tool};

/// Room for `_cut` and what holds it.
const NOTE_BYTES: usize = 512;

/// serde_json and many other parsers refuse 128 levels; an envelope around the answer takes some.
const DEEPEST: usize = 120;

/// The answer as HighLevel sent it but for secrets, or its first rows and how to get the rest.
pub fn shape(tool: &Tool, body: String, max_bytes: usize) -> Result<String, Failure> {
    let (text, depth, may_hold_secrets) = minified(body);
    let text = match may_hold_secrets {
        true => mask_secrets(text),
        false => text,
    };
    if depth > DEEPEST {
        let what =
            format!("HighLevel's answer is nested {depth} levels deep, which no program takes.");
        return Err(withheld(tool, what, "Ask for less.".to_owned()));
    }
    if text.len() <= max_bytes {
        return Ok(text);
    }
    let cut = max_bytes
        .checked_sub(NOTE_BYTES)
        .and_then(|room| cut(tool, &text, room));
    cut.ok_or_else(|| too_large(tool, text.len(), max_bytes, ask_for_less(tool, None)))
}

/// Why an answer of so many bytes is not given.
pub fn too_large(tool: &Tool, bytes: usize, max_bytes: usize, remedy: String) -> Failure {
    let what =
        format!("The answer has {bytes} bytes, more than the {max_bytes} that may be given.");
    withheld(tool, what, remedy)
}

/// A text of HighLevel's that is not JSON, without secrets.
pub(super) fn fitting_text(tool: &Tool, text: &str, max_bytes: usize) -> Result<String, Failure> {
    let text = mask_secrets(text.to_owned());
    match text.len() {
        bytes if bytes > max_bytes => Err(too_large(
            tool,
            bytes,
            max_bytes,
            beyond("tools.max_answer_bytes"),
        )),
        _ => Ok(text),
    }
}

/// How many bytes a file takes in an answer, where it is base64.
pub(super) fn encoded_bytes(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

/// Fails where a file of so many bytes is not given.
pub(super) fn check_file(tool: &Tool, bytes: usize, max_bytes: usize) -> Result<(), Failure> {
    let encoded = encoded_bytes(bytes);
    if encoded <= max_bytes {
        return Ok(());
    }
    let what = format!(
        "The file has {bytes} bytes, in an answer {encoded}, more than the {max_bytes} that may be given."
    );
    Err(withheld(tool, what, beyond("tools.max_file_bytes")))
}

/// How to get what cannot be asked for in parts.
fn beyond(setting: &str) -> String {
    format!(
        "Get it by `highlevel-mcp call TOOL ARGUMENTS --output FILE`, or have the operator raise {setting}."
    )
}

fn withheld(tool: &Tool, what: String, remedy: String) -> Failure {
    Failure::new(FailureClass::Upstream, what).with_remedy(match tool.effect {
        Effect::Read => remedy,
        _ => "HighLevel did what was asked; read the record.".to_owned(),
    })
}

/// `json` without the white space between its tokens and with U+FFFD for halves of surrogate pairs, which strict parsers
/// refuse; every other byte as it was. Also how deep it is nested, and whether one of its names may be that of a secret:
/// a pass of its own for that takes a quarter of a large answer's time.
fn minified(json: String) -> (String, usize, bool) {
    let bytes = json.as_bytes();
    let mut out = Vec::new();
    let (mut kept, mut index) = (0, 0);
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut may_hold_secrets = false;
    let mut lone_surrogates = Vec::new();
    while let Some(byte) = bytes.get(index) {
        match byte {
            b'"' => {
                index = walk_string(bytes, index, |at| lone_surrogates.push(at));
                for at in lone_surrogates.drain(..) {
                    out.extend_from_slice(&bytes[kept..at]);
                    out.extend_from_slice(REPLACEMENT.as_bytes());
                    kept = at + REPLACEMENT.len();
                }
            }
            b':' => {
                may_hold_secrets |= may_end_in_secret(&bytes[..index]);
                index += 1;
            }
            b' ' | b'\n' | b'\r' | b'\t' => {
                out.extend_from_slice(&bytes[kept..index]);
                index += 1;
                kept = index;
            }
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
                index += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                index += 1;
            }
            _ => index += 1,
        }
    }
    if kept == 0 {
        return (json, deepest, may_hold_secrets);
    }
    out.extend_from_slice(&bytes[kept..]);
    // Only ASCII was taken out or replaced, so that this is UTF-8 still.
    let text = String::from_utf8(out).unwrap_or(json);
    (text, deepest, may_hold_secrets)
}

/// The first rows that fit into `room`, or `None` where there are no rows or not one fits.
fn cut(tool: &Tool, text: &str, room: usize) -> Option<String> {
    let rows_at = tool.paging.rows;
    let holder = rows_at
        .iter()
        .try_fold(text, |text, key| member(text, key))?;
    let rows: Vec<&RawValue> = serde_json::from_str(holder).ok()?;
    // `holder` is a part of `text`: what stands before and after it stays.
    let start = holder.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let (before, after) = (text.get(..start)?, text.get(start + holder.len()..)?);
    let mut left = room.checked_sub(before.len() + after.len())?;
    let mut kept = String::new();
    let mut shown = 0;
    for row in &rows {
        let Some(rest) = left.checked_sub(row.get().len() + 1) else {
            break;
        };
        left = rest;
        if shown > 0 {
            kept.push(',');
        }
        kept.push_str(row.get());
        shown += 1;
    }
    if shown == 0 {
        return None;
    }
    let note = CutNote {
        shown: Some(shown),
        of: Some(json!(rows.len())),
        why: vec!["The answer is full.".to_owned()],
        next: vec![ask_for_less(tool, Some(shown))],
        ..CutNote::default()
    };
    let note = note.json()?;
    let whole = format!("{before}[{kept}]{after}");
    if rows_at.is_empty() {
        return None;
    }
    let open = whole.strip_suffix('}')?;
    Some(format!("{open},\"_cut\":{note}}}"))
}

/// The text of one member of a JSON object.
fn member<'a>(object: &'a str, key: &str) -> Option<&'a str> {
    let members: std::collections::BTreeMap<std::borrow::Cow<'a, str>, &'a RawValue> =
        serde_json::from_str(object).ok()?;
    members.get(key).map(|value| value.get())
}

/// How to get the rest, or a smaller answer, in the operation's own arguments.
pub(super) fn ask_for_less(tool: &Tool, shown: Option<usize>) -> String {
    let paging = &tool.paging;
    if let (PagingStyle::Offset, Some(position), Some(shown)) =
        (paging.style, paging.position, shown)
    {
        return format!("Add {shown} to {position} for what follows.");
    }
    match (paging.page_size, paging.narrow, shown) {
        (Some(size), _, Some(shown)) => {
            format!("Repeat the call with {size}={shown} or less, then go on from its last row.")
        }
        (Some(size), _, None) => format!("Repeat the call with a smaller {size}."),
        (None, Some(narrow), _) => format!("Ask for {narrow}."),
        (None, None, _) => "HighLevel offers no way to ask for less here.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;

    fn tool(name: &str) -> &'static Tool {
        let tools = crate::catalog::TOOLS;
        tools.iter().find(|tool| tool.name == name).expect("a tool")
    }

    fn check(name: &str, body: &str, max_bytes: usize, expected: Result<&str, &str>) {
        let shaped = shape(tool(name), body.to_owned(), max_bytes);
        match (&shaped, expected) {
            (Ok(text), Ok(expected)) => assert_eq!(text, expected),
            (Err(failure), Err(part)) => assert!(failure.text().contains(part), "{failure}"),
            _ => panic!("{shaped:?} is not {expected:?}"),
        }
    }

    #[test]
    fn answers_stay_as_they_came_but_for_white_space() {
        let body =
            "{ \"a\\\" b\" : [ 1.0 , 1e400 , 12345678901234567890123 ] ,\n\t\"\\\\\":\" \" }";
        let expected = r#"{"a\" b":[1.0,1e400,12345678901234567890123],"\\":" "}"#;
        check("contacts_get-contact", body, 1000, Ok(expected));
    }

    #[test]
    fn halves_of_surrogate_pairs_are_replaced() {
        check(
            "contacts_get-contact",
            r#"{"\udc00" : "hi \ud83d", "b":"\ud83d\ude00\\ud83d\ud83d"}"#,
            1000,
            Ok(r#"{"\ufffd":"hi \ufffd","b":"\ud83d\ude00\\ud83d\ufffd"}"#),
        );
        check(
            "contacts_get-contact",
            r#"["\uDE00"]"#,
            1000,
            Ok(r#"["\ufffd"]"#),
        );
    }

    #[test]
    fn long_lists_are_cut_at_a_row_and_say_how_to_go_on() {
        let row = format!(r#"{{"id":"{}"}}"#, "x".repeat(100));
        let rows = [row.as_str(); 10].join(",");
        let contacts = format!(r#"{{"contacts":[{rows}],"meta":{{"total":10}}}}"#);
        let two = format!(
            r#"{{"contacts":[{row},{row}],"meta":{{"total":10}},"_cut":{{"shown":2,"of":10,"why":"The answer is full.","next":"Repeat the call with limit=2 or less, then go on from its last row."}}}}"#
        );
        check(
            "contacts_get-contacts",
            &contacts,
            NOTE_BYTES + 300,
            Ok(&two),
        );
        let messages = format!(r#"{{"messages":{{"messages":[{rows}],"nextPage":true}}}}"#);
        let one = format!(
            r#"{{"messages":{{"messages":[{row}],"nextPage":true}},"_cut":{{"shown":1,"of":10,"why":"The answer is full.","next":"Repeat the call with limit=1 or less, then go on from its last row."}}}}"#
        );
        check(
            "conversations_get-messages",
            &messages,
            NOTE_BYTES + 200,
            Ok(&one),
        );
        let tasks = format!(r#"{{"tasks":[{rows}]}}"#);
        let none = format!(
            r#"{{"tasks":[{row}],"_cut":{{"shown":1,"of":10,"why":"The answer is full.","next":"HighLevel offers no way to ask for less here."}}}}"#
        );
        check(
            "contacts_get-all-tasks",
            &tasks,
            NOTE_BYTES + 150,
            Ok(&none),
        );
    }

    #[test]
    fn an_answer_is_nested_no_deeper_than_parsers_take() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        check("contacts_get-contact", &nested(120), 1000, Ok(&nested(120)));
        let refused = Err("nested 121 levels deep");
        check("contacts_get-contact", &nested(121), 1000, refused);
        check(
            "contacts_get-contact",
            r#"["[[\"[[", "{{"]"#,
            1000,
            Ok(r#"["[[\"[[","{{"]"#),
        );
    }

    #[test]
    fn answers_that_cannot_be_cut_are_refused_and_never_truncated() {
        let long = format!(r#"{{"contact":"{}"}}"#, "x".repeat(1000));
        check(
            "contacts_get-contact",
            &long,
            1000,
            Err("The answer has 1014 bytes, more than the 1000"),
        );
        let one_row = format!(r#"{{"contacts":["{}"]}}"#, "x".repeat(1000));
        check(
            "contacts_get-contacts",
            &one_row,
            1000,
            Err("Repeat the call with a smaller limit."),
        );
        check(
            "contacts_get-contacts",
            &one_row,
            1,
            Err("more than the 1 that"),
        );
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::vec((".*", inner), 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    proptest! {
        #[test]
        fn minified_says_the_same_and_is_smallest(value in json_value()) {
            prop_assert_eq!(minified(format!("{value:#}")).0, value.to_string());
        }

        #[test]
        fn a_cut_answer_fits_and_holds_the_first_rows(
            rows in prop::collection::vec(json_value(), 1..40),
            max_bytes in 1_usize..4000,
        ) {
            let body = json!({"contacts": rows, "meta": {"total": rows.len()}}).to_string();
            if let Ok(text) = shape(tool("contacts_get-contacts"), body, max_bytes) {
                prop_assert!(text.len() <= max_bytes);
                let shaped: Value = serde_json::from_str(&text).expect("JSON");
                let kept = shaped["contacts"].as_array().expect("rows");
                prop_assert_eq!(kept.as_slice(), &rows[..kept.len()]);
                prop_assert_eq!(kept.len() < rows.len(), shaped.get("_cut").is_some());
            }
        }
    }
}
