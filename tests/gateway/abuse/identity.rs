//! A token before HighLevel's first answer, after its acceptance, and after its proof for a location.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::agency::{BY_OPERATOR, bearer, branches, location};
use super::highlevel::{highlevel, refusal, scripted, slow};
use super::setup::Setup;
use crate::times;

#[tokio::test]
async fn a_new_token_sends_its_first_call_alone() {
    let items = vec![json!({"contactId": "c1"}); 20];
    let rows: [(&str, Value); 3] = [
        (
            "call_read",
            json!({"operation": "contacts_get-contact", "items": items, "onError": "continue"}),
        ),
        (
            "call_read",
            json!({"operation": "contacts_get-contacts", "output": {"allPages": true}}),
        ),
        (
            "call_write",
            json!({"operation": "contacts_add-tags", "arguments": {"tags": ["a"]}, "items": items,
            "onError": "continue", "idempotencyKey": "k"}),
        ),
    ];
    for (tool, arguments) in rows {
        let highlevel = highlevel().await;
        let program = Setup::new().serve(&highlevel.url).await;
        let caller = [("authorization", "Bearer pit-nobody"), ("locationid", "L1")];
        let reply = program.call(&caller, "/mcp", tool, arguments.clone()).await;
        let stranger = highlevel.seen().len();
        let caller = [("authorization", "Bearer pit-of-L1"), ("locationid", "L1")];
        let own = program.call(&caller, "/mcp", tool, arguments.clone()).await;
        println!(
            "{}: {stranger} requests of a stranger",
            arguments["operation"]
        );
        assert!(
            !reply.ok && stranger <= 1,
            "{stranger} requests: {}",
            reply.text
        );
        assert!(own.ok, "with a token that HighLevel knows: {}", own.text);
    }
}

#[tokio::test]
async fn a_write_of_a_new_token_is_preceded_by_a_read() {
    let highlevel = highlevel().await;
    let setup = Setup::new();
    let program = setup.serve(&highlevel.url).await;
    let arguments = json!({"contactId": "c1", "tags": ["a"]});
    for number in 0..10 {
        let token = bearer(&format!("pit-nobody-{number}"));
        let caller = [("authorization", token.as_str()), ("locationid", "L1")];
        program
            .call(&caller, "/mcp", "contacts_add-tags", arguments.clone())
            .await;
    }
    let written = highlevel.count(|seen| seen.method != "GET");
    let kept = audit_bytes(&setup);
    println!(
        "10 writes of strangers: {written} writes reached HighLevel, {kept} bytes of audit file"
    );
    assert_eq!((written, kept), (0, 0));
    highlevel.take();
    let caller = [("authorization", "Bearer pit-of-L1"), ("locationid", "L1")];
    for _ in 0..3 {
        let reply = program
            .call(&caller, "/mcp", "contacts_add-tags", arguments.clone())
            .await;
        assert!(reply.ok, "{}", reply.text);
    }
    let reads = highlevel.count(|seen| seen.method == "GET");
    println!("3 writes of a new customer: {reads} reads before");
    assert_eq!((highlevel.writes(), (1..=2).contains(&reads)), (3, true));
    assert_ne!(audit_bytes(&setup), 0);
}

/// The size of the audit files, in bytes.
pub(super) fn audit_bytes(setup: &Setup) -> u64 {
    let mut bytes = 0;
    let counted = state::audit::lines(&setup.store(), None, None, |lines| {
        bytes += lines.iter().map(|line| line.len() as u64).sum::<u64>();
        Ok(())
    });
    counted.expect("read");
    bytes
}

#[tokio::test]
async fn a_new_token_sends_small_bodies() {
    let highlevel = highlevel().await;
    let program = Setup::new().serve(&highlevel.url).await;
    let arguments = json!({"contactId": "c1", "tags": ["x".repeat(300_000)]});
    for (token, goes) in [
        ("pit-nobody", false),
        ("pit-of-L1", false),
        ("pit-of-L2", true),
    ] {
        let header = bearer(token);
        let location = &token[token.len() - 2..];
        let caller = [("authorization", header.as_str()), ("locationid", location)];
        if goes {
            program
                .call(&caller, "/mcp", "contacts_get-contacts", json!({}))
                .await;
        }
        let reply = program
            .call(&caller, "/mcp", "contacts_add-tags", arguments.clone())
            .await;
        assert_eq!(reply.ok, goes, "{token}: {:.300}", reply.text);
        let large = highlevel.count(|seen| seen.token() == token && seen.method == "POST");
        println!("300 KB by {token}: {} {large} sent", reply.status);
        assert_eq!(large, usize::from(goes), "{token}");
    }
}

