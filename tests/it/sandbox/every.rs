//! Every operation once, with arguments made from its own schema. The sandbox's own reading of the documents must
//! accept the request.

use ::sandbox::{COMPANY, LOCATION, SandboxOptions};
use highlevel_mcp::catalog::TOOLS;
use serde_json::{Map, Value, json};
use tool::{DateForm, Place, Role, Rule, Tool};

use super::Sandbox;
use test_support::server::{KEY, TestServer, UNCONFIRMED, VOUCHED};

/// A setting that allows calls of the agency's operations.
const AGENCY: (&str, &str) = ("HIGHLEVEL_MCP_SERVER_ACCESS_KEY_AGENCY", "true");

/// Deepest objects whose optional members are filled in. Required members are always there.
const DEEPEST: usize = 3;

/// Texts for patterns that digits do not match.
const TEXTS: [&str; 8] = [
    "America/New_York",
    "+15550000000",
    "#ffffff",
    "someone@example.com",
    "2026-01-31",
    "https://example.com/a",
    "09:00",
    "image/png",
];

/// Values that no schema gives: ids of the sandbox, and words that only the document's prose has.
const SPECIAL: [(&str, &str, &str); 5] = [
    (
        "conversations_add-an-inbound-message",
        "conversationProviderId",
        "sandboxProvider00001",
    ),
    ("contacts_bulk-update-tags", "type", "add"),
    ("contacts_create-contact", "email", "someone@example.com"),
    ("contacts_update-contact", "email", "someone@example.com"),
    ("contacts_upsert-contact", "email", "someone@example.com"),
];

/// Some value of a schema, with every field that it names.
fn sample(schema: &Value, depth: usize) -> Value {
    if let Some(first) = schema.pointer("/enum/0") {
        return first.clone();
    }
    // A list that is sent as one text.
    if let Some(first) = schema.pointer("/items/enum/0") {
        return json!([first]);
    }
    // The fields beside the branches are all the fields, and the branches say which are required.
    let branch = schema
        .pointer("/anyOf/0")
        .or_else(|| schema.pointer("/allOf/0"));
    if let Some(branch) = branch.filter(|_| !schema["properties"].is_object()) {
        return sample(branch, depth);
    }
    if schema.get("x-filters").is_some() {
        return json!([{"field": "source", "operator": "exists"}]);
    }
    if schema.get("x-file").is_some() {
        return json!({"data": "aGVsbG8=", "name": "a.txt", "type": "text/plain"});
    }
    let kind = schema["type"]
        .as_str()
        .or_else(|| schema["type"][0].as_str());
    match kind {
        Some("object") => object(schema, depth),
        Some("array") => {
            let least = schema["minItems"].as_u64().unwrap_or(1).max(1);
            let mut items: Vec<Value> = (0..least)
                .map(|_| sample(&schema["items"], depth + 1))
                .collect();
            if schema["uniqueItems"] == true {
                for (index, item) in items.iter_mut().enumerate() {
                    let texts = item.as_object_mut().into_iter().flat_map(Map::values_mut);
                    texts
                        .filter(|one| one.is_string())
                        .for_each(|one| *one = json!(format!("7{index}")));
                }
            }
            items.into()
        }
        Some("integer") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("number") => schema.get("minimum").cloned().unwrap_or(json!(1.5)),
        Some("boolean") => json!(true),
        _ if schema["properties"].is_object() => object(schema, depth),
        _ => {
            let least = schema["minLength"].as_u64().unwrap_or(1).max(2);
            let plain = json!("7".repeat(usize::try_from(least).unwrap_or(2)));
            let texts = TEXTS.iter().map(|text| json!(text));
            let valid = jsonschema::validator_for(
                &json!({"pattern": schema.get("pattern").unwrap_or(&json!(""))}),
            );
            let valid = valid.expect("a pattern");
            [plain]
                .into_iter()
                .chain(texts)
                .find(|text| valid.is_valid(text))
                .expect("a text for the pattern")
        }
    }
}

