//! What clients get of answers that are no plain JSON object: cut texts, odd numbers, files, nothing, lists of writes.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use highlevel_mcp::catalog::TOOLS;
use serde_json::{Value, json};

use ::sandbox::SandboxOptions;
use test_support::recording::{Recording, json as answer};
use test_support::server::{LOCATION, TestServer, UNCONFIRMED, VOUCHED};

use crate::sandbox::Sandbox;
use crate::stdio::program;

/// Where a tool is listed by its own name.
const PLAIN: &str = "/mcp/x/all";
const CALLS: &str = "/mcp/orchestrator";
const LEGACY: &str = "/mcp/legacy";
const COMPAT: &str = "/mcp/compat";

const READ: &str = "contacts_get-contact";
const LIST: &str = "contacts_get-contacts";
const WRITE: &str = "contacts_create-contact";
/// Their documents describe a success without a body.
const EMPTY_READ: &str = "conversations_get-all-custom-subtypes";
const EMPTY_WRITE: &str = "conversations_update-custom-subtype";
const RECORDING: &str = "conversations_get-message-recording";
const TRANSCRIPT: &str = "conversations_download-message-transcription";

/// A server before a HighLevel that answers everything in this way.
async fn before(
    status: u16,
    content_type: Option<&'static str>,
    body: impl Into<Vec<u8>>,
) -> (TestServer, Recording) {
    let body = body.into();
    let highlevel = Recording::start(move |_| response(status, content_type, body.clone())).await;
    let server = TestServer::start_with(&highlevel.url, &[UNCONFIRMED, VOUCHED]).await;
    (server, highlevel)
}

fn response(status: u16, content_type: Option<&'static str>, body: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.remove("content-type");
    if let Some(content_type) = content_type {
        headers.insert("content-type", content_type.parse().expect("a value"));
    }
    response
}

fn arguments(tool: &str) -> Value {
    match tool {
        READ => json!({"contactId": "c1"}),
        WRITE => json!({"email": "a@example.com"}),
        EMPTY_WRITE => json!({"id": "s1", "name": "n"}),
        RECORDING | TRANSCRIPT => json!({"messageId": "m1"}),
        _ => json!({}),
    }
}

/// Calls an operation on one of the surfaces; the content blocks, and whether it is an error.
async fn called(
    server: &mut TestServer,
    path: &'static str,
    tool: &str,
    output: Option<Value>,
) -> (Vec<Value>, bool) {
    server.path = path;
    let arguments = arguments(tool);
    let (name, arguments) = match path {
        CALLS => {
            let call = if [WRITE, EMPTY_WRITE].contains(&tool) {
                "call_write"
            } else {
                "call_read"
            };
            let mut given = json!({"operation": tool, "arguments": arguments});
            if let Some(output) = output {
                given["output"] = output;
            }
            (call, given)
        }
        COMPAT => {
            let place = if tool == READ { "path" } else { "body" };
            let params = json!({place: arguments});
            let given = json!({"operationId": tool, "params": params, "idempotencyKey": fastrand::u64(..).to_string()});
            ("execute_operation", given)
        }
        _ => (tool, arguments),
    };
    let params = json!({"name": name, "arguments": arguments});
    let reply = server.rpc("tools/call", params).await;
    let result = &reply["result"];
    let content = result["content"].as_array();
    let content = content.unwrap_or_else(|| panic!("{name}: {reply}"));
    (content.clone(), result["isError"] == true)
}

