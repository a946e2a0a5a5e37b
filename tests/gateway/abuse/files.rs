//! Files that were tampered with, forged headers, and settings that open too much.

use std::os::unix::fs::symlink;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::agency::{BY_OPERATOR, branches};
use super::setup::Setup;

#[tokio::test]
async fn an_identity_key_of_the_wrong_length_is_refused() {
    for bytes in [0, 5, 31, 33] {
        let setup = branches(1);
        std::fs::create_dir_all(setup.path("state")).expect("made");
        setup.write("state/identity.key", &"k".repeat(bytes));
        let started = setup.try_serve("http://127.0.0.1:9").await;
        println!("identity.key of {bytes} bytes: starts: {}", started.is_ok());
        assert!(started.is_err(), "{bytes} bytes");
    }
}

#[tokio::test]
async fn a_planted_link_is_not_followed() {
    let setup = branches(1);
    setup.write("victim", "mine\n");
    std::fs::create_dir_all(setup.path("state")).expect("made");
    symlink(setup.path("victim"), setup.path("state/tests.db")).expect("linked");
    let started = setup.try_serve("http://127.0.0.1:9").await;
    assert!(started.is_err(), "the link was followed");
    assert_eq!(setup.read("victim"), "mine\n");
}

/// The status of a request with this head.
async fn status(url: &str, head: &str) -> u16 {
    const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!(
        "POST /mcp HTTP/1.1\r\n{head}authorization: Bearer pit-a\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{PING}",
        PING.len()
    );
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
    status.unwrap_or_default()
}

#[tokio::test]
async fn a_host_that_pretends_is_refused() {
    let program = Setup::new().serve("http://127.0.0.1:9").await;
    for (head, expected) in [
        ("host: 127.0.0.1\r\n", &[200][..]),
        ("host: evil.example\r\n", &[403]),
        ("host: evil.example@127.0.0.1\r\n", &[400, 403]),
        ("host: user:password@localhost\r\n", &[400, 403]),
        ("host: 127.0.0.1\r\nhost: evil.example\r\n", &[400, 403]),
        ("host: 127.0.0.1\r\nhost: 127.0.0.1\r\n", &[400, 403]),
    ] {
        let got = status(&program.url, head).await;
        println!("{head:?}: {got}");
        assert!(expected.contains(&got), "{head:?}: {got}");
    }
}

#[tokio::test]
async fn a_base_url_that_gives_tokens_away_is_warned_of() {
    const PASSWORD: &str = "hunter2-canary";
    for (url, warns) in [
        ("http://127.0.0.1:9", false),
        ("http://highlevel.example.com", true),
        ("https://ada:hunter2-canary@highlevel.example.com", true),
        ("http://ada:hunter2-canary@127.0.0.1:9", true),
    ] {
        let (warned, log) = match Setup::new().try_serve(url).await {
            Err(log) => (true, log),
            Ok(program) => {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                (program.log().contains("\"WARN\""), program.log())
            }
        };
        println!("{url}: warned: {warned}");
        assert_eq!(warned, warns, "{url}: {log}");
        assert!(!log.contains(PASSWORD), "the password is in the log: {log}");
    }
}

#[tokio::test]
async fn a_short_access_key_is_refused() {
    for (key, starts) in [("a", false), ("operator", false), (BY_OPERATOR[0].1, true)] {
        let setup = Setup::new().set("HIGHLEVEL_MCP_SERVER_ACCESS_KEY", key);
        let started = setup.try_serve("http://127.0.0.1:9").await;
        println!(
            "an access key of {} characters: starts: {}",
            key.len(),
            started.is_ok()
        );
        assert_eq!(
            started.is_ok(),
            starts,
            "{key}: {}",
            started.err().unwrap_or_default()
        );
    }
}
