//! Values that try to be more than a value, in every argument of every tool. They are refused, or sent as exactly that
//! value.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use futures_util::FutureExt;
use highlevel_mcp::call::{CallContext, Controls, Pipeline, Request};
use highlevel_mcp::catalog;
use highlevel_mcp::config::{Config, Flags};
use highlevel_mcp::telemetry::Telemetry;
use highlevel_mcp::upstream::caller::Credential;
use highlevel_mcp::upstream::{Caller, LocationBinding, TenantId, Transport};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use tool::{Argument, Place, Role, Rule, Tool};

/// Values known to break URLs, headers and parsers.
const HOSTILE: [&str; 24] = [
    "..",
    ".",
    "../..",
    "%2e%2e",
    "%2E%2E%2F",
    "..%2f..",
    "a/b",
    "a\\b",
    "a%2Fb",
    "/",
    "//evil.example/",
    "a?b=c",
    "a&locationId=L1",
    "a#b",
    "a;b",
    "a=b",
    "a b",
    "\r\nX-Evil: 1",
    "a\u{0}b",
    "\u{202e}é漢😀",
    "https://evil.example",
    "@evil.example",
    "'\"<>{}|^`",
    "",
];

/// A pipeline that sends nothing.
pub(crate) static PIPELINE: LazyLock<(Pipeline, Caller)> = LazyLock::new(|| {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = Config::from_sources(&Flags::default(), []).expect("defaults");
    let caller = Caller {
        credential: Credential::parse("pit-a").expect("a token"),
        location: TenantId::parse("L0").map(LocationBinding::Pin),
        company: TenantId::parse("C0"),
        configured: None,
        home: None,
    };
    (pipeline(&config), caller)
});

/// A pipeline that calls all tools, without rules or an audit file.
pub(crate) fn pipeline(config: &Config) -> Pipeline {
    let transport = Transport::new(&config.upstream, &config.limits).expect("a transport");
    let pipeline = Pipeline::new(
        catalog::TOOLS,
        transport,
        config,
        Telemetry::default(),
        Controls::in_memory().expect("a store"),
    );
    pipeline.expect("a pipeline")
}

/// The request that a call would send, or the text of its refusal.
pub(crate) fn dry_run(tool: &'static Tool, arguments: Map<String, Value>) -> Result<Value, String> {
    let (pipeline, caller) = &*PIPELINE;
    let context = CallContext::local(caller.clone());
    let mut request = Request::for_tool(tool, arguments, &context).map_err(|one| one.text())?;
    request.options.dry_run = true;
    // Otherwise a time without an offset asks for the location's time zone.
    request.options.as_highlevel = true;
    // A call that sends nothing never waits.
    let answer = pipeline.execute(request).now_or_never();
    let answer = answer.expect("an answer at once");
    if answer.is_error {
        return Err(answer.text);
    }
    let mut shown: Value = serde_json::from_str(&answer.text).expect("JSON");
    Ok(shown["request"].take())
}

/// The plainest value that the schema accepts.
fn sample(schema: &Value) -> Value {
    if let Some(first) = schema.pointer("/enum/0").or_else(|| schema.get("const")) {
        return first.clone();
    }
    for several in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema.get(several).and_then(|list| list.get(0)) {
            return sample(first);
        }
    }
    let kind = schema["type"]
        .as_str()
        .or_else(|| schema["type"][0].as_str());
    match kind {
        Some("object") => Value::Object(required(schema)),
        Some("array") => json!([sample(&schema["items"])]),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(true),
        _ => {
            let pattern = json!({"pattern": schema.get("pattern").unwrap_or(&json!(""))});
            let fits = jsonschema::validator_for(&pattern).expect("a pattern");
            let texts = [
                "1700000000000",
                "09:00",
                "America/New_York",
                "#ffffff",
                "+15550000000",
            ];
            let mut texts = texts.into_iter().map(|text| json!(text));
            texts
                .find(|text| fits.is_valid(text))
                .expect("a text for the pattern")
        }
    }
}

fn required(schema: &Value) -> Map<String, Value> {
    // If one of several must be given, the first is.
    let choices = schema["allOf"].as_array().into_iter().flatten();
    let choices = choices.chain([schema]);
    let chosen = choices.filter_map(|choice| choice.pointer("/anyOf/0/required"));
    let names = [&schema["required"]].into_iter().chain(chosen);
    let names = names.filter_map(Value::as_array).flatten();
    let names = names.filter_map(Value::as_str);
    names
        .map(|name| (name.to_owned(), sample(&schema["properties"][name])))
        .collect()
}

