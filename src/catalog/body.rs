//! Writes bodies that are not JSON: forms and file uploads.
//!
//! reqwest's own multipart form is a stream, which cannot be sent again after a refusal. These bodies are bytes.

use std::borrow::Cow;
use std::io;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use reqwest::Request;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

use crate::catalog::prepare::PrepareError;
use tool::Arguments;
use tool::{Media, Tool};

/// A file as the caller gave it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UploadFile {
    pub name: String,
    pub media_type: String,
    pub bytes: Vec<u8>,
}

/// Replaces the JSON body of `request` by the kind of body that `tool` needs.
pub(crate) fn write(
    tool: &Tool,
    arguments: &Arguments,
    request: &mut Request,
) -> Result<(), PrepareError> {
    let (content_type, bytes) = match tool.media {
        Media::Json => return Ok(()),
        Media::Form => (
            "application/x-www-form-urlencoded".to_owned(),
            form(arguments.body()?).into_bytes(),
        ),
        Media::Multipart => multipart(tool, arguments.body()?)?,
    };
    let value = HeaderValue::from_str(&content_type)
        .map_err(|_| PrepareError("the media type is not a header".to_owned()))?;
    request.headers_mut().insert(CONTENT_TYPE, value);
    *request.body_mut() = Some(bytes.into());
    Ok(())
}

/// The body of `request` for a person or model to read: members as they are sent, and of a file its name, media type and
/// size.
pub(crate) fn preview(tool: &Tool, arguments: &Arguments, sent: Option<&[u8]>) -> Option<Value> {
    let sent = sent?;
    if tool.media == Media::Json {
        return serde_json::from_slice(sent).ok();
    }
    let mut body = arguments.body.clone()?;
    for (name, value) in body.as_object_mut().into_iter().flatten() {
        if is_file(tool, name) {
            match value {
                Value::Array(several) => several.iter_mut().for_each(describe),
                one => describe(one),
            }
        }
    }
    Some(body)
}

fn is_file(tool: &Tool, name: &str) -> bool {
    let mut arguments = tool.arguments.iter();
    arguments.any(|argument| {
        argument.file && (argument.wire_name == name || argument.wire_name == "body")
    })
}

fn describe(value: &mut Value) {
    if let Ok(UploadFile {
        name,
        media_type,
        bytes,
    }) = file(value)
    {
        *value = json!({"name": name, "type": media_type, "bytes": bytes.len()});
    }
}

/// The file in `value`: base64, a data URI, or either as `data` of an object with `name` and `type`.
pub(crate) fn file(value: &Value) -> Result<UploadFile, &'static str> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let data = value.as_str().or_else(|| text("data"));
    let data = data.ok_or("is not a file: give base64, a data URI, or {data, name, type}")?;
    let (media_type, encoded) = match data.strip_prefix("data:") {
        Some(uri) => {
            let (head, encoded) = uri.split_once(',').ok_or("is a data URI without a comma")?;
            let media_type = head
                .strip_suffix(";base64")
                .ok_or("is a data URI that is not base64")?;
            (media_type, encoded)
        }
        None => ("", data),
    };
    // Copies only if there is white space: files are large.
    let encoded: Cow<'_, str> = match encoded.bytes().any(|byte| byte.is_ascii_whitespace()) {
        true => encoded.split_ascii_whitespace().collect(),
        false => Cow::Borrowed(encoded),
    };
    let decode = |engine: base64::engine::GeneralPurpose| engine.decode(&*encoded).ok();
    let bytes = [STANDARD, STANDARD_NO_PAD, URL_SAFE]
        .into_iter()
        .find_map(decode);
    let bytes = bytes.ok_or("is no base64")?;
    if bytes.is_empty() {
        return Err("is an empty file");
    }
    let media_type = text("type").unwrap_or(media_type);
    let printable = media_type.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if !printable {
        return Err("has a type that is no media type");
    }
    Ok(UploadFile {
        name: text("name").unwrap_or("file").to_owned(),
        media_type: if media_type.is_empty() {
            "application/octet-stream".to_owned()
        } else {
            media_type.to_owned()
        },
        bytes,
    })
}

fn form(body: &Value) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in body.as_object().into_iter().flatten() {
        form.append_pair(name, &form_text(value));
    }
    form.finish()
}