#[tokio::test]
async fn beside_the_servers_access_key_a_token_is_known_at_once() {
    let highlevel = highlevel().await;
    let program = branches(1).serve(&highlevel.url).await;
    let arguments = json!({"contactId": "c1", "tags": ["x".repeat(300_000)]});
    let call = async |key: &str, arguments: Value| {
        let caller = [
            ("authorization", "Bearer pit-of-L5"),
            ("locationid", "L5"),
            ("x-access-key", key),
        ];
        program
            .call(&caller, "/mcp", "contacts_add-tags", arguments)
            .await
    };
    // A small body: a client that is refused before its body is read may not get to read the refusal.
    let small = json!({"contactId": "c1", "tags": ["x"]});
    let wrong = call("not-the-key-0123456789abcdef0123456789", small).await;
    println!(
        "beside a wrong access key: {} {:.120}",
        wrong.status, wrong.text
    );
    assert!(!wrong.ok && highlevel.writes() == 0, "{:.300}", wrong.text);
    let right = call(BY_OPERATOR[0].1, arguments).await;
    assert!(right.ok && highlevel.writes() == 1, "{:.300}", right.text);
}

#[tokio::test]
async fn a_first_turn_of_eight_parallel_calls_is_served() {
    let highlevel = slow(Duration::from_millis(100)).await;
    let program = Setup::new().serve(&highlevel.url).await;
    for turn in 0..times(5, 50) {
        let token = bearer(&format!("pit-of-L{turn}"));
        let place = format!("L{turn}");
        let calls = join_all((0..8).map(|_| {
            let caller = [
                ("authorization", token.clone()),
                ("locationid", place.clone()),
            ];
            let program = &program;
            async move {
                let caller = [
                    (caller[0].0, caller[0].1.as_str()),
                    (caller[1].0, caller[1].1.as_str()),
                ];
                program
                    .call(&caller, "/mcp", "contacts_get-contacts", json!({}))
                    .await
            }
        }));
        let refused: Vec<String> = calls
            .await
            .into_iter()
            .filter(|reply| !reply.ok)
            .map(|reply| reply.text)
            .collect();
        println!("turn {turn}: {} of 8 refused", refused.len());
        assert!(refused.is_empty(), "{refused:?}");
    }
}

/// Settings under which a location takes few calls, so that its counter shows.
fn narrow() -> Setup {
    Setup::new()
        .set("HIGHLEVEL_MCP_LIMITS_CALLS_PER_INTERVAL", "20")
        .set("HIGHLEVEL_MCP_LIMITS_INTERVAL_MS", "60000")
        .set("HIGHLEVEL_MCP_LIMITS_MAX_WAIT_MS", "200")
}

#[tokio::test]
async fn neither_a_403_nor_a_404_proves_a_location() {
    let highlevel = scripted(|seen| {
        seen.target
            .contains("missing")
            .then(|| refusal(404, "Not found"))
    })
    .await;
    let program = narrow().serve(&highlevel.url).await;
    let call = async |token: &str, tool: &str, arguments: Value| {
        let token = bearer(token);
        let caller = [("authorization", token.as_str()), ("locationid", "V")];
        program
            .call(&caller, "/mcp/x/all", tool, arguments)
            .await
            .ok
    };
    // Tokens of other locations, which HighLevel knows. It refuses them V, finds nothing there, or does not check.
    for number in 0..60 {
        let token = format!("pit-of-X-{number}");
        call(&token, "contacts_get-contacts", json!({})).await;
        call(
            &token,
            "contacts_get-contact",
            json!({"contactId": "missing"}),
        )
        .await;
        call(&token, "contacts_get-contact", json!({"contactId": "c1"})).await;
    }
    let mut done = 0;
    for _ in 0..12 {
        done += usize::from(call("pit-of-V", "contacts_get-contacts", json!({})).await);
    }
    println!("beside 60 tokens of others that name it, a location made {done} of 12 calls");
    assert_eq!(done, 12);
}

#[tokio::test]
async fn a_401_for_scope_is_an_acceptance() {
    let highlevel = scripted(|seen| {
        let refused = seen.token().contains("L1");
        refused.then(|| refusal(401, "The token is not authorized for this scope."))
    })
    .await;
    let program = Setup::new().serve(&highlevel.url).await;
    for number in 0..60 {
        let token = bearer(&format!("pit-of-L1-{number}"));
        let caller = [("authorization", token.as_str()), ("locationid", "L1")];
        let reply = program
            .call(&caller, "/mcp", "contacts_get-contacts", json!({}))
            .await;
        assert!(!reply.ok && reply.text.contains("scope"), "{}", reply.text);
    }
    let reached = highlevel.seen().len();
    println!("{reached} of 60 calls without a scope reached HighLevel");
    assert!(reached >= 60);
    let caller = [("authorization", "Bearer pit-of-L2"), ("locationid", "L2")];
    let reply = program
        .call(&caller, "/mcp", "contacts_get-contacts", json!({}))
        .await;
    assert!(reply.ok, "a new token of the same address: {}", reply.text);
}

#[tokio::test]
async fn a_stranger_that_names_an_alias_learns_as_little_as_highlevel_tells() {
    let highlevel = highlevel().await;
    let program = branches(1).serve(&highlevel.url).await;
    let caller = [("authorization", "Bearer pit-nobody"), ("locationid", "L1")];
    let reply = program
        .call(&caller, "/mcp", "list_locations", json!({}))
        .await;
    let id = location(1);
    println!("list_locations to a stranger: {:.120}", reply.text);
    assert!(
        !reply.text.contains("Branch 01") && !reply.text.contains(&id),
        "{}",
        reply.text
    );
}

