//! What replies reveal: customers and rules to strangers, denied operations to callers, and secrets.

use serde_json::{Value, json};

use super::agency::{BY_OPERATOR, bearer, branches, location};
use super::highlevel::{highlevel, scripted};
use super::setup::Setup;
use test_support::recording::{RecordedRequest, json as answer};

/// Ids of locations are in public addresses: whoever has one must not learn whether it is a customer's, nor its rules.
#[tokio::test]
async fn a13_the_rules_of_another_location_do_not_show() {
    let highlevel = highlevel().await;
    let rules = "[locations.b01]\ndeny = [\"contacts_create-contact\"]\n";
    let setup = branches(3).rules(rules);
    let program = setup.serve(&highlevel.url).await;
    let with_rules = location(1);
    let others = [location(2), "locNobodysLocation01".to_owned()];
    let own = format!("pit-of-{}", location(3));
    // A call that says its location to HighLevel.
    let create = |dry_run: bool| json!({"operation": "contacts_create-contact", "arguments": {"firstName": "Ada"}, "dryRun": dry_run});
    // A token that HighLevel refused is not tried again at once, so each is shown once.
    let mut shown = 0;
    for token in ["pit-nobody", &own] {
        for dry_run in [true, false] {
            let mut said = async |id: &str| {
                shown += 1;
                let bearer = bearer(&format!("{token}-{shown}"));
                let headers = [("authorization", bearer.as_str()), ("locationid", id)];
                let call = create(dry_run);
                let reply = program
                    .call(&headers, "/mcp/orchestrator", "call_write", call)
                    .await;
                let mut told: Value = serde_json::from_str(&reply.text).unwrap_or_default();
                if let Some(told) = told.as_object_mut() {
                    told.remove("traceId");
                }
                told.to_string().replace(id, "ID")
            };
            let told = said(&with_rules).await;
            for other in &others {
                assert_eq!(told, said(other).await, "{token} {dry_run} {other}");
            }
        }
    }
    assert_eq!(highlevel.count(RecordedRequest::is_done_write), 0);
    // A token of the location itself is told.
    let own = bearer(&format!("pit-of-{with_rules}"));
    let headers = [("authorization", own.as_str()), ("locationid", &with_rules)];
    let call = create(false);
    let reply = program
        .call(&headers, "/mcp/orchestrator", "call_write", call)
        .await;
    assert!(
        !reply.ok && reply.text.contains("[locations.b01]"),
        "{}",
        reply.text
    );
}

#[tokio::test]
async fn a13_a_stranger_hears_nothing_that_it_did_not_send() {
    let highlevel = highlevel().await;
    let rules = "[locations.b01]\ndeny = [\"contacts_add-tags\"]\n";
    let setup = branches(1).rules(rules);
    let program = setup.serve(&highlevel.url).await;
    let id = location(1);
    let by_header = [("authorization", "Bearer pit-nobody"), ("locationid", &id)];
    let by_path = [("authorization", "Bearer pit-nobody")];
    let (delete, tag) = ("contacts_delete-contact", "contacts_add-tags");
    let rows: [(&[(&str, &str)], &str, &str, Value); 6] = [
        (&by_header, "/mcp", "call_destructive", wrapped(delete)),
        (&by_header, "/mcp", "call_write", wrapped(tag)),
        (&by_header, "/mcp/x/contacts", delete, arguments()),
        (&by_path, "/mcp/l/b01", "call_destructive", wrapped(delete)),
        (&by_path, "/mcp/l/b01", "call_write", wrapped(tag)),
        (&by_path, "/mcp/l/b01/x/contacts", delete, arguments()),
    ];
    let mut told = Vec::new();
    for (headers, path, tool, arguments) in rows {
        let reply = program.call(headers, path, tool, arguments).await;
        assert!(!reply.ok && !reply.text.is_empty(), "{path} {tool}");
        let sent = format!("{headers:?} {path}");
        let words = ["Branch 01", "b01", &id, "[locations"];
        for word in words {
            if reply.text.contains(word) && !sent.contains(word) {
                told.push(format!("{path} {tool} tells {word}"));
            }
        }
    }
    println!("{} things told to a stranger: {told:?}", told.len());
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(highlevel.writes(), 0);
}

fn arguments() -> Value {
    json!({"contactId": "c1", "tags": ["a"]})
}

fn wrapped(operation: &str) -> Value {
    json!({"operation": operation, "arguments": arguments()})
}

