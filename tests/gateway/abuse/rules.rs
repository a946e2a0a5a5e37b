//! Rules that are bypassed, caps that are evaded or used up by others, and rules files with no effect.

use std::time::Duration;

use serde_json::{Value, json};

use super::agency::{BY_OPERATOR, bearer, branches, location};
use super::highlevel::{highlevel, refusal, scripted};
use super::setup::Setup;
use crate::times;

const SEND: &str = "conversations_send-a-new-message";

fn message(number: usize) -> Value {
    json!({"type": "SMS", "contactId": "c1", "message": format!("hello {number}")})
}

#[tokio::test]
async fn a3_naming_another_location_evades_no_cap() {
    let rules = "[server]\ncaps = { send = { hour = 5 } }\n";
    let token = bearer("pit-of-L0");
    for (whose, caller) in [
        ("own account", Vec::new()),
        ("client's token", vec![("authorization", token.as_str())]),
    ] {
        let highlevel = highlevel().await;
        let setup = Setup::new()
            .rules(rules)
            .set("HIGHLEVEL_TOKEN", "pit-of-L0");
        let program = setup.serve(&highlevel.url).await;
        for number in 1..=50 {
            let mut arguments = message(number);
            arguments["location"] = json!(format!("X{number}"));
            program.call(&caller, "/mcp/x/all", SEND, arguments).await;
        }
        for number in 51..=60 {
            program
                .call(&caller, "/mcp/x/all", SEND, message(number))
                .await;
        }
        let sent = highlevel.writes();
        println!("{whose}: {sent} of 60 sent under a cap of 5");
        assert_eq!(sent, 5, "{whose}");
    }
}

#[tokio::test]
async fn a4_a_stranger_uses_up_nobodys_cap() {
    let highlevel = highlevel().await;
    let rules = "[server]\ncaps = { write = { hour = 5 } }\n";
    let program = Setup::new().rules(rules).serve(&highlevel.url).await;
    let call = async |token: &str, location: &str| {
        let token = bearer(token);
        let caller = [("authorization", token.as_str()), ("locationid", location)];
        let arguments = json!({"locationId": location, "firstName": "Ada"});
        program
            .call(&caller, "/mcp/x/all", "contacts_create-contact", arguments)
            .await
    };
    // The customer is accepted before the address has tried too many tokens, and has written nothing yet.
    let token = bearer("pit-of-V");
    let caller = [("authorization", token.as_str()), ("locationid", "V")];
    let read = program
        .call(&caller, "/mcp", "contacts_get-contacts", json!({}))
        .await;
    assert!(read.ok, "{}", read.text);
    for number in 0..6 {
        call(&format!("pit-stranger-{number}"), "V").await;
    }
    for number in 0..times(200, 50_000) {
        call("pit-stranger", &format!("made-up-{number}")).await;
    }
    let mut done = 0;
    for _ in 0..6 {
        done += usize::from(call("pit-of-V", "V").await.ok);
    }
    println!("the customer made {done} of its 5 calls");
    assert_eq!(done, 5);
}

#[tokio::test]
async fn a4_a_call_refused_for_its_scope_gives_the_place_back() {
    let highlevel = scripted(|seen| {
        let refused = seen.target.contains("noscope");
        refused.then(|| refusal(401, "The token is not authorized for this scope."))
    })
    .await;
    let rules = "[server]\ncaps = { write = { hour = 5 } }\n";
    let program = branches(1).rules(rules).serve(&highlevel.url).await;
    let mut done = 0;
    for id in ["noscope"; 6].into_iter().chain(["c1"; 6]) {
        let arguments = json!({"contactId": id, "tags": ["a"]});
        let reply = program
            .call(&BY_OPERATOR, "/mcp/l/b01", "contacts_add-tags", arguments)
            .await;
        done += usize::from(reply.ok);
    }
    println!("{done} of 5 after 6 refusals");
    assert_eq!((done, highlevel.writes()), (5, 5));
}