fn object(schema: &Value, depth: usize) -> Value {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let required = |name: &str| {
        let names = schema["required"].as_array().into_iter().flatten();
        names.into_iter().any(|one| one == name)
    };
    let fields: Map<String, Value> = properties
        .filter(|(name, _)| depth < DEEPEST || required(name))
        .map(|(name, property)| (name.clone(), sample(property, depth + 1)))
        .collect();
    if fields.is_empty() && schema["additionalProperties"].is_object() {
        return json!({"a_b": sample(&schema["additionalProperties"], depth + 1)});
    }
    Value::Object(fields)
}

/// Every argument of a tool. Tenants are those of the caller, also inside arguments.
pub(crate) fn arguments(tool: &Tool) -> Map<String, Value> {
    let schema: Value = serde_json::from_str(tool.check_schema).expect("JSON");
    let mut arguments = Map::new();
    for argument in tool
        .arguments
        .iter()
        .filter(|one| one.when_absent.is_none())
    {
        let value = match (argument.role, argument.date_form) {
            (Role::Location(Rule::Fill) | Role::Company(Rule::Fill), _) => continue,
            (Role::Location(_), _) if is_list(&schema, argument.name) => json!([LOCATION]),
            (Role::Location(_), _) => json!(LOCATION),
            (Role::Company(_), _) if is_list(&schema, argument.name) => json!([COMPANY]),
            (Role::Company(_), _) => json!(COMPANY),
            (_, Some(DateForm::Date)) => json!("2026-01-31"),
            (_, Some(_)) => json!("2026-01-31T09:00:00Z"),
            _ => sample(&schema["properties"][argument.name], 0),
        };
        arguments.insert(argument.name.to_owned(), value);
    }
    // Of arguments that exclude each other, the first.
    for choice in schema["allOf"].as_array().into_iter().flatten() {
        let names = choice.pointer("/not/required").and_then(Value::as_array);
        for name in names
            .into_iter()
            .flatten()
            .skip(1)
            .filter_map(Value::as_str)
        {
            arguments.remove(name);
        }
    }
    for (name, argument, value) in SPECIAL {
        if name == tool.name {
            arguments.insert(argument.to_owned(), json!(value));
        }
    }
    for tenant in tool.inner_tenants {
        let own = match tenant.role {
            Role::Company(_) => COMPANY,
            _ => LOCATION,
        };
        if let Some((first, rest)) = tenant.steps.split_first()
            && let Some(value) = arguments.get_mut(*first)
        {
            set(value, rest, own);
        }
    }
    for date in tool.inner_dates {
        let given = match date.form {
            DateForm::DateTime => "2026-01-31T09:00:00Z",
            _ => "2026-01-31",
        };
        if let Some((first, rest)) = date.steps.split_first()
            && let Some(value) = arguments.get_mut(*first)
        {
            set(value, rest, given);
        }
    }
    arguments
}

fn is_list(schema: &Value, name: &str) -> bool {
    schema["properties"][name]["type"] == "array"
}

fn set(value: &mut Value, steps: &[&str], own: &str) {
    match (steps.split_first(), value) {
        (None, Value::Array(items)) => *items = vec![json!(own)],
        (None, value) => *value = json!(own),
        (Some((&"[]", rest)), Value::Array(items)) => {
            for item in items {
                set(item, rest, own);
            }
        }
        (Some((name, rest)), Value::Object(object)) => {
            if let Some(inner) = object.get_mut(*name) {
                set(inner, rest, own);
            }
        }
        _ => {}
    }
}

/// Tokens of each class, since HighLevel accepts none everywhere.
async fn tokens(sandbox: &Sandbox) -> Vec<String> {
    let mut tokens = vec![
        "pit-sandbox-harbor".to_owned(),
        "pit-sandbox-agency".to_owned(),
    ];
    for code in ["sandbox-code-location", "sandbox-code-company"] {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", "sandbox-client")
            .append_pair("client_secret", "sandbox-secret")
            .append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .finish();
        let request = sandbox.http.post(format!("{}/oauth/token", sandbox.url));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let (_, _, answer) = super::answer(request.body(form)).await;
        tokens.push(answer["access_token"].as_str().expect("a token").to_owned());
    }
    tokens
}

