//! Puts checked values into their places in the request, under HighLevel's own names.

use serde_json::{Map, Value};

use super::ArgumentProblems;
use super::excerpt::excerpt;
use super::schema::Schema;
use crate::catalog::body::file;
use crate::catalog::numbers::is_kept;
use tool::Arguments;
use tool::{Argument, ListStyle, Place, Tool};

/// Longest value of a path parameter, in bytes. Most of HighLevel's ids have 20 to 40. Those of social accounts join
/// the ids of location, connection and platform: 65 in the documents, 67 with the kind of page at the end.
const LONGEST_ID: usize = 128;

/// The arguments by place and wire name.
pub(super) fn place(
    tool: &Tool,
    schema: &Schema,
    values: Map<String, Value>,
    problems: &mut ArgumentProblems,
) -> Arguments {
    let mut arguments = Arguments::default();
    let has_body = tool
        .arguments
        .iter()
        .any(|argument| matches!(argument.place, Place::Body | Place::WholeBody));
    let mut body = Map::new();
    let mut whole_body = None;
    for (name, value) in values {
        let Some(argument) = tool.arguments.iter().find(|argument| argument.name == name) else {
            continue;
        };
        let wire_name = argument.wire_name.to_owned();
        if argument.file {
            check_files(argument, &value, problems);
        }
        match argument.place {
            Place::Path => {
                let value = on_the_wire(argument, schema, value, problems);
                check_path_value(argument, &value, problems);
                arguments.path.0.insert(wire_name, value);
            }
            Place::Query => {
                let value = joined(argument, value, problems);
                let value = on_the_wire(argument, schema, value, problems);
                arguments.query.0.insert(wire_name, value);
            }
            Place::Header => {
                let value = on_the_wire(argument, schema, value, problems);
                check_header_value(argument, &value, problems);
                arguments.header.0.insert(wire_name, value);
            }
            Place::Body => {
                body.insert(wire_name, value);
            }
            Place::WholeBody => whole_body = Some(value),
        }
    }
    if has_body {
        arguments.body = Some(whole_body.unwrap_or(Value::Object(body)));
    }
    arguments
}

/// A value in a path must be an id: anything else (`..`, `a/b`, an empty text) would call another
/// operation. Percent-encoding does not help: `%2e%2e` is a dot segment to every URL parser.
fn check_path_value(argument: &Argument, value: &Value, problems: &mut ArgumentProblems) {
    let Some(text) = value.as_str() else {
        return;
    };
    let wide = argument.wide_path_value;
    let allowed = |byte: u8| {
        byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' || (wide && byte == b'.')
    };
    let dots_only = text.bytes().all(|byte| byte == b'.');
    if dots_only || text.len() > LONGEST_ID || !text.bytes().all(allowed) {
        let dots = if wide { ", dots" } else { "" };
        problems.add(format!(
            "{} must be an id of 1 to {LONGEST_ID} letters, digits, hyphens{dots} or underscores, not {}",
            argument.name,
            excerpt(value)
        ));
    }
}

/// A file that cannot be read is reported before anything is sent.
fn check_files(argument: &Argument, value: &Value, problems: &mut ArgumentProblems) {
    let values: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(map) if argument.place == Place::WholeBody => map.values().collect(),
        one => vec![one],
    };
    for what in values.into_iter().filter_map(|value| file(value).err()) {
        problems.add(format!("{} {what}", argument.name));
    }
}

fn check_header_value(argument: &Argument, value: &Value, problems: &mut ArgumentProblems) {
    if let Some(text) = value.as_str()
        && !text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
    {
        problems.add(format!(
            "{} must be plain ASCII without control characters, not {}",
            argument.name,
            excerpt(value)
        ));
    }
}

/// Values without a plain type are sent as text.
fn on_the_wire(
    argument: &Argument,
    schema: &Schema,
    value: Value,
    problems: &mut ArgumentProblems,
) -> Value {
    let kind = schema.root["properties"][argument.name]["type"].as_str();
    // A body carries digits as they are. Everywhere else numbers are sent as 64-bit values.
    let fits = match (kind, &value) {
        (Some("integer"), Value::Number(number)) => number.as_i64().is_some(),
        (Some("number"), Value::Number(number)) => is_kept(&number.to_string()),
        _ => true,
    };
    if !fits {
        problems.add(format!(
            "{} holds the number {}, which cannot be kept exactly; give fewer digits",
            argument.name,
            excerpt(&value)
        ));
    }
    let typed = matches!(kind, Some("integer" | "number" | "boolean"));
    if typed || value.is_string() || argument.list_style == Some(ListStyle::Repeated) {
        return value;
    }
    if !(value.is_number() || value.is_boolean()) {
        problems.add(format!(
            "{} must be a text or a number, not {}",
            argument.name,
            excerpt(&value)
        ));
    }
    Value::String(value.to_string())
}

/// A list that is sent as one text joined by commas.
fn joined(argument: &Argument, value: Value, problems: &mut ArgumentProblems) -> Value {
    let (Some(ListStyle::Comma), Value::Array(items)) = (argument.list_style, &value) else {
        return value;
    };
    let texts: Vec<String> = items
        .iter()
        .map(|item| match item {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
        .collect();
    if texts.iter().any(|text| text.contains(',')) {
        problems.add(format!(
            "{} is sent as one text joined by commas, so that no item may hold a comma",
            argument.name
        ));
    }
    Value::String(texts.join(","))
}