#[tokio::test]
async fn a4_callers_without_a_location_share_no_counter() {
    let highlevel = highlevel().await;
    let rules = "[server]\ncaps = { send = { hour = 5 } }\n";
    let program = Setup::new().rules(rules).serve(&highlevel.url).await;
    for token in ["pit-of-L1", "pit-of-L2"] {
        let token = bearer(token);
        for number in 0..6 {
            let caller = [("authorization", token.as_str())];
            program
                .call(&caller, "/mcp/x/all", SEND, message(number))
                .await;
        }
    }
    println!("{} of 10 sent by two callers", highlevel.writes());
    assert_eq!(highlevel.writes(), 10);
}

#[tokio::test]
async fn a5_a_cap_that_parses_is_enforced() {
    for class in ["read", "write", "send", "money", "destructive", "bulk"] {
        let highlevel = highlevel().await;
        let rules = format!(
            "[server]\nconfirm = {{ money = \"off\", destructive = \"off\", bulk = \"off\" }}\ncaps = {{ {class} = {{ hour = 1 }} }}\n"
        );
        let setup = branches(1).rules(&rules);
        let (code, text) = setup
            .run(&["policy", "check", &setup.text_path("rules.toml")])
            .await;
        if code != 0 {
            println!("{class}: refused by the check: {text}");
            continue;
        }
        let program = setup.serve(&highlevel.url).await;
        let (tool, arguments) = match class {
            "read" => ("contacts_get-contacts", json!({})),
            "write" => (
                "contacts_add-tags",
                json!({"contactId": "c1", "tags": ["a"]}),
            ),
            "send" => (SEND, message(0)),
            "money" => (
                "invoices_send-invoice",
                json!({"invoiceId": "i1", "altId": location(1),
                "altType": "location", "action": "email", "liveMode": false, "userId": "u1"}),
            ),
            "destructive" => ("contacts_delete-contact", json!({"contactId": "c1"})),
            _ => (
                "contacts_bulk-set-business",
                json!({"ids": ["c1"], "businessId": "b1", "locationId": location(1)}),
            ),
        };
        let mut text = String::new();
        for _ in 0..3 {
            let reply = program
                .confirmed(&BY_OPERATOR, "/mcp/l/b01/x/all", tool, arguments.clone())
                .await;
            text = reply.text;
        }
        let sent = highlevel.seen().len();
        println!("{class}: {sent} of 3 under a cap of 1");
        assert_eq!(sent, 1, "{class}: {text}");
    }
}

#[tokio::test]
async fn a_default_cap_holds_sends_back_and_names_its_setting() {
    let highlevel = highlevel().await;
    let program = branches(1).serve(&highlevel.url).await;
    let mut refused = String::new();
    for number in 0..110 {
        let reply = program
            .call(&BY_OPERATOR, "/mcp/l/b01", SEND, message(number))
            .await;
        if !reply.ok {
            refused = reply.text;
        }
    }
    println!("{} of 110 sent in an hour", highlevel.writes());
    assert_eq!(highlevel.writes(), 100);
    assert!(refused.contains("sends_per_hour"), "{refused}");
    let setup = branches(1).set("HIGHLEVEL_MCP_POLICY_SENDS_PER_HOUR", "3");
    let program = setup.serve(&highlevel.url).await;
    highlevel.take();
    for number in 0..6 {
        program
            .call(&BY_OPERATOR, "/mcp/l/b01", SEND, message(number))
            .await;
    }
    assert_eq!(highlevel.writes(), 3);
}

#[tokio::test]
async fn a8_a_preview_names_every_location_and_count() {
    let highlevel = highlevel().await;
    for mode in ["token", "human"] {
        let rules = format!("[server]\nconfirm = {{ write = \"{mode}\" }}\n");
        let setup = branches(3).rules(&rules);
        let program = setup.serve(&highlevel.url).await;
        let item = |alias: &str| json!({"contactId": "c1", "tags": ["a"], "location": alias});
        let arguments = json!({"operation": "contacts_add-tags", "items": [item("b01"), item("b02"), item("b02"), item("b03")]});
        let asked = program
            .call(&BY_OPERATOR, "/mcp", "call_write", arguments)
            .await;
        assert_eq!(asked.class(), "needs_confirmation", "{}", asked.text);
        assert_eq!(asked.value["calls"], 4, "{}", asked.text);
        let mut texts = vec![asked.text];
        if mode == "human" {
            texts.push(setup.run(&["approvals", "list"]).await.1);
        }
        for text in texts {
            for (number, alias) in [(1, "b01"), (2, "b02"), (3, "b03")] {
                let named = text.contains(alias) || text.contains(&location(number));
                assert!(named, "{mode}: {alias} is not named: {text}");
            }
        }
    }
    assert_eq!(highlevel.writes(), 0);
}

