//! What came of a write is stored before its client is answered, whatever becomes of the store meanwhile; where it cannot
//! be, the client hears so.

mod start;
mod unrecorded;

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use axum::response::Response;
use serde_json::{Value, json};
use state::approvals::Approvals;
use test_services::{ServiceChange, ServiceKind, TestService};
use test_support::recording::{RecordedRequest, Recording, json as answer};
use test_support::server::{TestServer, VOUCHED};

/// How long the database stays away, many times longer than it takes to notice.
const AWAY: Duration = Duration::from_secs(1);

const RULES: &str = "[server]\nconfirm = { send = \"token\", destructive = \"human\" }\n";

/// A PostgreSQL that crashes when HighLevel gets a write.
struct Outage {
    service: Mutex<TestService>,
    /// It crashes at the write that leaves none of these.
    writes: AtomicUsize,
    is_away: AtomicBool,
}

impl Outage {
    fn start() -> Option<Arc<Self>> {
        let service = TestService::start(ServiceKind::Postgres)?;
        Some(Arc::new(Self {
            service: Mutex::new(service),
            writes: AtomicUsize::new(0),
            is_away: AtomicBool::new(false),
        }))
    }

    fn url(&self) -> String {
        self.service.lock().expect("the lock").url().to_owned()
    }

    fn change(&self, change: ServiceChange) {
        self.service.lock().expect("the lock").change(change);
    }

    fn arm(&self, writes: usize) {
        self.writes.store(writes, Ordering::Relaxed);
    }

    /// A write has come; whether the database is away now because of it.
    fn note_write(&self) -> bool {
        let left = self
            .writes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
        let is_last = left == Ok(1);
        if is_last {
            self.change(ServiceChange::Stop);
            self.is_away.store(true, Ordering::Relaxed);
        }
        is_last
    }

    /// From here on it may be reached again.
    fn end(&self) {
        self.is_away.store(false, Ordering::Relaxed);
        self.change(ServiceChange::Start);
    }
}

/// Two contacts, and everything that is written is done.
fn respond(request: &RecordedRequest) -> Response {
    match (request.method.as_str(), request.path()) {
        ("POST", "/contacts/search") => {
            let contact = |id: &str| json!({"id": id, "tags": ["vip"]});
            answer(
                200,
                json!({"contacts": [contact("c1"), contact("c2")], "total": 2}).to_string(),
            )
        }
        ("GET", _) => answer(
            200,
            r#"{"contact": {"id": "c1"}, "location": {"id": "L0"}}"#,
        ),
        _ => answer(201, r#"{"messageId": "m1", "succeded": true}"#),
    }
}

fn is_write(request: &RecordedRequest) -> bool {
    request.method != "GET" && request.path() != "/contacts/search"
}

fn rules() -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(RULES.as_bytes()).expect("written");
    file
}

