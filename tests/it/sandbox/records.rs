//! The sandbox's records: found, paged, booked, failed on request, reset; and invalid numbers.

use std::time::Duration;

use ::sandbox::{LOCATION, SandboxOptions, TOKEN};
use serde_json::{Value, json};

use super::{Sandbox, answer, list, text};
use test_support::server::client;

#[tokio::test]
async fn searches_filter_sort_and_page() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let search = async |more: Value| {
        let mut body = json!({"locationId": LOCATION, "pageLimit": 100});
        for (name, value) in more.as_object().expect("members") {
            body[name] = value.clone();
        }
        sandbox
            .send("POST /contacts/search", TOKEN, Some(body))
            .await
            .2
    };
    let is = |field, operator, value: Value| json!({"filters": [{"field": field, "operator": operator, "value": value}]});
    let all = search(json!({})).await;
    assert_eq!(
        (all["total"].as_u64(), list(&all, "/contacts").len()),
        (Some(220), 100)
    );
    let phone = text(&all, "/contacts/0/phone");
    assert_eq!(
        search(is("phone", "eq", json!(phone))).await["total"],
        0,
        "docs#289"
    );
    assert_eq!(
        search(is("phone", "contains", json!(phone))).await["total"],
        1
    );
    let vip = search(is("tags", "eq", json!("vip"))).await;
    assert!(
        list(&vip, "/contacts")
            .iter()
            .all(|one| list(one, "/tags") == [json!("vip")])
    );
    let others = search(is("tags", "not_eq", json!("vip"))).await;
    assert_eq!(
        vip["total"]
            .as_u64()
            .zip(others["total"].as_u64())
            .map(|(a, b)| a + b),
        Some(220)
    );
    let sorted = search(json!({"sort": [{"field": "email", "direction": "asc"}]})).await;
    let rows = list(&sorted, "/contacts");
    assert!(rows.is_sorted_by_key(|one| text(one, "/email")));
    let next = search(json!({"sort": [{"field": "email", "direction": "asc"}], "searchAfter": rows[99]["searchAfter"]})).await;
    let second = search(json!({"sort": [{"field": "email", "direction": "asc"}], "page": 2})).await;
    assert_eq!(
        list(&next, "/contacts")[0]["id"],
        list(&second, "/contacts")[0]["id"]
    );
    assert!(rows[0].get("dndSettings").is_none(), "docs#43");
}

#[tokio::test]
async fn appointments_take_free_times_only() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let (_, _, calendars) = sandbox
        .send(
            &format!("GET /calendars/?locationId={LOCATION}"),
            TOKEN,
            None,
        )
        .await;
    let calendar = text(&calendars, "/calendars/0/id");
    let now = jiff::Timestamp::now().as_millisecond();
    let slots = format!(
        "GET /calendars/{calendar}/free-slots?startDate={now}&endDate={}",
        now + 7 * 86_400_000
    );
    let free = async || sandbox.send(&slots, TOKEN, None).await.2;
    let days = free().await;
    let slot = days
        .as_object()
        .and_then(|days| days.values().find_map(|day| day["slots"].get(0)));
    let slot = slot.expect("a free time").clone();
    let (_, _, contacts) = sandbox
        .send(
            &format!("GET /contacts/?locationId={LOCATION}&limit=1"),
            TOKEN,
            None,
        )
        .await;
    let contact = &contacts["contacts"][0]["id"];
    let booking = json!({"calendarId": calendar, "locationId": LOCATION, "contactId": contact, "startTime": slot});
    let book = async || {
        sandbox
            .send(
                "POST /calendars/events/appointments",
                TOKEN,
                Some(booking.clone()),
            )
            .await
    };
    let (status, _, event) = book().await;
    assert_eq!(status, 200, "{event}");
    assert_eq!(book().await.0, 400);
    assert!(
        !free()
            .await
            .to_string()
            .contains(slot.as_str().expect("text"))
    );
    let id = text(&event, "/id");
    let note = json!({"body": "Ring the bell."});
    let note = sandbox
        .send(
            &format!("POST /calendars/appointments/{id}/notes"),
            TOKEN,
            Some(note),
        )
        .await;
    assert_eq!(note.0, 201);
    let notes = format!("GET /calendars/appointments/{id}/notes?limit=20&offset=0");
    assert_eq!(
        sandbox.send(&notes, TOKEN, None).await.2["notes"][0]["body"],
        "Ring the bell."
    );
    let of_contact = format!(
        "GET /contacts/{}/appointments",
        contact.as_str().expect("an id")
    );
    let events = sandbox.send(&of_contact, TOKEN, None).await.2;
    assert!(list(&events, "/events").iter().any(|one| one["id"] == *id));
}

#[tokio::test]
async fn faults_have_the_given_rate_and_end_with_a_reset() {
    let options = SandboxOptions {
        faults: vec![(503, 1.0)],
        latency: Duration::from_millis(30),
        ..SandboxOptions::default()
    };
    let sandbox = Sandbox::start(options).await;
    let begun = std::time::Instant::now();
    let request = format!("GET /locations/{LOCATION}");
    assert_eq!(sandbox.send(&request, TOKEN, None).await.0, 503);
    assert!(begun.elapsed() >= Duration::from_millis(30));

    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let tags = format!("POST /locations/{LOCATION}/tags");
    sandbox
        .send(&tags, TOKEN, Some(json!({"name": "fresh"})))
        .await;
    let list_tags = format!("GET /locations/{LOCATION}/tags");
    let before = sandbox.send(&list_tags, TOKEN, None).await.2;
    assert_eq!(list(&before, "/tags").len(), 9);
    answer(client().post(format!("{}/__sandbox/reset", sandbox.url))).await;
    assert!(sandbox.requests().await.is_empty());
    let after = sandbox.send(&list_tags, TOKEN, None).await.2;
    assert_eq!(list(&after, "/tags").len(), 8);
}

