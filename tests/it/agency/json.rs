//! Every command with `--json`: stdout is JSON, and the command asks no questions.

use serde_json::Value;

use super::branch;
use super::commands::Desk;

/// The JSON output of a command, one element for each line.
async fn json(desk: &Desk, arguments: &[&str], code: i32) -> Vec<Value> {
    let arguments = [arguments, &["--json"]].concat();
    let done = desk.command(&arguments).output().await.expect("run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (printed, said) = (text(&done.stdout), text(&done.stderr));
    let place = format!("{arguments:?}: {printed}{said}");
    assert_eq!(done.status.code(), Some(code), "{place}");
    if let Ok(whole) = serde_json::from_str(&printed) {
        return vec![whole];
    }
    let lines = printed.lines();
    let values = lines.map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{place}")));
    values.collect()
}

/// The single object in the output.
async fn object(desk: &Desk, arguments: &[&str], code: i32) -> Value {
    let mut printed = json(desk, arguments, code).await;
    assert_eq!(printed.len(), 1, "{arguments:?}: {printed:?}");
    printed.remove(0)
}

/// A path below a value, and the expected value.
#[track_caller]
fn check(value: &Value, path: &str, expected: impl Into<Value>) {
    assert_eq!(value.pointer(path), Some(&expected.into()), "{value}");
}

#[tokio::test]
async fn an_agency_is_set_up_by_scripts() {
    let desk = Desk::new().await;
    std::fs::write(desk.path("settings.toml"), "").expect("written");
    let (file, token) = (desk.path("settings.toml"), desk.path("token-1"));
    let id = branch(1);
    let add = ["locations", "add", "b01", "--location-id", &id];
    let added = object(&desk, &[&add[..], &["--token-file", &token]].concat(), 0).await;
    check(&added, "/alias", "b01");
    check(&added, "/location", id.as_str());
    check(&added, "/location_name", "Branch 01");
    check(&added, "/tried", true);
    check(&added, "/file", file.as_str());
    let csv = desk.path("more.csv");
    let rows = format!(
        "alias,location_id,token_file\nb01,{id},{token}\nb02,{},{}\nb03,{},{}\n",
        branch(2),
        desk.path("token-2"),
        branch(3),
        desk.path("token-1"),
    );
    std::fs::write(&csv, rows).expect("written");
    let rows = json(&desk, &["locations", "import", &csv], 1).await;
    let outcomes: Vec<&str> = rows
        .iter()
        .map(|row| row["outcome"].as_str().unwrap_or("none"))
        .collect();
    assert_eq!(outcomes, ["already", "added", "fault"], "{rows:?}");
    check(&rows[1], "/alias", "b02");
    let checked = object(&desk, &["config", "check"], 0).await;
    check(&checked, "/is_valid", true);
    check(&checked, "/file", file.as_str());
    let removed = object(&desk, &["locations", "remove", "b02"], 0).await;
    check(&removed, "/alias", "b02");
    let create = ["keys", "create", "--name", "n8n", "--location", "b01"];
    let made = object(&desk, &create, 0).await;
    check(&made, "/name", "n8n");
    check(&made, "/configuration", Value::Null);
    let key = made["key"].as_str().expect("a key");
    assert!(key.starts_with("hlk_"), "{made}");
    let for_cursor = ["keys", "create", "--name", "cursor", "--location", "b01"];
    let for_cursor = [&for_cursor[..], &["--client", "cursor"]].concat();
    let made = object(&desk, &for_cursor, 0).await;
    let key = made["key"].as_str().expect("a key");
    let configuration = made["configuration"].as_str().expect("a configuration");
    assert!(configuration.contains(key), "{made}");
    // Errors are the same as without the flag.
    assert!(
        json(&desk, &["locations", "remove", "b02"], 2)
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn clients_are_connected_by_scripts() {
    let desk = Desk::new().await;
    std::fs::write(desk.path("settings.toml"), "").expect("written");
    let shown = object(&desk, &["connect", "cursor", "--sandbox"], 0).await;
    check(&shown, "/client", "cursor");
    check(&shown, "/outcome", "printed");
    check(&shown, "/url", "http://127.0.0.1:8100/mcp");
    assert!(
        shown["text"]
            .as_str()
            .is_some_and(|text| text.contains("mcpServers"))
    );
    let file = desk.path("mcp.json");
    let write = format!("--write={file}");
    let connect = ["connect", "cursor", "--sandbox", &write];
    let tried = object(&desk, &[&connect[..], &["--dry-run"]].concat(), 0).await;
    check(&tried, "/outcome", "would_be_added");
    assert!(!std::fs::exists(&file).expect("looked at"));
    for outcome in ["added", "already_there"] {
        let written = object(&desk, &connect, 0).await;
        check(&written, "/outcome", outcome);
        check(&written, "/file", file.as_str());
    }
    let token = desk.path("token-1");
    let id = branch(1);
    let init = ["init", "--token-file", &token, "--location", &id];
    let begun = object(&desk, &[&init[..], &["--client", "n8n"]].concat(), 0).await;
    check(&begun, "/location/alias", "branch-01");
    check(&begun, "/client/client", "n8n");
    check(&begun, "/serve", "highlevel-mcp serve");
    assert!(json(&desk, &["init"], 2).await.is_empty());
}

#[tokio::test]
async fn tools_are_listed_and_called_by_scripts() {
    let desk = Desk::new().await;
    std::fs::write(desk.path("settings.toml"), "").expect("written");
    desk.add(1).await;
    let tools = json(&desk, &["tools", "list", "contacts"], 0).await;
    assert!(tools.len() > 10, "{tools:?}");
    let delete = tools
        .iter()
        .find(|one| one["tool"] == "contacts_delete-contact");
    check(delete.expect("the tool"), "/effect", "destructive");
    let scopes = json(&desk, &["tools", "scopes", "contacts"], 0).await;
    let write = scopes.iter().find(|one| one["scope"] == "contacts.write");
    let write = write.expect("the scope")["tools"]
        .as_array()
        .expect("tools");
    assert!(write.contains(&Value::from("contacts_create-contact")));
    let call = |tool: &'static str, further: &[&'static str]| {
        [&["call", tool, "--location", "b01"], further].concat()
    };
    let found = object(&desk, &call("contacts_get-contacts", &["limit=1"]), 0).await;
    assert!(found.is_object(), "{found}");
    // A result that is not JSON is wrapped in an object.
    let csv = call(
        "contacts_get-contacts",
        &["limit=1", "output:={\"format\":\"csv\"}"],
    );
    let csv = object(&desk, &csv, 0).await;
    assert!(
        csv["text"]
            .as_str()
            .is_some_and(|text| text.lines().count() > 1),
        "{csv}"
    );
    let id = found["contacts"][0]["id"].as_str().expect("an id");
    let id: &'static str = format!("contactId={id}").leak();
    let asked = object(&desk, &call("contacts_delete-contact", &[id]), 1).await;
    assert!(asked["confirm"].is_string(), "{asked}");
    object(&desk, &call("contacts_delete-contact", &[id, "--yes"]), 0).await;
    let audit = json(&desk, &["audit", "export"], 0).await;
    assert!(!audit.is_empty());
    for list in [["audit", "tail"], ["audit", "search"]] {
        let rows = json(&desk, &list, 0).await;
        assert!(
            rows.iter()
                .any(|row| row["tool"] == "contacts_delete-contact"),
            "{rows:?}"
        );
    }
    let logs = json(&desk, &["logs"], 0).await;
    assert!(logs.iter().any(|row| row["kind"] == "call"), "{logs:?}");
}
