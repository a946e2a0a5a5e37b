//! Recordings, images, documents and texts, through every surface and the command line.

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::json;

use ::sandbox::SandboxOptions;
use test_support::recording::Recording;
use test_support::server::{TestServer, UNCONFIRMED, VOUCHED};

use super::{
    CALLS, COMPAT, EMPTY_READ, LEGACY, PLAIN, READ, RECORDING, TRANSCRIPT, WRITE, arguments,
    before, called, only_text, parsed, response,
};
use crate::sandbox::Sandbox;
use crate::stdio::program;

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
        (READ, Some("text/html"), "OK", Err("is not JSON")),
        (READ, Some("text/html"), "<html>", Err("is a page of HTML")),
        (
            READ,
            Some("application/xml"),
            "<a/>",
            Err("is a page of HTML"),
        ),
        (READ, None, "OK", Err("is not JSON")),
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
            "a}",
            Ok(r#"{"answer":"a}","_location":{"id":"L0"}}"#),
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

/// Once the call was made it is too late to find out.
#[tokio::test]
async fn an_output_that_cannot_be_written_is_refused_before_anything_is_sent() {
    let highlevel = Recording::always(200, "{\"succeded\":true}").await;
    let variables = [
        ("HIGHLEVEL_TOKEN", "pit-files"),
        ("HIGHLEVEL_LOCATION_ID", "L0"),
        ("HIGHLEVEL_MCP_UPSTREAM_BASE_URL", highlevel.url.as_str()),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("gone/answer.json");
    let delete = ["call", "contacts_delete-contact", "contactId=c1", "--yes"];
    for path in [missing.as_path(), folder.path()] {
        let path = path.to_str().expect("UTF-8");
        let arguments = [&delete[..], &["--output", path]].concat();
        let done = program(&arguments, &variables).output().await.expect("run");
        let told = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{told}");
        assert!(told.contains("nothing was sent: "), "{told}");
        assert_eq!(highlevel.writes(), 0);
    }
}
