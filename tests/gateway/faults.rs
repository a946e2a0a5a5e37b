//! Every way in which an answer can be broken. Each gives an error of the right class, in time, and never half an
//! answer.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;

use test_support::server::{TestServer, VOUCHED};
use test_support::wire::{Step, Wire, send, whole};

const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
const GZIPPED: &str = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n";

/// Name, HighLevel's answer, and a part of the error text.
fn faults() -> Vec<(&'static str, Vec<Step>, &'static str)> {
    let ok = |body: &'static str| whole("200 OK", "", body);
    let forever = Step::Pause(Duration::from_secs(60));
    let row = r#"{"id":"abcdefghijklmnopqrstuvwxyz"},"#;
    let pieces = row.repeat(1000);
    let chunk = format!("{:x}\r\n{pieces}\r\n", pieces.len()).into_bytes();
    vec![
        ("no answer", vec![forever.clone()], "did not answer in time"),
        (
            "a head that trickles",
            vec![send("HTTP/1.1 200 OK\r\n"), Step::Trickle(b"x-a: b\r\n", 5)],
            "did not answer in time",
        ),
        (
            "a body that trickles",
            vec![send(CHUNKED), Step::Trickle(b"1\r\n[\r\n", 5)],
            "did not answer in time",
        ),
        (
            "half a head",
            vec![send("HTTP/1.1 200 OK\r\ncontent-le"), Step::Close],
            "broke",
        ),
        (
            "no HTTP",
            vec![send("SSH-2.0-OpenSSH_9.6\r\n"), Step::Close],
            "broke",
        ),
        (
            "a head without end",
            vec![
                send("HTTP/1.1 200 OK\r\n"),
                Step::Flood(b"x-a: bbbbbbbbbbbbbbbbbbbb\r\n".to_vec(), 100_000),
            ],
            "broke",
        ),
        (
            "two lengths",
            vec![send(
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{} ",
            )],
            "broke",
        ),
        (
            "less than announced",
            vec![
                send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"contact\":{}}"),
                Step::Close,
            ],
            "broke",
        ),
        (
            "a reset within the body",
            vec![
                send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"contact\":{}}"),
                Step::Pause(Duration::from_millis(20)),
                Step::Reset,
            ],
            "broke",
        ),
        (
            "more than announced",
            vec![
                send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{\"contact\":{}}"),
                Step::Close,
            ],
            "breaks off",
        ),
        (
            "a chunk of no length",
            vec![send(CHUNKED), send("zz\r\n{}\r\n0\r\n\r\n")],
            "broke",
        ),
        (
            "a chunk that is shorter",
            vec![send(CHUNKED), send("20\r\n{}\r\n0\r\n\r\n"), Step::Close],
            "broke",
        ),
        (
            "no last chunk",
            vec![send(CHUNKED), send("2\r\n{}\r\n"), Step::Close],
            "broke",
        ),
        (
            "a page",
            vec![ok("<!doctype html><title>Just a moment</title>")],
            "page of HTML",
        ),
        ("nothing", vec![ok("")], "is empty"),
        ("white space", vec![ok(" \r\n\t ")], "is empty"),
        ("text", vec![ok("OK")], "is not JSON"),
        ("two values", vec![ok("{}{}")], "is not JSON"),
        (
            "half an object",
            vec![ok(r#"{"contact":{"id":"c1""#)],
            "breaks off",
        ),
        (
            "no UTF-8",
            vec![whole("200 OK", "", b"{\"a\":\xff\xfe}")],
            "is not JSON",
        ),
        (
            "half of an escape",
            vec![whole("200 OK", "", b"{\"a\":\"\\ud8\"}")],
            "is not JSON",
        ),
        (
            "no gzip",
            vec![whole("200 OK", "content-encoding: gzip\r\n", "{}")],
            "compressed",
        ),
        (
            "half a gzip",
            vec![whole(
                "200 OK",
                "content-encoding: gzip\r\n",
                &gzip(pieces.as_bytes())[..40],
            )],
            "compressed",
        ),
        (
            "100 MB announced",
            vec![
                send("HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n"),
                Step::Flood(pieces.clone().into_bytes(), 3000),
            ],
            "larger than",
        ),
        (
            "100 MB in chunks",
            vec![send(CHUNKED), Step::Flood(chunk, 3000)],
            "larger than",
        ),
        (
            "a redirect elsewhere",
            vec![whole(
                "302 Found",
                "location: https://evil.example/x\r\n",
                "",
            )],
            "redirects this call to evil.example",
        ),
        (
            "a redirect on the host",
            vec![whole("301 Moved Permanently", "location: /other\r\n", "")],
            "redirects this call",
        ),
        (
            "a redirect that keeps the method",
            vec![whole(
                "308 Permanent Redirect",
                "location: http://127.0.0.1:1/\r\n",
                "",
            )],
            "redirects this call",
        ),
        (
            "a redirect to nowhere",
            vec![whole("307 Temporary Redirect", "", "")],
            "redirects this call",
        ),
        (
            "a switch of protocols",
            vec![send(
                "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
            )],
            "HighLevel failed",
        ),
    ]
}