/// Whether an answer shows that the validator accepted the request, even if the record does not exist.
fn is_let_in(status: u64, error: &Value) -> bool {
    match status {
        200..=299 => true,
        // The routes report missing records; only the router reports a missing route.
        400 | 404 => !error["message"]
            .as_str()
            .is_some_and(|text| text.starts_with("Cannot ")),
        _ => false,
    }
}

#[tokio::test]
async fn every_operation_is_called_and_let_in() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let mut server = TestServer::start_with(&sandbox.url, &[UNCONFIRMED, VOUCHED, AGENCY]).await;
    let mut tokens = Vec::new();
    let mut faults = Vec::new();
    let mut lost = Vec::new();
    for (index, tool) in TOOLS.iter().enumerate() {
        let deleted = index.checked_sub(1).and_then(|last| TOOLS.get(last));
        let deleted = deleted.is_some_and(|last| last.name == "locations_delete-location");
        if index % 40 == 0 || deleted {
            // This test is not about the limits or writes of earlier requests.
            super::answer(
                sandbox
                    .http
                    .post(format!("{}/__sandbox/reset", sandbox.url)),
            )
            .await;
            tokens = self::tokens(&sandbox).await;
            server = TestServer::start_with(&sandbox.url, &[UNCONFIRMED, VOUCHED, AGENCY]).await;
            server.path = "/mcp/x/all";
        }
        let given = arguments(tool);
        let before = sandbox.requests().await.len();
        let mut told = Value::Null;
        for token in &tokens {
            let bearer = format!("Bearer {token}");
            let headers = [
                ("authorization", bearer.as_str()),
                ("locationid", LOCATION),
                ("x-access-key", KEY),
                ("companyid", COMPANY),
            ];
            let (text, is_error) = server
                .call_with(&headers, tool.name, Value::Object(given.clone()))
                .await;
            told = serde_json::from_str(&text).unwrap_or(json!(text));
            let class = told["class"].as_str().unwrap_or_default().to_owned();
            if !is_error
                || !matches!(
                    class.as_str(),
                    "auth" | "scope" | "token_class" | "location"
                )
            {
                break;
            }
        }
        let requests = sandbox.requests().await;
        let Some(request) = requests.get(before..).and_then(<[Value]>::last) else {
            faults.push(format!("{}: nothing was sent: {told}", tool.name));
            continue;
        };
        let status = request["status"].as_u64().unwrap_or_default();
        if !is_let_in(status, &told) {
            faults.push(format!("{}: {status} {told}", tool.name));
        }
        lost.extend(missing(tool, &given, request));
    }
    assert!(
        faults.is_empty(),
        "{} of {}:\n{}",
        faults.len(),
        TOOLS.len(),
        faults.join("\n")
    );
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}

/// Arguments that the request does not carry.
fn missing(tool: &Tool, given: &Map<String, Value>, request: &Value) -> Vec<String> {
    let query = request["query"].as_str().unwrap_or_default();
    let names: Vec<String> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, _)| name.trim_end_matches("[]").to_owned())
        .collect();
    let body = request["body"].as_object();
    tool.arguments
        .iter()
        .filter(|argument| given.contains_key(argument.name))
        .filter(|argument| match argument.place {
            Place::Query => !names.iter().any(|name| name == argument.wire_name),
            // The log keeps a body that is not JSON as text.
            Place::Body => body.is_some_and(|body| !body.contains_key(argument.wire_name)),
            Place::Path | Place::Header | Place::WholeBody => false,
        })
        .map(|argument| format!("{}: {} is lost", tool.name, argument.name))
        .collect()
}
