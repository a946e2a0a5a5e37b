//! The tools as clients see them: a snapshot for each tool, an inventory for reviewers, and rules over all tools.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test --test it listing` writes the snapshots again.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use highlevel_mcp::catalog::TOOLS;
use highlevel_mcp::mcp;
use highlevel_mcp::surfaces::Endpoint;
use highlevel_mcp::surfaces::official::Official;
use highlevel_mcp::surfaces::toolset::Toolset;
use serde_json::Value;

use crate::inventory;

/// Most tokens (o200k_base) of each surface's list.
const MOST_TOKENS: [(&str, usize); 9] = [
    ("", 5_400),
    ("official", 4_400),
    ("orchestrator", 1_000),
    ("orchestrator/readonly", 480),
    ("official-36", 7_800),
    ("x/contacts+calendars", 16_000),
    ("x/all", 95_000),
    ("legacy", 7_600),
    ("compat", 400),
];

fn listed(toolset: &str) -> Vec<Value> {
    let list = mcp::list(&Endpoint::parse(toolset).expect("an endpoint")).expect("a list");
    let list = serde_json::to_value(list).expect("JSON");
    list["tools"].as_array().expect("tools").clone()
}

fn name(tool: &Value) -> &str {
    tool["name"].as_str().expect("a name")
}

pub(crate) fn tokens(text: &str) -> usize {
    tiktoken_rs::o200k_base_singleton()
        .encode_ordinary(text)
        .len()
}

#[test]
fn the_tools_are_those_of_the_snapshots() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots"));
    let mut inventory = String::new();
    let mut files = vec![];
    let one = Endpoint::parse("official").expect("an endpoint");
    for tool in TOOLS {
        // Alone, because a list of all tools shows no titles.
        let alone = Toolset::with_tool(tool.name).expect("a tool");
        let endpoint = Endpoint {
            surfaces: vec![Arc::new(Official::new(alone))],
            ..one.clone()
        };
        let list = serde_json::to_value(mcp::list(&endpoint).expect("a list")).expect("JSON");
        let listed = &list["tools"][0];
        inventory += &format!("{}\n", inventory::line(tool, tokens(&listed.to_string())));
        files.push((format!("tools/{}.json", tool.name), format!("{listed:#}\n")));
    }
    files.push(("inventory.txt".to_owned(), inventory));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::create_dir_all(folder.join("tools")).expect("a folder");
        for (file, text) in &files {
            fs::write(folder.join(file), text).expect("written");
        }
    }
    for (file, text) in &files {
        let snapshot = fs::read_to_string(folder.join(file)).unwrap_or_default();
        assert_eq!(
            &snapshot, text,
            "{file} changed; if it should, run with UPDATE_SNAPSHOTS=1"
        );
    }
    let wanted: BTreeSet<String> = files.into_iter().map(|(file, _)| file).collect();
    for entry in fs::read_dir(folder.join("tools")).expect("a folder") {
        let file = format!("tools/{}", entry.expect("an entry").file_name().display());
        assert!(wanted.contains(&file), "{file} is of no tool; delete it");
    }
}

#[test]
fn every_surface_costs_at_most_its_budget() {
    let mut over = Vec::new();
    for (surface, most) in MOST_TOKENS {
        let list = Value::Array(listed(surface)).to_string();
        let cost = tokens(&list);
        println!("/mcp/{surface}: {cost} tokens, {} bytes", list.len());
        if cost > most {
            over.push(format!("/mcp/{surface}: {cost} tokens, over {most}"));
        }
    }
    assert!(over.is_empty(), "{over:#?}");
}

/// The list is the same at every time, and in every build: it is compared with the stored digests.
#[test]
fn a_list_is_always_the_same_bytes() {
    let mut digests = String::new();
    for (surface, _) in MOST_TOKENS {
        let bytes = || Value::Array(listed(surface)).to_string();
        assert_eq!(bytes(), bytes(), "{surface}");
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes().as_bytes());
        let cost = tokens(&bytes());
        let address = format!("/mcp/{surface}");
        digests += &format!(
            "{} {cost} tokens {} bytes {digest:?}\n",
            address.trim_end_matches('/'),
            bytes().len()
        );
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots/lists.txt");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(file, &digests).expect("written");
    }
    let kept = fs::read_to_string(file).unwrap_or_default();
    assert_eq!(
        kept, digests,
        "if it should change, run with UPDATE_SNAPSHOTS=1"
    );
}

#[test]
fn the_official_tools_are_the_21_by_their_exact_names() {
    let listed = listed("official");
    let names: Vec<&str> = listed.iter().map(name).collect();
    assert_eq!(
        names,
        [
            "calendars_get-appointment-notes",
            "calendars_get-calendar-events",
            "contacts_add-tags",
            "contacts_create-contact",
            "contacts_get-all-tasks",
            "contacts_get-contact",
            "contacts_get-contacts",
            "contacts_remove-tags",
            "contacts_update-contact",
            "contacts_upsert-contact",
            "conversations_get-messages",
            "conversations_search-conversation",
            "conversations_send-a-new-message",
            "locations_get-custom-fields",
            "locations_get-location",
            "opportunities_get-opportunity",
            "opportunities_get-pipelines",
            "opportunities_search-opportunity",
            "opportunities_update-opportunity",
            "payments_get-order-by-id",
            "payments_list-transactions",
        ]
    );
}

