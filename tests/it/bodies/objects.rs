//! Answers without a body, and the object that answers a write.

use highlevel_mcp::catalog::TOOLS;
use serde_json::json;

use test_support::recording::{Recording, json as answer};
use test_support::server::{LOCATION, TestServer, UNCONFIRMED, VOUCHED};

use super::{
    CALLS, COMPAT, EMPTY_READ, EMPTY_WRITE, LEGACY, PLAIN, READ, RECORDING, TRANSCRIPT, WRITE,
    arguments, before, called, only_text, parsed,
};

#[tokio::test]
async fn an_empty_answer_is_valid_if_the_document_or_the_status_says_so() {
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

/// A list with a table of its rows always has a body, whatever its document omits.
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

/// The same without a location: the form does not depend on a known location.
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
