//! One line for each tool for reviewers of effects, and the documented answers that contain secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use highlevel_mcp::catalog::TOOLS;
use highlevel_mcp::catalog::masking::is_secret_name;
use serde_json::Value;
use tool::{Role, Tool, V3Variant};

/// Every tool with secrets in its documented answer, and their names. Each value is masked. If an import adds one, this
/// fails: omit the operation by name if its answer is only the secret, and add it here otherwise.
const SECRETS: [(&str, &str); 7] = [
    ("voice-ai_create-action", "authenticationValue"),
    ("voice-ai_get-action", "authenticationValue"),
    ("voice-ai_get-agent", "authenticationValue"),
    ("voice-ai_get-agents", "authenticationValue"),
    ("voice-ai_get-call-logs", "authenticationValue"),
    ("voice-ai_getCallLog", "authenticationValue"),
    ("voice-ai_update-action", "authenticationValue"),
];

/// Methods and paths that HighLevel documents and no tool has, because their answers are tokens.
const LEFT_OUT: [&str; 2] = ["POST /oauth/token", "POST /oauth/locationToken"];

/// The reasons of `openapi/tools`, by document and operation.
static REASONS: LazyLock<BTreeMap<(String, String), String>> = LazyLock::new(|| {
    let mut reasons = BTreeMap::new();
    for (document, text) in files("openapi/tools", "toml") {
        let tables: toml::Table = toml::from_str(&text).expect("TOML");
        for (operation, table) in tables {
            if let Some(reason) = table.get("reason").and_then(toml::Value::as_str) {
                reasons.insert((document.clone(), operation), reason.to_owned());
            }
        }
    }
    reasons
});

/// The names of the secrets in the documented answers, by method and path, of older documents and v3 together.
static ANSWERS: LazyLock<BTreeMap<String, BTreeSet<String>>> = LazyLock::new(|| {
    let mut answers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for folder in ["openapi/highlevel", "openapi/highlevel/v3"] {
        for (_, text) in files(folder, "json") {
            let document: Value = serde_json::from_str(&text).expect("JSON");
            for (path, item) in document["paths"].as_object().into_iter().flatten() {
                for (method, operation) in item.as_object().into_iter().flatten() {
                    let names = answers.entry(key(method, path)).or_default();
                    let answers = operation["responses"].as_object().into_iter().flatten();
                    for (_, answer) in answers.filter(|(status, _)| status.starts_with('2')) {
                        secrets(&document, answer, &mut Vec::new(), names);
                    }
                }
            }
        }
    }
    answers
});

fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder);
    let paths = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    let files = paths.filter(|path| path.extension().is_some_and(|one| one == ending));
    files
        .map(|path| {
            let stem = path.file_stem().expect("a name").display().to_string();
            (stem, fs::read_to_string(path).expect("a text"))
        })
        .collect()
}

/// Method and path without the names of its parameters.
fn key(method: &str, path: &str) -> String {
    let segments = path.split('/').map(|segment| match segment {
        name if name.starts_with('{') => "{}",
        word => word,
    });
    let path = segments.collect::<Vec<_>>().join("/");
    format!("{} {path}", method.to_uppercase())
}

/// Names of secrets anywhere in `schema`, references followed.
fn secrets<'a>(
    document: &'a Value,
    schema: &'a Value,
    within: &mut Vec<&'a str>,
    names: &mut BTreeSet<String>,
) {
    match schema {
        Value::Array(items) => {
            for item in items {
                secrets(document, item, within, names);
            }
        }
        Value::Object(members) => {
            let reference = schema["$ref"].as_str();
            if let Some(reference) = reference.filter(|one| !within.contains(one)) {
                within.push(reference);
                let pointer = reference.trim_start_matches('#');
                let referred = document.pointer(pointer).expect("what is referred to");
                secrets(document, referred, within, names);
                within.pop();
            }
            let properties = schema["properties"].as_object().into_iter().flatten();
            names.extend(
                properties
                    .map(|(name, _)| name)
                    .filter(|name| is_secret_name(name))
                    .cloned(),
            );
            for inner in members.values() {
                secrets(document, inner, within, names);
            }
        }
        _ => {}
    }
}

/// The secrets in the documented answer of `tool`, in any of its variants.
fn masks(tool: &Tool) -> Vec<String> {
    let names: BTreeSet<String> = tool
        .variants()
        .filter_map(|one| ANSWERS.get(&key(one.method, one.path)))
        .flatten()
        .cloned()
        .collect();
    names.into_iter().collect()
}

#[test]
fn answers_that_hold_secrets_are_known_by_name() {
    let mut found = Vec::new();
    for tool in TOOLS {
        found.extend(masks(tool).into_iter().map(|name| (tool.name, name)));
    }
    let found: Vec<(&str, &str)> = found
        .iter()
        .map(|(tool, name)| (*tool, name.as_str()))
        .collect();
    assert_eq!(found, SECRETS);
}

