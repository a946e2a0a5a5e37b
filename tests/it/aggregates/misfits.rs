//! An argument that fits no row is an error with a remedy, and causes no unnecessary reads.

use serde_json::{Map, Value, json};
use test_support::recording::json;

use super::{CONTACTS, TRANSACTIONS, fault, read_blocks, serve};

fn contacts() -> Value {
    json!([
        {"id": "a", "email": "a@x.com", "dateAdded": "2026-11-20T09:00:00Z", "tags": ["vip"],
         "extra": 5, "attributionSource": {"medium": "web"}},
    ])
}

fn filter(field: &str, op: &str, value: Value) -> Value {
    json!({"filter": {"field": field, "op": op, "value": value}})
}

/// Each is a mistake of the caller's. The number is that of the requests sent before the error.
#[tokio::test]
async fn conditions_that_cannot_match_are_an_error() {
    let before = 0;
    let after_a_page = 1;
    for (output, requests, error) in [
        (
            filter("nonsense", "=", json!("x")),
            after_a_page,
            "nonsense",
        ),
        (
            filter("emial", "exists", json!(false)),
            after_a_page,
            "Did you mean email?",
        ),
        (
            filter("attributionSource.medum", "=", json!("web")),
            after_a_page,
            "Did you mean attributionSource.medium?",
        ),
        (
            filter("dateAdded", "after", json!("last week")),
            before,
            "is none",
        ),
        (
            filter("dateAdded", "=", json!("11/20/2026")),
            after_a_page,
            "nothing like it",
        ),
        (
            filter("tags", "=", json!("vip")),
            after_a_page,
            "take contains",
        ),
        (filter("extra", ">", json!("many")), before, "is neither"),
        (
            filter("email", ">", json!(5)),
            after_a_page,
            "cannot compare",
        ),
        (
            filter("email", "exists", json!("perhaps")),
            before,
            "true or false",
        ),
        (
            filter("email", "in", json!("a@x.com")),
            before,
            "takes a list",
        ),
        (
            filter("email", "like", json!("a")),
            before,
            "output.filter.op must be one of",
        ),
        (
            json!({"fields": ["id", "nonsense"]}),
            after_a_page,
            "Rows have ",
        ),
        (
            json!({"fields": ["id", "emal"]}),
            after_a_page,
            "Did you mean email?",
        ),
        (
            json!({"groupBy": "dateAded:month"}),
            after_a_page,
            "Did you mean dateAdded?",
        ),
        (
            json!({"groupBy": "dateAdded:year"}),
            before,
            ":day, :week or :month",
        ),
        (json!({"groupBy": "email:month"}), after_a_page, "no date"),
        (
            json!({"groupBy": "attributionSource"}),
            after_a_page,
            "such as attributionSource.medium",
        ),
        (json!({"sum": "email"}), after_a_page, "not a number"),
        (json!({"sum": "extr"}), after_a_page, "Did you mean extra?"),
        (json!({"minCount": 2}), before, "output.groupBy is missing"),
        (
            json!({"count": true, "fields": ["id"]}),
            before,
            "Leave one of them out",
        ),
        (
            json!({"groupBy": ["a", "b", "c", "d"]}),
            before,
            "at most 3",
        ),
    ] {
        let (answer, asked) = fault(CONTACTS, contacts(), &output).await;
        assert!(answer.to_string().contains(error), "{output}: {answer}");
        assert_eq!(answer["class"], "invalid", "{output}: {answer}");
        assert_eq!(asked, requests, "{output}: {answer}");
    }
}

/// A field that the documents do not describe is known once a row has it.
#[tokio::test]
async fn a_field_of_any_row_is_a_field() {
    let rows = json!([{"id": "a"}, {"id": "b", "unheardOf": {"n": 3}}]);
    for output in [
        filter("unheardOf.n", "=", json!(3)),
        json!({"fields": ["id", "unheardOf.n"]}),
        json!({"sum": "unheardOf.n"}),
    ] {
        let answer = super::figures(CONTACTS, rows.clone(), output.clone()).await;
        assert!(answer["_warnings"].is_null(), "{output}: {answer}");
        assert!(
            answer.to_string().contains(['b', '3']),
            "{output}: {answer}"
        );
    }
}

#[tokio::test]
async fn rows_that_are_not_objects_have_one_field() {
    let (error, _) = fault(CONTACTS, json!(["a"]), &filter("id", "=", json!("a"))).await;
    assert!(
        error.to_string().contains("Name the field value."),
        "{error}"
    );
}

/// Writes and operations without a list are not added up. A completed write is answered whatever `output` asked for.
#[tokio::test]
async fn only_reads_of_lists_are_added_up() {
    let (highlevel, server) =
        serve(&[], |_| json(200, r#"{"contact":{"id":"a","email":"x"}}"#)).await;
    let arguments = Map::from_iter([("contactId".to_owned(), json!("a"))]);
    let count = json!({"count": true});
    let error = read_blocks(&server, "contacts_get-contact", &arguments, &count).await;
    let error = error.expect_err("no list");
    assert!(error.contains("answered with no list"), "{error}");
    let fields = |name: &str| json!({"fields": [name]});
    let error = read_blocks(
        &server,
        "contacts_get-contact",
        &arguments,
        &fields("emial"),
    )
    .await;
    let error = error.expect_err("a slip");
    assert!(error.contains("Did you mean email?"), "{error}");
    let answer = read_blocks(
        &server,
        "contacts_get-contact",
        &arguments,
        &fields("email"),
    )
    .await;
    assert_eq!(answer.expect("a contact"), [r#"{"email":"x"}"#]);
    highlevel.take();
    for (output, is_error, requests) in [(count, true, 0), (fields("emial"), false, 1)] {
        let arguments = json!({"operation": "contacts_update-contact", "arguments": {"contactId": "a", "email": "x"}, "output": output});
        let (text, failed) = server.call("call_write", arguments).await;
        assert_eq!(failed, is_error, "{text}");
        let written = highlevel
            .take()
            .into_iter()
            .filter(|one| one.method == "PUT");
        assert_eq!(written.count(), requests, "{text}");
    }
}

/// A date without a time is that day in the location's time zone.
#[tokio::test]
async fn a_day_is_one_of_the_location() {
    let row = |id: &str, at: &str| json!({"_id": id, "amount": 1, "createdAt": at});
    let rows = json!([
        row("before", "2026-11-20T07:59:59Z"),
        row("first", "2026-11-20T08:00:00Z"),
        row("last", "2026-11-21T07:59:59Z"),
        row("after", "2026-11-21T08:00:00Z"),
    ]);
    for (op, expected) in [
        ("=", json!(["first", "last"])),
        ("before", json!(["before"])),
        ("after", json!(["after"])),
        (">=", json!(["first", "last", "after"])),
        ("<=", json!(["before", "first", "last"])),
    ] {
        let output = json!({"fields": ["_id"], "filter": {"field": "createdAt", "op": op, "value": "2026-11-20"}});
        let answer = super::figures(TRANSACTIONS, rows.clone(), output).await;
        let found: Vec<Value> = answer["data"]
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| row["_id"].clone())
            .collect();
        assert_eq!(json!(found), expected, "{op}: {answer}");
    }
}