async fn serve(highlevel: &str, url: &str, rules: &str, further: &[(&str, &str)]) -> TestServer {
    let shared = [
        VOUCHED,
        ("HIGHLEVEL_MCP_STATE_URL", url),
        ("HIGHLEVEL_MCP_STATE_KEYS", r#"[{"env": "STORE_KEY"}]"#),
        ("STORE_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("HIGHLEVEL_MCP_POLICY_FILE", rules),
    ];
    let variables: Vec<_> = shared.iter().chain(further).copied().collect();
    let mut server = TestServer::start_with(highlevel, &variables).await;
    server.path = "/mcp/orchestrator";
    server
}

async fn call(server: &TestServer, tool: &str, arguments: Value) -> (Value, bool) {
    let (text, is_error) = server.call(tool, arguments).await;
    (serde_json::from_str(&text).expect("JSON"), is_error)
}

fn tag(id: &str, further: Value) -> Value {
    let mut call =
        json!({"operation": "contacts_add-tags", "arguments": {"contactId": id, "tags": ["a"]}});
    for (name, value) in further.as_object().expect("an object") {
        call[name] = value.clone();
    }
    call
}

fn send(texts: &[&str]) -> Value {
    let items: Vec<Value> = texts.iter().map(|text| json!({"message": text})).collect();
    let mut call = json!({
        "operation": "conversations_send-a-new-message",
        "arguments": {"type": "SMS", "contactId": "c1"},
    });
    match texts {
        [one] => call["arguments"]["message"] = json!(one),
        _ => call["items"] = json!(items),
    }
    call
}

fn each() -> Value {
    json!({
        "operation": "contacts_add-tags",
        "arguments": {"tags": ["x"]},
        "each": {"operation": "contacts_search-contacts-advanced"},
    })
}

/// How a call gets to where nothing but its confirm is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Nobody,
    Caller,
    Person,
}

/// Makes the call while the database crashes at its last write, and comes back a while later: nothing is answered before,
/// and then what came of every write is stored.
async fn check(
    name: &str,
    (outage, highlevel, server): (&Arc<Outage>, &Recording, &TestServer),
    asked: Asked,
    (tool, mut arguments): (&str, Value),
    writes: usize,
) {
    if asked != Asked::Nobody {
        let (preview, is_error) = call(server, tool, arguments).await;
        assert!(!is_error, "{name}: {preview}");
        let handle = preview["confirm"].as_str().expect("a confirm").to_owned();
        if asked == Asked::Person {
            let approvals = Approvals::new(&server.store());
            let decided = approvals.decide(&handle, true, "Ada", None).await;
            decided.expect("decided");
        }
        arguments = json!({"confirm": handle});
    }
    let before = highlevel.count(is_write);
    outage.arm(writes);
    let (answer, is_error) = call(server, tool, arguments.clone()).await;
    assert!(
        !outage.is_away.load(Ordering::Relaxed),
        "{name}: answered while nothing could be written down: {answer}"
    );
    assert!(!is_error, "{name}: {answer}");
    assert!(answer.get("_unrecorded").is_none(), "{name}: {answer}");
    assert_eq!(highlevel.count(is_write), before + writes, "{name}");
    // To others the database may still be starting.
    let read = || state::audit::records(&server.store(), &state::audit::AuditQuery::default());
    let mut records = read();
    for _ in 0..50 {
        if records.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        records = read();
    }
    let records = records.expect("read").records;
    let open = records.iter().filter(|one| one.outcome.is_none()).count();
    assert_eq!(open, 0, "{name}: an answered call has no end in the audit");
    // Nothing of it is under way any more.
    let is_repeatable = asked != Asked::Nobody || arguments.get("idempotencyKey").is_some();
    if is_repeatable {
        let (again, is_error) = call(server, tool, arguments).await;
        assert!(!is_error, "{name}: {again}");
        assert_eq!(highlevel.count(is_write), before + writes, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_answered_before_its_end_is_stored() {
    let Some(outage) = Outage::start() else {
        return;
    };
    let noted = Arc::clone(&outage);
    let highlevel = Recording::start(move |request| {
        if is_write(request) && noted.note_write() {
            let outage = Arc::clone(&noted);
            thread::spawn(move || {
                thread::sleep(AWAY);
                outage.end();
            });
        }
        respond(request)
    })
    .await;
    let rules = rules();
    let path = rules.path().to_str().expect("UTF-8");
    let server = serve(&highlevel.url, &outage.url(), path, &[]).await;
    let stack = (&outage, &highlevel, &server);
    let delete = json!({"operation": "contacts_delete-contact", "arguments": {"contactId": "c1"}});
    let items = json!({"items": [{"contactId": "c1"}, {"contactId": "c2"}]});
    let keyed = json!({"idempotencyKey": "k"});
    for (name, asked, call, writes) in [
        (
            "a write",
            Asked::Nobody,
            ("call_write", tag("c1", json!({}))),
            1,
        ),
        (
            "under a key",
            Asked::Nobody,
            ("call_write", tag("c1", keyed)),
            1,
        ),
        ("confirmed", Asked::Caller, ("call_send", send(&["a"])), 1),
        ("approved", Asked::Person, ("call_destructive", delete), 1),
        (
            "a batch",
            Asked::Nobody,
            ("call_write", tag("c1", items)),
            2,
        ),
        (
            "a confirmed batch",
            Asked::Caller,
            ("call_send", send(&["b", "c"])),
            2,
        ),
        ("rows of a read", Asked::Caller, ("call_write", each()), 2),
    ] {
        check(name, stack, asked, call, writes).await;
    }
}
