//! A calendar clock that jumps. A jump back revives nothing, and a jump ahead deletes nothing.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::sleep;

use super::agency::{BY_OPERATOR, branches};
use super::highlevel::highlevel;
use super::program::Program;
use super::setup::Setup;

const CONTACTS: &str = "/mcp/l/b01/x/contacts";
const DELETE: &str = "contacts_delete-contact";
const MINUTE: i64 = 60;
const DAY: i64 = 86_400;

/// A program whose calendar clock is set by `set_clock`. The linker that Rust itself needs compiles the library for it.
async fn with_clock(setup: Setup) -> Setup {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gateway/abuse/clock.c");
    let library = setup.text_path("clock.so");
    let arguments = ["-shared", "-fPIC", "-o", &library, source, "-ldl"];
    let compiled = Command::new("cc").args(arguments).status().await;
    assert!(compiled.expect("a C compiler").success());
    let file = setup.text_path("clock");
    set_clock(&setup, 0);
    setup.set("LD_PRELOAD", &library).set("CLOCK_FILE", &file)
}

/// Sets the calendar clock off by `seconds` from now on. Other clocks are unchanged.
fn set_clock(setup: &Setup, seconds: i64) {
    write_clocks(setup, seconds, passed(setup));
}

/// Advances every clock by `seconds`. Idle connections then end, and the other side has to notice.
async fn pass(setup: &Setup, seconds: i64) {
    let passed = passed(setup) + seconds;
    write_clocks(setup, passed, passed);
    sleep(Duration::from_millis(300)).await;
}

/// The seconds that `pass` has added.
fn passed(setup: &Setup) -> i64 {
    let text = std::fs::read_to_string(setup.path("clock")).unwrap_or_default();
    let passed = text.split_whitespace().nth(1);
    passed.map_or(0, |passed| passed.parse().expect("a number"))
}

/// Replaces the whole file.
fn write_clocks(setup: &Setup, calendar: i64, steady: i64) {
    setup.write("clock.new", &format!("{calendar} {steady}"));
    std::fs::rename(setup.path("clock.new"), setup.path("clock")).expect("renamed");
}

async fn ask(program: &Program) -> Value {
    let asked = program
        .call(&BY_OPERATOR, CONTACTS, DELETE, json!({"contactId": "c1"}))
        .await;
    assert_eq!(asked.class(), "needs_confirmation", "{}", asked.text);
    json!({"contactId": "c1", "confirm": asked.value["confirm"]})
}

#[tokio::test]
async fn confirm_tokens_live_thirty_minutes() {
    let highlevel = highlevel().await;
    let setup = with_clock(branches(1)).await;
    let program = setup.serve(&highlevel.url).await;
    for (minutes, goes) in [(0, true), (29, true), (32, false)] {
        highlevel.take();
        let call = ask(&program).await;
        pass(&setup, minutes * MINUTE).await;
        let reply = program.call(&BY_OPERATOR, CONTACTS, DELETE, call).await;
        println!("after {minutes} minutes a token runs: {}", reply.ok);
        assert_eq!(
            (reply.ok, highlevel.writes()),
            (goes, usize::from(goes)),
            "{}",
            reply.text
        );
    }
}

#[tokio::test]
async fn a_clock_that_goes_back_revives_no_token() {
    let highlevel = highlevel().await;
    let setup = with_clock(branches(1)).await;
    let program = setup.serve(&highlevel.url).await;
    let call = async |call: &Value| {
        let reply = program
            .call(&BY_OPERATOR, CONTACTS, DELETE, call.clone())
            .await;
        (reply.ok, reply.text)
    };
    // One confirm token is used, and one expires. Both stay invalid after the clock goes back.
    let used = ask(&program).await;
    let (ok, text) = call(&used).await;
    assert!(ok, "{text}");
    let unused = ask(&program).await;
    pass(&setup, 2 * DAY).await;
    let (ok, text) = call(&unused).await;
    assert!(!ok, "two days later: {text}");
    ask(&program).await;
    set_clock(&setup, 0);
    call(&used).await;
    let (ok, text) = call(&unused).await;
    println!("after the clock went back: {} deletes", highlevel.writes());
    assert!(!ok && highlevel.writes() == 1, "{text}");
}

#[tokio::test]
async fn a_clock_that_goes_back_revives_no_approval() {
    let highlevel = highlevel().await;
    let rules = "[server]\nconfirm = { destructive = \"human\" }\n";
    let setup = with_clock(branches(1).rules(rules)).await;
    let program = setup.serve(&highlevel.url).await;
    let call = ask(&program).await;
    let handle = call["confirm"].as_str().expect("a handle");
    pass(&setup, 2 * DAY).await;
    let reply = program
        .call(&BY_OPERATOR, CONTACTS, DELETE, call.clone())
        .await;
    assert!(!reply.ok, "two days later: {}", reply.text);
    set_clock(&setup, 0);
    let (code, text) = setup.run(&["approvals", "approve", handle]).await;
    assert_eq!(code, 2, "{text}");
    let reply = program.call(&BY_OPERATOR, CONTACTS, DELETE, call).await;
    println!("after the clock went back: {} deletes", highlevel.writes());
    assert!(!reply.ok && highlevel.writes() == 0, "{}", reply.text);
}

#[tokio::test]
async fn e11_a_clock_that_jumps_ahead_deletes_no_line_of_the_audit() {
    let highlevel = highlevel().await;
    let setup = with_clock(branches(1)).await;
    let program = setup.serve(&highlevel.url).await;
    let tag = async || {
        let arguments = json!({"contactId": "c1", "tags": ["a"]});
        program
            .call(&BY_OPERATOR, "/mcp/l/b01", "contacts_add-tags", arguments)
            .await
    };
    for day in 0..5 {
        set_clock(&setup, day * DAY);
        let reply = tag().await;
        assert!(reply.ok, "{}", reply.text);
    }
    let lines = || {
        let mut all = Vec::new();
        let read = state::audit::lines(&setup.store(), None, None, |mut lines| {
            all.append(&mut lines);
            Ok(())
        });
        read.expect("read");
        all
    };
    let before = lines();
    assert_eq!(before.len(), 10, "{before:?}");
    set_clock(&setup, 400 * DAY);
    tag().await;
    set_clock(&setup, 5 * DAY);
    tag().await;
    // The sweep runs every five seconds.
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    let after = lines();
    let lost: Vec<&String> = before.iter().filter(|line| !after.contains(line)).collect();
    println!(
        "400 days ahead for one write: {} of 10 lines lost",
        lost.len()
    );
    assert!(lost.is_empty(), "{lost:?}");
}
