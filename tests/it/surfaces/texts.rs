//! Texts name only the tools of their own endpoint: descriptions, instructions, errors and remedies.

use std::fs;
use std::path::{Path, PathBuf};

use highlevel_mcp::catalog::TOOLS;
use highlevel_mcp::mcp;
use highlevel_mcp::surfaces::mention::{remedied, words};
use highlevel_mcp::surfaces::toolset::{self, Toolset};
use highlevel_mcp::surfaces::{Endpoint, Listing};
use serde_json::{Value, json};

use super::{call, stack, stack_with};

/// Every endpoint, with and without writes.
fn endpoints() -> Vec<(String, Endpoint)> {
    let toolsets = toolset::names().map(|name| format!("x/{name}"));
    let own = [
        "",
        "official",
        "official-36",
        "orchestrator",
        "compat",
        "legacy",
    ];
    let own = own.map(str::to_owned).into_iter().chain(toolsets);
    let both = own.flat_map(|name| [format!("{name}/readonly"), name]);
    both.map(|name| {
        let endpoint = Endpoint::parse(&name).expect("an endpoint");
        (name, endpoint)
    })
    .collect()
}

#[track_caller]
fn names_its_own(endpoint: &Endpoint, text: &str, what: &str) {
    for tool in words(text).filter_map(Toolset::find) {
        assert!(
            endpoint.has(tool),
            "/mcp/{what} names {}: {text}",
            tool.name
        );
    }
}

#[test]
fn descriptions_name_only_tools_of_the_endpoint() {
    for (name, endpoint) in endpoints() {
        let list = serde_json::to_value(mcp::list(&endpoint).expect("a list")).expect("JSON");
        for tool in list["tools"].as_array().expect("tools") {
            names_its_own(&endpoint, &tool["description"].to_string(), &name);
            names_its_own(&endpoint, &tool["inputSchema"].to_string(), &name);
        }
    }
}

#[test]
fn remedies_name_only_tools_of_the_endpoint() {
    for (name, endpoint) in endpoints() {
        for tool in TOOLS {
            let failure = json!({
                "error": "No.", "class": "invalid",
                "remedy": format!("Change that one with {}.", tool.name),
                "request": {"body": {"note": tool.name}},
            });
            for failure in [failure.clone(), json!({"outcomes": [{"error": failure}]})] {
                let text = remedied(&endpoint, failure.to_string());
                let told: Value = serde_json::from_str(&text).expect("JSON");
                let remedy = match told.get("outcomes") {
                    Some(outcomes) => &outcomes[0]["error"],
                    None => &told,
                };
                names_its_own(&endpoint, remedy["remedy"].as_str().expect("a text"), &name);
                // The request that was sent is shown unchanged.
                assert_eq!(remedy["request"]["body"]["note"], tool.name);
            }
        }
    }
}

/// Tools that stand for many are named by their own surfaces and by the instructions, which other tests check.
#[test]
fn tools_that_stand_for_many_are_named_by_their_surfaces() {
    fn read(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => read(&path, files),
                false => files.push((path.clone(), fs::read_to_string(path).expect("a text"))),
            }
        }
    }
    let metas: Vec<&str> = ["", "compat"]
        .iter()
        .flat_map(|name| {
            let endpoint = Endpoint::parse(name).expect("an endpoint");
            endpoint.list().collect::<Vec<_>>()
        })
        .filter(|listing| matches!(listing, Listing::Meta(_)))
        .map(|listing| listing.name())
        .collect();
    assert_eq!(metas.len(), 10);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    read(&root.join("src"), &mut files);
    for (path, text) in files {
        let path = path
            .strip_prefix(root)
            .expect("inside")
            .display()
            .to_string();
        // Examples of commands use the tools' names.
        let is_text = ["src/mcp/instructions.rs", "src/cli/help.rs"].contains(&path.as_str());
        let is_own = path.starts_with("src/surfaces") || is_text;
        if is_own || path.contains("/tests") {
            continue;
        }
        let program = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = program
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        for line in lines {
            let named = words(line).find(|word| metas.contains(word));
            assert_eq!(named, None, "{path}: {line}");
        }
    }
}

