//! Three servers on one database. An action, a permission or a stop at one of them holds at the others.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_services::{ServiceChange, ServiceKind, TestDatabase, TestService};
use test_support::recording::{Recording, json as answer};
use test_support::server::{TestServer, UNCONFIRMED, VOUCHED};
use tokio::time::sleep;

const KEY: &str = r#"[{"env": "STORE_KEY"}]"#;

/// The longest wait until a change is known everywhere, and much more.
const LONGEST: Duration = Duration::from_secs(20);

struct Fleet {
    instances: Vec<TestServer>,
    highlevel: Recording,
}

impl Fleet {
    /// A fleet on the database at `url`.
    async fn start(url: &str, further: &[(&str, &str)]) -> Self {
        let highlevel = Recording::start(|request| match request.method.as_str() {
            "GET" => answer(
                200,
                r#"{"contact": {"id": "c1"}, "location": {"id": "L0"}}"#,
            ),
            _ => answer(201, r#"{"contact": {"id": "c1"}, "succeded": true}"#),
        })
        .await;
        let mut instances = Vec::new();
        for _ in 0..3 {
            let shared = [
                ("HIGHLEVEL_MCP_STATE_URL", url),
                ("HIGHLEVEL_MCP_STATE_KEYS", KEY),
                ("STORE_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
            ];
            let variables: Vec<_> = shared.iter().chain(further).copied().collect();
            instances.push(TestServer::start_with(&highlevel.url, &variables).await);
        }
        Self {
            instances,
            highlevel,
        }
    }

    /// The number of requests sent that change something.
    fn writes(&self) -> usize {
        self.highlevel.count(|request| request.method != "GET")
    }
}

/// A call of the orchestrator's tool at one of them. Returns its text, and whether it is an error.
async fn call(
    instance: &mut TestServer,
    tool: &str,
    operation: &str,
    arguments: Value,
    further: Value,
) -> (Value, bool) {
    instance.path = "/mcp/orchestrator";
    let mut call = json!({"operation": operation, "arguments": arguments});
    for (name, value) in further.as_object().into_iter().flatten() {
        call[name] = value.clone();
    }
    let (text, is_error) = instance.call(tool, call).await;
    (serde_json::from_str(&text).expect("JSON"), is_error)
}

#[tokio::test]
async fn all_instances_know_the_changes_of_one() {
    let Some(database) = TestDatabase::create(ServiceKind::Postgres) else {
        return;
    };
    let mut fleet = Fleet::start(database.url(), &[VOUCHED]).await;
    // One key, one request; the other servers return the first answer.
    let tags = json!({"contactId": "c1", "tags": ["a"]});
    let keyed = json!({"idempotencyKey": "k"});
    let mut answers = Vec::new();
    for instance in &mut fleet.instances {
        let operation = "contacts_add-tags";
        let answer = call(
            instance,
            "call_write",
            operation,
            tags.clone(),
            keyed.clone(),
        )
        .await;
        answers.push(answer);
    }
    assert!(answers.iter().all(|(_, is_error)| !is_error), "{answers:?}");
    assert_eq!(fleet.writes(), 1, "{answers:?}");
    assert!(answers[2].0["_repeated"].is_string(), "{answers:?}");
    // A preview of one server runs on another, once.
    let contact = json!({"contactId": "c1"});
    let operation = "contacts_delete-contact";
    let first = &mut fleet.instances[0];
    let (preview, _) = call(
        first,
        "call_destructive",
        operation,
        contact.clone(),
        json!({}),
    )
    .await;
    let confirm = json!({"confirm": preview["confirm"].as_str().expect("a token")});
    for index in [1, 2, 0] {
        let instance = &mut fleet.instances[index];
        let (contact, confirm) = (contact.clone(), confirm.clone());
        call(instance, "call_destructive", operation, contact, confirm).await;
        assert_eq!(fleet.writes(), 2, "at {index}");
    }
    // A stop at one server holds at all.
    let pauses = fleet.instances[2].pipeline.controls().pauses.clone();
    let paused = pauses.pause(None, Some("wrong texts")).await;
    paused.expect("paused");
    sleep(Duration::from_millis(400)).await;
    for instance in &mut fleet.instances {
        let operation = "contacts_add-tags";
        let refused = call(instance, "call_write", operation, tags.clone(), json!({})).await;
        assert!(
            refused.1 && refused.0.to_string().contains("paused"),
            "{refused:?}"
        );
    }
    assert_eq!(fleet.writes(), 2);
}

#[tokio::test]
async fn a_cap_holds_over_all_instances() {
    let Some(database) = TestDatabase::create(ServiceKind::Postgres) else {
        return;
    };
    let cap = ("HIGHLEVEL_MCP_POLICY_SENDS_PER_HOUR", "5");
    let mut fleet = Fleet::start(database.url(), &[VOUCHED, UNCONFIRMED, cap]).await;
    let mut sent = 0;
    for round in 0..5 {
        for instance in &mut fleet.instances {
            let text = json!({"type": "SMS", "contactId": "c1", "message": round.to_string()});
            let operation = "conversations_send-a-new-message";
            let (_, is_error) = call(instance, "call_send", operation, text, json!({})).await;
            sent += usize::from(!is_error);
        }
    }
    assert_eq!((sent, fleet.writes()), (5, 5));
}

#[tokio::test]
async fn a_token_that_one_instance_saw_accepted_is_accepted_at_all() {
    let Some(database) = TestDatabase::create(ServiceKind::Postgres) else {
        return;
    };
    let mut fleet = Fleet::start(database.url(), &[]).await;
    for instance in &fleet.instances {
        tokio::spawn(instance.pipeline.clone().follow_tokens());
    }
    let (contact, none) = (json!({"contactId": "c1"}), json!({}));
    let operation = "contacts_get-contact";
    let first = &mut fleet.instances[0];
    let (_, is_error) = call(first, "call_read", operation, contact, none).await;
    assert!(!is_error);
    let before = fleet.highlevel.seen().len();
    let since = Instant::now();
    // A new token is tried by a read before it writes. This waits until the store knows the token, so that no trial is
    // left.
    loop {
        assert!(since.elapsed() < LONGEST, "it stays new");
        sleep(Duration::from_millis(500)).await;
        let facts = fleet.instances[0]
            .store()
            .token_facts(jiff::Timestamp::UNIX_EPOCH);
        if !facts.await.expect("read").is_empty() {
            break;
        }
    }
    sleep(Duration::from_millis(2_500)).await;
    for instance in &mut fleet.instances[1..] {
        let tags = json!({"contactId": "c1", "tags": ["a"]});
        let (answer, is_error) =
            call(instance, "call_write", "contacts_add-tags", tags, json!({})).await;
        assert!(!is_error, "{answer}");
    }
    let requests = fleet.highlevel.seen();
    let reads = requests[before..].iter().filter(|one| one.method == "GET");
    assert_eq!(reads.count(), 0, "no instance tried the token again");
}

#[tokio::test]
async fn without_the_database_reads_go_on_for_a_while_and_nothing_is_written() {
    let Some(mut server) = TestService::start(ServiceKind::Postgres) else {
        return;
    };
    let patience = ("HIGHLEVEL_MCP_STATE_OUTAGE_READS_MS", "4000");
    let unaudited = ("HIGHLEVEL_MCP_AUDIT_ENABLED", "false");
    let url = server.url().to_owned();
    let mut fleet = Fleet::start(&url, &[VOUCHED, patience, unaudited]).await;
    let (contact, tags) = (
        json!({"contactId": "c1"}),
        json!({"contactId": "c1", "tags": ["a"]}),
    );
    let (reading, writing) = ("contacts_get-contact", "contacts_add-tags");
    for instance in &mut fleet.instances {
        call(instance, "call_write", writing, tags.clone(), json!({})).await;
    }
    let before = fleet.writes();
    assert_eq!(before, 3);
    let mut server = tokio::task::spawn_blocking(move || {
        server.change(ServiceChange::Stop);
        server
    })
    .await
    .expect("stopped");
    let instance = &mut fleet.instances[0];
    let (read, is_error) = call(instance, "call_read", reading, contact.clone(), json!({})).await;
    assert!(!is_error, "{read}");
    // Not even if nothing would be audited.
    let (refused, is_error) = call(instance, "call_write", writing, tags.clone(), json!({})).await;
    assert!(is_error, "{refused}");
    assert_eq!(fleet.writes(), before);
    let ready = async |instance: &TestServer| {
        let answer = instance.http.get(format!("{}/readyz", instance.url)).send();
        answer.await.expect("an answer").status().as_u16()
    };
    let since = Instant::now();
    while ready(&fleet.instances[0]).await != 503 {
        assert!(since.elapsed() < LONGEST, "it stays ready");
        sleep(Duration::from_millis(100)).await;
    }
    let _server = tokio::task::spawn_blocking(move || {
        server.change(ServiceChange::Start);
        server
    })
    .await
    .expect("started");
    let since = Instant::now();
    let instance = &mut fleet.instances[0];
    while call(instance, "call_write", writing, tags.clone(), json!({}))
        .await
        .1
    {
        assert!(since.elapsed() < LONGEST, "it writes no more");
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(ready(&fleet.instances[0]).await, 200);
    assert_eq!(fleet.writes(), before + 1);
}
