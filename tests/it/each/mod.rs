//! Writes for the rows of a read: what is shown and sent, and the result if a client or a server is lost.

mod asked;
mod batches;
mod people;
mod resumed;

use serde_json::{Value, json};

use test_support::recording::{RecordedRequest, Recording, json as answer};
use test_support::server::{LOCATION, TestServer, VOUCHED};

const TAG: &str = "contacts_add-tags";
const FIND: &str = "contacts_search-contacts-advanced";
const SEND: &str = "conversations_send-a-new-message";

/// HighLevel with these contacts, in pages, and the writes to them.
struct Contacts {
    highlevel: Recording,
    server: TestServer,
}

/// The contact with this number.
fn contact(number: usize) -> Value {
    json!({"id": format!("c{number}"), "firstName": "Ada", "lastName": format!("Number {number}"), "tags": ["vip"]})
}

fn contacts(many: usize) -> Vec<Value> {
    (1..=many).map(contact).collect()
}

/// The page of a search that a request asks for.
fn page(request: &RecordedRequest, all: &[Value]) -> Value {
    let asked = request.fields();
    let size = asked["pageLimit"].as_u64().unwrap_or(20);
    let number = asked["page"].as_u64().unwrap_or(1);
    let size = usize::try_from(size.clamp(1, 100)).expect("few");
    let start = size * usize::try_from(number.max(1) - 1).expect("few");
    let rows: Vec<&Value> = all.iter().skip(start).take(size).collect();
    json!({"contacts": rows, "total": all.len()})
}

impl Contacts {
    async fn start(all: Vec<Value>) -> Self {
        Self::start_with(all, &[], |_| None).await
    }