/// A deprecated tool says so, and names its replacement.
#[test]
fn descriptions_of_deprecated_tools_say_so() {
    for (name, endpoint) in endpoints() {
        let list = serde_json::to_value(mcp::list(&endpoint).expect("a list")).expect("JSON");
        for tool in list["tools"].as_array().expect("tools") {
            let Some(known) = TOOLS.iter().find(|one| tool["name"] == one.name) else {
                continue;
            };
            let text = tool["description"].as_str().expect("a description");
            let is_told = text.contains("Deprecated: use ") || text.ends_with(" Deprecated.");
            assert_eq!(is_told, known.deprecated, "/mcp/{name}: {text}");
            if let Some(other) = known.replaced_by.and_then(Toolset::find) {
                let is_named = text.contains(other.name) || text.contains(other.title);
                assert!(is_named, "/mcp/{name}: {text}");
            }
        }
    }
}

/// Tools that list offer short answers, and no other tool does.
#[test]
fn output_is_listed_on_tools_that_list() {
    for (name, endpoint) in endpoints() {
        let list = serde_json::to_value(mcp::list(&endpoint).expect("a list")).expect("JSON");
        let tools = list["tools"].as_array().expect("tools");
        for tool in tools {
            let output = &tool["inputSchema"]["properties"]["output"];
            let known = TOOLS.iter().find(|one| tool["name"] == one.name);
            let Some(known) = known else {
                continue;
            };
            let lists =
                !known.paging.rows.is_empty() && tool["annotations"]["readOnlyHint"] == true;
            let shows = lists && tools.len() < 200 && !name.starts_with("legacy");
            assert_eq!(output.is_object(), shows, "/mcp/{name}: {}", known.name);
        }
    }
}

#[tokio::test]
async fn a_name_that_is_not_listed_leads_on() {
    let rows = [
        (
            "/mcp",
            "contacts_delete-contact",
            "call_destructive runs it, as the operation contacts_delete-contact",
        ),
        (
            "/mcp/orchestrator",
            "contacts_get-contacts",
            "call_read runs it, as the operation contacts_get-contacts",
        ),
        (
            "/mcp/compat",
            "contacts_get-contact",
            "execute_operation runs it, as the operation contacts_get-contact",
        ),
        (
            "/mcp/official",
            "contacts_get-contcat",
            "did you mean contacts_get-contact?",
        ),
        (
            "/mcp/official",
            "contacts_create-note",
            "/mcp/x/contacts lists it",
        ),
        ("/mcp/x/calendars", "contacts_get-contact", "/mcp lists it"),
        ("/mcp/official", "search_operations", "/mcp has it"),
        ("/mcp/official", "execute_operation", "/mcp/compat has it"),
        (
            "/mcp/readonly",
            "contacts_add-tags",
            "this endpoint only reads",
        ),
        ("/mcp/orchestrator", "call_reed", "did you mean call_read?"),
        (
            "/mcp/orchestrator",
            "nothing-like-it",
            "tools/list names all",
        ),
    ];
    let (highlevel, mut server) = stack("/mcp", &json!({})).await;
    for (path, name, expected) in rows {
        server.path = path;
        let reply = server
            .rpc("tools/call", json!({"name": name, "arguments": {}}))
            .await;
        let message = reply["error"]["message"].as_str().expect("an error");
        assert!(message.contains(expected), "{path} {name}: {message}");
    }
    assert!(highlevel.take().is_empty());
}

/// The error of a call at an endpoint without the tool that would help.
#[tokio::test]
async fn a_remedy_names_only_existing_tools() {
    let duplicate = json!({
        "statusCode": 400, "message": "This location does not allow duplicated contacts.",
        "meta": {"contactId": "c1", "matchingField": "email"},
    });
    for (path, tool, asked, expected) in [
        (
            "/mcp/x/contacts",
            "contacts_create-contact",
            json!({"email": "a@example.com"}),
            "Change that one with contacts_update-contact.",
        ),
        (
            "/mcp/orchestrator",
            "call_write",
            json!({"operation": "contacts_create-contact", "arguments": {"email": "a@example.com"}}),
            "Change that one with contacts_update-contact.",
        ),
    ] {
        let (_highlevel, server) = stack_with(path, 400, &duplicate).await;
        let (answer, is_error) = call(&server, tool, asked).await;
        let remedy = answer["remedy"].as_str().expect("a remedy");
        assert!(is_error && remedy.contains(expected), "{path}: {answer}");
    }
}
