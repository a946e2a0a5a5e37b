//! The cost of the official tools' lists in a model's context through the orchestrator, for 20 rows.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Stack, list, text};
use crate::listing::tokens;

/// The figures are for this many rows. A list with fewer or more is scaled to it.
const ROWS: usize = 20;

/// Most tokens (o200k_base) of the median list and of the longest, by form.
const MOST: [(&str, usize, usize); 3] = [
    ("json", 980, 1_900),
    ("table", 770, 1_330),
    ("csv", 760, 1_330),
];

/// As short as people write them; the sandbox's own are similar.
const TITLES: [&str; 5] = [
    "Call back",
    "Send the quote",
    "Book a visit",
    "Check the invoice",
    "Ask for a review",
];
const SAID: [&str; 5] = [
    "Met at the counter, wants a quote.",
    "Can I move my appointment to Friday?",
    "The first consultation is free.",
    "Please call me back when you can.",
    "Your appointment is confirmed.",
];

#[tokio::test]
async fn lists_fit_a_context() {
    let stack = Stack::start().await;
    let first = async |operation: &str, arguments: Value, pointer: &str| {
        let asked =
            json!({"operation": operation, "arguments": arguments, "output": {"fields": ["*"]}});
        text(&patiently(&stack, "call_read", asked).await, pointer).to_owned()
    };
    let contact = first("contacts_get-contacts", json!({}), "/contacts/0/id").await;
    let conversation = first(
        "conversations_search-conversation",
        json!({}),
        "/conversations/0/id",
    )
    .await;
    let calendar = first("calendars_get-calendars", json!({}), "/calendars/0/id").await;
    let window = json!({"calendarId": calendar, "startTime": "2020-01-01T00:00:00Z", "endTime": "2035-01-01T00:00:00Z"});
    let event = first(
        "calendars_get-calendar-events",
        window.clone(),
        "/events/0/id",
    )
    .await;
    for number in 0..ROWS {
        let due = format!("2026-12-{:02}T15:30:00Z", number + 1);
        let (title, said) = (TITLES[number % TITLES.len()], SAID[number % SAID.len()]);
        let made = [
            (
                "call_write",
                "contacts_create-task",
                json!({"contactId": contact, "title": title, "body": said, "dueDate": due, "completed": number % 3 == 0}),
            ),
            (
                "call_write",
                "calendars_create-appointment-note",
                json!({"appointmentId": event, "body": said}),
            ),
            (
                "call_write",
                "locations_create-custom-field",
                json!({"name": format!("Preferred slot {number}"), "dataType": "TEXT", "model": "contact"}),
            ),
            (
                "call_send",
                "conversations_send-a-new-message",
                json!({"contactId": contact, "type": "SMS", "message": said}),
            ),
        ];
        for (call, operation, arguments) in made {
            patiently(
                &stack,
                call,
                json!({"operation": operation, "arguments": arguments}),
            )
            .await;
        }
    }
    let own = json!({"contactId": contact});
    let conversations = patiently(&stack, "call_read",
            json!({"operation": "conversations_search-conversation", "arguments": own, "output": {"fields": ["id"]}}),
        )
        .await;
    let written = list(&conversations, "/conversations").first();
    let conversation = written.map_or(conversation, |one| text(one, "/id").to_owned());
    let lists = [
        ("contacts_get-contacts", json!({"limit": ROWS})),
        ("contacts_get-all-tasks", json!({"contactId": contact})),
        ("conversations_search-conversation", json!({"limit": ROWS})),
        (
            "conversations_get-messages",
            json!({"conversationId": conversation, "limit": ROWS}),
        ),
        ("calendars_get-calendar-events", window),
        (
            "calendars_get-appointment-notes",
            json!({"appointmentId": event, "limit": ROWS}),
        ),
        ("opportunities_search-opportunity", json!({"limit": ROWS})),
        ("opportunities_get-pipelines", json!({})),
        ("payments_list-transactions", json!({"limit": ROWS})),
        ("locations_get-custom-fields", json!({})),
    ];
    let mut over = Vec::new();
    for (format, median, most) in MOST {
        let mut costs = Vec::new();
        for (operation, arguments) in &lists {
            let asked = |format: &str| json!({"operation": operation, "arguments": arguments, "output": {"format": format, "maxItems": ROWS}});
            let counted = patiently(&stack, "call_read", asked("json")).await;
            let lists = counted.as_object().into_iter().flatten();
            let rows = lists.filter_map(|(_, list)| list["rows"].as_array()).next();
            let rows = rows.map_or(0, |rows| match *operation {
                // The length of a pipeline depends on its stages, so these are counted.
                "opportunities_get-pipelines" => rows
                    .iter()
                    .filter_map(|row| row[2].as_array())
                    .map(Vec::len)
                    .sum(),
                _ => rows.len(),
            });
            assert!(rows > 0, "{operation} has no rows: {counted}");
            let answer = patiently(&stack, "call_read", asked(format)).await;
            let answer = answer
                .as_str()
                .map_or_else(|| answer.to_string(), str::to_owned);
            costs.push((tokens(&answer) * ROWS / rows, *operation, rows));
        }
        costs.sort_unstable();
        println!("{format}: {costs:?}");
        let found = (costs[4].0 + costs[5].0) / 2;
        if found > median || costs[9].0 > most {
            over.push(format!(
                "{format}: median {found} of {median}, most {} of {most}: {costs:?}",
                costs[9].0
            ));
        }
    }
    assert!(over.is_empty(), "{over:#?}");
}

/// A call that must succeed. At HighLevel's limit it waits as long as the answer says.
async fn patiently(stack: &Stack, tool: &str, arguments: Value) -> Value {
    loop {
        match stack.try_call(tool, arguments.clone()).await {
            Ok(answer) => return answer,
            Err(error) if error["class"] == "rate_limited" => {
                let wait = error["retryAfterMs"].as_u64().expect("a wait");
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
            Err(error) => panic!("{tool}: {error}"),
        }
    }
}