const TOOLS: [(&str, &str, &str); 2] = [
    ("contacts_get-contact", r#"{"contactId":"c1"}"#, "upstream"),
    (
        "contacts_create-contact",
        r#"{"email":"a@example.com"}"#,
        "unknown_outcome",
    ),
];

async fn server(url: &str) -> TestServer {
    let settings = [
        ("HIGHLEVEL_MCP_UPSTREAM_TOTAL_TIMEOUT_MS", "1000"),
        ("HIGHLEVEL_MCP_UPSTREAM_MAX_RESPONSE_BYTES", "1000000"),
        ("HIGHLEVEL_MCP_LIMITS_CALLS_PER_INTERVAL", "1000"),
        VOUCHED,
    ];
    TestServer::start_with(url, &settings).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_answer_is_an_error_that_says_how() {
    for (name, steps, says) in faults() {
        for (tool, arguments, class) in TOOLS {
            let steps = steps.clone();
            let wire = Wire::start(move |_| steps.clone()).await;
            let server = server(&wire.url).await;
            let arguments: Value = serde_json::from_str(arguments).expect("JSON");
            let start = Instant::now();
            let (text, is_error) = server.call(tool, arguments).await;
            let took = start.elapsed();
            assert!(is_error, "{name}, {tool}: {text}");
            let failure: Value = serde_json::from_str(&text).expect(name);
            // Whoever is told to send the same elsewhere did nothing; another redirect may lead to what was made.
            let class = if name.contains("keeps the method") || name.contains("to nowhere") {
                "upstream"
            } else {
                class
            };
            assert_eq!(failure["class"], class, "{name}, {tool}: {text}");
            let sentence = failure["error"].as_str().expect("a sentence");
            assert!(sentence.contains(says), "{name}, {tool}: {sentence}");
            assert!(
                took < Duration::from_millis(1500),
                "{name}, {tool}: {took:?}"
            );
            if class == "unknown_outcome" {
                assert_eq!(wire.requests(), 1, "{name}: a write is sent once");
                let remedy = failure["remedy"].as_str().unwrap_or_default();
                assert!(remedy.starts_with("Read the record"), "{name}: {remedy}");
            }
            println!(
                "{name:<34} {tool:<24} {class:<16} {:>5} ms, {} sent",
                took.as_millis(),
                wire.requests()
            );
        }
    }
}

#[tokio::test]
async fn a_single_value_is_an_answer_of_writes_only() {
    for (body, read_passes) in [
        ("true", false),
        ("\"ok\"", false),
        ("12", false),
        ("null", false),
        ("[]", true),
        ("{}", true),
    ] {
        let wire = Wire::start(move |_| vec![whole("200 OK", "", body)]).await;
        let server = server(&wire.url).await;
        let (text, is_error) = server
            .call("contacts_get-contact", json!({"contactId": "c1"}))
            .await;
        assert_eq!(!is_error, read_passes, "{body}: {text}");
        let written = server
            .call("contacts_create-contact", json!({"email": "a@example.com"}))
            .await;
        let expected = match body {
            "{}" => "{\"_location\":{\"id\":\"L0\"}}".to_owned(),
            body => format!("{{\"answer\":{body},\"_location\":{{\"id\":\"L0\"}}}}"),
        };
        assert_eq!(written, (expected, false));
    }
}

/// The checked text itself is forwarded, not one reading of it.
#[tokio::test]
async fn an_answer_that_can_be_read_in_two_ways_stays_as_it_is() {
    let body = r#"{"contact":{"id":"c1","id":"c2","n":1e999,"n":-0.0},"contact":null}"#;
    let wire = Wire::start(move |_| vec![whole("200 OK", "", body)]).await;
    let server = server(&wire.url).await;
    let got = server
        .call("contacts_get-contact", json!({"contactId": "c1"}))
        .await;
    assert_eq!(got, (body.to_owned(), false));
    let deep = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    let wire = Wire::start(move |_| vec![whole("200 OK", "", deep(200))]).await;
    let server = self::server(&wire.url).await;
    let (text, is_error) = server
        .call("contacts_get-contact", json!({"contactId": "c1"}))
        .await;
    assert!(is_error && text.contains("201 levels deep"), "{text}");
}

/// HighLevel closes an idle connection without notice. The next call, including a write, uses another connection.
#[tokio::test]
async fn a_stale_connection_costs_no_call() {
    let wire = Wire::start(|_| vec![whole("200 OK", "", "{}"), Step::Close]).await;
    let server = server(&wire.url).await;
    for round in 0..50 {
        for (tool, arguments, _) in TOOLS {
            let arguments = serde_json::from_str(arguments).expect("JSON");
            let answered = server.call(tool, arguments).await;
            let named = answered.0.replace("\"_location\":{\"id\":\"L0\"}", "");
            assert_eq!((named.as_str(), answered.1), ("{}", false), "round {round}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    assert_eq!(wire.requests(), 100);
}

#[tokio::test]
async fn an_untrusted_certificate_ends_the_call_before_the_token_is_sent() {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let private =
        rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).expect("a key");
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private)
        .expect("a server");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let (handshake, mut handshakes) = unbounded_channel();
    let wire = Wire::connections(move |stream| {
        let (acceptor, handshake) = (acceptor.clone(), handshake.clone());
        async move {
            let _ = handshake.send(acceptor.accept(stream).await.is_ok());
        }
    })
    .await;
    let url = wire.url.replace("http://127.0.0.1", "https://localhost");
    let server = TestServer::start(&url).await;
    let (text, is_error) = server
        .call("contacts_get-contact", json!({"contactId": "c1"}))
        .await;
    assert!(
        is_error && text.contains("nothing was sent") && text.contains("certificate"),
        "{text}"
    );
    for _ in 0..3 {
        let is_complete = handshakes.recv().await;
        assert_eq!(is_complete, Some(false), "no handshake was completed");
    }
}

/// 1 MiB that expands to 1 GiB is stopped at the limit for answers.
#[tokio::test]
async fn a_gzip_bomb_costs_no_more_than_the_largest_answer() {
    let bomb = bomb();
    let size = bomb.len();
    let wire = Wire::start(move |_| vec![send(GZIPPED), send(&bomb), Step::Close]).await;
    let server = TestServer::start(&wire.url).await;
    let before = peak_memory();
    let (text, is_error) = server
        .call("contacts_get-contact", json!({"contactId": "c1"}))
        .await;
    let more = peak_memory() - before;
    println!("a bomb of {size} bytes that becomes 1 GiB: {more} KiB more memory");
    assert!(
        is_error && text.contains("larger than 10485760 bytes"),
        "{text}"
    );
    assert!(more <= 32 * 1024, "{more} KiB");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("written");
    encoder.finish().expect("a file")
}

/// 1 GiB of one letter in one JSON text.
fn bomb() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(b"\"").expect("written");
    let megabyte = vec![b'a'; 1 << 20];
    for _ in 0..1024 {
        encoder.write_all(&megabyte).expect("written");
    }
    encoder.write_all(b"\"").expect("written");
    encoder.finish().expect("a file")
}

/// Peak memory of this process, in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("a line");
    line.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number")
}
