//! Bodies of uploads: their fields as texts, their files by name, type and size.

use serde_json::{Map, Value, json};

/// The parts of a `multipart/form-data` body. A file is `{name, type, size}`; malformed parts are skipped.
pub(crate) fn parts(media: &str, body: &[u8]) -> Map<String, Value> {
    let boundary = media.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        (name.trim() == "boundary").then(|| value.trim().trim_matches('"'))
    });
    let Some(boundary) = boundary.filter(|boundary| !boundary.is_empty()) else {
        return Map::new();
    };
    let separator = format!("--{boundary}");
    let mut members = Map::new();
    for piece in pieces(body, separator.as_bytes()) {
        let Some((head, content)) = cut(piece, b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(head);
        let content = content.strip_suffix(b"\r\n").unwrap_or(content);
        let Some(name) = parameter(&head, "name") else {
            continue;
        };
        let value = match parameter(&head, "filename") {
            Some(file) => {
                let kind = head.lines().find_map(|line| {
                    let (header, value) = line.split_once(':')?;
                    header
                        .eq_ignore_ascii_case("content-type")
                        .then(|| value.trim().to_owned())
                });
                json!({"name": file, "type": kind, "size": content.len()})
            }
            None => json!(String::from_utf8_lossy(content)),
        };
        members.insert(name, value);
    }
    members
}

/// The bytes between the separators.
fn pieces<'b>(body: &'b [u8], separator: &'b [u8]) -> impl Iterator<Item = &'b [u8]> {
    let mut rest = cut(body, separator).map(|(_, rest)| rest);
    std::iter::from_fn(move || {
        let (piece, after) = cut(rest?, separator)?;
        rest = Some(after);
        Some(piece)
    })
}

/// The bytes before and after the first `mark`.
fn cut<'b>(bytes: &'b [u8], mark: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let place = bytes
        .windows(mark.len())
        .position(|window| window == mark)?;
    Some((bytes.get(..place)?, bytes.get(place + mark.len()..)?))
}

/// A quoted parameter of `Content-Disposition`.
fn parameter(head: &str, name: &str) -> Option<String> {
    let start = format!("; {name}=\"");
    let (_, rest) = head.split_once(&start)?;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_files_are_told_apart() {
        fn check(media: &str, body: &str, expected: &Value) {
            let found = Value::Object(parts(media, body.as_bytes()));
            assert_eq!(found, *expected, "{media} {body}");
        }
        let media = "multipart/form-data; boundary=b";
        let field = "--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nLogo\r\n";
        let file = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\
                    Content-Type: image/png\r\n\r\nPNG\r\n\r\n.\r\n";
        let of_file = json!({"name": "a.png", "type": "image/png", "size": 8});
        check(
            media,
            &format!("{field}{file}--b--\r\n"),
            &json!({"name": "Logo", "file": of_file}),
        );
        check(
            "multipart/form-data; boundary=\"b\"",
            &format!("{file}--b--\r\n"),
            &json!({"file": of_file}),
        );
        check(media, &format!("{field}--b--"), &json!({"name": "Logo"}));
        for none in ["", "--b", "--b--\r\n", "--b\r\nnothing\r\n--b--", field] {
            check(media, none, &json!({}));
        }
        check("multipart/form-data", field, &json!({}));
    }
}
