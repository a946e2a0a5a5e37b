//! Random calls over operations, surfaces and kinds of callers: what leaves carries only the credential and the
//! locations of its caller.

use std::collections::BTreeSet;

use fastrand::Rng;
use futures_util::StreamExt;
use futures_util::stream::iter;
use serde_json::{Map, Value, json};

use super::agency::{OPERATOR, company, location};
use super::program::Program;
use super::setup::Setup;
use super::stub::{AGENCY, AGENCY_TOKEN, Arrival, StubHighLevel};
use crate::times;

/// An operation as its own program lists it.
struct OperationSchema {
    name: String,
    schema: Value,
    call_tool: &'static str,
}

/// A kind of caller: its headers, and what may leave for it.
struct CallerProfile {
    name: &'static str,
    headers: Vec<(&'static str, String)>,
    tokens: BTreeSet<String>,
    locations: BTreeSet<String>,
}

/// One call as it will be made.
struct RandomCall {
    path: String,
    tool: String,
    arguments: Value,
}

/// Calls of one kind of caller at a time, so that what leaves has one owner.
const ROUND: usize = 100;

async fn operations(setup: &Setup, program: &Program) -> Vec<OperationSchema> {
    let (_, effects) = setup.run(&["tools", "list"]).await;
    let effect = |name: &str| {
        let mut rows = effects.lines().map(|line| line.split('\t'));
        rows.find_map(|mut row| (row.next() == Some(name)).then(|| row.next()).flatten())
    };
    let operator = [("x-access-key", OPERATOR)];
    let list = program
        .rpc(&operator, "/mcp/l/b01/x/all", "tools/list", json!({}))
        .await;
    let tools = list.value["result"]["tools"].as_array().expect("tools");
    let operations = tools.iter().filter_map(|tool| {
        let name = tool["name"].as_str()?;
        let call_tool = match effect(name)? {
            "read" => "call_read",
            "write" => "call_write",
            "send" => "call_send",
            _ => "call_destructive",
        };
        Some(OperationSchema {
            name: name.to_owned(),
            schema: tool["inputSchema"].clone(),
            call_tool,
        })
    });
    operations.collect()
}

fn kinds(one: &str, two: &str) -> Vec<CallerProfile> {
    let ids = |numbers: &[usize]| {
        numbers
            .iter()
            .map(|number| location(*number))
            .collect::<BTreeSet<_>>()
    };
    let minted = |numbers: &[usize]| {
        numbers
            .iter()
            .map(|number| format!("minted-{}", location(*number)))
            .collect()
    };
    vec![
        CallerProfile {
            name: "key of one location",
            headers: vec![("authorization", one.to_owned())],
            tokens: minted(&[1]),
            locations: ids(&[1]),
        },
        CallerProfile {
            name: "key of two locations",
            headers: vec![("authorization", two.to_owned())],
            tokens: minted(&[1, 2]),
            locations: ids(&[1, 2]),
        },
        CallerProfile {
            name: "HighLevel token with its location",
            headers: vec![
                ("authorization", "Bearer pit-of-L9".to_owned()),
                ("locationid", "L9".to_owned()),
            ],
            tokens: BTreeSet::from(["pit-of-L9".to_owned()]),
            locations: BTreeSet::from(["L9".to_owned()]),
        },
        CallerProfile {
            name: "made-up token with another's location",
            headers: vec![
                ("authorization", "Bearer pit-nobody".to_owned()),
                ("locationid", location(1)),
            ],
            tokens: BTreeSet::from(["pit-nobody".to_owned()]),
            locations: ids(&[1]),
        },
    ]
}

/// A value that a schema may take; what names a tenant is anybody's.
fn value(name: &str, schema: &Value, random: &mut Rng, depth: usize) -> Value {
    let tenants = [
        location(1),
        location(2),
        location(3),
        "L9".to_owned(),
        AGENCY.to_owned(),
        "b02".to_owned(),
    ];
    if [
        "locationId",
        "location_id",
        "altId",
        "companyId",
        "subAccountId",
        "locationIds",
    ]
    .contains(&name)
        && schema["type"] != "array"
    {
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
        let tenant = name.ends_with("ocationId") || name == "altId" || name == "companyId";
        if required.contains(&json!(name)) || (tenant && random.bool()) || random.u8(..12) == 0 {
            arguments.insert(name.clone(), value(name, schema, random, depth));
        }
    }
    arguments
}

fn case(operations: &[OperationSchema], random: &mut Rng) -> RandomCall {
    let operation = &operations[random.usize(..operations.len())];
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
    let (surface, tool, arguments) = match random.u8(..5) {
        0 | 1 => ("/x/all", name, Value::Object(given)),
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

/// What a request has that is not its caller's.
fn foreign(kind: &CallerProfile, seen: &Arrival) -> Option<String> {
    let named = seen.locations();
    // A token at an alias that there is not is bound to a location that nobody has.
    let elsewhere = named
        .iter()
        .find(|id| !kind.locations.contains(*id) && *id != "no-such-location");
    let exchange = seen.token == AGENCY_TOKEN && seen.path() == "/oauth/locationToken";
    let own = kind.tokens.contains(&seen.token) || exchange;
    match (own, elsewhere) {
        (false, _) => Some(format!(
            "{}: {} {} with {}",
            kind.name, seen.method, seen.target, seen.token
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
    let highlevel = StubHighLevel::start().await;
    // Nothing but what is examined shall hold calls back.
    let rules = "[server]\nconfirm = { money = \"off\", destructive = \"off\", bulk = \"off\" }\ncaps = { send = { hour = 100000000 } }\n";
    let setup = company(3).rules(rules);
    let one = setup.key("one", &["--location", "b01"]).await;
    let two = setup
        .key("two", &["--location", "b01", "--location", "b02"])
        .await;
    let program = setup.serve(&highlevel.url).await;
    let operations = operations(&setup, &program).await;
    assert!(operations.len() > 500, "{} operations", operations.len());
    let kinds = kinds(&one, &two);
    let most = times(2_000, 1_000_000);
    let (mut done, mut left, mut wrong) = (0, 0, BTreeSet::new());
    let mut random = Rng::with_seed(19);
    while done < most {
        let kind = &kinds[done / ROUND % kinds.len()];
        highlevel.forget();
        let cases: Vec<RandomCall> = (0..ROUND).map(|_| case(&operations, &mut random)).collect();
        let headers: Vec<(&str, &str)> = kind
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let calls = iter(cases).map(|case| {
            let (program, headers) = (&program, &headers);
            async move {
                program
                    .confirmed(headers, &case.path, &case.tool, case.arguments)
                    .await
                    .ok
            }
        });
        calls.buffer_unordered(8).collect::<Vec<bool>>().await;
        let seen = highlevel.seen();
        left += seen.len();
        wrong.extend(seen.iter().filter_map(|seen| foreign(kind, seen)));
        done += ROUND;
    }
    println!(
        "{done} random calls, {left} requests left, {} not of their caller",
        wrong.len()
    );
    let shown: Vec<&String> = wrong.iter().take(40).collect();
    assert!(wrong.is_empty(), "{} kinds: {shown:#?}", wrong.len());
    assert!(left > done / 20, "only {left} requests left");
}
