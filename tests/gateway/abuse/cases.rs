//! Random calls over operations, surfaces and kinds of callers. Each request carries only the credential and the
//! locations of its caller.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use futures_util::StreamExt;
use futures_util::stream::iter;
use serde_json::{Map, Value, json};

use super::agency::{OPERATOR, company, location};
use super::callers::{CallerProfile, Channel, RandomCall, StdioProgram};
use super::highlevel::{AGENCY, AGENCY_TOKEN, highlevel, locations};
use super::program::Program;
use super::setup::Setup;
use crate::times;
use test_support::recording::RecordedRequest;

/// An operation in the list of one surface.
struct OperationSchema {
    name: String,
    schema: Value,
    call_tool: &'static str,
}

/// The callable operations, by the surface that lists them.
struct Operations {
    all: Vec<OperationSchema>,
    official: Vec<OperationSchema>,
    legacy: Vec<OperationSchema>,
    read_only: Vec<OperationSchema>,
}

/// Calls of one kind of caller in a row, so that every request has one known owner.
const ROUND: usize = 100;

/// Names of arguments that name a tenant.
const TENANT_NAMES: [&str; 6] = [
    "locationId",
    "location_id",
    "altId",
    "companyId",
    "subAccountId",
    "locationIds",
];

impl Operations {
    async fn read(setup: &Setup, program: &Program) -> Self {
        let (_, effects) = setup.run(&["tools", "list"]).await;
        let list = async |surface| {
            let path = format!("/mcp/l/b01{surface}");
            let operator = [("x-access-key", OPERATOR)];
            let list = program.rpc(&operator, &path, "tools/list", json!({})).await;
            let tools = list.value["result"]["tools"].as_array().expect("tools");
            let operations = tools
                .iter()
                .filter_map(|tool| OperationSchema::new(tool, &effects));
            operations.collect::<Vec<_>>()
        };
        Self {
            all: list("/x/all").await,
            official: list("").await,
            legacy: list("/legacy").await,
            read_only: list("/x/all/readonly").await,
        }
    }
}

impl OperationSchema {
    /// `None` for a tool that is not an operation, such as `search_operations`.
    fn new(tool: &Value, effects: &str) -> Option<Self> {
        let name = tool["name"].as_str()?;
        let mut rows = effects.lines().map(|line| line.split('\t'));
        let effect =
            rows.find_map(|mut row| (row.next() == Some(name)).then(|| row.next()).flatten())?;
        let call_tool = match effect {
            "read" => "call_read",
            "write" => "call_write",
            "send" => "call_send",
            _ => "call_destructive",
        };
        Some(Self {
            name: name.to_owned(),
            schema: tool["inputSchema"].clone(),
            call_tool,
        })
    }
}

/// A value that the schema accepts. An argument that names a tenant gets a random tenant.
fn value(name: &str, schema: &Value, random: &mut Rng, depth: usize) -> Value {
    let tenants = [
        location(1),
        location(2),
        location(3),
        "L9".to_owned(),
        AGENCY.to_owned(),
        "b02".to_owned(),
    ];
    // The legacy surface also prefixes an argument with its place: `query_locationId`.
    let is_tenant = TENANT_NAMES.iter().any(|tenant| name.ends_with(tenant));
    if is_tenant && schema["type"] != "array" {
        return json!(tenants[random.usize(..tenants.len())]);
    }
    if let Some(choices) = schema["enum"]
        .as_array()
        .filter(|choices| !choices.is_empty())
    {
        return choices[random.usize(..choices.len())].clone();
    }
    match schema["type"].as_str().unwrap_or("string") {
        "integer" | "number" => json!(random.u8(1..20)),
        "boolean" => json!(random.bool()),
        "array" if depth < 4 => json!([value(
            name.trim_end_matches('s'),
            &schema["items"],
            random,
            depth + 1
        )]),
        "object" if depth < 4 => arguments(schema, random, depth + 1).into(),
        "array" => json!([]),
        "object" => json!({}),
        _ if name.to_lowercase().contains("date") || name.ends_with("Time") => {
            json!("2026-12-01T10:00:00Z")
        }
        _ => json!("c1"),
    }
}

fn arguments(schema: &Value, random: &mut Rng, depth: usize) -> Map<String, Value> {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let mut arguments = Map::new();
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let is_tenant = TENANT_NAMES.iter().any(|tenant| name.ends_with(tenant));
        if required.contains(&json!(name)) || (is_tenant && random.bool()) || random.u8(..12) == 0 {
            arguments.insert(name.clone(), value(name, schema, random, depth));
        }
    }
    arguments
}

