//! Honest callers that no limit may stop: workflows that run once an hour from one address, over restarts.

use std::time::Instant;

use serde_json::json;

use super::agency::{bearer, branches};
use super::highlevel::highlevel;
use super::setup::Setup;
use crate::times;

/// A day of forty n8n workflows: one call an hour each, all from one address, with restarts in between.
#[tokio::test]
async fn a_day_of_forty_workflows_meets_no_refusal() {
    let highlevel = highlevel().await;
    let setup = Setup::new();
    let mut refused = Vec::new();
    let mut program = setup.serve(&highlevel.url).await;
    let hours = times(8, 24);
    for hour in 0..hours {
        if hour % 4 == 3 {
            program.stop().await;
            program = setup.serve(&highlevel.url).await;
        }
        for workflow in 0..40 {
            let token = bearer(&format!("pit-of-W{workflow}"));
            let place = format!("W{workflow}");
            let caller = [
                ("authorization", token.as_str()),
                ("locationid", place.as_str()),
            ];
            let (tool, arguments) = match workflow % 4 {
                0 => ("contacts_get-contacts", json!({})),
                1 => (
                    "contacts_add-tags",
                    json!({"contactId": "c1", "tags": ["a"]}),
                ),
                2 => (
                    "conversations_send-a-new-message",
                    json!({"type": "SMS", "contactId": "c1", "message": "hi"}),
                ),
                _ => (
                    "call_write",
                    json!({"operation": "contacts_add-tags", "idempotencyKey": format!("h{hour}"),
                    "items": [{"contactId": "c1", "tags": ["a"]}, {"contactId": "c2", "tags": ["b"]}]}),
                ),
            };
            let reply = program.call(&caller, "/mcp", tool, arguments).await;
            if !reply.ok {
                refused.push(format!("hour {hour}, workflow {workflow}: {}", reply.text));
            }
        }
        // Another client at the same address tries tokens all day.
        for number in 0..3 {
            let token = bearer(&format!("pit-made-up-{hour}-{number}"));
            let caller = [("authorization", token.as_str()), ("locationid", "L1")];
            program
                .call(&caller, "/mcp", "contacts_get-contacts", json!({}))
                .await;
        }
    }
    println!(
        "{} of {} calls refused, over {} restarts",
        refused.len(),
        hours * 40,
        hours / 4
    );
    assert!(refused.is_empty(), "{refused:?}");
}

/// The same with a stranger who tries more tokens than an address may. Accepted callers are not affected.
#[tokio::test]
async fn accepted_callers_are_served_beside_a_throttled_stranger() {
    let highlevel = highlevel().await;
    let program = Setup::new().serve(&highlevel.url).await;
    let workflows: Vec<(String, String)> = (0..40)
        .map(|number| (bearer(&format!("pit-of-W{number}")), format!("W{number}")))
        .collect();
    let mut refused = 0;
    for round in 0..4 {
        for (token, place) in &workflows {
            let caller = [
                ("authorization", token.as_str()),
                ("locationid", place.as_str()),
            ];
            let reply = program
                .call(&caller, "/mcp", "contacts_get-contacts", json!({}))
                .await;
            refused += usize::from(!reply.ok);
        }
        for number in 0..100 {
            let token = bearer(&format!("pit-made-up-{round}-{number}"));
            let caller = [("authorization", token.as_str()), ("locationid", "L1")];
            program
                .call(&caller, "/mcp", "contacts_get-contacts", json!({}))
                .await;
        }
    }
    let reached = highlevel.count(|seen| seen.token().starts_with("pit-made-up"));
    println!("{refused} of 160 calls refused; {reached} of 400 made-up tokens reached HighLevel");
    assert_eq!(refused, 0);
    assert!((25..=62).contains(&reached), "{reached}");
}

#[tokio::test]
async fn e14_made_up_tokens_hardly_reach_highlevel() {
    let highlevel = highlevel().await;
    let program = branches(1).serve(&highlevel.url).await;
    let accepted = [("authorization", "Bearer pit-of-L1"), ("locationid", "L1")];
    let ask = async |caller: &[(&str, &str)]| {
        program
            .call(caller, "/mcp", "contacts_get-contacts", json!({}))
            .await
    };
    assert!(ask(&accepted).await.ok);
    let (start, many) = (Instant::now(), times(600, 20_000));
    let mut refused = 0;
    for number in 0..many {
        let token = bearer(&format!("pit-made-up-{number}"));
        ask(&[("authorization", token.as_str()), ("locationid", "L1")]).await;
        if number % 20 == 0 {
            refused += usize::from(!ask(&accepted).await.ok);
        }
    }
    let took = start.elapsed();
    let reached = highlevel.count(|seen| seen.token().starts_with("pit-made-up"));
    println!(
        "{reached} of {many} made-up tokens reached HighLevel in {took:?}; {refused} calls of an accepted one refused"
    );
    let most = 31 + usize::try_from(took.as_secs()).expect("seconds");
    assert!(
        (25..=most).contains(&reached) && refused == 0,
        "{reached} reached, {refused} refused"
    );
}

#[tokio::test]
async fn e14_a_token_that_highlevel_does_not_know_rests() {
    let highlevel = highlevel().await;
    let program = Setup::new().serve(&highlevel.url).await;
    let caller = [("authorization", "Bearer pit-nobody"), ("locationid", "L1")];
    let mut text = String::new();
    for _ in 0..200 {
        let reply = program
            .call(&caller, "/mcp", "contacts_get-contacts", json!({}))
            .await;
        assert!(!reply.ok);
        text = reply.text;
    }
    let reached = highlevel.seen().len();
    println!("{reached} of 200 calls of one unknown token reached HighLevel; the last got {text}");
    assert!((1..=10).contains(&reached), "{reached}");
}
