//! Interrupted runs: the client left, or the server stopped. Rows that ran are not run again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use test_support::recording::{Recording, json as answer};
use test_support::server::{TestServer, VOUCHED};

use super::{SEND, contacts, page, tag};

/// HighLevel that holds its answer to the write of one contact until it is released.
async fn slow(held: &'static str, gate: Arc<Semaphore>) -> Recording {
    let all = Arc::new(contacts(6));
    Recording::start_async(move |request| {
        let (all, gate) = (Arc::clone(&all), Arc::clone(&gate));
        async move {
            if request.path() == "/contacts/search" {
                return answer(200, page(&request, &all).to_string());
            }
            if request.path().contains(held) {
                let permit = gate.acquire().await.expect("open");
                permit.forget();
            }
            answer(200, "{}")
        }
    })
    .await
}

async fn serve(highlevel: &Recording, folder: &tempfile::TempDir) -> TestServer {
    let folder = folder.path().to_str().expect("UTF-8");
    let variables = [VOUCHED, ("HIGHLEVEL_MCP_STATE_FOLDER", folder)];
    let mut server = TestServer::start_with(&highlevel.url, &variables).await;
    server.path = "/mcp/orchestrator";
    server
}

async fn call(server: &TestServer, arguments: &Value) -> Value {
    let (text, is_error) = server.call("call_write", arguments.clone()).await;
    assert!(!is_error, "{text}");
    serde_json::from_str(&text).expect("JSON")
}

/// The number of writes of each contact.
fn count_writes(highlevel: &Recording) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in highlevel.take() {
        if let Some(id) = request.path().strip_suffix("/tags") {
            *counts.entry(id.to_owned()).or_default() += 1;
        }
    }
    counts
}

fn each_once() -> BTreeMap<String, usize> {
    (1..=6)
        .map(|number| (format!("/contacts/c{number}"), 1))
        .collect()
}

#[tokio::test]
async fn another_server_on_the_store_continues_a_lost_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let gate = Arc::new(Semaphore::new(0));
    let highlevel = slow("/c3/", Arc::clone(&gate)).await;
    let first = serve(&highlevel, &folder).await;
    let asked = call(&first, &tag(json!({}))).await;
    let confirm = json!({"confirm": asked["confirm"]});
    // The client gives up in the middle of the third row.
    let lost = timeout(Duration::from_millis(800), call(&first, &confirm)).await;
    assert!(lost.is_err());
    let second = serve(&highlevel, &folder).await;
    // The row is running there. A repeated call waits for it, and the row is not sent again.
    let (done, ()) = tokio::join!(call(&second, &confirm), async {
        sleep(Duration::from_millis(500)).await;
        gate.add_permits(1);
    });
    assert_eq!(done, json!({"done": 6, "failed": 0, "notRun": 0, "of": 6}));
    assert_eq!(count_writes(&highlevel), each_once());
    first.stop().await;
    second.stop().await;
    // It is still known after a restart.
    let third = serve(&highlevel, &folder).await;
    assert_eq!(call(&third, &confirm).await, done);
    assert!(count_writes(&highlevel).is_empty());
}

/// A row that a process was about to send when it died may have been sent. It is reported, and not sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_of_a_process_that_died_is_unknown() {
    let folder = tempfile::tempdir().expect("a folder");
    let gate = Arc::new(Semaphore::new(0));
    let highlevel = slow("/c3/", gate).await;
    // Served on its own runtime, which ends without notice, as a killed process does.
    let url = highlevel.url.clone();
    let state = folder.path().to_owned();
    let (sender, receiver) = std::sync::mpsc::channel();
    let killed = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let confirm = runtime.block_on(async {
            let folder = state.to_str().expect("UTF-8");
            let variables = [VOUCHED, ("HIGHLEVEL_MCP_STATE_FOLDER", folder)];
            let mut server = TestServer::start_with(&url, &variables).await;
            server.path = "/mcp/orchestrator";
            let asked = call(&server, &tag(json!({}))).await;
            let confirm = json!({"confirm": asked["confirm"]});
            let lost = timeout(Duration::from_millis(800), call(&server, &confirm)).await;
            assert!(lost.is_err());
            confirm
        });
        sender.send(confirm).expect("heard");
        runtime.shutdown_background();
    });
    let heard = tokio::task::spawn_blocking(move || receiver.recv());
    let confirm = heard.await.expect("over").expect("a confirm");
    killed.join().expect("over");
    let server = serve(&highlevel, &folder).await;
    let done = call(&server, &confirm).await;
    assert_eq!(
        (&done["done"], &done["notRun"]),
        (&json!(5), &json!(0)),
        "{done}"
    );
    assert_eq!(
        done["unknown"],
        json!({"count": 1, "first": ["Ada Number 3 (c3)"]}),
        "{done}"
    );
    assert_eq!(count_writes(&highlevel), each_once());
}

/// A batch whose client left during its first item may have sent it. Its confirm token is used up.
#[tokio::test]
async fn a_batch_that_broke_off_is_not_sent_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let gate = Arc::new(Semaphore::new(0));
    let highlevel = slow("/conversations/messages", Arc::clone(&gate)).await;
    let server = serve(&highlevel, &folder).await;
    let items: Vec<Value> = (1..=6)
        .map(|number| json!({"contactId": format!("c{number}")}))
        .collect();
    let batch = json!({"operation": SEND, "arguments": {"type": "SMS", "message": "hello"}, "items": items});
    let (asked, _) = server.call("call_send", batch).await;
    let asked: Value = serde_json::from_str(&asked).expect("JSON");
    let confirm = json!({"confirm": asked["confirm"]});
    let first = server.call("call_send", confirm.clone());
    assert!(timeout(Duration::from_millis(800), first).await.is_err());
    // Not before the server has noticed that the client left.
    let begun = Instant::now();
    let again = loop {
        let (again, is_error) = server.call("call_send", confirm.clone()).await;
        let again: Value = serde_json::from_str(&again).expect("JSON");
        if is_error && again["_repeated"].is_string() {
            break again;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{again}");
        sleep(Duration::from_millis(50)).await;
    };
    gate.add_permits(100);
    let outcomes = &again["outcomes"];
    assert_eq!(outcomes[0]["error"]["class"], "unknown_outcome", "{again}");
    assert_eq!(
        (&again["done"], &again["notRun"]),
        (&json!(0), &json!(5)),
        "{again}"
    );
    let requests = highlevel.take().into_iter();
    let sent = requests.filter(|request| request.path() == "/conversations/messages");
    assert_eq!(sent.count(), 1);
}
