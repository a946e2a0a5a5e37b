//! Lists: their ends, their continuation, and the note about missing rows.

mod beside;
mod deep;
mod ends;
mod forms;
mod missing;
mod summary;

use std::fmt::Write;
use std::sync::{Arc, Mutex};

use axum::response::Response;
use highlevel_mcp::catalog::TOOLS;
use serde_json::{Map, Value, json};
use test_support::recording::{RecordedRequest, Recording};
use test_support::server::{KEY, LOCATION, TestServer, VOUCHED};
use tool::{Effect, PagingStyle, Tool};

use crate::sandbox::every::arguments;

/// Settings under which every read can be called, including the agency's, and without a limit on calls.
const SETTINGS: [(&str, &str); 4] = [
    VOUCHED,
    ("HIGHLEVEL_MCP_SERVER_ACCESS_KEY_AGENCY", "true"),
    ("HIGHLEVEL_MCP_LIMITS_CALLS_PER_INTERVAL", "100000"),
    ("HIGHLEVEL_MCP_LIMITS_CALLS_PER_DAY", "10000000"),
];

/// Cursors start at this number, so that none looks like a number of rows.
const CURSORS_FROM: usize = 1_000_000;

/// A list at HighLevel that stands for any of its lists.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LongList {
    pub(crate) rows: usize,
    /// Most rows of a page, whatever the request asks for.
    pub(crate) most: usize,
    /// Whether its answers give the number of rows and whether more follow.
    pub(crate) tells: bool,
}

pub(crate) fn tool(name: &str) -> &'static Tool {
    let found = TOOLS.iter().find(|tool| tool.name == name);
    found.unwrap_or_else(|| panic!("no {name}"))
}

/// Every tool whose answer is a list.
fn lists() -> impl Iterator<Item = &'static Tool> {
    TOOLS
        .iter()
        .filter(|tool| !tool.paging.rows.is_empty() || tool.paging.style != PagingStyle::None)
}

/// Every list with more than one page.
pub(crate) fn paged() -> Vec<&'static Tool> {
    let paged = TOOLS.iter().filter(|tool| {
        tool.effect == Effect::Read
            && !matches!(tool.paging.style, PagingStyle::None | PagingStyle::Window)
    });
    paged.collect()
}

/// The required arguments of `tool`, without those of its pages.
pub(crate) fn needed(tool: &Tool) -> Map<String, Value> {
    let schema: Value = serde_json::from_str(tool.check_schema).expect("JSON");
    let mut required = schema["required"].as_array().cloned().unwrap_or_default();
    // If one of several must be given, the first is.
    let choices = schema["allOf"].as_array().into_iter().flatten();
    required.extend(choices.filter_map(|choice| choice.pointer("/anyOf/0/required/0").cloned()));
    let paging = &tool.paging;
    let own = [paging.position, paging.page_size];
    let mut needed = arguments(tool);
    needed.retain(|name, _| {
        required.iter().any(|one| one == name) && !own.contains(&Some(name.as_str()))
    });
    needed
}

impl LongList {
    /// The page that `request` asks for.
    pub(crate) fn page(&self, tool: &Tool, request: &RecordedRequest) -> Value {
        let paging = &tool.paging;
        let given = |name: &str| given(tool, request, name);
        let size = paging
            .page_size
            .and_then(given)
            .and_then(|size| number(&size));
        let size = size.unwrap_or(20).min(self.most);
        let place = |name: &'static str| given(name).and_then(|value| number(&value));
        let after = |name: &str| {
            let cursor = given(name)?;
            let last = cursor.as_array().and_then(|items| items.first()).cloned();
            Some(number(&last.unwrap_or(cursor))? + 1 - CURSORS_FROM)
        };
        let first = usize::try_from(paging.first).expect("a page");
        let deep = paging.deep.as_ref().and_then(|deep| after(deep.argument));
        let start = match paging.style {
            PagingStyle::Offset => paging.position.and_then(place).unwrap_or(0),
            PagingStyle::Page => deep.unwrap_or_else(|| {
                let page = paging.position.and_then(place).unwrap_or(first);
                (page - first) * size
            }),
            _ => paging
                .next
                .iter()
                .find_map(|step| after(step.argument))
                .unwrap_or(0),
        };
        let end = (start + size).min(self.rows);
        let rows: Vec<Value> = (start..end).map(|index| self.row(tool, index)).collect();
        let is_last = end >= self.rows;
        let mut answer = Value::Null;
        put(&mut answer, paging.rows, json!(rows));
        if self.tells && !paging.total.is_empty() {
            put(&mut answer, paging.total, json!(self.rows.to_string()));
        }
        if self.tells && !paging.more.is_empty() {
            put(&mut answer, paging.more, json!(!is_last));
        }
        for step in paging
            .next
            .iter()
            .filter(|step| !step.path.starts_with(paging.rows))
        {
            let always = paging.style == PagingStyle::LastId && start < end;
            if always || !is_last {
                put(&mut answer, step.path, cursor(tool, step.argument, end - 1));
            }
        }
        answer
    }

    fn row(&self, tool: &Tool, index: usize) -> Value {
        let mut row = json!({"id": format!("r{index}"), "n": index, "text": "x".repeat(90)});
        for step in tool.paging.next {
            let inside = step.path.strip_prefix(tool.paging.rows);
            if let Some(path) = inside.and_then(|path| path.strip_prefix(&["-1"])) {
                put(&mut row, path, cursor(tool, step.argument, index));
            }
        }
        if let Some(deep) = &tool.paging.deep {
            let value = json!([CURSORS_FROM + index, format!("r{index}")]);
            put(&mut row, &[deep.members[0]], value);
        }
        row
    }
}