#[tokio::test]
async fn a14_no_text_names_what_is_denied() {
    let highlevel = highlevel().await;
    let denied = "contacts_delete-contact";
    let rules = format!("[server]\ndeny = [\"{denied}\"]\n");
    let program = branches(1).rules(&rules).serve(&highlevel.url).await;
    let near = "contacts_delete-contac";
    let rows = [
        ("/mcp/l/b01/x/all", near, json!({"contactId": "c1"})),
        ("/mcp/l/b01", "call_destructive", json!({"operation": near})),
        ("/mcp/l/b01", "call_read", json!({"operation": near})),
        (
            "/mcp/l/b01/compat",
            "execute_operation",
            json!({"operationId": near}),
        ),
        (
            "/mcp/l/b01/compat",
            "describe_operation",
            json!({"operationId": near}),
        ),
    ];
    for (path, tool, arguments) in rows {
        let reply = program.call(&BY_OPERATOR, path, tool, arguments).await;
        assert!(
            !reply.text.contains(denied),
            "{path} {tool}: {}",
            reply.text
        );
    }
    // By the wrong call tool: the reply does not mention the effect, which only allowed operations have here.
    let arguments = json!({"operation": denied, "arguments": {"contactId": "c1"}});
    let reply = program
        .call(&BY_OPERATOR, "/mcp/l/b01", "call_read", arguments)
        .await;
    assert!(!reply.text.contains("destructive"), "{}", reply.text);
    // A reply about a denied operation says no more than one about an unknown operation.
    for tool in ["execute_operation", "describe_operation"] {
        let arguments = json!({"operationId": denied});
        let path = "/mcp/l/b01/compat";
        let reply = program.call(&BY_OPERATOR, path, tool, arguments).await;
        let is_unknown = reply.text.contains("There is no operation");
        let tells = ["destructive", "idempotencyKey", "allowed"];
        let tells = tells.iter().any(|word| reply.text.contains(word));
        assert!(is_unknown && !tells, "{tool}: {}", reply.text);
    }
}

#[tokio::test]
async fn a14_twins_are_under_one_rule() {
    let highlevel = highlevel().await;
    let (_, list) = Setup::new().run(&["tools", "list"]).await;
    let names: Vec<&str> = list
        .lines()
        .filter_map(|line| line.split('\t').next())
        .collect();
    let twins = names.iter().filter_map(|name| {
        let base = name.strip_suffix("-deprecated")?;
        names.contains(&base).then_some(base)
    });
    let bases: Vec<&str> = twins.collect();
    assert!(bases.len() >= 14, "{names:?}");
    let rules = format!("[server]\ndeny = {bases:?}\n");
    let program = branches(1).rules(&rules).serve(&highlevel.url).await;
    let list = program
        .rpc(&BY_OPERATOR, "/mcp/l/b01/x/all", "tools/list", json!({}))
        .await;
    let open: Vec<String> = bases
        .iter()
        .map(|base| format!("{base}-deprecated"))
        .filter(|twin| list.text.contains(&format!("\"{twin}\"")))
        .collect();
    println!("{} of {} twins stay open", open.len(), bases.len());
    assert!(open.is_empty(), "{open:?}");
    let arguments = json!({"locationId": location(1), "paused": true, "companyId": "c"});
    let tool = "saas-api_pause-location-deprecated";
    let reply = program
        .confirmed(&BY_OPERATOR, "/mcp/l/b01/x/all", tool, arguments)
        .await;
    assert!(!reply.ok && highlevel.writes() == 0, "{}", reply.text);
}

#[tokio::test]
async fn tokens_and_passwords_in_answers_are_masked() {
    const SECRETS: [&str; 4] = [
        "hunter2-canary",
        "eyJ-canary",
        "refresh-canary",
        "sk-canary",
    ];
    let highlevel = scripted(|_| {
        let told = json!({"id": "u1", "name": "Ada", "password": SECRETS[0], "access_token": SECRETS[1],
            "nested": [{"refresh_token": SECRETS[2], "accessToken": SECRETS[1]}], "refreshToken": SECRETS[3]});
        Some(answer(200, told.to_string()))
    })
    .await;
    let program = Setup::new().serve(&highlevel.url).await;
    let token = bearer("pit-of-L1");
    let caller = [("authorization", token.as_str()), ("locationid", "L1")];
    for (path, tool, arguments) in [
        ("/mcp/x/all", "users_get-user", json!({"userId": "u1"})),
        (
            "/mcp",
            "call_read",
            json!({"operation": "users_get-user", "arguments": {"userId": "u1"}, "output": {"fields": ["*"]}}),
        ),
    ] {
        let reply = program.call(&caller, path, tool, arguments).await;
        assert!(reply.ok && reply.text.contains("Ada"), "{}", reply.text);
        let told: Vec<&&str> = SECRETS
            .iter()
            .filter(|secret| reply.text.contains(**secret))
            .collect();
        assert!(told.is_empty(), "{path} tells {told:?}");
    }
}