#[test]
fn no_tool_answers_with_a_token() {
    for left_out in LEFT_OUT {
        assert!(ANSWERS.get(left_out).is_some_and(|names| !names.is_empty()));
        let (method, path) = left_out.split_once(' ').expect("method and path");
        let tool = TOOLS
            .iter()
            .find(|tool| tool.method == method && tool.path == path);
        assert!(tool.is_none(), "{left_out} is a tool");
    }
}

/// Rules treat twins as one: each names the other, and both do the same.
#[test]
fn twins_name_each_other_and_do_the_same() {
    let mut pairs = 0;
    for tool in TOOLS {
        for name in tool.twins {
            let twin = TOOLS.iter().find(|one| one.name == *name).expect("a tool");
            assert!(
                twin.twins.contains(&tool.name),
                "{name} does not name {}",
                tool.name
            );
            let review = |tool: &Tool| (tool.effect, tool.bulk, tool.asks_person);
            assert_eq!(review(tool), review(twin), "{} and {name}", tool.name);
            pairs += 1;
        }
        let older = format!("{}-deprecated", tool.name);
        if TOOLS.iter().any(|one| one.name == older) {
            assert!(tool.twins.contains(&older.as_str()), "{}", tool.name);
        }
    }
    assert!(pairs >= 28, "{pairs}");
}

/// The agent alone never confirms a change of a login, an account or a consent.
#[test]
fn operations_that_give_access_away_need_a_person() {
    let asking = TOOLS.iter().filter(|tool| tool.asks_person);
    let names: Vec<&str> = asking.map(|tool| tool.name).collect();
    assert_eq!(
        names,
        [
            "conversations_user-subscription-change",
            "marketplace_migrateConnection",
            "saas-api_pause-location",
            "saas-api_pause-location-deprecated",
            "snapshots_create-snapshot-share-link",
            "users_create-user",
            "users_delete-user",
            "users_update-user",
        ]
    );
}

/// Clients begin with these reads. Without a proof here, a token would long be counted under itself.
#[test]
fn the_first_reads_of_most_clients_prove_the_location() {
    for name in [
        "calendars_get-calendar-events",
        "calendars_get-calendars",
        "contacts_get-contacts",
        "conversations_search-conversation",
        "locations_get-custom-fields",
        "locations_get-location",
        "opportunities_get-pipelines",
        "opportunities_search-opportunity",
    ] {
        let tool = TOOLS.iter().find(|tool| tool.name == name);
        assert!(tool.is_some_and(|tool| tool.proves), "{name}");
    }
}

/// The reads that try a new token before it writes.
#[test]
fn the_reads_that_a_new_token_is_tried_by_are_tools() {
    for path in ["/locations/{locationId}", "/locations/search"] {
        let mut tools = TOOLS.iter().filter(|tool| tool.method == "GET");
        assert!(tools.any(|tool| tool.path == path), "{path}");
    }
}

/// A tool's facts for a reviewer: name, effect and its marks, request, version, paging, tenants, token, cost, twins,
/// secrets in the answer, title, reason.
pub(crate) fn line(tool: &Tool, cost: usize) -> String {
    let flags = [
        (tool.bulk, "bulk"),
        (tool.additive, "additive"),
        (tool.idempotent, "idempotent"),
        (tool.proves, "proves"),
        (tool.asks_person, "asks-person"),
        (tool.deprecated, "deprecated"),
    ];
    let flags: Vec<&str> = flags
        .iter()
        .filter(|(is, _)| *is)
        .map(|(_, name)| *name)
        .collect();
    let tenants = tool
        .arguments
        .iter()
        .filter_map(|argument| match argument.role {
            Role::None => None,
            Role::Location(rule) => Some(format!("{}:location:{rule:?}", argument.name)),
            Role::Company(rule) => Some(format!("{}:company:{rule:?}", argument.name)),
        });
    let inner = tool.inner_tenants.iter().map(|tenant| {
        let role = match tenant.role {
            Role::Company(_) => "company",
            _ => "location",
        };
        format!("{}:{role}", tenant.steps.join("."))
    });
    let tenants: Vec<String> = tenants.chain(inner).collect();
    let v3 = match tool.v3 {
        V3Variant::None => "-",
        V3Variant::Same(_) => "same",
        V3Variant::Other(_) => "other",
    };
    let id = (tool.document.to_owned(), tool.operation_id.to_owned());
    let reason = REASONS.get(&id).map_or("", String::as_str);
    let columns = [
        tool.name.to_owned(),
        format!("{} {}", tool.effect.name(), flags.join(" ")),
        format!("{} {}", tool.method, tool.path),
        format!("version {} (v3: {v3})", tool.version),
        format!(
            "paging {:?} {}",
            tool.paging.style,
            tool.paging.rows.join(".")
        ),
        format!("tenants {}", tenants.join(" ")),
        format!("token {} {}", tool.token.name(), tool.scopes.join(" ")),
        format!("{cost} tokens"),
        format!("twins {}", tool.twins.join(" ")),
        format!("masks {}", masks(tool).join(" ")),
        tool.title.to_owned(),
        format!("reason {reason}"),
    ];
    columns
        .map(|column| column.trim_end().to_owned())
        .join(" | ")
}
