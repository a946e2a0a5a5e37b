//! A preview runs by its confirm token alone. A batch reports equal errors once, and is an error if nothing was done.

use serde_json::{Value, json};

use test_support::recording::RecordedRequest;

use super::{Contacts, SEND, TAG, contacts, tag};

#[tokio::test]
async fn one_call_and_a_batch_run_by_their_confirm_alone() {
    let stack = Contacts::start(contacts(1)).await;
    let one = json!({"operation": "contacts_delete-contact", "arguments": {"contactId": "c1"}});
    let items: Vec<Value> = (0..7)
        .map(|number| json!({"contactId": format!("c{number}")}))
        .collect();
    let batch = json!({
        "operation": SEND, "arguments": {"type": "SMS", "message": "hello"}, "items": items, "onError": "continue",
    });
    for (tool, given, calls) in [("call_destructive", one, 1), ("call_send", batch, 7)] {
        let (asked, confirm) = stack.preview(tool, given.clone()).await;
        assert_eq!(asked["calls"], calls);
        assert!(
            asked["remedy"]
                .as_str()
                .is_some_and(|text| text.contains("confirm alone")),
            "{asked}"
        );
        stack.writes();
        let (done, is_error) = stack.call(tool, confirm.clone()).await;
        assert!(!is_error, "{done}");
        assert_eq!(stack.writes().len(), calls, "{tool}");
        // With its arguments it is the same call, and was already made.
        let mut whole = given;
        whole["confirm"] = confirm["confirm"].clone();
        for again in [confirm, whole] {
            let (again, _) = stack.call(tool, again).await;
            assert!(again["_repeated"].is_string(), "{again}");
        }
        assert_eq!(stack.writes(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_request_that_is_too_long_to_keep_is_sent_again() {
    let stack = Contacts::start(contacts(1)).await;
    let long = "x".repeat(70_000);
    let items: Vec<Value> = (0..6)
        .map(|number| json!({"contactId": format!("c{number}")}))
        .collect();
    let mut batch = json!({
        "operation": SEND, "arguments": {"type": "Email", "html": long}, "items": items,
    });
    let (asked, confirm) = stack.preview("call_send", batch.clone()).await;
    let remedy = asked["remedy"].as_str().expect("a remedy");
    assert!(
        remedy.contains("the same arguments and this confirm"),
        "{remedy}"
    );
    let (refused, is_error) = stack.call("call_send", confirm.clone()).await;
    assert!(is_error && refused["class"] == "refused", "{refused}");
    batch["confirm"] = confirm["confirm"].clone();
    stack.writes();
    let (done, _) = stack.call("call_send", batch).await;
    assert_eq!(done["done"], 6, "{done}");
    assert_eq!(stack.writes().len(), 6);
}

#[tokio::test]
async fn errors_that_differ_by_the_records_id_are_equal() {
    let write = |request: &RecordedRequest| {
        let id = request.path().split('/').nth(2).unwrap_or_default();
        let text = format!(r#"{{"message":"DND is active for contact {id}"}}"#);
        Some((400, &*text.leak()))
    };
    let mut all = contacts(3);
    for (number, one) in all.iter_mut().enumerate() {
        one["id"] = json!(format!("contactNumber0000000{number}"));
    }
    let items: Vec<Value> = all
        .iter()
        .map(|one| json!({"contactId": one["id"]}))
        .collect();
    let stack = Contacts::start_with(all, &[], write).await;
    let batch = json!({"operation": TAG, "arguments": {"tags": ["x"]}, "items": items, "onError": "continue"});
    let (told, _) = stack.call("call_write", batch).await;
    let outcomes = told["outcomes"].as_array().expect("outcomes");
    assert!(
        outcomes[0].to_string().contains("contactNumber00000000"),
        "{told}"
    );
    for outcome in &outcomes[1..] {
        assert_eq!(outcome["error"]["sameAsItem"], 0, "{told}");
    }
    let (_, confirm) = stack.preview("call_write", tag(json!({}))).await;
    let (done, _) = stack.call("call_write", confirm).await;
    let failures = done["failures"].as_array().expect("failures");
    assert_eq!(
        (failures.len(), &failures[0]["count"]),
        (1, &json!(3)),
        "{done}"
    );
    let first = failures[0]["first"].to_string();
    assert!(first.contains("contactNumber00000002"), "{done}");
}

#[tokio::test]
async fn equal_errors_of_a_batch_are_reported_once() {
    let write = |request: &RecordedRequest| {
        let path = request.path();
        (path != "/contacts/c1/tags")
            .then_some((422, r#"{"message":"tags are wrong","traceId":"t"}"#))
    };
    let stack = Contacts::start_with(contacts(1), &[], write).await;
    let batch = |ids: &[&str]| {
        let items: Vec<Value> = ids.iter().map(|id| json!({"contactId": id})).collect();
        json!({"operation": TAG, "arguments": {"tags": ["x"]}, "items": items, "onError": "continue"})
    };
    let (told, is_error) = stack
        .call("call_write", batch(&["c2", "c1", "c3", "c4"]))
        .await;
    assert!(!is_error, "{told}");
    assert_eq!(
        (&told["done"], &told["failed"]),
        (&json!(1), &json!(3)),
        "{told}"
    );
    let outcomes = &told["outcomes"];
    assert_eq!(outcomes[0]["error"]["message"], "tags are wrong", "{told}");
    for item in [2, 3] {
        assert_eq!(
            outcomes[item]["error"],
            json!({"class": "invalid", "sameAsItem": 0}),
            "{told}"
        );
    }
    let (told, is_error) = stack.call("call_write", batch(&["c2", "c3"])).await;
    assert!(is_error, "{told}");
}
