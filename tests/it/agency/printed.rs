//! The output of commands: lists in a pipe and as JSON, empty lists, waiting calls and their results, and whether a
//! server runs.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

use super::commands::{Desk, call};

const TOOL: &str = "contacts_delete-contact";

/// Stdout and stderr of a command.
async fn run(desk: &Desk, arguments: &[&str], code: i32) -> (String, String) {
    let done = desk.command(arguments).output().await.expect("run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (printed, said) = (text(&done.stdout), text(&done.stderr));
    assert_eq!(
        done.status.code(),
        Some(code),
        "{arguments:?}: {printed}{said}"
    );
    (printed, said)
}

async fn json_lines(desk: &Desk, arguments: &[&str]) -> Vec<Value> {
    let (printed, _) = run(desk, &[arguments, &["--json"]].concat(), 0).await;
    let lines = printed.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

async fn desk() -> Desk {
    let desk = Desk::new().await;
    // No call waits for a person: the test decides by itself.
    let settings = "[approvals]\nwait_ms = 0\n";
    std::fs::write(desk.path("settings.toml"), settings).expect("written");
    desk.add(1).await;
    desk
}

#[tokio::test]
async fn an_empty_list_says_so_beside_and_prints_nothing() {
    let desk = desk().await;
    let create = ["keys", "create", "--name", "n8n", "--location", "b01"];
    run(&desk, &create, 0).await;
    for (list, part) in [
        (&["people", "list"][..], "highlevel-mcp console link"),
        (&["connections", "list"], "highlevel-mcp connect"),
        (&["clients", "list"], "highlevel-mcp clients add"),
        (&["approvals", "list"], "No call waits for an approval"),
        (&["audit", "tail"], "The audit is empty"),
        (&["audit", "search", "--who", "Bert"], "No call of Bert"),
        (
            &["audit", "search", "--tool", "contacts_*"],
            "No call matches",
        ),
        (&["logs", "-n", "0"], "Nothing has happened yet"),
    ] {
        for form in [&[][..], &["--json"]] {
            let (printed, said) = run(&desk, &[list, form].concat(), 0).await;
            assert!(
                printed.is_empty() && said.contains(part),
                "{list:?}: {printed:?} {said}"
            );
        }
    }
}

#[tokio::test]
async fn a_list_has_the_same_columns_in_a_pipe_and_every_field_as_json() {
    let desk = desk().await;
    let create = ["keys", "create", "--name", "n8n", "--location", "b01"];
    run(&desk, &create, 0).await;
    let (listed, _) = run(&desk, &["keys", "list"], 0).await;
    let cells: Vec<&str> = listed.trim_end().split('\t').collect();
    assert_eq!(cells[1..], ["n8n", "valid", "never", "-", "no", "b01"]);
    let [key] = &json_lines(&desk, &["keys", "list"]).await[..] else {
        panic!("not one key");
    };
    assert_eq!(
        (&key["id"], &key["state"], &key["locations"]),
        (&json!(cells[0]), &json!("valid"), &json!(["b01"]))
    );
    assert!(
        key["created"]
            .as_str()
            .is_some_and(|time| time.ends_with('Z')),
        "{key}"
    );
    assert!(key.get("sha256").is_none(), "{key}");
    let paused = json_lines(&desk, &["pause", "--location", "b01"]).await;
    assert_eq!(paused[0]["location"], "b01");
    let resumed = json_lines(&desk, &["resume", "--location", "b01"]).await;
    assert_eq!(
        resumed[0],
        json!({"location": "b01", "ended": true, "paused": []})
    );
    let revoked = json_lines(&desk, &["keys", "revoke", "n8n"]).await;
    assert_eq!(revoked[0]["state"], "revoked");
}

#[tokio::test]
async fn calls_of_the_sandbox_are_marked() {
    let desk = desk().await;
    let create = r#"{"firstName": "Zoe", "email": "zoe@x.example"}"#;
    let made = ["call", "--sandbox", "contacts_create-contact", create];
    run(&desk, &made, 0).await;
    let tail = ["audit", "tail", "--sandbox"];
    let (printed, said) = run(&desk, &tail, 0).await;
    assert!(
        printed.contains("contacts_create-contact") && said.contains("reached nobody"),
        "{printed}{said}"
    );
    assert_eq!(json_lines(&desk, &tail).await[0]["sandbox"], true);
}

#[tokio::test]
async fn rules_for_unknown_locations_are_reported() {
    let desk = desk().await;
    let send = "conversations_send-a-new-message";
    let explain = |location| ["policy", "explain", send, "--location", location];
    // Without a rules file, it explains the rules from the settings.
    let (printed, said) = run(&desk, &explain("b01"), 0).await;
    assert!(
        printed.contains("policy.sends_per_hour") && said.is_empty(),
        "{printed}{said}"
    );
    let (_, said) = run(&desk, &explain("b-01"), 2).await;
    assert!(
        said.contains("there is no location b-01; did you mean b01?"),
        "{said}"
    );
    let file = desk.path("typo.toml");
    std::fs::write(&file, "[locations.bo1]\ndeny = [\"effect:send\"]\n").expect("written");
    let (_, said) = run(&desk, &["policy", "check", &file], 2).await;
    let typo = "has rules for the location bo1; did you mean b01?";
    assert!(said.contains(typo), "{said}");
    let with_file = [&explain("b01")[..], &["--file", &file]].concat();
    let (printed, said) = run(&desk, &with_file, 0).await;
    assert!(
        printed.contains("Listed") && said.contains(typo),
        "{printed}{said}"
    );
    std::fs::write(&file, "[locations.b01]\ndeny = [\"effect:send\"]\n").expect("written");
    let checked = json_lines(&desk, &["policy", "check", &file]).await;
    assert_eq!(checked[0]["is_valid"], true);
    // Without any location in the settings, only the file counts.
    std::fs::write(desk.path("settings.toml"), "").expect("written");
    run(&desk, &["policy", "check", &file], 0).await;
    run(&desk, &with_file, 0).await;
}

/// A server on a free port, and its address.
async fn serve(desk: &Desk) -> (Child, String) {
    let mut command = desk.command(&["serve", "--listen", "127.0.0.1:0"]);
    let mut child = command.stderr(Stdio::piped()).spawn().expect("started");
    let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
    let address = loop {
        let line = lines.next_line().await.expect("read").expect("it serves");
        if let Some((_, after)) = line.split_once("http://")
            && let Some((address, _)) = after.split_once("/mcp")
        {
            break address.to_owned();
        }
    };
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, address)
}

async fn line_with(lines: &mut Lines<BufReader<ChildStdout>>, part: &str) -> Value {
    let found = async {
        loop {
            let line = lines.next_line().await.expect("read").expect("a line");
            if line.contains(part) {
                return serde_json::from_str(&line).expect("JSON");
            }
        }
    };
    let found = tokio::time::timeout(std::time::Duration::from_secs(20), found).await;
    found.unwrap_or_else(|_| panic!("no line with {part}"))
}

#[tokio::test]
async fn a_call_that_waits_is_judged_followed_and_found_by_names() {
    let desk = desk().await;
    let rules = "[server]\nconfirm = { destructive = \"human\" }\n";
    std::fs::write(desk.path("rules.toml"), rules).expect("written");
    let create = [
        "keys",
        "create",
        "--name",
        "front-desk",
        "--location",
        "b01",
    ];
    let (made, _) = run(&desk, &create, 0).await;
    let key = made
        .trim_end()
        .strip_prefix("Authorization: Bearer ")
        .expect("a key");
    let (printed, said) = run(&desk, &["status"], 1).await;
    assert!(
        printed.contains("Server\tnot running") && said.contains("highlevel-mcp serve"),
        "{printed}{said}"
    );
    let (mut server, address) = serve(&desk).await;
    let status = json_lines(&desk, &["status"]).await;
    let running = &status[0]["servers"][0];
    assert_eq!(
        (
            &status[0]["running"],
            &running["address"],
            &running["ready"]
        ),
        (&json!(true), &json!(address), &json!("ok"))
    );
    assert_eq!(running["pid"], json!(server.id()));
    assert_eq!(
        (&status[0]["locations"], &status[0]["keys"]),
        (&json!(1), &json!(1))
    );
    let mut follow = desk.command(&["logs", "--follow", "--json"]);
    let mut follower = follow.stdout(Stdio::piped()).spawn().expect("started");
    let mut log = BufReader::new(follower.stdout.take().expect("stdout")).lines();

    let contacts = call(
        &address,
        key,
        "/mcp/l/b01",
        "contacts_get-contacts",
        json!({"limit": 1}),
    );
    let contacts: Value = answer(&contacts.await);
    let contact = &contacts["contacts"][0];
    let id = contact["id"].as_str().expect("an id").to_owned();
    let path = "/mcp/l/b01/x/contacts";
    let asked = call(&address, key, path, TOOL, json!({"contactId": id})).await;
    let handle = answer(&asked)["confirm"]
        .as_str()
        .expect("a handle")
        .to_owned();
    let waits = line_with(&mut log, "waits for a person").await;
    assert_eq!(
        (&waits["kind"], &waits["id"], &waits["who_name"]),
        (&json!("approval"), &json!(handle), &json!("key front-desk"))
    );

    let (listed, _) = run(&desk, &["approvals", "list"], 0).await;
    let cells: Vec<&str> = listed.trim_end().split('\t').collect();
    assert_eq!(cells[..3], [&handle, "pending", "Delete contact"]);
    assert_eq!(cells[6], "key front-desk");
    let (shown, _) = run(&desk, &["approvals", "show", &handle], 0).await;
    for part in [
        "Call\tDelete contact: ",
        "How many\t1 call\n",
        &format!("contactId {id}"),
        "Location\tBranch 1 (b01)\n",
        "Asked by\tkey front-desk (key:",
        "Sends\tDELETE /contacts/",
        &format!("Yes\thighlevel-mcp approvals approve {handle}\n"),
    ] {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
    let items = json_lines(&desk, &["approvals", "list"]).await;
    assert!(
        items[0]["records"][0]["name"]
            .as_str()
            .is_some_and(|name| shown.contains(&format!("About\t{name} ("))),
        "{items:?} {shown}"
    );
    assert_eq!(
        json_lines(&desk, &["status"]).await[0]["waiting_approvals"],
        1
    );

    let approve = ["approvals", "approve", &handle, "--by", "Ada"];
    let approved = json_lines(&desk, &approve).await;
    assert_eq!(
        (&approved[0]["state"], &approved[0]["decided_by"]),
        (&json!("done"), &json!("Ada"))
    );
    let decided = line_with(&mut log, "approved by Ada").await;
    assert_eq!(decided["id"], json!(handle));
    line_with(&mut log, "\"what\":\"ok\"").await;
    follower.kill().await.expect("ended");

    for who in ["front-desk", "FRONT-DESK"] {
        let found = json_lines(&desk, &["audit", "search", "--who", who]).await;
        let done = found.last().expect("a call");
        assert_eq!(
            (&done["tool"], &done["approved_by"], &done["who_name"]),
            (&json!(TOOL), &json!("Ada"), &json!("key front-desk"))
        );
        assert_eq!(
            (&done["alias"], &done["location_name"], &done["sandbox"]),
            (&json!("b01"), &json!("Branch 1"), &json!(false))
        );
        let id = done["id"].as_str().expect("an id");
        let (shown, _) = run(&desk, &["audit", "show", &id[..8]], 0).await;
        assert!(
            shown.contains("Confirmed\tAda\n") && shown.contains("Outcome\tok\n"),
            "{shown}"
        );
    }
    let (_, said) = run(&desk, &["audit", "show", "nothing"], 2).await;
    assert!(said.contains("there is no call nothing"), "{said}");
    server.kill().await.expect("ended");
    let status = json_lines_of(&desk, &["status"], 1).await;
    assert_eq!(status["running"], false);
}

async fn json_lines_of(desk: &Desk, arguments: &[&str], code: i32) -> Value {
    let (printed, _) = run(desk, &[arguments, &["--json"]].concat(), code).await;
    serde_json::from_str(&printed).expect("JSON")
}

fn answer(reply: &Value) -> Value {
    let text = reply["result"]["content"][0]["text"].as_str();
    serde_json::from_str(text.expect("a text")).expect("JSON")
}