fn multipart(tool: &Tool, body: &Value) -> Result<(String, Vec<u8>), PrepareError> {
    let mut parts = Vec::new();
    for (name, value) in body.as_object().into_iter().flatten() {
        let is_file = is_file(tool, name);
        let several = value
            .as_array()
            .map_or(std::slice::from_ref(value), Vec::as_slice);
        for value in several {
            parts.push((name, is_file, value));
        }
    }
    let boundary = boundary(body);
    let mut out = Vec::new();
    for (name, is_file, value) in parts {
        // One after the other, because each may be megabytes.
        let part = is_file.then(|| file(value)).transpose();
        let part = part.map_err(|what| PrepareError(format!("{name} {what}")))?;
        let mut head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"",
            quoted(name)
        );
        match part {
            Some(file) => {
                head += &format!(
                    "; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n",
                    quoted(&file.name),
                    file.media_type
                );
                out.reserve_exact(head.len() + file.bytes.len() + boundary.len() + 16);
                out.extend_from_slice(head.as_bytes());
                out.extend_from_slice(&file.bytes);
            }
            None => {
                head += "\r\n\r\n";
                out.extend_from_slice(head.as_bytes());
                out.extend_from_slice(form_text(value).as_bytes());
            }
        }
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok((format!("multipart/form-data; boundary={boundary}"), out))
}

/// A boundary that does not occur in the body, whoever wrote it: nobody can write the digest of a body into that body.
fn boundary(body: &Value) -> String {
    let mut digest = DigestWriter(ring::digest::Context::new(&ring::digest::SHA256));
    // Writing to a digest never fails.
    let _ = serde_json::to_writer(&mut digest, body);
    let digest = digest.0.finish();
    let hex: String = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("highlevel-mcp-{hex}")
}

/// Digests what is written, and keeps none of it.
struct DigestWriter(ring::digest::Context);

impl io::Write for DigestWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Names as browsers quote them (<https://html.spec.whatwg.org/#multipart-form-data>).
fn quoted(name: &str) -> String {
    name.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn form_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_in_each_form() {
        fn check(value: Value, expected: Result<(&str, &str, &[u8]), &str>) {
            let file = file(&value);
            let file = file.as_ref().map(|file| {
                (
                    file.name.as_str(),
                    file.media_type.as_str(),
                    file.bytes.as_slice(),
                )
            });
            match expected {
                Ok(expected) => assert_eq!(file, Ok(expected), "{value}"),
                Err(part) => assert!(file.is_err_and(|what| what.contains(part)), "{value}"),
            }
        }
        check(
            json!("aGk="),
            Ok(("file", "application/octet-stream", b"hi")),
        );
        check(
            json!("aGk"),
            Ok(("file", "application/octet-stream", b"hi")),
        );
        check(
            json!("aG\nk="),
            Ok(("file", "application/octet-stream", b"hi")),
        );
        check(
            json!("data:text/plain;base64,aGk="),
            Ok(("file", "text/plain", b"hi")),
        );
        check(
            json!({"data": "aGk=", "name": "a.txt", "type": "text/plain"}),
            Ok(("a.txt", "text/plain", b"hi")),
        );
        check(
            json!({"data": "data:image/png;base64,aGk=", "name": "a.png"}),
            Ok(("a.png", "image/png", b"hi")),
        );
        check(json!("/etc/passwd!"), Err("no base64"));
        check(json!("data:text/plain,hi"), Err("not base64"));
        check(json!(""), Err("empty"));
        check(json!(7), Err("not a file"));
        check(json!({"data": "aGk=", "type": "a\r\nb"}), Err("media type"));
    }

    #[test]
    fn a_preview_has_what_is_sent_and_describes_files() {
        let mut tools = crate::catalog::TOOLS.iter();
        let tool = tools.find(|tool| tool.name == "medias_upload-media-content");
        let tool = tool.expect("a tool");
        let file = json!({"data": "aGk=", "name": "a.txt", "type": "text/plain"});
        let described = json!({"name": "a.txt", "type": "text/plain", "bytes": 2});
        for (given, shown) in [
            (file.clone(), described.clone()),
            (json!([file]), json!([described])),
        ] {
            let arguments = Arguments {
                body: Some(json!({"file": given, "hosted": false})),
                ..Arguments::default()
            };
            let shown = json!({"file": shown, "hosted": false});
            assert_eq!(preview(tool, &arguments, Some(b"--boundary")), Some(shown));
            assert_eq!(preview(tool, &arguments, None), None);
        }
    }

    #[test]
    fn names_cannot_end_their_quotes() {
        assert_eq!(quoted("a\"\r\nX: b"), "a%22%0D%0AX: b");
    }
}
