//! `doctor --live-report`: the calls it makes, that it leaves nothing behind, and that its report contains no value of
//! the account.

use std::fs;
use std::process::Output;
use std::sync::{Arc, Mutex};

use ::sandbox::{DocumentedShape, LOCATION, SandboxOptions, TOKEN, documented_answer};
use highlevel_mcp::catalog::TOOLS;
use serde_json::{Map, Value, json};

use crate::sandbox::Sandbox;
use crate::stdio::program;
use test_support::recording::{RecordedRequest, Recording, json as answer};

/// Runs it on `url`. Returns the report, empty if there is none.
async fn report(url: &str, more: &[&str], state: &str) -> (Output, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("report.md");
    let file_name = file.to_str().expect("UTF-8");
    let account = [
        ("HIGHLEVEL_TOKEN", TOKEN),
        ("HIGHLEVEL_LOCATION_ID", LOCATION),
        ("HIGHLEVEL_MCP_STATE_FOLDER", state),
    ];
    let arguments = [
        &["doctor", "--base-url", url, "--live-report", file_name],
        more,
    ]
    .concat();
    let done = program(&arguments, &account).output().await.expect("run");
    (done, fs::read_to_string(file).unwrap_or_default())
}

fn printed(done: &Output) -> String {
    (String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr)).into_owned()
}

/// The JSON in a report.
fn calls(report: &str) -> Vec<Value> {
    let json = report.split("```json\n").nth(1).expect("a block");
    let json = json.split("```").next().expect("its end");
    let whole: Value = serde_json::from_str(json).expect("JSON");
    whole["calls"].as_array().expect("calls").clone()
}

#[tokio::test]
async fn the_sandbox_is_reported_on_and_keeps_nothing() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let state = tempfile::tempdir().expect("a folder");
    let state = state.path().to_str().expect("UTF-8");
    let (done, text) = report(&sandbox.url, &["--writes", "--yes"], state).await;
    assert_eq!(done.status.code(), Some(0), "{}", printed(&done));
    let calls = calls(&text);
    for call in &calls {
        let refused = call["class"].as_str().unwrap_or("ok");
        assert!(matches!(refused, "ok" | "not_found"), "{call}");
        assert!(call["headers"]["content-type"].is_null(), "{call}");
    }
    assert_eq!(calls.len(), 24 + 7, "{text}");
    // It used the usual pipeline: limits are reported, and changes are in the audit.
    assert_eq!(calls[0]["headers"]["x-ratelimit-max"], "100");
    assert!(
        calls[0]["headers"]
            .as_object()
            .expect("some")
            .contains_key("x-ratelimit-remaining")
    );
    let account = [("HIGHLEVEL_MCP_STATE_FOLDER", state)];
    let audit = ["audit", "tail", "--base-url", &sandbox.url];
    let audit = program(&audit, &account).output().await.expect("run");
    assert!(
        printed(&audit).contains("contacts_delete-contact"),
        "{}",
        printed(&audit)
    );
    for value in [
        TOKEN,
        LOCATION,
        "Harbor Dental",
        "doctor00000000000000",
        "throw-away 1",
    ] {
        assert!(!text.contains(value), "{value} is in {text}");
    }
    // Everything it created is deleted.
    let requests = sandbox.requests().await;
    let count = |method: &str, start: &str| {
        let fits = |one: &&Value| {
            one["method"] == method
                && one["path"]
                    .as_str()
                    .is_some_and(|path| path.starts_with(start))
        };
        requests.iter().filter(fits).count()
    };
    assert_eq!(
        (count("POST", "/contacts/"), count("DELETE", "/contacts/")),
        (3, 2),
        "{requests:?}"
    );
    let reads = report(&sandbox.url, &[], state).await.1;
    assert!(!reads.contains("contacts_create-contact"));
}

#[tokio::test]
async fn nobody_is_changed_unasked() {
    let highlevel = Recording::always(200, "{}").await;
    let state = tempfile::tempdir().expect("a folder");
    let state = state.path().to_str().expect("UTF-8");
    let (done, text) = report(&highlevel.url, &["--writes"], state).await;
    assert_eq!(done.status.code(), Some(2));
    assert!(printed(&done).contains("Give --yes"), "{}", printed(&done));
    assert_eq!((text.as_str(), highlevel.take().len()), ("", 0));
}