    /// A write succeeds if `write` gives no answer for it.
    async fn start_with(
        all: Vec<Value>,
        variables: &[(&str, &str)],
        write: impl Fn(&RecordedRequest) -> Option<(u16, &'static str)> + Send + Sync + 'static,
    ) -> Self {
        let highlevel = Recording::start(move |request| {
            if request.path() == "/contacts/search" {
                return answer(200, page(request, &all).to_string());
            }
            match write(request) {
                Some((status, body)) => answer(status, body),
                None => answer(200, r#"{"tags":["vip","x"],"filler":"what nobody reads"}"#),
            }
        })
        .await;
        let mut given = vec![VOUCHED];
        given.extend(variables);
        let mut server = TestServer::start_with(&highlevel.url, &given).await;
        server.path = "/mcp/orchestrator";
        Self { highlevel, server }
    }

    async fn call(&self, tool: &str, arguments: Value) -> (Value, bool) {
        let (text, is_error) = self.server.call(tool, arguments).await;
        (serde_json::from_str(&text).expect("JSON"), is_error)
    }

    /// A preview, and its confirm token.
    async fn preview(&self, tool: &str, arguments: Value) -> (Value, Value) {
        let (asked, is_error) = self.call(tool, arguments).await;
        assert!(!is_error, "{asked}");
        assert_eq!(asked["status"], "needs_confirmation", "{asked}");
        let confirm = json!({"confirm": asked["confirm"]});
        assert!(asked["confirm"].is_string(), "{asked}");
        (asked, confirm)
    }

    /// The writes since the last call of this function: method, path and body.
    fn writes(&self) -> Vec<String> {
        let seen = self.highlevel.take();
        let writes = seen
            .iter()
            .filter(|one| one.method != "GET" && one.path() != "/contacts/search");
        writes
            .map(|one| {
                let body = String::from_utf8_lossy(&one.body);
                format!("{} {} {body}", one.method, one.path())
            })
            .collect()
    }
}

/// Tags all contacts that the filter finds.
fn tag(more: Value) -> Value {
    let mut each =
        json!({"operation": FIND, "filter": {"field": "tags", "op": "contains", "value": "vip"}});
    for (name, value) in more.as_object().expect("an object") {
        each[name] = value.clone();
    }
    json!({"operation": TAG, "arguments": {"tags": ["x"]}, "each": each})
}

#[tokio::test]
async fn the_rows_are_shown_first_and_a_confirm_alone_writes_them() {
    let mut all = contacts(130);
    all[1]["tags"] = json!([]);
    // One contact twice, and one without an id.
    all[3] = all[2].clone();
    all[4].as_object_mut().expect("an object").remove("id");
    let stack = Contacts::start(all).await;
    let (asked, confirm) = stack.preview("call_write", tag(json!({}))).await;
    assert_eq!(asked["calls"], 127, "{asked}");
    assert_eq!(
        asked["records"][0],
        json!({"contactId": "c1", "name": "Ada Number 1"})
    );
    assert_eq!(asked["records"].as_array().map(Vec::len), Some(5));
    assert_eq!(
        asked["each"],
        json!({"operation": FIND, "lookedAt": 130, "matched": 129})
    );
    assert_eq!(
        asked["skipped"],
        json!({"noValue": 1, "duplicates": 1}),
        "{asked}"
    );
    assert_eq!(asked["location"]["id"], LOCATION);
    assert_eq!(asked["firstRequest"]["body"], json!({"tags": ["x"]}));
    assert!(
        asked["remedy"]
            .as_str()
            .is_some_and(|text| text.contains("confirm alone"))
    );
    assert!(
        asked.to_string().len() < 1_500,
        "{}",
        asked.to_string().len()
    );
    assert_eq!(stack.writes(), Vec::<String>::new());

    let (done, is_error) = stack.call("call_write", confirm.clone()).await;
    assert!(!is_error, "{done}");
    assert_eq!(
        done,
        json!({"done": 127, "failed": 0, "notRun": 0, "of": 127})
    );
    let writes = stack.writes();
    assert_eq!(writes.len(), 127);
    assert_eq!(writes[0], r#"POST /contacts/c1/tags {"tags":["x"]}"#);
    assert_eq!(writes[1], r#"POST /contacts/c3/tags {"tags":["x"]}"#);
    // Again: the result, and nothing is sent.
    let (again, _) = stack.call("call_write", confirm).await;
    assert_eq!(again, done);
    assert_eq!(stack.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_confirm_belongs_to_its_caller_tool_and_connection() {
    let stack = Contacts::start(contacts(3)).await;
    let (_, confirm) = stack.preview("call_write", tag(json!({}))).await;
    let (other_tool, is_error) = stack.call("call_destructive", confirm.clone()).await;
    assert!(
        is_error && other_tool["remedy"] == "Call it with call_write.",
        "{other_tool}"
    );
    let elsewhere = [
        ("authorization", "Bearer pit-test"),
        ("locationid", "L9"),
        ("x-access-key", test_support::server::KEY),
    ];
    let stranger = [
        ("authorization", "Bearer pit-other"),
        ("locationid", LOCATION),
    ];
    for (headers, part) in [
        (&elsewhere[..], "another connection"),
        (&stranger[..], "no preview is kept"),
    ] {
        let (text, is_error) = stack
            .server
            .call_with(headers, "call_write", confirm.clone())
            .await;
        assert!(text.contains(part), "{text}");
        assert!(is_error, "{text}");
    }
    assert_eq!(stack.writes(), Vec::<String>::new());
    let (unknown, is_error) = stack.call("call_write", json!({"confirm": "1.a.b"})).await;
    assert!(is_error && unknown["class"] == "refused", "{unknown}");
    // The shown rows do not run under another operation's name either.
    let mut other = confirm.clone();
    other["operation"] = json!("contacts_remove-tags");
    let (told, is_error) = stack.call("call_write", other).await;
    assert!(is_error, "{told}");
    // Neither attempt blocked the right one.
    let (done, _) = stack.call("call_write", confirm).await;
    assert_eq!(done["done"], 3, "{done}");
}

#[tokio::test]
async fn impossible_writes_for_rows_are_refused_before_anything_is_sent() {
    let mut all = contacts(3);
    all[0]["amount"] = json!(5);
    all.iter_mut()
        .for_each(|row| row["password"] = json!("hidden word"));
    let stack = Contacts::start(all).await;
    let with = |name: &str, value: Value| {
        let mut given = tag(json!({}));
        given[name] = value;
        given
    };
    let rows = [
        (
            "items beside",
            with("items", json!([{}])),
            "items and each exclude",
        ),
        (
            "a field that no row has",
            tag(json!({"filter": {"field": "nonsense", "op": "!=", "value": 1}})),
            "filter names nonsense, which no row of",
        ),
        (
            "a date that is none",
            tag(json!({"filter": {"field": "amount", "op": "after", "value": "last week"}})),
            "before and after take a date",
        ),
        (
            "a write to read",
            tag(json!({"operation": TAG})),
            "each.operation is the read whose rows are gone through",
        ),
        (
            "no such read",
            tag(json!({"operation": "contacts_serch"})),
            "There is no operation",
        ),
        (
            "no list",
            tag(json!({"operation": "contacts_get-contact", "arguments": {"contactId": "c1"}})),
            "answers no list",
        ),
        (
            "no such argument",
            tag(json!({"bind": {"contactIdd": "id"}})),
            "has no argument contactIdd",
        ),
        (
            "no such field",
            tag(json!({"bind": {"contactId": "contact.id"}})),
            "none of 3 rows has contact.id, for contactId",
        ),
        (
            "a key that each lacks",
            tag(json!({"fields": ["id"]})),
            "fields is not an argument",
        ),
        (
            "wrong arguments",
            with("arguments", json!({"tagz": ["x"]})),
            "tagz",
        ),
        (
            "more than is kept",
            with("arguments", json!({"tags": ["x".repeat(300_000)]})),
            "bytes that are kept of a preview",
        ),
        ("nothing at all", json!({}), "operation is missing"),
    ];
    for (name, given, part) in rows {
        let (text, is_error) = stack.server.call("call_write", given).await;
        assert!(is_error && text.contains(part), "{name}: {text}");
    }
    let none = tag(json!({"filter": {"field": "tags", "op": "contains", "value": "gone"}}));
    let (none, is_error) = stack.call("call_write", none).await;
    assert!(
        !is_error && none["what"] == "Nothing to do: none of 3 rows matches.",
        "{none}"
    );
    // A secret in a row is masked, and its replacement in answers is never written.
    let mut note = tag(json!({"bind": {"body": "password"}}));
    note["operation"] = json!("contacts_create-note");
    note["arguments"] = json!({});
    let (text, is_error) = stack.server.call("call_write", note).await;
    assert!(is_error && text.contains("in place of a secret"), "{text}");
    assert!(!text.contains("hidden word"), "{text}");
    assert_eq!(stack.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn as_many_rows_are_taken_as_are_asked_for_and_may_be() {
    let stack = Contacts::start(contacts(1_030)).await;
    for (more, calls, is_part) in [
        (json!({"maxItems": 2}), 2, true),
        (json!({}), 1_000, true),
        (json!({"maxItems": 5_000}), 1_000, true),
        (
            json!({"filter": {"field": "id", "value": "c1030"}}),
            1,
            false,
        ),
        (
            json!({"allPages": 1, "arguments": {"pageLimit": 20}}),
            20,
            true,
        ),
    ] {
        let (asked, confirm) = stack.preview("call_write", tag(more.clone())).await;
        assert_eq!(asked["calls"], calls, "{more}: {asked}");
        assert_eq!(asked["incomplete"].is_string(), is_part, "{more}: {asked}");
        if calls < 1_000 {
            // Who only reads the outcome learns of the others, too.
            let (done, _) = stack.call("call_write", confirm).await;
            assert_eq!(
                (&done["done"], &done["incomplete"]),
                (&json!(calls), &asked["incomplete"]),
                "{more}: {done}"
            );
        }
    }
    stack.writes();
    let mut dry = tag(json!({}));
    dry["dryRun"] = json!(true);
    let (shown, is_error) = stack.call("call_write", dry).await;
    assert!(!is_error && shown["dryRun"] == true, "{shown}");
    assert!(
        shown["calls"] == 1_000 && shown["confirm"].is_null(),
        "{shown}"
    );
    assert_eq!(stack.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn contacts_that_cannot_be_reached_get_no_message() {
    let mut all = contacts(7);
    for one in &mut all {
        one["phone"] = json!("+15035550199");
    }
    all[0]["dnd"] = json!(true);
    all[1]["dndSettings"] = json!({"SMS": {"status": "active"}});
    all[2]["dndSettings"] = json!({"Email": {"status": "active"}});
    all[4]["phone"] = Value::Null;
    all[5]["phone"] = json!(" ");
    all[6].as_object_mut().expect("an object").remove("phone");
    let stack = Contacts::start(all).await;
    let each = json!({
        "operation": SEND, "arguments": {"type": "SMS", "message": "hello"}, "each": {"operation": FIND},
    });
    let (asked, confirm) = stack.preview("call_send", each).await;
    assert_eq!(
        asked["skipped"],
        json!({"doNotDisturb": 2, "noAddress": 3}),
        "{asked}"
    );
    let unseen = asked["unseen"].as_str().unwrap_or_default();
    assert!(unseen.contains("who refuses SMS alone"), "{asked}");
    let (done, _) = stack.call("call_send", confirm).await;
    assert_eq!(done["done"], 2, "{done}");
    let writes = stack.writes();
    assert!(
        writes
            .iter()
            .all(|one| one.contains("c3") || one.contains("c4")),
        "{writes:?}"
    );
}

#[tokio::test]
async fn missing_records_are_skipped_and_equal_failures_are_reported_once() {
    let write = |request: &RecordedRequest| match request.path() {
        "/contacts/c2/tags" => Some((404, r#"{"message":"Contact not found","statusCode":404}"#)),
        "/contacts/c3/tags" | "/contacts/c4/tags" => {
            Some((422, r#"{"message":"tags are wrong","statusCode":422}"#))
        }
        _ => None,
    };
    let stack = Contacts::start_with(contacts(5), &[], write).await;
    let (_, confirm) = stack.preview("call_write", tag(json!({}))).await;
    let (done, is_error) = stack.call("call_write", confirm.clone()).await;
    assert!(!is_error, "{done}");
    assert_eq!(
        (&done["done"], &done["failed"]),
        (&json!(2), &json!(2)),
        "{done}"
    );
    assert_eq!(
        done["gone"],
        json!({"count": 1, "first": ["Ada Number 2 (c2)"]}),
        "{done}"
    );
    let failures = done["failures"].as_array().expect("failures");
    assert_eq!(failures.len(), 1, "{done}");
    assert_eq!(failures[0]["count"], 2);
    assert_eq!(
        failures[0]["first"],
        json!(["Ada Number 3 (c3)", "Ada Number 4 (c4)"])
    );
    assert!(failures[0].to_string().contains("tags are wrong"), "{done}");
    assert_eq!(stack.writes().len(), 5);
    // HighLevel's refusal is stored, and the row is not sent again.
    let (again, _) = stack.call("call_write", confirm).await;
    assert_eq!(again, done);
    assert_eq!(stack.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_run_may_stop_at_its_first_failure_and_go_on_behind_it() {
    let write = |request: &RecordedRequest| {
        let is_second = request.path() == "/contacts/c2/tags";
        is_second.then_some((422, r#"{"message":"no","statusCode":422}"#))
    };
    let stack = Contacts::start_with(contacts(4), &[], write).await;
    let mut given = tag(json!({}));
    given["onError"] = json!("stop");
    let (_, confirm) = stack.preview("call_write", given).await;
    let (first, _) = stack.call("call_write", confirm.clone()).await;
    assert_eq!(
        (&first["done"], &first["failed"], &first["notRun"]),
        (&json!(1), &json!(1), &json!(2))
    );
    assert_eq!(
        first["remedy"],
        "A row failed; repeat with this confirm alone to go on."
    );
    let (second, _) = stack.call("call_write", confirm).await;
    assert_eq!(
        (&second["done"], &second["notRun"]),
        (&json!(3), &json!(0)),
        "{second}"
    );
    assert_eq!(stack.writes().len(), 4);
}