#[tokio::test]
async fn a11_rules_judge_page_requests_too() {
    let highlevel = highlevel().await;
    let rules = "[[server.arguments]]\ntools = [\"contacts_get-contacts\"]\nargument = \"limit\"\nat_most = 10\n";
    let program = branches(1).rules(rules).serve(&highlevel.url).await;
    for limit in [json!({"limit": 5}), json!({"limit": 10}), json!({})] {
        let arguments = json!({"operation": "contacts_get-contacts", "arguments": limit, "output": {"allPages": true}});
        program
            .call(&BY_OPERATOR, "/mcp/l/b01", "call_read", arguments)
            .await;
    }
    let limits = highlevel.seen().into_iter();
    let limits: Vec<u32> = limits
        .filter_map(|seen| seen.query("limit")?.parse().ok())
        .collect();
    println!("limits sent under at_most 10: {limits:?}");
    assert!(
        !limits.is_empty() && limits.iter().all(|limit| *limit <= 10),
        "{limits:?}"
    );
}

#[tokio::test]
async fn a3_a_locations_own_token_passes_its_rules_by_naming_nothing() {
    let highlevel = highlevel().await;
    let rules = "[locations.b01]\ndeny = [\"contacts_delete-contact\"]\n";
    let setup = branches(1).rules(rules);
    let program = setup.serve(&highlevel.url).await;
    let token = bearer(&format!("pit-of-{}", location(1)));
    let id = location(1);
    let named = [
        ("authorization", token.as_str()),
        ("locationid", id.as_str()),
    ];
    let unnamed = [("authorization", token.as_str())];
    let read = program
        .call(&named, "/mcp", "contacts_get-contacts", json!({}))
        .await;
    assert!(read.ok, "{read:?}");
    let delete = json!({"contactId": "c1"});
    let path = "/mcp/x/contacts";
    let list = program.rpc(&unnamed, path, "tools/list", json!({})).await;
    let is_listed = list.text.contains("contacts_delete-contact");
    assert!(!is_listed, "its location's rules hide it");
    program
        .confirmed(&unnamed, path, "contacts_delete-contact", delete)
        .await;
    assert_eq!(highlevel.writes(), 0, "its location's rules deny that");
    setup.run(&["pause", "--location", "b01"]).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    let tags = json!({"contactId": "c1", "tags": ["vip"]});
    program
        .call(&unnamed, path, "contacts_add-tags", tags)
        .await;
    assert_eq!(highlevel.writes(), 0, "its location is paused");
}

#[tokio::test]
async fn a12_an_empty_file_of_rules_is_an_error() {
    let highlevel = highlevel().await;
    for rules in ["", "\n", "# only a comment\n"] {
        let setup = branches(1).rules(rules);
        let started = setup.try_serve(&highlevel.url).await;
        assert!(started.is_err(), "starts with {rules:?}");
        let path = setup.text_path("rules.toml");
        let (code, text) = setup.run(&["policy", "check", &path]).await;
        assert_ne!(code, 0, "policy check of {rules:?}: {text}");
    }
}

#[tokio::test]
async fn a12_the_old_rules_stay_where_the_file_is_emptied() {
    let highlevel = highlevel().await;
    let setup = branches(1).rules("[server]\ndeny = [\"contacts_*\"]\n");
    let program = setup.serve(&highlevel.url).await;
    for rules in ["", "[ser"] {
        setup.write("rules.toml", rules);
        program.reload().await;
        let arguments = json!({"contactId": "c1"});
        let reply = program
            .confirmed(
                &BY_OPERATOR,
                "/mcp/l/b01/x/all",
                "contacts_delete-contact",
                arguments,
            )
            .await;
        assert!(
            !reply.ok && highlevel.seen().is_empty(),
            "{rules:?}: {}",
            reply.text
        );
    }
}