/// The least arguments of a tool. The caller's own tenants are filled in.
fn least(tool: &Tool) -> Map<String, Value> {
    let schema: Value = serde_json::from_str(tool.check_schema).expect("JSON");
    let mut arguments = required(&schema);
    for argument in tool.arguments {
        let fitting = match (argument.date_form, argument.file) {
            (Some(_), _) => json!("2026-01-31T09:00:00Z"),
            (_, true) => json!("ABCD"),
            _ => continue,
        };
        match arguments.get_mut(argument.name) {
            Some(Value::Array(items)) => *items = vec![fitting],
            Some(value @ (Value::String(_) | Value::Number(_))) => *value = fitting,
            _ => {}
        }
    }
    for argument in tool.arguments.iter().filter(|one| one.role != Role::None) {
        let given = arguments.remove(argument.name);
        // The caller gives the arguments that are never filled in.
        let own = match argument.role {
            Role::Location(Rule::Explicit) => "L0",
            Role::Company(Rule::Explicit) => "C0",
            _ => continue,
        };
        if let Some(given) = given {
            let own = if given.is_array() {
                json!([own])
            } else {
                json!(own)
            };
            arguments.insert(argument.name.to_owned(), own);
        }
    }
    arguments
}

/// Whether the call was refused. Otherwise the request is the template with `value` in exactly one place.
pub(crate) fn check(tool: &'static Tool, argument: &Argument, value: &str) -> bool {
    let mut arguments = least(tool);
    arguments.insert(argument.name.to_owned(), json!(value));
    let Ok(request) = dry_run(tool, arguments) else {
        return true;
    };
    let holes = fits(tool, &request);
    // An empty text counts as missing: the connection fills in its own, or the call is refused.
    if argument.place == Place::Path && !value.is_empty() {
        assert_eq!(
            holes.get(argument.wire_name).map(String::as_str),
            Some(value),
            "{} {}: {request}",
            tool.name,
            argument.name
        );
    }
    false
}

/// The values in the path of `request`. The path must be the tool's template with one value in each place, for the
/// caller's own tenants.
pub(crate) fn fits(tool: &Tool, request: &Value) -> BTreeMap<&'static str, String> {
    let place = format!("{}: {request}", tool.name);
    assert_eq!(request["method"], tool.method, "{place}");
    let base = reqwest::Url::parse("https://services.leadconnectorhq.com").expect("a URL");
    // The request shows path and query. A path that begins with two slashes would go to another host.
    let url = base.join(request["url"].as_str().expect("a path"));
    let url = url.expect("a URL");
    assert_eq!(
        url.host_str(),
        Some("services.leadconnectorhq.com"),
        "{place}"
    );
    assert_eq!(url.fragment(), None, "{place}");
    let segments: Vec<&str> = url.path().split('/').collect();
    let wanted: Vec<&'static str> = tool.path.split('/').collect();
    assert_eq!(segments.len(), wanted.len(), "{place}");
    let mut holes = BTreeMap::new();
    for (segment, wanted) in segments.iter().zip(wanted) {
        let hole = wanted
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'));
        let Some(name) = hole else {
            assert_eq!(*segment, wanted, "{place}");
            continue;
        };
        let decoded = percent_decode_str(segment).decode_utf8().expect("UTF-8");
        assert!(
            !matches!(&*decoded, "" | "." | "..") && !decoded.contains(['/', '\\']),
            "{place}"
        );
        holes.insert(name, decoded.into_owned());
    }
    // The query has no name that the tool does not have, and no name twice unless it is a list.
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for (name, _) in url.query_pairs() {
        *names.entry(name.into_owned()).or_default() += 1;
    }
    for (name, count) in names {
        let known = tool.arguments.iter().find(|one| {
            one.place == Place::Query
                && (one.wire_name == name || format!("{}[]", one.wire_name) == name)
        });
        let known = known.unwrap_or_else(|| panic!("{name} is no name of the query, {place}"));
        assert!(
            count == 1 || known.list_style.is_some(),
            "{name} stands there {count} times, {place}"
        );
    }
    let tenants = tool.arguments.iter().filter(|one| one.names_location());
    for tenant in tenants.filter(|one| one.place == Place::Query) {
        for (_, location) in url
            .query_pairs()
            .filter(|(name, _)| *name == tenant.wire_name)
        {
            assert_eq!(location, "L0", "{place}");
        }
    }
    holes
}

#[test]
fn no_argument_is_more_than_its_value() {
    let (mut refused, mut sent) = (0, 0);
    for tool in catalog::TOOLS {
        let plain = dry_run(tool, least(tool));
        // Without this check, the refusals below would prove nothing.
        plain.unwrap_or_else(|failure| panic!("{}: {failure}", tool.name));
        for argument in tool.arguments {
            for value in HOSTILE {
                if check(tool, argument, value) {
                    refused += 1;
                } else {
                    sent += 1;
                }
            }
        }
    }
    println!(
        "{} tools: {refused} values refused, {sent} sent as they are",
        catalog::TOOLS.len()
    );
    assert!(refused > 100 && sent > 100);
}