/// A request's line is written before its answer, and the previous content of the file stays.
#[tokio::test]
async fn the_log_has_a_line_for_each_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("requests.jsonl");
    std::fs::write(&path, "{}\n").expect("written");
    let options = SandboxOptions {
        log: Some(path.clone()),
        ..SandboxOptions::default()
    };
    let sandbox = Sandbox::start(options).await;
    let tags = format!("/locations/{LOCATION}/tags");
    let fresh = json!({"name": "fresh"});
    let rows = [
        ("GET", TOKEN, None, 200, json!(LOCATION), 0),
        ("POST", TOKEN, Some(fresh.clone()), 200, json!(LOCATION), 1),
        ("POST", "pit-unknown", Some(fresh), 401, json!(LOCATION), 0),
        ("POST", TOKEN, Some(json!({})), 422, json!(LOCATION), 0),
    ];
    for (number, (method, token, body, status, location, changes)) in rows.into_iter().enumerate() {
        let (answered, headers, _) = sandbox
            .send(&format!("{method} {tags}"), token, body.clone())
            .await;
        let log = std::fs::read_to_string(&path).expect("a log");
        let lines: Vec<Value> = log
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(lines.len(), number + 2);
        let line = &lines[number + 1];
        let trace = headers["x-trace-id"].to_str().expect("text");
        let operation = format!("{method} /locations/{{locationId}}/tags");
        let expected = json!({
            "time": line["time"], "trace": trace, "method": method, "path": tags, "query": "", "operation": operation,
            "location": location, "version": "2021-07-28", "body": body.unwrap_or_else(|| json!("")), "status": status,
            "changes": changes,
        });
        assert_eq!((answered, line), (status, &expected));
    }

    let options = SandboxOptions {
        log: Some(folder.path().join("none/requests.jsonl")),
        ..SandboxOptions::default()
    };
    let refusal = Sandbox::refusal(options).await.expect("a refusal");
    assert!(refusal.contains("give another --log"), "{refusal}");
}

#[tokio::test]
async fn absurd_numbers_are_answered() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let calendars = format!("GET /calendars/?locationId={LOCATION}");
    let (_, _, calendars) = sandbox.send(&calendars, TOKEN, None).await;
    let calendar = text(&calendars, "/calendars/0/id");
    let (least, most) = (i64::MIN, i64::MAX);
    let slots = |start: i64, end: i64| {
        format!("GET /calendars/{calendar}/free-slots?startDate={start}&endDate={end}")
    };
    let page = |page| Some(json!({"locationId": LOCATION, "pageLimit": page, "page": page}));
    let length = |length| Some(json!({"slotDuration": length}));
    let change = format!("PUT /calendars/{calendar}");
    let opportunities = format!("GET /opportunities/search?location_id={LOCATION}&page=1e300");
    let transactions =
        format!("GET /payments/transactions?altId={LOCATION}&altType=location&offset=1e300");
    let rows: Vec<(String, Option<Value>, u16)> = vec![
        (slots(least, most), None, 400),
        (slots(most, most), None, 200),
        ("POST /contacts/search".to_owned(), page(u64::MAX), 422),
        (opportunities, None, 200),
        (transactions, None, 200),
        (change.clone(), length(0), 200),
        (slots(1_800_000_000_000, 1_800_600_000_000), None, 200),
        (change.clone(), length(-5), 200),
        (slots(1_800_000_000_000, 1_800_600_000_000), None, 200),
        (change, length(most), 200),
        (slots(1_800_000_000_000, 1_800_600_000_000), None, 200),
    ];
    for (request, body, status) in rows {
        let answer = sandbox.send(&request, TOKEN, body.clone());
        let answer = tokio::time::timeout(Duration::from_secs(5), answer).await;
        let (got, _, found) = answer.expect("an answer");
        assert_eq!(got, status, "{request} {body:?}: {found}");
    }
}

#[tokio::test]
async fn a_file_keeps_the_records() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = SandboxOptions {
        data: Some(folder.path().join("sandbox.db")),
        ..SandboxOptions::default()
    };
    let tags = format!("/locations/{LOCATION}/tags");
    let first = Sandbox::start(options.clone()).await;
    let made = first
        .send(
            &format!("POST {tags}"),
            TOKEN,
            Some(json!({"name": "kept"})),
        )
        .await;
    let before = first.send(&format!("GET {tags}"), TOKEN, None).await.2;
    let second = Sandbox::start(options.clone()).await;
    let after = second.send(&format!("GET {tags}"), TOKEN, None).await.2;
    assert_eq!(before, after);
    assert_eq!(
        list(&after, "/tags").last().map(|tag| &tag["id"]),
        Some(&made.2["tag"]["id"])
    );
    let id = text(&made.2, "/tag/id");
    assert_eq!(
        second
            .send(&format!("DELETE {tags}/{id}"), TOKEN, None)
            .await
            .0,
        200
    );
    let third = Sandbox::start(options).await;
    let last = third.send(&format!("GET {tags}"), TOKEN, None).await.2;
    assert_eq!(list(&last, "/tags").len(), 8);
}
