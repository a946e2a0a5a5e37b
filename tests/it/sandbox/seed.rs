//! The initial records of a sandbox: the odd cases that an agency has, and the requested number of contacts.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ::sandbox::{LOCATION, SandboxOptions, TOKEN};
use serde_json::{Value, json};

use super::{Sandbox, list, ok};

/// The longest time for a page of 20,000 contacts. It is far more than needed, for concurrent tests without
/// optimization.
const SLOW: Duration = Duration::from_secs(2);

#[tokio::test]
async fn the_odd_cases_are_there() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let search = json!({"locationId": LOCATION, "pageLimit": 500});
    let contacts = ok(&sandbox, "POST /contacts/search", Some(search)).await;
    let contacts = list(&contacts, "/contacts");
    let shared = |name: &str| {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for value in contacts.iter().filter_map(|one| one[name].as_str()) {
            *counts.entry(value).or_default() += 1;
        }
        counts.into_values().filter(|count| *count > 1).count()
    };
    assert_eq!(
        (shared("email"), shared("phone"), shared("contactName")),
        (1, 2, 4)
    );

    let transactions =
        format!("GET /payments/transactions?altId={LOCATION}&altType=location&limit=100");
    let transactions = ok(&sandbox, &transactions, None).await;
    let refunded = |whole: bool| {
        let rows = list(&transactions, "/data").iter();
        rows.filter(|one| {
            let (back, amount) = (one["amountRefunded"].as_f64(), one["amount"].as_f64());
            back > Some(0.0) && (back == amount) == whole && (one["status"] == "refunded") == whole
        })
        .count()
    };
    assert!(refunded(true) > 3 && refunded(false) > 3);

    let now = jiff::Timestamp::now();
    let tasks = json!({"completed": false, "limit": 100});
    let tasks = ok(
        &sandbox,
        &format!("POST /locations/{LOCATION}/tasks/search"),
        Some(tasks),
    )
    .await;
    let due = |hours: std::ops::Range<i64>| {
        let tasks = list(&tasks, "/tasks").iter();
        let due = tasks.filter_map(|one| one["dueDate"].as_str()?.parse::<jiff::Timestamp>().ok());
        due.filter(|due| hours.contains(&(due.duration_since(now).as_hours())))
            .count()
    };
    // Overdue, around today, and next week.
    assert!(due(-100..-24) > 3 && due(-24..25) > 3 && due(100..200) > 3);

    let agency = "pit-sandbox-agency";
    let locations = sandbox
        .send("GET /locations/search?limit=10", agency, None)
        .await
        .2;
    let zones: Vec<&Value> = list(&locations, "/locations")
        .iter()
        .map(|one| &one["timezone"])
        .collect();
    assert_eq!(
        zones,
        ["America/Los_Angeles", "America/Denver", "America/New_York"]
    );
}

#[tokio::test]
async fn twenty_thousand_contacts_are_searched_and_listed() {
    let options = SandboxOptions {
        contacts: Some(20_000),
        ..SandboxOptions::default()
    };
    let sandbox = Sandbox::start(options).await;
    let search = |more: Value| {
        let mut body = json!({"locationId": LOCATION, "pageLimit": 100});
        for (name, value) in more.as_object().expect("members") {
            body[name] = value.clone();
        }
        ("POST /contacts/search".to_owned(), Some(body))
    };
    let filter = |field: &str, operator: &str| json!([{"field": field, "operator": operator, "value": "vip"}]);
    let get = |target: &str| (format!("GET {target}"), None);
    let here = format!("locationId={LOCATION}");
    let requests = [
        search(json!({"page": 100})),
        search(json!({"filters": filter("tags", "eq")})),
        search(json!({"filters": filter("phone", "not_exists")})),
        search(json!({"query": "ada"})),
        search(json!({"sort": [{"field": "email", "direction": "asc"}]})),
        get(&format!("/contacts/?{here}&limit=100")),
        get(&format!("/conversations/search?{here}&limit=100")),
        get(&format!(
            "/opportunities/search?location_id={LOCATION}&limit=100"
        )),
        get(&format!(
            "/payments/transactions?altId={LOCATION}&altType=location&limit=100"
        )),
        (
            "POST /contacts/".to_owned(),
            Some(json!({"locationId": LOCATION, "email": "twenty@example.org"})),
        ),
    ];
    // The first request waits until the sandbox is filled.
    let found = ok(&sandbox, "POST /contacts/search", search(json!({})).1).await;
    assert_eq!(found["total"], 20_000);
    for (request, body) in requests {
        let begun = Instant::now();
        let (status, _, answer) = sandbox.send(&request, TOKEN, body.clone()).await;
        let took = begun.elapsed();
        println!("{took:?} {request} {}", body.unwrap_or_default());
        assert!((200..300).contains(&status), "{request}: {answer}");
        assert!(took < SLOW, "{request} took {took:?}");
    }
    // The oldest is at most two years old.
    let oldest = json!({"sort": [{"field": "dateAdded", "direction": "asc"}]});
    let oldest = ok(&sandbox, "POST /contacts/search", search(oldest).1).await;
    let added: jiff::Timestamp = oldest["contacts"][0]["dateAdded"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("a date");
    let days = jiff::Timestamp::now().duration_since(added).as_hours() / 24;
    assert!((725..740).contains(&days), "{days}");
}

#[tokio::test]
async fn a_location_has_a_token_that_looks_like_highlevels() {
    async fn check(sandbox: &Sandbox, number: u32, location: &str, status: u16) {
        let token = format!("pit-5a4db0c0-0000-4000-8000-{number:012}");
        let request = format!("GET /contacts/?locationId={location}");
        let (got, _, answer) = sandbox.send(&request, &token, None).await;
        assert_eq!(got, status, "{number} in {location}: {answer}");
    }
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    check(&sandbox, 1, LOCATION, 200).await;
    check(&sandbox, 4, "locCedarLegal0000001", 200).await;
    check(&sandbox, 4, LOCATION, 403).await;
    check(&sandbox, 9, LOCATION, 401).await;
}