/// The value of one argument as sent.
fn given(tool: &Tool, request: &RecordedRequest, name: &str) -> Option<Value> {
    let argument = tool.arguments.iter().find(|one| one.name == name)?;
    let query = request
        .target
        .split_once('?')
        .map_or("", |(_, query)| query);
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let found = pairs.find(|(name, _)| name == argument.wire_name);
    if let Some((_, value)) = found {
        return Some(json!(value));
    }
    let body: Value = serde_json::from_slice(&request.body).ok()?;
    body.get(argument.wire_name).cloned()
}

fn number(value: &Value) -> Option<usize> {
    let text = value.as_str().and_then(|text| text.parse().ok());
    value
        .as_u64()
        .and_then(|number| usize::try_from(number).ok())
        .or(text)
}

/// A cursor behind the row `last`, of the type of its argument.
fn cursor(tool: &Tool, argument: &str, last: usize) -> Value {
    let schema: Value = serde_json::from_str(tool.check_schema).expect("JSON");
    let kind = &schema["properties"][argument]["type"];
    if *kind == "number" || *kind == "integer" {
        json!(CURSORS_FROM + last)
    } else {
        json!((CURSORS_FROM + last).to_string())
    }
}

/// Sets the value at `path`. Numbers are indices of a list with one element.
fn put(into: &mut Value, path: &[&str], value: Value) {
    match path.split_first() {
        None => *into = value,
        Some((step, rest)) if step.parse::<usize>().is_ok() => {
            if !into.is_array() {
                *into = json!([null]);
            }
            put(&mut into[0], rest, value);
        }
        Some((step, rest)) => {
            if !into.is_object() {
                *into = json!({});
            }
            put(&mut into[*step], rest, value);
        }
    }
}

/// A HighLevel with only this list, and the server in front of it.
pub(crate) async fn serve(
    settings: &[(&str, &str)],
    answer: impl Fn(&RecordedRequest) -> Response + Send + Sync + 'static,
) -> (Recording, TestServer) {
    let highlevel = Recording::start(answer).await;
    let settings: Vec<(&str, &str)> = SETTINGS.iter().chain(settings).copied().collect();
    let mut server = TestServer::start_with(&highlevel.url, &settings).await;
    server.path = "/mcp/orchestrator";
    (highlevel, server)
}

/// The tool under test. One server serves all of them in turn.
#[derive(Clone)]
pub(crate) struct Asked(Arc<Mutex<&'static Tool>>);

impl Asked {
    pub(crate) fn set(&self, tool: &'static Tool) {
        *self.0.lock().expect("the lock") = tool;
    }
}

/// A HighLevel that answers for the tool under test, and the server in front of it.
pub(crate) async fn serve_each(
    settings: &[(&str, &str)],
    answer: impl Fn(&'static Tool, &RecordedRequest) -> Value + Send + Sync + 'static,
) -> (Recording, TestServer, Asked) {
    let asked = Asked(Arc::new(Mutex::new(&TOOLS[0])));
    let current = asked.clone();
    let (highlevel, server) = serve(settings, move |request| {
        let tool = *current.0.lock().expect("the lock");
        test_support::recording::json(200, answer(tool, request).to_string())
    })
    .await;
    (highlevel, server, asked)
}

/// The text blocks of a read's answer.
pub(crate) async fn read_blocks(
    server: &TestServer,
    operation: &str,
    arguments: &Map<String, Value>,
    output: &Value,
) -> Result<Vec<String>, String> {
    let headers = [
        ("authorization", "Bearer pit-test"),
        ("locationid", LOCATION),
        ("companyid", "C0"),
        ("x-access-key", KEY),
    ];
    let arguments = json!({"operation": operation, "arguments": arguments, "output": output});
    let params = json!({"name": "call_read", "arguments": arguments});
    let reply = server.rpc_with(&headers, "tools/call", params).await;
    let blocks = reply["result"]["content"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mut texts = blocks
        .iter()
        .filter_map(|block| Some(block["text"].as_str()?.to_owned()));
    if reply["result"]["isError"] == true || blocks.is_empty() {
        return Err(texts.next().unwrap_or_else(|| reply.to_string()));
    }
    Ok(texts.collect())
}

/// The answer of a read, as JSON.
pub(crate) async fn read(
    server: &TestServer,
    operation: &str,
    arguments: &Map<String, Value>,
    output: &Value,
) -> Value {
    let blocks = read_blocks(server, operation, arguments, output).await;
    let blocks = blocks.unwrap_or_else(|error| panic!("{operation}: {error}"));
    assert_eq!(blocks.len(), 1, "{blocks:?}");
    serde_json::from_str(&blocks[0]).expect("JSON")
}

/// The numbers of an answer's rows.
fn numbers(tool: &Tool, answer: &Value) -> Vec<usize> {
    let name = tool.paging.rows.last().copied().unwrap_or("rows");
    let rows = answer[name].as_array();
    let rows = rows.unwrap_or_else(|| panic!("{}: no {name} in {answer}", tool.name));
    rows.iter().filter_map(|row| number(&row["n"])).collect()
}

/// Panics with all faults, if there are any.
pub(crate) fn none(faults: &[String]) {
    let mut all = String::new();
    for fault in faults {
        writeln!(all, "{fault}").expect("a text");
    }
    assert!(faults.is_empty(), "{} faults:\n{all}", faults.len());
}
