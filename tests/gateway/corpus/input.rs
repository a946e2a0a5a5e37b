//! How the bytes of an input are read.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use highlevel_mcp::catalog;
use tool::Tool;

/// The lines up to an empty one, and the rest after it.
pub(super) fn parted(input: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let (mut lines, mut rest) = (Vec::new(), input);
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (line, after) = rest.split_at(end.unwrap_or(rest.len()));
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        rest = after.get(1..).unwrap_or_default();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    (lines, rest)
}

/// The lines that are headers.
pub(super) fn headers(lines: &[&[u8]]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            headers.append(name, value);
        }
    }
    headers
}

/// The tool of this name. Any other name is mapped to some tool.
pub(super) fn tool(name: &str) -> &'static Tool {
    let named = catalog::TOOLS.iter().find(|tool| tool.is_called(name));
    let tool = named.or_else(|| some(catalog::TOOLS, name));
    tool.expect("a tool")
}

/// The element that `key` is mapped to.
pub(super) fn some<'a, T>(list: &'a [T], key: &str) -> Option<&'a T> {
    let sum = key.bytes().fold(0_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    list.get(sum % list.len().max(1))
}
