//! Places, the circuit breaker, approvals, locks and pipes. What one caller holds does not stop another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::response::IntoResponse;
use futures_util::future::join_all;
use serde_json::json;
use sqlx::{ConnectOptions, Connection};
use state::approvals::Approvals;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::agency::{BY_OPERATOR, bearer, branches};
use super::highlevel::{highlevel, refusal, scripted, slow};
use super::program::Program;
use super::setup::Setup;
use crate::times;
use test_support::recording::{Recording, json as answer};

/// The number of a customer's calls that are served, out of `many`.
async fn served(program: &Program, token: &str, location: &str, many: usize) -> usize {
    let token = bearer(token);
    let mut served = 0;
    for _ in 0..many {
        let caller = [("authorization", token.as_str()), ("locationid", location)];
        let reply = program
            .call(&caller, "/mcp", "contacts_get-contacts", json!({}))
            .await;
        served += usize::from(reply.ok);
    }
    served
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e6_a_batch_that_waits_holds_no_place() {
    let highlevel = highlevel().await;
    let setup = Setup::new()
        .set("HIGHLEVEL_MCP_LIMITS_CALLS_PER_INTERVAL", "30")
        .set("HIGHLEVEL_MCP_SERVER_MAX_CALLS", "128");
    let program = Arc::new(setup.serve(&highlevel.url).await);
    assert_eq!(served(&program, "pit-of-L1", "L1", 1).await, 1);
    assert_eq!(served(&program, "pit-of-L2", "L2", 1).await, 1);
    let attack: Vec<_> = (0..200)
        .map(|_| {
            let program = Arc::clone(&program);
            tokio::spawn(async move {
                let caller = [("authorization", "Bearer pit-of-L1"), ("locationid", "L1")];
                let items = vec![json!({"contactId": "c1"}); 50];
                let batch = json!({"operation": "contacts_get-contact", "items": items});
                program.call(&caller, "/mcp", "call_read", batch).await
            })
        })
        .collect();
    // Until no place is left for it.
    for _ in 0..100 {
        if attack.iter().any(tokio::task::JoinHandle::is_finished) {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    sleep(Duration::from_millis(500)).await;
    let start = Instant::now();
    let done = served(&program, "pit-of-L2", "L2", 20).await;
    println!(
        "beside 200 batches that wait: {done} of 20 calls served in {:?}",
        start.elapsed()
    );
    for call in attack {
        call.abort();
    }
    assert_eq!(done, 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_has_its_share_of_places() {
    let highlevel = slow(Duration::from_millis(300)).await;
    let setup = Setup::new()
        .set("HIGHLEVEL_MCP_SERVER_MAX_CALLS_PER_CALLER", "4")
        .set("HIGHLEVEL_MCP_SERVER_MAX_CALLS", "16");
    let program = Arc::new(setup.serve(&highlevel.url).await);
    assert_eq!(served(&program, "pit-of-L1", "L1", 1).await, 1);
    assert_eq!(served(&program, "pit-of-L2", "L2", 1).await, 1);
    let attack = join_all((0..40).map(|_| served(&program, "pit-of-L1", "L1", 1)));
    let victim = async {
        sleep(Duration::from_millis(100)).await;
        served(&program, "pit-of-L2", "L2", 5).await
    };
    let (_, victim) = futures_util::join!(attack, victim);
    println!("beside 40 calls at once of another: {victim} of 5 served");
    assert_eq!(victim, 5);
}

#[tokio::test]
async fn e7_one_tenants_failures_cut_off_nobody() {
    for (kind, json_body) in [("500 as JSON", true), ("502 of a gateway", false)] {
        let highlevel = scripted(move |seen| {
            if !seen.target.contains("boom") {
                return None;
            }
            let gateway = (
                axum::http::StatusCode::BAD_GATEWAY,
                "<html><title>502</title></html>",
            );
            Some(if json_body {
                refusal(500, "Internal server error")
            } else {
                gateway.into_response()
            })
        })
        .await;
        let program = Setup::new().serve(&highlevel.url).await;
        let caller = [("authorization", "Bearer pit-of-L1"), ("locationid", "L1")];
        let mut done = 0;
        for _ in 0..4 {
            for _ in 0..6 {
                let arguments = json!({"contactId": "boom", "tags": ["a"]});
                program
                    .call(&caller, "/mcp", "contacts_add-tags", arguments)
                    .await;
            }
            done += served(&program, "pit-of-L2", "L2", 10).await;
        }
        println!("{kind}: {done} of 40 calls of another served");
        assert_eq!(done, 40, "{kind}");
        // A wrong id does not block its own location either if HighLevel answers in JSON.
        if json_body {
            assert_eq!(served(&program, "pit-of-L1", "L1", 5).await, 5, "{kind}");
        }
    }
}

#[tokio::test]
async fn e8_only_those_whom_highlevel_knows_ask_a_person() {
    let highlevel = highlevel().await;
    let webhook = Recording::start(|_| answer(200, "{}")).await;
    let setup = branches(1)
        .rules("[server]\nconfirm = { destructive = \"human\" }\n")
        .set(
            "HIGHLEVEL_MCP_APPROVALS_WEBHOOKS",
            &json!([{"url": webhook.url}]).to_string(),
        );
    let key = setup.key("n8n", &["--location", "b01"]).await;
    let program = setup.serve(&highlevel.url).await;
    let ask = async |caller: &str, number: usize| {
        let caller = [("authorization", caller)];
        let arguments = json!({"contactId": format!("c{number}")});
        let path = "/mcp/l/b01/x/contacts";
        program
            .call(&caller, path, "contacts_delete-contact", arguments)
            .await
    };
    let pending = || {
        let approvals = Approvals::new(&setup.store()).list().wait();
        approvals.expect("listed").len()
    };
    for number in 0..times(120, 1_000) {
        ask(&bearer(&format!("pit-made-up-{}", number % 12)), number).await;
    }
    sleep(Duration::from_millis(300)).await;
    let (asked, told) = (pending(), webhook.take().len());
    println!("12 made-up tokens: {asked} pending, {told} webhooks");
    assert_eq!((asked, told), (0, 0));
    for number in 0..60 {
        ask(&key, number).await;
    }
    sleep(Duration::from_millis(1_500)).await;
    let (asked, told) = (pending(), webhook.take().len());
    println!("one key: {asked} of 60 pending, {told} webhooks");
    assert!(
        (1..=20).contains(&asked) && (1..=10).contains(&told),
        "{asked} and {told}"
    );
}

/// A process that begins a change of the store and never ends it.
async fn hold(path: &std::path::Path) -> sqlx::SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = options.connect().await.expect("a connection");
    let begun = sqlx::query("BEGIN IMMEDIATE").execute(&mut connection);
    begun.await.expect("held");
    connection
}

#[tokio::test]
async fn e9_a_held_lock_stops_nobody_else() {
    let highlevel = highlevel().await;
    let setup = branches(1).rules("[server]\nconfirm = { destructive = \"human\" }\n");
    let program = Arc::new(setup.serve(&highlevel.url).await);
    let ask = |program: Arc<Program>, number: usize| async move {
        let arguments = json!({"contactId": format!("c{number}")});
        let path = "/mcp/l/b01/x/contacts";
        program
            .call(&BY_OPERATOR, path, "contacts_delete-contact", arguments)
            .await
    };
    ask(Arc::clone(&program), 0).await;
    let lock = hold(&setup.path("state/tests.db")).await;
    let held: Vec<_> = (1..=16)
        .map(|number| tokio::spawn(ask(Arc::clone(&program), number)))
        .collect();
    sleep(Duration::from_millis(300)).await;
    let livez = timeout(Duration::from_secs(3), program.livez()).await;
    let read = timeout(
        Duration::from_secs(3),
        served(&program, "pit-of-L2", "L2", 3),
    )
    .await;
    println!("beside a held lock: /livez {livez:?}, reads of another {read:?} of 3");
    lock.close().await.expect("let go");
    for call in held {
        call.abort();
    }
    assert!(livez.is_ok_and(|took| took < Duration::from_millis(500)));
    assert_eq!(read.ok(), Some(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e9_a_log_that_nobody_reads_stops_nobody() {
    let highlevel = highlevel().await;
    let (program, stderr) = Setup::new().serve_unread(&highlevel.url).await;
    // Requests without a credential. Each is one log line, and many share one connection.
    let request = "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    let (many, start) = (times(6_000, 100_000), Instant::now());
    let address = program.url.trim_start_matches("http://");
    let flood = async {
        let stream = TcpStream::connect(address).await.expect("a connection");
        let (mut answers, mut requests) = stream.into_split();
        let answered = tokio::spawn(async move {
            let (mut buffer, mut count) = (vec![0; 65_536], 0);
            while let Ok(bytes @ 1..) = answers.read(&mut buffer).await {
                count += String::from_utf8_lossy(&buffer[..bytes])
                    .matches(" 401 ")
                    .count();
                if count >= many {
                    break;
                }
            }
            count
        });
        for _ in 0..many / 100 {
            let _ = requests.write_all(request.repeat(100).as_bytes()).await;
        }
        answered.await.expect("answers")
    };
    let flooded = timeout(Duration::from_secs(12), flood).await;
    let livez = timeout(Duration::from_secs(2), program.livez()).await;
    let served = timeout(
        Duration::from_secs(4),
        served(&program, "pit-of-L1", "L1", 10),
    )
    .await;
    println!(
        "a log that nobody reads: {flooded:?} of {many} refusals in {:?}, then /livez {livez:?} and {served:?} of 10 calls",
        start.elapsed()
    );
    drop(stderr);
    // A pattern across the boundary of two reads is not counted.
    assert!(flooded.is_ok_and(|count| count >= many - many / 100));
    assert!(livez.is_ok_and(|took| took < Duration::from_millis(500)));
    assert_eq!(served.ok(), Some(10));
}