/// The text of an answer that is one text block.
fn only_text((content, is_error): (Vec<Value>, bool)) -> (String, bool) {
    let [block] = content.as_slice() else {
        panic!("not one block: {content:?}");
    };
    let text = block["text"].as_str().expect("a text");
    (text.to_owned(), is_error)
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test]
async fn what_parsers_refuse_hides_nothing_of_an_answer() {
    let rows: [(&[u8], &str); 6] = [
        (br#""hi \ud83d""#, "hi \u{fffd}"),
        (br#""\ude00\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
        (b"\"one\ntwo\x01\"", "one\ntwo\u{1}"),
        (b"\"caf\xe9\"", "caf\u{fffd}"),
        (b"\"\xed\xa0\xbd\"", "\u{fffd}\u{fffd}\u{fffd}"),
        (b"\"x\",\"n\":1e400", "x"),
    ];
    for (text, expected) in rows {
        let body = [
            &b"\xef\xbb\xbf{\"contacts\":[{\"id\":\"c1\",\"contactName\":"[..],
            text,
            b",\"unreadCount\":3}]}",
        ];
        let (mut server, _highlevel) = before(200, None, body.concat()).await;
        for (path, pointer, output) in [
            (PLAIN, "/contacts/0/contactName", None),
            (LEGACY, "/data/contacts/0/contactName", None),
            (COMPAT, "/contacts/0/contactName", None),
            (
                CALLS,
                "/contacts/0/contactName",
                Some(json!({"fields": ["contactName"]})),
            ),
            (
                CALLS,
                "/contacts/0/contactName",
                Some(json!({"fields": ["*"]})),
            ),
        ] {
            let chosen = output.as_ref().map(|output| output["fields"][0].clone());
            let (text, is_error) = only_text(called(&mut server, path, LIST, output).await);
            assert!(!is_error, "{path}: {text}");
            let found = parsed(&text);
            assert_eq!(
                found.pointer(pointer),
                Some(&json!(expected)),
                "{path}: {text}"
            );
            assert_eq!(
                text.contains("unreadCount"),
                chosen != Some(json!("contactName")),
                "{text}"
            );
        }
        for format in ["table", "csv"] {
            let output = json!({"fields": ["id", "contactName"], "format": format});
            let (text, _) = only_text(called(&mut server, CALLS, LIST, Some(output)).await);
            let shown = expected.split(['\n', '\u{1}']).next().unwrap_or_default();
            assert!(
                text.starts_with("id") && text.contains(shown),
                "{format}: {text}"
            );
            assert!(!text.contains("unreadCount"), "{format}: {text}");
        }
    }
}

#[tokio::test]
async fn what_parsers_refuse_is_read_in_refusals_and_writes() {
    let refusal = b"{\"message\":\"Tag \xff hi \\ud83d\nis taken\",\"n\":1e400}";
    let (server, _highlevel) = before(400, None, &refusal[..]).await;
    let (text, is_error) = server.call(READ, arguments(READ)).await;
    assert!(is_error, "{text}");
    let message = parsed(&text)["message"].to_string();
    assert_eq!(
        message,
        json!("Tag \u{fffd} hi \u{fffd}\nis taken").to_string()
    );
    let (server, _highlevel) =
        before(201, None, br#"{"contact":{"name":"\ud83d","n":1e400}}"#).await;
    let (text, is_error) = server.call(WRITE, arguments(WRITE)).await;
    let expected = r#"{"contact":{"name":"\ufffd","n":1e400},"_location":{"id":"L0"}}"#;
    assert_eq!((text.as_str(), is_error), (expected, false));
}

/// Numbers as programs write them, of any length.
fn number(random: &mut fastrand::Rng) -> String {
    let digits = |random: &mut fastrand::Rng, most: usize| -> String {
        let count = random.usize(1..=most);
        let first = random.digit(10);
        let first = if first == '0' { '7' } else { first };
        std::iter::once(first)
            .chain(std::iter::repeat_with(|| random.digit(10)).take(count - 1))
            .collect()
    };
    let sign = if random.bool() { "-" } else { "" };
    let whole = digits(random, 30);
    match random.u8(0..5) {
        0 => format!("{sign}{whole}"),
        1 => format!("{sign}0.{}", digits(random, 30)),
        2 => format!("{sign}{whole}.{}0", digits(random, 6)),
        3 => format!("{sign}{}e-{}", digits(random, 3), random.u16(1..500)),
        _ => format!("{sign}{}.5e+{}", digits(random, 2), random.u16(1..500)),
    }
}

#[tokio::test]
async fn numbers_keep_their_digits_on_every_surface() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut numbers: Vec<String> = [
        "12345678901234567890123",
        "0.1000000000000000055",
        "1e-400",
        "1.0",
        "-0",
        "-0.0",
    ]
    .map(str::to_owned)
    .to_vec();
    numbers.extend(std::iter::repeat_with(|| number(&mut random)).take(400));
    let rows = numbers.iter().enumerate();
    let rows: Vec<String> = rows
        .map(|(index, number)| format!("{{\"id\":\"c{index}\",\"amount\":{number}}}"))
        .collect();
    let body = format!(
        "{{\"contacts\":[{}],\"total\":{}}}",
        rows.join(","),
        numbers[0]
    );
    let (mut server, _highlevel) = before(200, None, body).await;
    let check = |text: &str, what: &str, shown: &dyn Fn(usize, &str) -> String| {
        for (index, number) in numbers.iter().enumerate() {
            let shown = shown(index, number);
            assert!(text.contains(&shown), "{what}: no {shown} in {text}");
        }
    };
    for path in [PLAIN, LEGACY, COMPAT] {
        let (text, is_error) = only_text(called(&mut server, path, LIST, None).await);
        assert!(!is_error, "{text}");
        check(&text, path, &|index, number| {
            format!("{{\"id\":\"c{index}\",\"amount\":{number}}}")
        });
    }
    for (format, between, end) in [
        ("json", ",\"amount\":", "}"),
        ("table", "|", "\n"),
        ("csv", ",", "\n"),
    ] {
        let output = json!({"fields": ["id", "amount"], "format": format, "maxItems": 1000});
        let (text, is_error) = only_text(called(&mut server, CALLS, LIST, Some(output)).await);
        assert!(!is_error, "{text}");
        let quote = if format == "json" { "\"" } else { "" };
        // CSV for spreadsheets, where it still is: a number is a number.
        check(&text, format, &|index, number| {
            format!("c{index}{quote}{between}{number}{end}")
        });
    }
    let output = json!({"fields": ["id"], "filter": {"field": "amount", "op": "=", "value": 1}});
    let (text, _) = only_text(called(&mut server, CALLS, LIST, Some(output)).await);
    assert!(
        parsed(&text)["contacts"].to_string().contains("\"c3\""),
        "{text}"
    );
}

#[tokio::test]
async fn files_are_content_of_their_kind() {
    let bytes: Vec<u8> = (0..=255).cycle().take(3000).collect();
    let data = BASE64.encode(&bytes);
    for (tool, content_type, media, kind) in [
        (RECORDING, Some("audio/x-wav"), "audio/x-wav", "audio"),
        (RECORDING, Some("Audio/MPEG; rate=8"), "audio/mpeg", "audio"),
        (RECORDING, None, "audio/x-wav", "audio"),
        (READ, Some("image/png"), "image/png", "image"),
        (READ, Some("application/pdf"), "application/pdf", "resource"),
        (
            READ,
            Some("application/octet-stream"),
            "application/octet-stream",
            "resource",
        ),
    ] {
        let (mut server, highlevel) = before(200, content_type, bytes.clone()).await;
        let about = json!({"mediaType": media, "bytes": 3000});
        for path in [PLAIN, CALLS] {
            let (content, is_error) = called(&mut server, path, tool, None).await;
            let [text, file] = content.as_slice() else {
                panic!("{media}: {content:?}");
            };
            assert!(!is_error, "{text}");
            assert_eq!(text["text"], about.to_string(), "{path}");
            assert_eq!(file["type"], kind, "{path}: {media}");
            let (told, held) = match kind {
                "resource" => {
                    let uri = format!("highlevel:{tool}");
                    assert_eq!(file["resource"]["uri"], uri);
                    (&file["resource"]["mimeType"], &file["resource"]["blob"])
                }
                _ => (&file["mimeType"], &file["data"]),
            };
            assert_eq!(
                (told, held),
                (&json!(media), &json!(data)),
                "{path}: {media}"
            );
        }
        if tool == READ {
            let (content, _) = called(&mut server, LEGACY, tool, None).await;
            let envelope = parsed(content[0]["text"].as_str().expect("a text"));
            assert_eq!(
                (&envelope["data"], content.len()),
                (&about, 2),
                "{envelope}"
            );
            let (content, _) = called(&mut server, COMPAT, tool, None).await;
            assert_eq!(
                (&content[0]["text"], content.len()),
                (&json!(about.to_string()), 2)
            );
        }
        let items = json!({"operation": tool, "items": [arguments(tool), arguments(tool)]});
        server.path = CALLS;
        let (text, is_error) = server.call("call_read", items).await;
        let outcome = parsed(&text)["outcomes"][1].clone();
        assert_eq!((&outcome["answer"], is_error), (&about, false), "{text}");
        assert!(
            outcome["withheld"].to_string().contains("by itself"),
            "{text}"
        );
        let sent = highlevel.take();
        let accept = sent[0].header("accept").expect("the header");
        let wanted = if tool == RECORDING {
            "audio/x-wav, "
        } else {
            "application/json"
        };
        assert!(accept.starts_with(wanted), "{accept}");
    }
}

#[tokio::test]
async fn texts_are_texts_and_pages_of_proxies_are_none() {
    let transcript = "Caller: \"hello\"\n{x}";
    for (tool, content_type, body, expected) in [
        (
            TRANSCRIPT,
            Some("text/plain; charset=utf-8"),
            transcript,
            Ok(transcript),
        ),
        (TRANSCRIPT, None, "12", Ok("12")),
        (TRANSCRIPT, Some("text/plain"), "[1, 2]", Ok("[1, 2]")),
        (
            TRANSCRIPT,
            Some("application/json"),
            "{\"a\": 1}",
            Ok("{\"a\":1}"),
        ),
        (
            TRANSCRIPT,
            Some("text/html"),
            "<html>",
            Err("is a page of HTML"),
        ),
        (
            RECORDING,
            Some("text/html"),
            "<html>",
            Err("is a page of HTML"),
        ),
        (RECORDING, Some("audio/x-wav"), "", Err("is empty")),
        (READ, Some("text/csv"), "a,b\n1,2", Ok("a,b\n1,2")),
        (READ, Some("text/plain"), "{\"a\": 1}", Ok("{\"a\":1}")),
        (READ, Some("text/plain"), "{\"a\": 1", Err("breaks off")),
        (READ, Some("text/html"), "OK", Err("is no JSON")),
        (READ, Some("text/html"), "<html>", Err("is a page of HTML")),
        (
            READ,
            Some("application/xml"),
            "<a/>",
            Err("is a page of HTML"),
        ),
        (READ, None, "OK", Err("is no JSON")),
        (EMPTY_READ, Some("text/html; charset=utf-8"), "OK", Ok("OK")),
        (
            EMPTY_READ,
            Some("text/html"),
            "<html>",
            Err("is a page of HTML"),
        ),
        (EMPTY_READ, Some("application/json"), "true", Ok("true")),
        (
            WRITE,
            Some("text/html"),
            "OK",
            Ok(r#"{"answer":"OK","_location":{"id":"L0"}}"#),
        ),
        (
            WRITE,
            Some("text/plain"),
            "{a}",
            Ok(r#"{"answer":"{a}","_location":{"id":"L0"}}"#),
        ),
        (WRITE, Some("text/html"), "<html>", Err("is a page of HTML")),
    ] {
        let (mut server, _highlevel) = before(200, content_type, body).await;
        for path in [PLAIN, CALLS] {
            let (text, is_error) = only_text(called(&mut server, path, tool, None).await);
            match expected {
                Ok(expected) => assert_eq!(
                    (text.as_str(), is_error),
                    (expected, false),
                    "{path} {tool}"
                ),
                Err(part) => assert!(is_error && text.contains(part), "{path} {tool}: {text}"),
            }
        }
    }
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_in_words() {
    let settings = [
        UNCONFIRMED,
        VOUCHED,
        ("HIGHLEVEL_MCP_TOOLS_MAX_FILE_BYTES", "4000"),
        ("HIGHLEVEL_MCP_TOOLS_MAX_ANSWER_BYTES", "2000"),
    ];
    for (tool, media, bytes, part) in [
        (RECORDING, "audio/x-wav", 3000, None),
        (RECORDING, "audio/x-wav", 3001, Some("tools.max_file_bytes")),
        (TRANSCRIPT, "text/plain", 2000, None),
        (
            TRANSCRIPT,
            "text/plain",
            2001,
            Some("tools.max_answer_bytes"),
        ),
    ] {
        let highlevel =
            Recording::start(move |_| response(200, Some(media), vec![b'a'; bytes])).await;
        let mut server = TestServer::start_with(&highlevel.url, &settings).await;
        let (content, is_error) = called(&mut server, PLAIN, tool, None).await;
        assert_eq!(is_error, part.is_some(), "{tool}: {bytes}");
        if let Some(part) = part {
            let failure = parsed(content[0]["text"].as_str().expect("a text"));
            let remedy = failure["remedy"].as_str().expect("a remedy");
            assert!(
                remedy.contains(part) && remedy.contains("--output FILE"),
                "{failure}"
            );
        }
    }
}

#[tokio::test]
async fn nothing_is_an_answer_where_the_document_or_the_status_says_so() {
    let located = |status: u16| format!("{{\"status\":{status},\"_location\":{{\"id\":\"L0\"}}}}");
    for (tool, status, body, expected) in [
        (EMPTY_READ, 200, "", Some("{\"status\":200}".to_owned())),
        (
            EMPTY_READ,
            200,
            " \r\n",
            Some("{\"status\":200}".to_owned()),
        ),
        (EMPTY_READ, 200, "null", Some("{\"status\":200}".to_owned())),
        (EMPTY_WRITE, 200, "", Some(located(200))),
        (EMPTY_WRITE, 202, "\n", Some(located(202))),
        (READ, 204, "", Some("{\"status\":204}".to_owned())),
        (READ, 205, "", Some("{\"status\":205}".to_owned())),
        (READ, 200, "", None),
        (READ, 202, "", None),
        (READ, 200, "null", None),
        (RECORDING, 200, "", None),
        (WRITE, 201, "", Some(located(201))),
        (WRITE, 202, " ", Some(located(202))),
        (WRITE, 204, "", Some(located(204))),
        (WRITE, 205, "", Some(located(205))),
        (WRITE, 200, "", None),
    ] {
        let (mut server, highlevel) = before(status, Some("application/json"), body).await;
        for path in [PLAIN, CALLS] {
            let (text, is_error) = only_text(called(&mut server, path, tool, None).await);
            match &expected {
                Some(expected) => assert_eq!(
                    (&text, is_error),
                    (expected, false),
                    "{path} {tool} {body:?}"
                ),
                None => assert!(is_error, "{path} {tool} {status} {body:?}: {text}"),
            }
        }
        let sent = highlevel.take().len();
        let is_write = [WRITE, EMPTY_WRITE].contains(&tool);
        assert!(!is_write || sent == 2, "{tool}: {sent} sent");
    }
}

/// A list whose rows a table names, is due, whatever its document leaves out.
#[test]
fn the_tools_that_may_answer_nothing_are_those_of_the_documents() {
    let documented = TOOLS.iter().filter(|tool| tool.answer_media.is_none());
    let (nothing, lists): (Vec<_>, Vec<_>) = documented.partition(|tool| tool.may_answer_nothing());
    let files = TOOLS
        .iter()
        .filter_map(|tool| Some((tool.name, tool.answers_media()?)));
    assert_eq!(
        Vec::from_iter(files),
        [(TRANSCRIPT, "text/plain"), (RECORDING, "audio/x-wav")]
    );
    for name in [EMPTY_READ, EMPTY_WRITE] {
        assert!(nothing.iter().any(|tool| tool.name == name), "{name}");
    }
    assert!(
        lists
            .iter()
            .any(|tool| tool.name == "contacts_search-contacts-advanced")
    );
    println!(
        "{} may answer nothing, {} are lists",
        nothing.len(),
        lists.len()
    );
}

#[tokio::test]
async fn the_answer_to_a_write_is_an_object_on_every_surface() {
    let located = format!("\"_location\":{{\"id\":\"{LOCATION}\"}}");
    for (body, expected) in [
        (
            "[1, {\"a\": 2}]",
            format!("{{\"answer\":[1,{{\"a\":2}}],{located}}}"),
        ),
        ("true", format!("{{\"answer\":true,{located}}}")),
        ("\"done\"", format!("{{\"answer\":\"done\",{located}}}")),
        ("null", format!("{{\"answer\":null,{located}}}")),
        ("{}", format!("{{{located}}}")),
        ("{\"a\": 1}", format!("{{\"a\":1,{located}}}")),
    ] {
        let (mut server, _highlevel) = before(200, Some("application/json"), body).await;
        for path in [PLAIN, CALLS, LEGACY, COMPAT] {
            let (text, is_error) = only_text(called(&mut server, path, WRITE, None).await);
            let text = match path {
                LEGACY => parsed(&text)["data"].to_string(),
                _ => text,
            };
            assert_eq!((&text, is_error), (&expected, false), "{path}");
        }
        let items = json!({"operation": WRITE, "items": [arguments(WRITE)]});
        server.path = CALLS;
        let (text, _) = server.call("call_write", items).await;
        assert_eq!(parsed(&text)["outcomes"][0]["answer"].to_string(), expected);
    }
}

/// The same without a location: the form does not depend on what is known of one.
#[tokio::test]
async fn the_answer_to_a_write_without_a_location_is_an_object() {
    let highlevel = Recording::start(|_| answer(200, "[true]")).await;
    let server = TestServer::start_with(&highlevel.url, &[UNCONFIRMED, VOUCHED]).await;
    let headers = [
        ("authorization", "Bearer pit-test"),
        ("x-access-key", test_support::server::KEY),
    ];
    let given = json!({"contactId": "c1", "tags": ["a"]});
    let (text, is_error) = server.call_with(&headers, "contacts_add-tags", given).await;
    assert_eq!((text.as_str(), is_error), ("{\"answer\":[true]}", false));
}

#[tokio::test]
async fn a_recording_of_the_sandbox_can_be_played() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let mut server = TestServer::start_with(&sandbox.url, &[UNCONFIRMED, VOUCHED]).await;
    server.path = PLAIN;
    let headers = [
        ("authorization", "Bearer pit-sandbox-harbor"),
        ("locationid", ::sandbox::LOCATION),
        ("x-access-key", test_support::server::KEY),
    ];
    let params = json!({"name": RECORDING, "arguments": arguments(RECORDING)});
    let reply = server.rpc_with(&headers, "tools/call", params).await;
    let data = reply["result"]["content"][1]["data"].as_str();
    let data = data.unwrap_or_else(|| panic!("{reply}"));
    let wav = BASE64.decode(data).expect("base64");
    assert!(wav.starts_with(b"RIFF") && wav[8..].starts_with(b"WAVEfmt "));
    let told = u32::from_le_bytes(wav[4..8].try_into().expect("four bytes"));
    assert_eq!(usize::try_from(told).expect("a size"), wav.len() - 8);
    let (text, is_error) = server
        .call_with(&headers, TRANSCRIPT, arguments(TRANSCRIPT))
        .await;
    assert!(!is_error && text.contains("Agent: "), "{text}");
    let (text, is_error) = server.call_with(&headers, EMPTY_READ, json!({})).await;
    assert_eq!((text.as_str(), is_error), ("{\"status\":200}", false));
}

#[tokio::test]
async fn call_writes_a_recording_into_a_pipe_or_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("call.wav");
    let path = path.to_str().expect("UTF-8");
    let given = arguments(RECORDING).to_string();
    let usual = ["call", RECORDING, &given, "--sandbox"];
    let piped = program(&usual, &[]).output().await.expect("ended");
    assert!(piped.status.success(), "{piped:?}");
    assert!(piped.stdout.starts_with(b"RIFF"));
    let to_file = [&usual[..], &["--output", path]].concat();
    let written = program(&to_file, &[]).output().await.expect("ended");
    let told = String::from_utf8_lossy(&written.stdout);
    assert!(
        written.status.success() && told.contains("audio/x-wav"),
        "{told}"
    );
    assert_eq!(std::fs::read(path).expect("the file"), piped.stdout);
    let list = [
        "call",
        "contacts_get-contacts",
        "--sandbox",
        "--output",
        path,
    ];
    let written = program(&list, &[]).output().await.expect("ended");
    assert!(written.status.success() && written.stdout.is_empty());
    let read = std::fs::read_to_string(path).expect("the file");
    assert!(parsed(&read)["contacts"].is_array());
}
