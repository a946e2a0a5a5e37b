//! What runs once, and its owner: keys, confirm tokens and approvals.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::iter;
use serde_json::{Value, json};

use super::agency::{BY_OPERATOR, bearer, branches};
use super::highlevel::{highlevel, refusal, scripted, slow};
use super::program::Program;
use super::setup::Setup;
use test_support::recording::{Recording, json as answer};
use test_support::until;

const CONTACTS: &str = "/mcp/l/b01/x/contacts";
const CONTACTS_OF_TOKEN: &str = "/mcp/x/contacts";
const DELETE: &str = "contacts_delete-contact";

fn deletes(highlevel: &Recording) -> usize {
    highlevel.count(|seen| seen.method == "DELETE")
}

fn tagged(key: &str) -> Value {
    json!({"operation": "contacts_add-tags", "idempotencyKey": key, "arguments": {"contactId": "c1", "tags": ["a"]}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a6_nobodys_calls_make_anothers_run_again() {
    let highlevel = highlevel().await;
    let setup = branches(1);
    let program = setup.serve(&highlevel.url).await;
    let asked = program
        .call(&BY_OPERATOR, CONTACTS, DELETE, json!({"contactId": "c1"}))
        .await;
    let confirmed = json!({"contactId": "c1", "confirm": asked.value["confirm"]});
    let done = program
        .call(&BY_OPERATOR, CONTACTS, DELETE, confirmed.clone())
        .await;
    assert!(done.ok, "{}", done.text);
    let keyed = json!({"operation": "contacts_add-tags", "idempotencyKey": "mine", "arguments": {"contactId": "own", "tags": ["a"]}});
    program
        .call(&BY_OPERATOR, "/mcp/l/b01", "call_write", keyed.clone())
        .await;
    // Another customer whose token HighLevel knows, and a stranger. They bring more keys than the limit over all, since
    // each item of a batch has one.
    let flood = iter(0..112).map(|number| {
        let program = &program;
        async move {
            let is_stranger = number % 12 == 11;
            let token = bearer(if is_stranger {
                "pit-stranger"
            } else {
                "pit-of-L2"
            });
            let caller = [("authorization", token.as_str()), ("locationid", "L2")];
            let mut call = tagged(&format!("k{number}"));
            call["items"] = vec![json!({}); 100].into();
            let reply = program.call(&caller, "/mcp", "call_write", call).await;
            reply.value["done"].as_u64().unwrap_or_default()
        }
    });
    let taken: u64 = flood
        .buffer_unordered(8)
        .collect::<Vec<u64>>()
        .await
        .iter()
        .sum();
    program
        .call(&BY_OPERATOR, CONTACTS, DELETE, confirmed)
        .await;
    program
        .call(&BY_OPERATOR, "/mcp/l/b01", "call_write", keyed)
        .await;
    let keyed = highlevel.count(|seen| seen.target.contains("/own/tags"));
    let deletes = deletes(&highlevel);
    println!(
        "{taken} keys of others taken; the confirmed call ran {deletes} times, the keyed one {keyed} times"
    );
    assert_eq!((deletes, keyed), (1, 1));
}

#[tokio::test]
async fn a7_two_keys_of_one_location_share_nothing() {
    let highlevel = highlevel().await;
    let setup = branches(1);
    let a = setup.key("a", &["--location", "b01"]).await;
    let b = setup.key("b", &["--location", "b01"]).await;
    let program = setup.serve(&highlevel.url).await;
    let (a, b) = (
        [("authorization", a.as_str())],
        [("authorization", b.as_str())],
    );
    for caller in [a, b] {
        let reply = program
            .call(&caller, "/mcp/l/b01", "call_write", tagged("k1"))
            .await;
        assert!(
            reply.ok && !reply.text.contains("_repeated"),
            "{}",
            reply.text
        );
    }
    assert_eq!(highlevel.writes(), 2, "each has its own keys");
    let asked = program
        .call(&a, CONTACTS, DELETE, json!({"contactId": "c1"}))
        .await;
    let foreign = json!({"contactId": "c1", "confirm": asked.value["confirm"]});
    let reply = program.call(&b, CONTACTS, DELETE, foreign.clone()).await;
    println!("by the other key's token: {} deletes", deletes(&highlevel));
    assert!(!reply.ok && deletes(&highlevel) == 0, "{}", reply.text);
    let reply = program.call(&a, CONTACTS, DELETE, foreign).await;
    assert!(
        reply.ok && deletes(&highlevel) == 1,
        "its own: {}",
        reply.text
    );
}

#[tokio::test]
async fn a7_two_equal_questions_have_two_tokens() {
    let highlevel = highlevel().await;
    let program = branches(1).serve(&highlevel.url).await;
    let mut tokens = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let asked = program
            .call(&BY_OPERATOR, CONTACTS, DELETE, json!({"contactId": "c1"}))
            .await;
        let token = asked.value["confirm"].as_str().expect("a token");
        tokens.insert(token.to_owned());
    }
    println!("{} tokens for 20 questions", tokens.len());
    assert_eq!(tokens.len(), 20);
}

/// A program that asks a person about deletes, and an approved question.
async fn approved(setup: &Setup, program: &Program) -> Value {
    let asked = program
        .call(&BY_OPERATOR, CONTACTS, DELETE, json!({"contactId": "c1"}))
        .await;
    let handle = asked.value["confirm"].as_str().expect("a handle");
    let (code, text) = setup
        .run(&["approvals", "approve", handle, "--by", "Ada"])
        .await;
    assert_eq!(code, 0, "{text}");
    json!({"contactId": "c1", "confirm": handle})
}

#[tokio::test]
async fn a9_an_approval_outlives_a_429() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    let highlevel = scripted(move |seen| {
        let first = seen.method == "DELETE" && counted.fetch_add(1, Ordering::SeqCst) == 0;
        first.then(|| {
            let mut response = refusal(429, "Too Many Requests");
            let headers = response.headers_mut();
            headers.insert("retry-after", "4".parse().expect("a value"));
            response
        })
    })
    .await;
    let setup = branches(1).rules("[server]\nconfirm = { destructive = \"human\" }\n");
    let program = setup.serve(&highlevel.url).await;
    let call = approved(&setup, &program).await;
    // The server made the call itself and received the 429.
    for _ in 0..50 {
        if deletes(&highlevel) == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(deletes(&highlevel), 1);
    tokio::time::sleep(Duration::from_millis(4_500)).await;
    let second = program
        .call(&BY_OPERATOR, CONTACTS, DELETE, call.clone())
        .await;
    assert!(second.ok, "the approval is used up: {}", second.text);
    let third = program.call(&BY_OPERATOR, CONTACTS, DELETE, call).await;
    println!("{} deletes were tried", deletes(&highlevel));
    assert_eq!((third.ok, deletes(&highlevel)), (true, 2), "{}", third.text);
}

#[tokio::test]
async fn a9_a_repeat_tells_the_same_outcome() {
    let highlevel = scripted(|seen| {
        let gone = seen.method == "DELETE" || seen.target.contains("gone");
        gone.then(|| answer(400, r#"{"message":"Contact not found for id:c1"}"#))
    })
    .await;
    let setup = branches(1).rules("[server]\nconfirm = { destructive = \"human\" }\n");
    let program = setup.serve(&highlevel.url).await;
    let call = approved(&setup, &program).await;
    for time in ["first", "second", "third"] {
        let reply = program
            .call(&BY_OPERATOR, CONTACTS, DELETE, call.clone())
            .await;
        assert!(
            !reply.ok,
            "the {time} time says that it succeeded: {}",
            reply.text
        );
    }
    assert_eq!(deletes(&highlevel), 1);
}

/// Such keys exist for a lost connection.
#[tokio::test]
async fn a_client_that_lost_the_connection_gets_the_result_of_the_call() {
    let highlevel = slow(Duration::from_millis(800)).await;
    let setup = branches(1);
    let program = setup.serve(&highlevel.url).await;
    let asked = program
        .call(&BY_OPERATOR, CONTACTS, DELETE, json!({"contactId": "c1"}))
        .await;
    let confirmed = json!({"contactId": "c1", "confirm": asked.value["confirm"]});
    for (path, tool, arguments) in [
        ("/mcp/l/b01", "call_write", tagged("k1")),
        (CONTACTS, DELETE, confirmed),
    ] {
        highlevel.take();
        let call = program.call(&BY_OPERATOR, path, tool, arguments.clone());
        let left = tokio::time::timeout(Duration::from_millis(300), call).await;
        assert!(left.is_err(), "{tool} was answered at once");
        let early = program
            .call(&BY_OPERATOR, path, tool, arguments.clone())
            .await;
        assert!(early.text.contains("still under way"), "{}", early.text);
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let later = program.call(&BY_OPERATOR, path, tool, arguments).await;
        assert!(
            later.ok && later.text.contains("_repeated"),
            "{}",
            later.text
        );
        assert_eq!(highlevel.writes(), 1, "{tool}");
    }
}

#[tokio::test]
async fn a16_a_command_confirms_what_a_command_asked() {
    let highlevel = highlevel().await;
    let setup = Setup::new()
        .set("HIGHLEVEL_TOKEN", "pit-of-L0")
        .set("HIGHLEVEL_LOCATION_ID", "L0")
        .set("HIGHLEVEL_MCP_UPSTREAM_BASE_URL", &highlevel.url);
    let (_, asked) = setup.run(&["call", DELETE, r#"{"contactId":"c1"}"#]).await;
    let start = asked.find('{').unwrap_or_default();
    // The answer is followed by the next step.
    let mut asked = serde_json::Deserializer::from_str(&asked[start..]).into_iter::<Value>();
    let asked = asked.next().expect("an answer").expect("JSON");
    let again = json!({"contactId": "c1", "confirm": asked["confirm"]}).to_string();
    for _ in 0..2 {
        let (_, text) = setup.run(&["call", DELETE, &again]).await;
        assert_eq!(deletes(&highlevel), 1, "{text}");
    }
}

/// A repeated call returns what was sent, and nothing is sent again.
#[tokio::test]
async fn a_batch_whose_client_leaves_keeps_its_result() {
    let highlevel = slow(Duration::from_millis(400)).await;
    let setup = branches(1);
    let program = setup.serve(&highlevel.url).await;
    let items = ["c1", "c2", "c3"].map(|id| json!({"contactId": id}));
    let mut batch = json!({"operation": DELETE, "items": items});
    let call = async |batch: &Value| {
        let (path, tool) = ("/mcp/l/b01", "call_destructive");
        program.call(&BY_OPERATOR, path, tool, batch.clone()).await
    };
    batch["confirm"] = call(&batch).await.value["confirm"].clone();
    tokio::select! {
        reply = call(&batch) => panic!("it was to be left: {}", reply.text),
        () = until("two items are sent", || deletes(&highlevel) == 2) => {}
    }
    let mut told = call(&batch).await;
    while told.text.contains("under way") {
        told = call(&batch).await;
    }
    let outcomes = &told.value["outcomes"];
    assert_eq!(outcomes[0]["ok"], true, "{}", told.text);
    assert_eq!(outcomes[1]["error"]["class"], "unknown_outcome");
    assert_eq!(told.value["notRun"], 1);
    let stopped = told.value["stopped"].as_str().unwrap_or_default();
    assert!(stopped.contains("items from 2 on"), "{stopped}");
    assert_eq!(deletes(&highlevel), 2);
}

/// HighLevel proves a token's location between a call and its repetition.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a6_a_location_learnt_meanwhile_makes_no_second_call() {
    let highlevel = highlevel().await;
    let rules = "[server]\ncaps = { write = { hour = 3 } }\n";
    let program = Setup::new().rules(rules).serve(&highlevel.url).await;
    let token = bearer("pit-of-L1");
    let caller = [("authorization", token.as_str())];
    let keyed = tagged("mine");
    let first = program
        .call(&caller, "/mcp", "call_write", keyed.clone())
        .await;
    assert!(first.ok, "{}", first.text);
    let asked = program
        .call(
            &caller,
            CONTACTS_OF_TOKEN,
            DELETE,
            json!({"contactId": "c1"}),
        )
        .await;
    let read = json!({"operation": "contacts_get-contacts", "arguments": {"locationId": "L1"}});
    let read = program.call(&caller, "/mcp", "call_read", read).await;
    assert!(read.ok, "{}", read.text);
    let again = program.call(&caller, "/mcp", "call_write", keyed).await;
    assert!(again.ok, "{}", again.text);
    let tags = highlevel.count(|seen| seen.target.contains("/tags"));
    assert_eq!(tags, 1, "the key holds");
    let confirmed = json!({"contactId": "c1", "confirm": asked.value["confirm"]});
    let done = program
        .call(&caller, CONTACTS_OF_TOKEN, DELETE, confirmed)
        .await;
    assert!(done.ok, "the confirmation holds: {}", done.text);
    for number in 0..3 {
        let write = tagged(&format!("k{number}"));
        program.call(&caller, "/mcp", "call_write", write).await;
    }
    let tags = highlevel.count(|seen| seen.target.contains("/tags"));
    assert_eq!(tags, 3, "the cap holds");
}
