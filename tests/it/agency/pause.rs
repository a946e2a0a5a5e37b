//! The emergency stop, as a client and an orchestrator see it.

use serde_json::{Value, json};
use state::pause::Pauses;

use super::commands::Desk;
use super::{Agency, contact};

const OPERATOR: &str = "Bearer operator-of-this-agency-1";

/// The message for a write in that branch; empty if it succeeds.
async fn tag(agency: &mut Agency, path: &'static str, contact: &str) -> String {
    let tags = json!({"contactId": contact, "tags": ["x"]});
    let done = agency.call(path, OPERATOR, "contacts_add-tags", tags).await;
    done.err()
        .map_or_else(String::new, |refused| refused.to_string())
}

async fn ready(agency: &Agency) -> (u16, String) {
    let url = format!("{}/readyz", agency.server.url);
    let reply = test_support::server::client().get(url).send().await;
    let reply = reply.expect("a reply");
    (
        reply.status().as_u16(),
        reply.text().await.expect("text").trim().to_owned(),
    )
}

#[tokio::test]
async fn paused_locations_only_read() {
    let mut agency = Agency::start(2, "").await;
    let agency = &mut agency;
    let pauses = Pauses::new(&agency.server.store());
    let paths = ["/mcp/l/b01", "/mcp/l/b02"];
    let contacts = [
        contact(agency, OPERATOR, "b01").await,
        contact(agency, OPERATOR, "b02").await,
    ];
    // What is paused, whether a write in each branch is refused, and the answer of /readyz.
    let cases: [(Option<Option<&str>>, [bool; 2], &str); 4] = [
        (None, [false, false], "ok"),
        (Some(Some("b01")), [true, false], "paused"),
        (Some(None), [true, true], "paused"),
        (None, [false, false], "ok"),
    ];
    for (place, expected, says) in cases {
        for alias in [None, Some("b01")] {
            pauses.resume(alias).wait().expect("resumed");
        }
        if let Some(alias) = place {
            let paused = pauses.pause(alias, Some("wrong texts"));
            paused.wait().expect("paused");
        }
        let before = agency.writes().await.len();
        for (index, path) in paths.into_iter().enumerate() {
            let told = tag(agency, path, &contacts[index]).await;
            assert_eq!(told.contains("wrong texts"), expected[index], "{told}");
            assert_eq!(told.is_empty(), !expected[index], "{told}");
            let read = json!({"contactId": contacts[index]});
            let read = agency.call(path, OPERATOR, "contacts_get-contact", read);
            read.await.expect("a read");
        }
        let sent = agency.writes().await.len() - before;
        assert_eq!(sent, expected.iter().filter(|paused| !**paused).count());
        assert_eq!(ready(agency).await, (200, says.to_owned()));
    }
}

#[tokio::test]
async fn a_pause_is_made_and_ended_by_commands() {
    let desk = Desk::new().await;
    std::fs::write(desk.path("settings.toml"), "").expect("written");
    desk.add(1).await;
    let rows: [(&[&str], i32, &str); 26] = [
        (&["resume"], 2, "there is no store"),
        (
            &["keys", "create", "--name", "  ", "--all-locations"],
            2,
            "give a name that people recognise",
        ),
        (
            &["keys", "create", "--name", "front-desk", "--all-locations"],
            0,
            "",
        ),
        (
            &["keys", "revoke", "front-dsk"],
            2,
            "there is no key front-dsk; did you mean front-desk?",
        ),
        (&["keys", "revoke", "front-desk"], 0, "is revoked"),
        // A revoked key is listed, and is still revoked.
        (&["keys", "revoke", "front-desk"], 0, "is revoked"),
        (
            &["keys", "revoke", "nobody"],
            2,
            "there is no key nobody; `highlevel-mcp keys list` shows all",
        ),
        (
            &["approvals", "approve", "apr_x", "--by", " "],
            2,
            "give a name that people recognise",
        ),
        (
            &["approvals", "approve", "nope"],
            2,
            "there is no approval nope; `highlevel-mcp approvals list --all` shows",
        ),
        (&["pause", "--location", "b09"], 2, "no location b09"),
        (&["resume", "--location", "b09"], 2, "no location b09"),
        (
            &["audit", "search", "--location", "b09"],
            2,
            "no location b09",
        ),
        (
            &["audit", "search", "--tool", "contacts_get-contac"],
            2,
            "did you mean contacts_get-contact",
        ),
        (
            &["audit", "search", "--outcome", "oks"],
            2,
            "did you mean ok?",
        ),
        (
            &["audit", "search", "--outcome", "nope"],
            2,
            "no call has the outcome nope; the calls of this audit have cut_off, ok",
        ),
        (
            &[
                "audit",
                "search",
                "--tool",
                "contacts_*",
                "--location",
                "b01",
            ],
            0,
            "No call matches",
        ),
        (
            &["policy", "explain", "search_operations"],
            2,
            "calls any operation, and the rules judge the operation that it calls",
        ),
        (&["pause", "--reason", "  "], 0, "everything is paused"),
        (&["status", "--json"], 1, "\"reason\":null"),
        (
            &["pause", "--location", "b01"],
            0,
            "b01 is paused: running servers on ",
        ),
        (
            &["pause", "--reason", "wrong texts"],
            0,
            "everything is paused",
        ),
        (&["resume"], 0, "everything goes on; still paused: b01"),
        (&["resume", "--location", "b01"], 0, "b01 goes on\n"),
        (
            &["pause", "--reason", "a\u{1b}b"],
            2,
            "no control characters",
        ),
        (&["resume"], 0, "everything was not paused"),
        (
            &["locations", "import", "--from-agency"],
            2,
            "there is no token of the agency. Set HIGHLEVEL_TOKEN",
        ),
    ];
    for (arguments, code, part) in rows {
        desk.run(arguments, code, part).await;
    }
}

#[tokio::test]
async fn rules_that_are_cut_short_change_nothing() {
    let rules = "[server]\ndeny = [\"contacts_add-tags\"]\n";
    let mut agency = Agency::start(1, rules).await;
    let agency = &mut agency;
    let id = contact(agency, OPERATOR, "b01").await;
    for text in [" ", "# Rules come here.\n", "[server]\n"] {
        let error = agency.try_reload(text, &[1]).expect_err("no rule");
        assert!(error.contains("has no rule"), "{error}");
        let refused = tag(agency, "/mcp/l/b01", &id).await;
        assert!(refused.contains("deny"), "{text:?}: {refused}");
    }
}

#[tokio::test]
async fn a_send_is_capped_without_rules_and_the_refusal_names_the_setting() {
    let mut agency = Agency::start(1, "").await;
    let agency = &mut agency;
    let id = contact(agency, OPERATOR, "b01").await;
    let send = json!({"contactId": id, "type": "SMS", "message": "hello"});
    let mut refused = Value::Null;
    let mut sent = 0;
    for _ in 0..110 {
        let tool = "conversations_send-a-new-message";
        match agency
            .call("/mcp/l/b01", OPERATOR, tool, send.clone())
            .await
        {
            Ok(_) => sent += 1,
            Err(error) => {
                refused = error;
                break;
            }
        }
    }
    assert_eq!(sent, 100, "{refused}");
    let remedy = refused["remedy"].to_string();
    assert!(remedy.contains("policy.sends_per_hour = 100"), "{refused}");
}