/// The clean-up after these answers to the creation, the search and the deletion of a contact. All other writes fail.
async fn check_cleanup(
    made: (u16, &'static str),
    listed: &'static str,
    deleted: (u16, &'static str),
    code: i32,
) {
    let name = Arc::new(Mutex::new(String::new()));
    let highlevel = Recording::start(move |request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        match (
            request.method.as_str(),
            request.target.split('?').next().unwrap_or_default(),
        ) {
            ("POST", "/contacts/") => {
                *name.lock().expect("the lock") =
                    body["lastName"].as_str().unwrap_or_default().to_owned();
                answer(made.0, made.1)
            }
            ("GET", "/contacts/") if request.target.contains("query=") => {
                let name = name.lock().expect("the lock").clone();
                answer(200, listed.replace("NAME", &name))
            }
            ("DELETE", "/contacts/made1") => answer(deleted.0, deleted.1),
            ("GET", _) => answer(200, "{}"),
            _ => answer(500, r#"{"message":"Internal server error"}"#),
        }
    })
    .await;
    let state = tempfile::tempdir().expect("a folder");
    let state = state.path().to_str().expect("UTF-8");
    let (done, text) = report(&highlevel.url, &["--writes", "--yes"], state).await;
    assert_eq!(done.status.code(), Some(code), "{}", printed(&done));
    assert_eq!(printed(&done).contains("may still exist"), code == 1);
    let requests = highlevel.take();
    let deletes = requests
        .iter()
        .filter(|one| one.method == "DELETE" && one.target == "/contacts/made1");
    assert_eq!(
        deletes.count(),
        usize::from(made.0 < 300 || listed.contains("made1"))
    );
    assert!(!text.is_empty());
}

#[tokio::test]
async fn the_contact_is_deleted_whatever_happens() {
    let made = r#"{"contact":{"id":"made1"}}"#;
    let (listed, gone) = (
        r#"{"contacts":[{"id":"other","lastName":"x"},{"id":"made1","lastName":"NAME"}]}"#,
        (200, "{}"),
    );
    check_cleanup((201, made), "{}", gone, 0).await;
    check_cleanup(
        (500, r#"{"message":"Internal server error"}"#),
        listed,
        gone,
        0,
    )
    .await;
    check_cleanup(
        (422, r#"{"message":["x should not be empty"]}"#),
        listed,
        gone,
        0,
    )
    .await;
    check_cleanup((500, "{}"), r#"{"contacts":[]}"#, gone, 1).await;
    check_cleanup(
        (
            401,
            r#"{"message":"The token is not authorized for this scope."}"#,
        ),
        r#"{"contacts":[]}"#,
        gone,
        0,
    )
    .await;
    check_cleanup((201, made), "{}", (500, "{}"), 1).await;
}

/// Makes documented answers with values that may be found nowhere.
#[derive(Default)]
struct Canaries {
    texts: Vec<String>,
    numbers: u32,
}

impl Canaries {
    fn text(&mut self) -> Value {
        let text = format!("Cnry{}ValueOf", self.texts.len());
        self.texts.push(text.clone());
        json!(text)
    }

    fn value(&mut self, shape: &DocumentedShape) -> Value {
        match shape.kinds.first() {
            Some(&"object") => {
                let members = shape.members.iter();
                let mut fields: Map<String, Value> = members
                    .map(|(name, member)| ((*name).to_owned(), self.value(member)))
                    .collect();
                // A map keyed by a value of the account, in every form of such a name.
                let key = format!("canaryKey{}", self.texts.len());
                self.texts.push(key.clone());
                fields.insert(key, self.text());
                for name in [
                    "canaryfavourite colour",
                    "canaryfavourite",
                    "cAnArYfQxRtYpLmNb",
                ] {
                    fields.insert(name.to_owned(), json!("canaryfavourite"));
                }
                Value::Object(fields)
            }
            Some(&"array") => {
                let item = shape.items.as_ref().map(|items| self.value(items));
                json!([item])
            }
            Some(&"number") => {
                self.numbers += 1;
                let number = 90_000_000 + self.numbers;
                self.texts.push(number.to_string());
                json!(number)
            }
            Some(&"boolean") => json!(true),
            _ => self.text(),
        }
    }
}

/// The path template of a request.
fn template(request: &RecordedRequest) -> Option<&'static str> {
    let path = request.target.split('?').next()?;
    let segments: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let wanted: Vec<&str> = template.split('/').collect();
        wanted.len() == segments.len()
            && wanted
                .iter()
                .zip(&segments)
                .all(|(wanted, one)| wanted.starts_with('{') || wanted == one)
    };
    let mut tools = TOOLS
        .iter()
        .filter(|tool| tool.method == request.method.as_str() && fits(tool.path));
    let first = tools.next()?;
    let best = tools.fold(first, |best, tool| {
        if tool.path.matches('{').count() < best.path.matches('{').count() {
            tool
        } else {
            best
        }
    });
    Some(best.path)
}

#[tokio::test]
async fn no_value_of_the_account_is_in_the_report() {
    let canaries = Arc::new(Mutex::new(Canaries::default()));
    let kept = Arc::clone(&canaries);
    let highlevel = Recording::start(move |request| {
        let mut canaries = kept.lock().expect("the lock");
        let shape =
            template(request).and_then(|path| documented_answer(request.method.as_str(), path));
        let body = canaries.value(&shape.unwrap_or_default());
        let mut reply = answer(200, body.to_string());
        for (name, value) in [
            ("x-trace-id", "canaryfavourite"),
            ("x-ratelimit-remaining", "90000000"),
            ("x-ratelimit-max", "canaryfavourite"),
        ] {
            reply
                .headers_mut()
                .insert(name, http::HeaderValue::from_static(value));
        }
        reply
    })
    .await;
    let state = tempfile::tempdir().expect("a folder");
    let state = state.path().to_str().expect("UTF-8");
    for more in [&["--writes", "--yes"][..], &[]] {
        let (done, text) = report(&highlevel.url, more, state).await;
        assert!(!text.is_empty(), "{}", printed(&done));
        let canaries = canaries.lock().expect("the lock");
        assert!(canaries.texts.len() > 100);
        for value in canaries.texts.iter().map(String::as_str).chain([
            "canaryfavourite",
            "90000000",
            "cAnArY",
            LOCATION,
            TOKEN,
        ]) {
            assert!(!text.contains(value), "{value} is in {text}");
        }
        // Names from the documents are there.
        assert!(
            text.contains("assignedTo") && text.contains("GET /contacts/{contactId}"),
            "{text}"
        );
    }
}
