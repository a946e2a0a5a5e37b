//! Arguments of `call` as `name=value`, dry runs without an account, and errors with a remedy.

use serde_json::{Value, json};

use super::{Machine, run};

#[tokio::test]
async fn values_are_sent_as_the_tool_takes_them() {
    async fn check(line: &[&str], target: &str, body: Value) {
        let machine = Machine::new(200, r#"{"ok":true}"#).await;
        let done = machine.run(&[&["call"], line].concat()).await;
        assert_eq!(
            done.code,
            Some(0),
            "{line:?}: {} {}",
            done.stdout,
            done.stderr
        );
        let [request] = <[_; 1]>::try_from(machine.highlevel.take()).expect("one request");
        assert_eq!(request.target, target, "{line:?}");
        let sent = match request.body.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&request.body).expect("JSON"),
        };
        assert_eq!(sent, body, "{line:?}");
    }
    check(
        &["contacts_get-contacts", "limit=20", "query=a b"],
        "/contacts/?limit=20&locationId=L0&query=a+b",
        Value::Null,
    )
    .await;
    check(
        &[
            "contacts_create-contact",
            "firstName=Ann",
            "tags[]=new",
            "tags[]=vip",
            "dnd=true",
            r#"customFields:=[{"id":"f","field_value":2.5}]"#,
        ],
        "/contacts/",
        json!({
            "firstName": "Ann", "tags": ["new", "vip"], "dnd": true,
            "customFields": [{"id": "f", "field_value": 2.5}], "locationId": "L0",
        }),
    )
    .await;
    check(
        &["contacts_add-tags", "contactId=c1", "tags=new"],
        "/contacts/c1/tags",
        json!({"tags": ["new"]}),
    )
    .await;
    check(
        &[
            "call_write",
            "operation=contacts_add-tags",
            "arguments.contactId=c1",
            "arguments.tags[]=x",
        ],
        "/contacts/c1/tags",
        json!({"tags": ["x"]}),
    )
    .await;
    check(
        &[
            "--endpoint",
            "legacy",
            "contacts_add-tags",
            "path_contactId=c1",
            "body_tags[]=x",
        ],
        "/contacts/c1/tags",
        json!({"tags": ["x"]}),
    )
    .await;
}

#[tokio::test]
async fn a_dry_run_needs_no_account_and_sends_nothing() {
    let machine = Machine::new(200, "{}").await;
    let own = ["--dry-run", "--base-url", &machine.highlevel.url];
    let dry = async |line: &[&str]| run(&[&["call"], line, &own].concat()).await;
    let shown = dry(&["contacts_create-contact", "firstName=Ann"]).await;
    assert_eq!(shown.code, Some(0), "{}", shown.stdout);
    let request: Value = serde_json::from_str(&shown.stdout).expect("JSON");
    assert_eq!(request["url"], "/contacts/");
    assert_eq!(request["body"]["locationId"], "YOUR_LOCATION_ID");
    let shown = dry(&[
        "call_write",
        "operation=contacts_create-contact",
        "arguments.firstName=Ann",
    ])
    .await;
    assert!(
        shown.stdout.contains("YOUR_LOCATION_ID"),
        "{}",
        shown.stdout
    );
    // With an account, a time without an offset needs the location's time zone.
    let time = [
        "calendars_create-appointment",
        "calendarId=c",
        "contactId=c1",
        "startTime=2026-01-31T09:00:00",
    ];
    dry(&time).await;
    let without = dry(&["search_operations", "queries=text a contact"]).await;
    assert_eq!(without.code, Some(2));
    assert!(
        without.stderr.contains("search_operations has no dry run"),
        "{}",
        without.stderr
    );
    // Without the flag there is no such caller.
    let sent = run(&[
        "call",
        "contacts_get-contacts",
        "--base-url",
        &machine.highlevel.url,
    ])
    .await;
    assert_eq!(sent.code, Some(2));
    assert!(
        sent.stderr.contains("Set HIGHLEVEL_TOKEN"),
        "{}",
        sent.stderr
    );
    assert_eq!(machine.highlevel.seen().len(), 0);
}

#[tokio::test]
async fn wrong_arguments_give_a_hint() {
    let machine = Machine::new(200, "{}").await;
    let wrong = machine
        .run(&["call", "contacts_get-contacts", "limt=5"])
        .await;
    assert_eq!(wrong.code, Some(1));
    let expected = "limt is not an argument of contacts_get-contacts, did you mean limit?\"";
    assert!(wrong.stdout.contains(expected), "{}", wrong.stdout);
    let hint = "`highlevel-mcp tools show contacts_get-contacts` shows its arguments";
    assert!(wrong.stderr.contains(hint), "{}", wrong.stderr);
    let missing = machine
        .run(&["call", "call_read", "operation=contacts_get-contact"])
        .await;
    assert!(
        missing.stdout.contains("contactId is missing"),
        "{}",
        missing.stdout
    );
    assert!(
        missing.stderr.contains("tools show contacts_get-contact`"),
        "{}",
        missing.stderr
    );
    assert_eq!(machine.highlevel.seen().len(), 0);
}
