//! An operator's actions during calls: revoking a key, changing rules, and stopping everything.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::agency::{BY_OPERATOR, branches, location};
use super::highlevel::{highlevel, scripted, slow};
use super::setup::Setup;
use test_support::recording::json as answer;
use test_support::until;

const SEND: &str = "conversations_send-a-new-message";

/// The operator's action in the middle of a batch.
#[derive(Clone, Copy, Debug)]
enum OperatorAction {
    Revoke,
    Rules(&'static str),
    Pause,
    PauseLocation,
}

fn batch() -> Value {
    let items: Vec<Value> = (0..24)
        .map(|number| json!({"contactId": format!("c{number}")}))
        .collect();
    json!({"operation": SEND, "arguments": {"type": "SMS", "message": "hello"}, "items": items, "onError": "continue"})
}

async fn check(stop: OperatorAction) {
    const USUAL: &str = "[server]\ncaps = { send = { hour = 1000 } }\n";
    let highlevel = slow(Duration::from_millis(150)).await;
    let setup = branches(2).rules(USUAL);
    let key = setup.key("n8n", &["--location", "b01"]).await;
    let program = Arc::new(setup.serve(&highlevel.url).await);
    let running = {
        let program = Arc::clone(&program);
        tokio::spawn(async move {
            let caller = [("authorization", key.as_str())];
            program
                .confirmed(&caller, "/mcp/l/b01", "call_send", batch())
                .await
        })
    };
    let begins = format!("{stop:?}: the batch begins");
    until(&begins, || highlevel.writes() >= 4).await;
    let path = setup.text_path("rules.toml");
    let commands: &[&str] = match stop {
        OperatorAction::Revoke => &["keys", "revoke", "n8n"],
        OperatorAction::Pause => &["pause", "--reason", "drill"],
        OperatorAction::PauseLocation => &["pause", "--location", "b01"],
        OperatorAction::Rules(rules) => {
            setup.write("rules.toml", rules);
            program.reload().await;
            &["policy", "check", &path]
        }
    };
    let (code, text) = setup.run(commands).await;
    assert_eq!(code, 0, "{commands:?}: {text}");
    // 0.2 seconds until every process knows, plus the item that is then running.
    sleep(Duration::from_millis(350)).await;
    let at_stop = highlevel.writes();
    let reply = running.await.expect("a reply");
    let sent = highlevel.writes();
    println!("{stop:?}: {at_stop} of 24 sent when it took hold, {sent} in the end");
    assert!(
        sent <= at_stop + 1 && sent < 24,
        "{stop:?}: {sent} sent: {}",
        reply.text
    );
}

#[tokio::test]
async fn a10_a_batch_ends_with_its_key() {
    check(OperatorAction::Revoke).await;
}

#[tokio::test]
async fn a10_a_batch_ends_with_the_rules_that_allowed_it() {
    check(OperatorAction::Rules(
        "[server]\ndeny = [\"effect:send\"]\n",
    ))
    .await;
}

#[tokio::test]
async fn a10_a_batch_ends_where_quiet_hours_begin() {
    // The whole day except one minute.
    let rules = "[server]\nquiet = { from = \"00:01\", to = \"00:00\", zone = \"UTC\" }\n";
    check(OperatorAction::Rules(rules)).await;
}

#[tokio::test]
async fn a10_a_batch_ends_with_a_pause() {
    check(OperatorAction::Pause).await;
}

#[tokio::test]
async fn a10_a_batch_ends_with_a_pause_of_its_location() {
    check(OperatorAction::PauseLocation).await;
}

/// A call that HighLevel's limit delays for a second. Meanwhile the commands run, or without commands the store is
/// removed.
async fn check_waiting(commands: &[&str], says: &str) {
    let highlevel = scripted(|arrival| {
        let later = Response::builder().status(429).header("retry-after", "1");
        let later = later.body("{}".into()).expect("an answer");
        (arrival.method != "GET").then_some(later)
    })
    .await;
    let setup = branches(1);
    let key = setup.key("n8n", &["--location", "b01"]).await;
    let program = Arc::new(setup.serve(&highlevel.url).await);
    let running = {
        let program = Arc::clone(&program);
        tokio::spawn(async move {
            let (caller, tag) = (
                [("authorization", key.as_str())],
                json!({"contactId": "c1", "tags": ["a"]}),
            );
            program
                .call(&caller, "/mcp/l/b01", "contacts_add-tags", tag)
                .await
        })
    };
    let attempts = || highlevel.count(|arrival| arrival.method != "GET");
    until("a first attempt", || attempts() > 0).await;
    if commands.is_empty() {
        std::fs::remove_dir_all(setup.path("state")).expect("removed");
    } else {
        let (code, text) = setup.run(commands).await;
        assert_eq!(code, 0, "{commands:?}: {text}");
    }
    let reply = running.await.expect("a reply");
    assert!(
        !reply.ok && reply.text.contains(says),
        "{commands:?}: {}",
        reply.text
    );
    assert_eq!(attempts(), 1, "{commands:?}: {}", reply.text);
}

#[tokio::test]
async fn a10_a_call_that_waits_is_stopped_before_it_leaves() {
    check_waiting(&["pause", "--reason", "drill"], "drill").await;
    check_waiting(&["pause", "--location", "b01"], "paused").await;
    check_waiting(&["keys", "revoke", "n8n"], "revoked").await;
    check_waiting(&[], "cannot read its store").await;
}

#[tokio::test]
async fn a_pause_lets_reads_through_and_survives_a_restart() {
    let highlevel = highlevel().await;
    let setup = branches(2);
    let program = setup.serve(&highlevel.url).await;
    let other = setup.serve(&highlevel.url).await;
    let tag = |alias: &str| json!({"location": alias, "contactId": "c1", "tags": ["a"]});
    let (code, text) = setup.run(&["pause", "--reason", "wrong campaign"]).await;
    assert_eq!(code, 0, "{text}");
    sleep(Duration::from_millis(200)).await;
    let again = setup.serve(&highlevel.url).await;
    for program in [&program, &other, &again] {
        let write = program
            .call(&BY_OPERATOR, "/mcp", "contacts_add-tags", tag("b01"))
            .await;
        assert!(
            !write.ok && write.text.contains("wrong campaign"),
            "{}",
            write.text
        );
        let read = program
            .call(
                &BY_OPERATOR,
                "/mcp",
                "contacts_get-contacts",
                json!({"location": "b01"}),
            )
            .await;
        assert!(read.ok, "{}", read.text);
        let ready = program.http.get(format!("{}/readyz", program.url));
        let ready = super::program::ToolReply::read(ready).await;
        assert!(
            ready.status == 200 && ready.text.contains("paused"),
            "{}",
            ready.text
        );
    }
    assert_eq!(highlevel.writes(), 0);
    let (code, text) = setup.run(&["resume"]).await;
    assert_eq!(code, 0, "{text}");
    let (code, text) = setup.run(&["pause", "--location", "b02"]).await;
    assert_eq!(code, 0, "{text}");
    sleep(Duration::from_millis(250)).await;
    for (alias, goes) in [("b01", true), ("b02", false)] {
        let reply = program
            .call(&BY_OPERATOR, "/mcp", "contacts_add-tags", tag(alias))
            .await;
        assert_eq!(reply.ok, goes, "{alias}: {}", reply.text);
    }
    assert_eq!(highlevel.writes(), 1);
}

/// Settings that change during calls: token and location come from the same version of the settings.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a15_a_call_sees_the_settings_of_one_moment() {
    let highlevel = highlevel().await;
    let setup = branches(2);
    let both = setup.read("settings.toml");
    let swapped = both
        .replace("locations.b01", "locations.x")
        .replace("locations.b02", "locations.b01")
        .replace("locations.x", "locations.b02");
    let program = Arc::new(setup.serve(&highlevel.url).await);
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let program = Arc::clone(&program);
            tokio::spawn(async move {
                let mut calls = 0;
                loop {
                    let arguments = json!({"contactId": "c1", "tags": ["a"], "location": "b01"});
                    let call = json!({"operation": "contacts_get-contacts", "location": "b01"});
                    program
                        .call(&BY_OPERATOR, "/mcp", "contacts_add-tags", arguments)
                        .await;
                    program.call(&BY_OPERATOR, "/mcp", "call_read", call).await;
                    calls += 2;
                    if calls > 100 {
                        return calls;
                    }
                }
            })
        })
        .collect();
    let mut reloads = 0;
    while callers.iter().any(|caller| !caller.is_finished()) {
        let text = if reloads % 2 == 0 { &swapped } else { &both };
        setup.write("settings.toml", text);
        program.reload().await;
        reloads += 1;
    }
    let mixed = highlevel.count(|seen| matches!(seen.status(), Some(401 | 403)));
    let calls_to = |number: usize| {
        highlevel.count(|seen| seen.token() == format!("pit-of-{}", location(number)))
    };
    println!(
        "{reloads} reloads, {} and {} calls, {mixed} of two moments",
        calls_to(1),
        calls_to(2)
    );
    assert!(calls_to(1) > 0 && calls_to(2) > 0);
    assert_eq!(mixed, 0);
}