fn case(operations: &Operations, random: &mut Rng) -> RandomCall {
    let form = random.u8(..8);
    let listed = match form {
        5 => &operations.official,
        6 => &operations.legacy,
        7 => &operations.read_only,
        _ => &operations.all,
    };
    let operation = &listed[random.usize(..listed.len())];
    let mut given = arguments(&operation.schema, random, 0);
    let named = ["b01", "b02", "b03", "L9", "locBranch00000000002"];
    if random.u8(..3) == 0 {
        given.insert(
            "location".to_owned(),
            json!(named[random.usize(..named.len())]),
        );
    }
    let at = match random.u8(..5) {
        0 => "/l/b01",
        1 => "/l/b02",
        _ => "",
    };
    let name = operation.name.clone();
    let (surface, tool, arguments) = match form {
        0 | 1 => ("/x/all", name, Value::Object(given)),
        5 => ("", name, Value::Object(given)),
        6 => ("/legacy", name, Value::Object(given)),
        7 => ("/x/all/readonly", name, Value::Object(given)),
        2 => (
            "",
            operation.call_tool.to_owned(),
            json!({"operation": name, "arguments": given}),
        ),
        3 => {
            let items = [given.clone(), arguments(&operation.schema, random, 0)];
            let batch = json!({"operation": name, "items": items, "onError": "continue"});
            ("/orchestrator", operation.call_tool.to_owned(), batch)
        }
        _ => {
            let mut params = json!({"path": {}, "query": {}, "body": {}});
            let elsewhere = given.get("locationId").or(given.get("location")).cloned();
            for (name, value) in given {
                let place = ["path", "query", "body"][random.usize(..3)];
                params[place][name] = value;
            }
            if let Some(location) = elsewhere {
                params["locationId"] = location;
            }
            let key = random.u64(..).to_string();
            let call = json!({"operationId": name, "params": params, "idempotencyKey": key});
            ("/compat", "execute_operation".to_owned(), call)
        }
    };
    RandomCall {
        path: format!("/mcp{at}{surface}"),
        tool,
        arguments,
    }
}

/// The first part of a request that does not belong to its caller.
fn foreign(kind: &CallerProfile, seen: &RecordedRequest) -> Option<String> {
    let named = locations(seen);
    // A token at an unknown alias is bound to a location that does not exist.
    let elsewhere = named
        .iter()
        .find(|id| !kind.locations.contains(*id) && *id != "no-such-location");
    let exchange = seen.token() == AGENCY_TOKEN && seen.path() == "/oauth/locationToken";
    let own = kind.tokens.contains(seen.token()) || exchange;
    match (own, elsewhere) {
        (false, _) => Some(format!(
            "{}: {} {} with {}",
            kind.name,
            seen.method,
            seen.target,
            seen.token()
        )),
        (_, Some(id)) => Some(format!(
            "{}: {} {} names {id}",
            kind.name, seen.method, seen.target
        )),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_leaves_is_the_callers_own() {
    let highlevel = highlevel().await;
    // Only the rules under test may stop calls.
    let rules = "[server]\nconfirm = { money = \"off\", destructive = \"off\", bulk = \"off\" }\ncaps = { send = { hour = 100000000 } }\n";
    let setup = company(3).rules(rules);
    let own = Setup::new().rules(rules);
    let own = own.set("HIGHLEVEL_TOKEN", "pit-of-L9");
    let own = own.set("HIGHLEVEL_LOCATION_ID", "L9");
    let keys = [
        setup.key("one", &["--location", "b01"]).await,
        setup
            .key("two", &["--location", "b01", "--location", "b02"])
            .await,
        setup.key("all", &["--all-locations", "--agency"]).await,
    ];
    let with_locations = setup.serve(&highlevel.url).await;
    let with_account = own.serve(&highlevel.url).await;
    let mut over_stdio = StdioProgram::greet(own.start_stdio(&highlevel.url)).await;
    let operations = Operations::read(&setup, &with_locations).await;
    assert!(operations.all.len() > 500 && operations.legacy.len() > 20);
    let kinds = CallerProfile::all(&keys);
    let most = times(2_000, 1_000_000);
    let (mut done, mut left, mut wrong) = (0, BTreeMap::new(), BTreeSet::new());
    let mut random = Rng::with_seed(19);
    while done < most {
        let kind = &kinds[done / ROUND % kinds.len()];
        highlevel.take();
        let cases = (0..ROUND).map(|_| case(&operations, &mut random));
        let cases: Vec<RandomCall> = cases.collect();
        let program = match kind.channel {
            Channel::Locations => &with_locations,
            Channel::Account | Channel::Stdio => &with_account,
        };
        if kind.channel == Channel::Stdio {
            for case in cases {
                over_stdio.call(case).await;
            }
        } else {
            let calls = iter(cases).map(|case| kind.call(program, case));
            calls.buffer_unordered(8).collect::<Vec<()>>().await;
        }
        let seen = highlevel.seen();
        *left.entry(kind.name).or_insert(0) += seen.len();
        wrong.extend(seen.iter().filter_map(|seen| foreign(kind, seen)));
        done += ROUND;
    }
    println!(
        "{done} random calls, {} not of their caller; requests that left: {left:#?}",
        wrong.len()
    );
    let shown: Vec<&String> = wrong.iter().take(40).collect();
    assert!(wrong.is_empty(), "{} kinds: {shown:#?}", wrong.len());
    for kind in &kinds {
        let left = left.get(kind.name).copied().unwrap_or_default();
        // A made-up token is refused after a few attempts.
        let least = usize::from(!kind.name.starts_with("made-up")) * done / kinds.len() / 20;
        assert!(left > least, "{}: only {left} requests left", kind.name);
    }
}