/// Schemas that known clients refuse. One of them refuses the whole request for one bad tool.
#[test]
fn every_tool_is_one_that_every_client_takes() {
    for tool in listed("all") {
        let name = name(&tool);
        let plain = |text: &str, more: &str| {
            text.chars()
                .all(|letter| letter.is_ascii_alphanumeric() || more.contains(letter))
        };
        assert!(plain(name, "_-") && name.len() <= 54, "{name}");
        assert!(
            name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_'),
            "{name}"
        );
        let description = tool["description"].as_str().expect("a description");
        assert!((1..=1024).contains(&description.chars().count()), "{name}");
        let known = TOOLS.iter().find(|one| one.name == name).expect("a tool");
        assert!(!known.title.is_empty(), "{name}");
        let schema = &tool["inputSchema"];
        assert_eq!(schema["type"], "object", "{name}");
        for root in ["anyOf", "oneOf", "allOf", "enum", "not"] {
            assert!(schema.get(root).is_none(), "{name}: {root} at the root");
        }
        let properties = schema["properties"].as_object().expect("properties");
        for property in properties.keys() {
            assert!(
                plain(property, "_.-") && (1..=64).contains(&property.len()),
                "{name}: {property}"
            );
        }
        for required in schema["required"].as_array().into_iter().flatten() {
            assert!(
                properties.contains_key(required.as_str().expect("a name")),
                "{name}: {required}"
            );
        }
        walk(schema, name);
    }
}

fn walk(schema: &Value, tool: &str) {
    assert!(schema.get("$ref").is_none(), "{tool}: a reference");
    let is_list = schema["type"] == "array"
        || schema["type"]
            .as_array()
            .is_some_and(|types| types.contains(&"array".into()));
    assert!(
        !is_list || schema.get("items").is_some(),
        "{tool}: a list without items"
    );
    assert!(
        schema.get("nullable").is_none(),
        "{tool}: nullable is not JSON Schema"
    );
    for inner in schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(_, inner)| inner)
    {
        walk(inner, tool);
    }
    if let Some(items) = schema.get("items") {
        walk(items, tool);
    }
}

/// The hints as a client reads them, with the specification's defaults: read-only, destructive, idempotent, open world.
#[test]
fn hints_match_the_effect() {
    let hint = |tool: &Value, name: &str, default: bool| {
        tool["annotations"][name].as_bool().unwrap_or(default)
    };
    for tool in listed("official") {
        let hints = (
            hint(&tool, "readOnlyHint", false),
            hint(&tool, "destructiveHint", true),
            hint(&tool, "idempotentHint", false),
            hint(&tool, "openWorldHint", true),
        );
        let expected = match name(&tool) {
            "contacts_add-tags" => (false, false, true, false),
            "contacts_create-contact" => (false, false, false, false),
            "contacts_remove-tags"
            | "contacts_update-contact"
            | "opportunities_update-opportunity" => (false, true, true, false),
            "contacts_upsert-contact" => (false, true, false, false),
            "conversations_send-a-new-message" => (false, true, false, true),
            read => {
                assert!(
                    read.contains("_get-") || read.contains("_search-") || read.contains("_list-"),
                    "{read}"
                );
                (true, hints.1, hints.2, false)
            }
        };
        assert_eq!(hints, expected, "{}", name(&tool));
    }
}

/// Clients disagree on the meaning of an absent hint, so short lists give every hint.
#[test]
fn short_lists_have_every_hint_and_most_argument_texts() {
    for tool in listed("") {
        let hints = &tool["annotations"];
        let mut wanted = vec!["readOnlyHint", "openWorldHint"];
        if hints["readOnlyHint"] == false {
            wanted.extend(["destructiveHint", "idempotentHint"]);
        }
        for hint in wanted {
            assert!(hints[hint].is_boolean(), "{}: {hint}", name(&tool));
        }
        let properties = tool["inputSchema"]["properties"].as_object();
        let properties = properties.expect("properties");
        let mut described = properties.values().collect::<Vec<_>>();
        described.retain(|property| property["description"].is_string());
        assert!(
            2 * described.len() >= properties.len(),
            "{}: {} of {} arguments say what they mean",
            name(&tool),
            described.len(),
            properties.len()
        );
    }
}

/// The list never shows more than the check accepts: every shown property is checked too, `clear` by code.
#[test]
fn the_shown_schema_and_the_check_name_the_same_arguments() {
    for tool in TOOLS {
        let parse = |text: &str| serde_json::from_str::<Value>(text).expect("a schema");
        let (shown, check) = (parse(tool.advertised_schema), parse(tool.check_schema));
        let check = check["properties"].as_object().expect("properties");
        let names = shown["properties"].as_object().expect("properties").keys();
        for name in names.filter(|name| *name != "clear") {
            assert!(check.contains_key(name), "{}: {name}", tool.name);
        }
        let hidden = check
            .keys()
            .filter(|name| shown["properties"].get(name.as_str()).is_none());
        for name in hidden {
            let argument = tool.arguments.iter().find(|argument| argument.name == name);
            assert!(
                argument.is_some_and(|one| one.when_absent.is_some()),
                "{}: {name} is hidden",
                tool.name
            );
        }
    }
}