/// The names of the first recipients with do-not-disturb.
fn named_quiet(preview: &Value) -> Vec<&str> {
    let people = preview["records"].as_array().expect("people");
    let quiet = people.iter().filter(|one| one["doNotDisturb"] == true);
    quiet.filter_map(|one| one["contactId"].as_str()).collect()
}

/// A person must see a batch of more than five sends first, on every surface.
#[tokio::test]
async fn a_batch_of_more_than_five_sends_is_previewed() {
    let highlevel = scripted(|seen| {
        let quiet = json!({"contact": {"id": "contact0", "firstName": "Ada", "dnd": true}});
        let is_asked = seen.method == "GET" && seen.path() == "/contacts/contact0";
        is_asked.then(|| answer(200, quiet.to_string()))
    })
    .await;
    let key = [("authorization", "Bearer pit-of-L1"), ("locationid", "L1")];
    let items = |many: usize| {
        let all: Vec<Value> = (0..many)
            .map(|number| json!({"contactId": format!("contact{number}")}))
            .collect();
        json!({"operation": SEND, "arguments": {"type": "SMS", "message": "hello"}, "items": all})
    };
    /// A batch of this size, and whether it runs without a question.
    struct Row {
        setting: Option<&'static str>,
        many: usize,
        goes: bool,
    }
    #[rustfmt::skip]
    let rows = [
        Row { setting: None, many: 5, goes: true },
        Row { setting: None, many: 6, goes: false },
        Row { setting: Some("2"), many: 2, goes: true },
        Row { setting: Some("2"), many: 3, goes: false },
        Row { setting: Some("off"), many: 24, goes: true },
    ];
    for Row {
        setting,
        many,
        goes,
    } in rows
    {
        let mut setup = Setup::new();
        if let Some(setting) = setting {
            setup = setup.set("HIGHLEVEL_MCP_POLICY_PREVIEW_ABOVE", setting);
        }
        let program = setup.serve(&highlevel.url).await;
        for path in ["/mcp", "/mcp/orchestrator"] {
            highlevel.take();
            let reply = program.call(&key, path, "call_send", items(many)).await;
            let sent = highlevel.writes();
            println!("{setting:?} {path}: {sent} of {many} sent without a question");
            assert_eq!(sent, if goes { many } else { 0 }, "{path}: {}", reply.text);
            if !goes {
                assert_eq!(reply.class(), "needs_confirmation", "{}", reply.text);
                assert_eq!(reply.value["calls"], many, "{}", reply.text);
                let shown = (0..many.min(5))
                    .filter(|number| reply.text.contains(&format!("contact{number}")));
                assert_eq!(shown.count(), many.min(5), "{}", reply.text);
                let named = reply.value["records"].as_array().expect("people");
                let named = named.iter().filter(|one| one["name"] == "Ada");
                assert_eq!(named.count(), many.min(5), "{}", reply.text);
                let quiet = named_quiet(&reply.value);
                assert_eq!(quiet, ["contact0"], "{}", reply.text);
                let done = program
                    .confirmed(&key, path, "call_send", items(many))
                    .await;
                assert!(done.ok && highlevel.writes() == many, "{}", done.text);
            }
        }
    }
}
