//! Forty locations and forty keys at once. No call acts in the location of another key, whatever it asks for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::{Agency, alias, branch};

const LOCATIONS: usize = 40;

/// Contacts that each key writes on either surface. The sandbox searches all of them at every write.
const CONTACTS: usize = 50;

/// Calls of all keys together. `AGENCY_FULL=1` makes a million.
fn calls() -> usize {
    match std::env::var_os("AGENCY_FULL") {
        Some(_) => 1_000_000,
        None => 4_000,
    }
}

/// The result of one call by the key of branch `own`.
enum Seen {
    Done,
    Refused,
}

async fn one(agency: &Agency, key: &str, own: usize, number: usize) -> Seen {
    let other = branch(own % LOCATIONS + 1);
    let contact = number / 8 % CONTACTS;
    let (path, tool, arguments) = match number % 8 {
        0 | 1 => ("/mcp", "contacts_get-contacts", json!({"limit": 3})),
        2 => (
            "/mcp",
            "contacts_get-contacts",
            json!({"locationId": other}),
        ),
        3 => (
            "/mcp/orchestrator",
            "call_read",
            json!({"operation": "contacts_get-contacts", "location": alias(own % LOCATIONS + 1)}),
        ),
        4 => (
            "/mcp",
            "contacts_upsert-contact",
            json!({"email": format!("{contact}@{}.example", alias(own)), "tags": [alias(own)]}),
        ),
        5 => (
            "/mcp",
            "contacts_upsert-contact",
            json!({"email": "x@x.example", "locationId": other}),
        ),
        6 => (
            "/mcp/compat",
            "execute_operation",
            json!({"operationId": "contacts_upsert-contact", "idempotencyKey": number.to_string(), "params": {"body": {"email": format!("c{contact}@{}.example", alias(own)), "tags": [alias(own)]}}}),
        ),
        _ => (
            "/mcp",
            "locations_get-location",
            json!({"locationId": branch(own)}),
        ),
    };
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}});
    let sent = agency
        .server
        .post(path)
        .header("authorization", key)
        .json(&request)
        .send();
    let reply: Value = sent.await.expect("a reply").json().await.expect("JSON");
    let result = &reply["result"];
    let text = result["content"][0]["text"].as_str().unwrap_or_default();
    let place = format!("{own} {tool} {arguments}: {reply}");
    if [2, 3, 5].contains(&(number % 8)) {
        assert!(
            result["isError"] == true && text.contains("\"location\""),
            "{place}"
        );
        return Seen::Refused;
    }
    assert_ne!(result["isError"], true, "{place}");
    for named in 1..=LOCATIONS {
        assert!(named == own || !text.contains(&branch(named)), "{place}");
    }
    assert!(text.contains(&branch(own)), "{place}");
    Seen::Done
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_acts_in_a_foreign_location() {
    let agency = Arc::new(Agency::start(LOCATIONS, "").await);
    let (done, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let each = calls() / LOCATIONS;
    let clients = (1..=LOCATIONS).map(|own| {
        let key = agency.key(&alias(own), Some(&[&alias(own)]), None);
        let (agency, done, refused) =
            (Arc::clone(&agency), Arc::clone(&done), Arc::clone(&refused));
        tokio::spawn(async move {
            for number in 0..each {
                match one(&agency, &key, own, number).await {
                    Seen::Done => done.fetch_add(1, Ordering::Relaxed),
                    Seen::Refused => refused.fetch_add(1, Ordering::Relaxed),
                };
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("no failure");
    }
    // Everything in a location was written by its own key.
    for number in 1..=LOCATIONS {
        let token = format!("pit-sandbox-branch-{number:02}");
        let target = format!("GET /contacts/?locationId={}&limit=100", branch(number));
        let (_, _, found) = agency.sandbox.send(&target, &token, None).await;
        let rows = found["contacts"].as_array().expect("contacts");
        let own = alias(number);
        let tags: BTreeSet<&str> = rows
            .iter()
            .filter(|row| {
                row["email"]
                    .as_str()
                    .is_some_and(|email| email.ends_with(".example"))
            })
            .flat_map(|row| row["tags"].as_array().into_iter().flatten())
            .filter_map(Value::as_str)
            .collect();
        assert_eq!(tags, BTreeSet::from([own.as_str()]), "{number}");
    }
    let (done, refused) = (
        done.load(Ordering::Relaxed),
        refused.load(Ordering::Relaxed),
    );
    println!(
        "{LOCATIONS} locations: {done} calls in their own, {refused} refused for naming another's, 0 in a foreign one"
    );
    assert!(done > refused && refused > 0);
}