#[tokio::test]
async fn a_token_of_elsewhere_cannot_tell_which_aliases_there_are() {
    let highlevel = highlevel().await;
    let rules =
        "[locations.b01]\ndeny = [\"contacts_delete-contact\"]\ncaps = { read = { hour = 1 } }\n";
    let program = branches(1).rules(rules).serve(&highlevel.url).await;
    let contact = json!({"contactId": "c1", "tags": ["a"]});
    let wrapped = |operation: &str| json!({"operation": operation, "arguments": contact});
    let mut dry = wrapped("contacts_add-tags");
    dry["dryRun"] = json!(true);
    let mut batch = wrapped("contacts_add-tags");
    batch["items"] = json!([{}, {}]);
    let compat = json!({"operationId": "get-contact", "params": {"path": {"contactId": "c1"}}});
    let rows = [
        ("", "call_write", wrapped("contacts_add-tags")),
        ("", "call_write", dry),
        ("", "call_write", batch),
        ("", "call_destructive", wrapped("contacts_delete-contact")),
        (
            "",
            "call_read",
            json!({"operation": "contacts_get-contact"}),
        ),
        (
            "",
            "call_read",
            json!({"operation": "locations_get-location"}),
        ),
        ("/x/contacts", "contacts_get-contact", json!({})),
        ("/x/contacts", "contacts_get-contact", contact.clone()),
        ("/compat", "execute_operation", compat),
    ];
    let caller = [("authorization", "Bearer pit-of-L9")];
    for (surface, tool, arguments) in rows {
        let ask = async |alias: &str| {
            let path = format!("/mcp/l/{alias}{surface}");
            let reply = program.call(&caller, &path, tool, arguments.clone()).await;
            reply.text
        };
        let (there, nowhere) = (ask("b01").await, ask("b02").await);
        assert_eq!(there, nowhere, "{surface} {tool} {arguments}");
        assert!(there.contains("does not let this token"), "{there}");
    }
    assert_eq!(highlevel.count(|seen| seen.target.contains("c1")), 0);
}

#[tokio::test]
async fn a_token_is_let_in_by_any_read_that_it_has_the_scope_for() {
    let highlevel = scripted(|seen| {
        let open = seen.path().starts_with("/opportunities/") || seen.path().ends_with("/c1");
        (!open).then(|| refusal(401, "The token is not authorized for this scope."))
    })
    .await;
    // The server's own requests do not count against the caps of the location.
    let rules = "[locations.b01]\ncaps = { read = { hour = 2 } }\n";
    let program = branches(1).rules(rules).serve(&highlevel.url).await;
    let token = bearer(&format!("pit-of-{}", location(1)));
    let caller = [("authorization", token.as_str())];
    let contact = json!({"contactId": "c1"});
    for asked in [5, 1] {
        highlevel.take();
        let reply = program
            .call(
                &caller,
                "/mcp/l/b01/x/contacts",
                "contacts_get-contact",
                contact.clone(),
            )
            .await;
        assert!(reply.ok, "{}", reply.text);
        assert_eq!(highlevel.seen().len(), asked, "{:?}", highlevel.seen());
    }
}

#[tokio::test]
async fn a_token_that_no_read_lets_in_is_not_tried_at_every_call() {
    let highlevel =
        scripted(|_| Some(refusal(401, "The token is not authorized for this scope."))).await;
    let program = branches(1).serve(&highlevel.url).await;
    let token = bearer(&format!("pit-of-{}", location(1)));
    let caller = [("authorization", token.as_str())];
    for asked in [6, 0, 0] {
        highlevel.take();
        let path = "/mcp/l/b01/x/contacts";
        let reply = program
            .call(&caller, path, "contacts_get-contacts", json!({}))
            .await;
        assert!(
            reply.text.contains("does not let this token"),
            "{}",
            reply.text
        );
        assert_eq!(highlevel.seen().len(), asked, "{:?}", highlevel.seen());
    }
}

#[tokio::test]
async fn answers_to_tokens_that_highlevel_refuses_are_not_passed_on() {
    let highlevel = scripted(|seen| {
        let words = format!("{} is not for you.", seen.target);
        Some(refusal(401, &words))
    })
    .await;
    let program = branches(1).serve(&highlevel.url).await;
    let token = bearer(&format!("pit-of-{}", location(1)));
    let caller = [("authorization", token.as_str())];
    let reply = program
        .call(
            &caller,
            "/mcp/l/b01/x/contacts",
            "contacts_get-contacts",
            json!({}),
        )
        .await;
    assert_eq!(reply.class(), "auth", "{}", reply.text);
    for word in ["is not for you", &location(1)] {
        assert!(!reply.text.contains(word), "{}", reply.text);
    }
}
