//! The part of a request that a person sees, however large the request is.

use serde_json::{Value, json};

/// Longest preview as JSON, in bytes: it is part of a file, a message and a terminal's output.
pub const MOST_PREVIEW: usize = 64 << 10;

/// Bytes that are reserved for the words around a part.
const AROUND: usize = 1 << 10;

/// `preview`, or as much of it as may be stored, with a sentence that says so.
pub fn cut_preview(preview: &Value) -> Value {
    let text = preview.to_string();
    if text.len() <= MOST_PREVIEW {
        return preview.clone();
    }
    let room = MOST_PREVIEW - AROUND;
    if let Value::Array(items) = preview {
        let mut left = room;
        let fits = |item: &&Value| {
            let bytes = item.to_string().len() + 1;
            let fits = bytes <= left;
            left = left.saturating_sub(bytes);
            fits
        };
        let shown: Vec<Value> = items.iter().take_while(fits).cloned().collect();
        if !shown.is_empty() {
            let hidden = items.len() - shown.len();
            let cut = format!(
                "The request is too long to be shown: {hidden} of its {} calls are left out.",
                items.len()
            );
            return json!({"cut": cut, "calls": shown});
        }
    }
    // As a text inside a text, its quotes and backslashes take twice the room.
    let beginning = text.get(..text.floor_char_boundary(room / 2));
    let cut = format!(
        "The request is too long to be shown: this is the beginning of its {} bytes.",
        text.len()
    );
    json!({"cut": cut, "beginning": beginning})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(preview: &Value, cut: Option<&str>) {
        let kept = cut_preview(preview);
        let bytes = kept.to_string().len();
        assert!(bytes <= MOST_PREVIEW, "{bytes}");
        match cut {
            None => assert_eq!(&kept, preview),
            Some(part) => assert!(kept["cut"].to_string().contains(part), "{kept}"),
        }
    }

    #[test]
    fn a_preview_is_bounded_and_says_where_it_is_cut() {
        let call = |bytes: usize| json!({"body": "x".repeat(bytes)});
        check(&json!({"amount": 5}), None);
        check(&Value::Array(vec![call(600); 100]), None);
        check(
            &Value::Array(vec![call(6_000); 100]),
            Some("90 of its 100 calls"),
        );
        check(
            &Value::Array(vec![call(3_000_000); 2]),
            Some("beginning of its 6000"),
        );
        check(&call(900_000), Some("beginning of its 9000"));
        check(
            &json!({"body": "\"\\ü".repeat(100_000)}),
            Some("the beginning"),
        );
    }
}
