//! Each way of confirming, on every surface, with clients of both generations of the protocol.

use serde_json::{Value, json};
use state::approvals::{ApprovalState, Approvals};
use state::keys::Keys;

use super::{Agency, contact};

const OPERATOR: &str = "Bearer operator-of-this-agency-1";

/// The number of contacts that the sandbox was asked to delete.
async fn deleted(agency: &Agency) -> usize {
    let writes = agency.writes().await;
    writes
        .iter()
        .filter(|request| request["method"] == "DELETE")
        .count()
}

#[tokio::test]
async fn a_token_confirms_one_call_once_on_every_surface() {
    let mut agency = Agency::start(1, "").await;
    let agency = &mut agency;
    let plain = |id: &str, confirm: Option<&Value>| json!({"contactId": id, "confirm": confirm});
    let wrapped = |id: &str, confirm: Option<&Value>| json!({"operation": "contacts_delete-contact", "arguments": {"contactId": id}, "confirm": confirm});
    let compat = |id: &str, confirm: Option<&Value>| json!({"operationId": "contacts_delete-contact", "params": {"path": {"contactId": id}}, "idempotencyKey": id, "confirm": confirm});
    type Given = fn(&str, Option<&Value>) -> Value;
    let surfaces: [(&'static str, &str, Given); 3] = [
        ("/mcp/l/b01/x/contacts", "contacts_delete-contact", plain),
        ("/mcp/l/b01", "call_destructive", wrapped),
        ("/mcp/l/b01/compat", "execute_operation", compat),
    ];
    for (number, (path, tool, given)) in surfaces.into_iter().enumerate() {
        let id = contact(agency, OPERATOR, "b01").await;
        let asked = agency.call(path, OPERATOR, tool, given(&id, None)).await;
        // A preview is an error for clients of HighLevel's own server.
        let (asked, status) = match asked {
            Ok(asked) => (asked, "status"),
            Err(asked) => (asked, "class"),
        };
        assert_eq!(status == "class", path.ends_with("compat"), "{asked}");
        assert_eq!(asked[status], "needs_confirmation", "{asked}");
        assert_eq!(
            asked["location"],
            json!({"alias": "b01", "name": "Branch 01", "id": super::branch(1)}),
            "{asked}"
        );
        assert_eq!(asked["calls"], 1);
        assert_eq!(deleted(agency).await, number, "{path}");
        let token = &asked["confirm"];
        let other = agency
            .call(path, OPERATOR, tool, given("another", Some(token)))
            .await;
        assert_eq!(other.expect_err("other arguments")["class"], "refused");
        let first = agency
            .call(path, OPERATOR, tool, given(&id, Some(token)))
            .await;
        let first = first.expect("deleted");
        assert_eq!(deleted(agency).await, number + 1, "{path}");
        // Again: the result, and no second call.
        let again = agency
            .call(path, OPERATOR, tool, given(&id, Some(token)))
            .await;
        let mut again = again.expect("what came of it");
        let repeated = again
            .as_object_mut()
            .expect("an object")
            .remove("_repeated");
        assert!(repeated.is_some());
        assert_eq!(again, first);
        assert_eq!(deleted(agency).await, number + 1, "{path}");
    }
}

#[tokio::test]
async fn a_bulk_write_and_a_batch_are_asked_about_as_a_whole() {
    let rules = "[server]\nconfirm = { write = \"token\" }\n";
    let mut agency = Agency::start(1, rules).await;
    let agency = &mut agency;
    let id = contact(agency, OPERATOR, "b01").await;
    let batch = |confirm: Option<&Value>| json!({"operation": "contacts_add-tags", "arguments": {"contactId": id}, "items": [{"tags": ["a"]}, {"tags": ["b"]}], "confirm": confirm});
    let asked = agency
        .call("/mcp/l/b01", OPERATOR, "call_write", batch(None))
        .await;
    let asked = asked.expect("a question");
    assert_eq!(
        (&asked["calls"], &asked["status"]),
        (&json!(2), &json!("needs_confirmation"))
    );
    let done = agency
        .call(
            "/mcp/l/b01",
            OPERATOR,
            "call_write",
            batch(Some(&asked["confirm"])),
        )
        .await;
    assert_eq!(done.expect("tagged")["done"], 2);
    assert_eq!(agency.writes().await.len(), 2);
    let again = agency
        .call(
            "/mcp/l/b01",
            OPERATOR,
            "call_write",
            batch(Some(&asked["confirm"])),
        )
        .await;
    assert_eq!(again.expect("what came of it")["done"], 2);
    assert_eq!(agency.writes().await.len(), 2);
}

#[tokio::test]
async fn a_person_elsewhere_decides() {
    let rules = "[server]\nconfirm = { destructive = \"human\" }\n";
    let mut agency = Agency::start(1, rules).await;
    let agency = &mut agency;
    let approvals = Approvals::new(&agency.server.store());
    let path = "/mcp/l/b01/x/contacts";
    let tool = "contacts_delete-contact";
    let given = |id: &str, confirm: Option<&Value>| json!({"contactId": id, "confirm": confirm});
    let ask = async |agency: &mut Agency, id: &str| {
        let asked = agency.call(path, OPERATOR, tool, given(id, None)).await;
        asked.expect("a question")["confirm"].clone()
    };
    let id = contact(agency, OPERATOR, "b01").await;
    let handle = ask(agency, &id).await;
    assert_eq!(ask(agency, &id).await, handle, "one question, asked twice");
    let waits = agency
        .call(path, OPERATOR, tool, given(&id, Some(&handle)))
        .await;
    let waits = waits.expect_err("nobody has decided");
    assert!(
        waits["retryAfterMs"].is_u64() && waits["class"] == "needs_confirmation",
        "{waits}"
    );
    let listed = approvals.list().await.expect("a list");
    assert_eq!((listed.len(), listed[0].alias.as_deref()), (1, Some("b01")));
    let handle_text = handle.as_str().expect("a handle");
    approvals
        .decide(handle_text, true, "Ada", None)
        .await
        .expect("decided");
    let other = agency
        .call(path, OPERATOR, tool, given("another", Some(&handle)))
        .await;
    assert_eq!(other.expect_err("another call")["class"], "refused");
    assert_eq!(deleted(agency).await, 0);
    let first = agency
        .call(path, OPERATOR, tool, given(&id, Some(&handle)))
        .await;
    let first = first.expect("deleted");
    let again = agency
        .call(path, OPERATOR, tool, given(&id, Some(&handle)))
        .await;
    assert_eq!(again.expect("what came of it"), first);
    assert_eq!(deleted(agency).await, 1);
    let id = contact(agency, OPERATOR, "b01").await;
    let handle = ask(agency, &id).await;
    approvals
        .decide(
            handle.as_str().expect("a handle"),
            false,
            "Ada",
            Some("she is a client"),
        )
        .await
        .expect("decided");
    let denied = agency
        .call(path, OPERATOR, tool, given(&id, Some(&handle)))
        .await;
    let denied = denied.expect_err("a no").to_string();
    assert!(denied.contains("she is a client"), "{denied}");
    assert_eq!(deleted(agency).await, 1);
}

/// A key's request runs when a person approves it, whether or not its client comes back. A HighLevel token is not
/// stored, so its client has to come back.
#[tokio::test]
async fn approving_runs_the_call() {
    let rules = "[server]\nconfirm = { destructive = \"human\", write = \"human\" }\n";
    let mut agency = Agency::start(2, rules).await;
    let agency = &mut agency;
    let approvals = Approvals::new(&agency.server.store());
    let one = agency.key("one", Some(&["b01"]), None);
    let all = agency.key("all", None, None);
    let token = "Bearer pit-sandbox-branch-01";
    let tags = |location: Option<&str>| json!({"operation": "contacts_add-tags", "location": location, "arguments": {"tags": ["x"]}});
    // The caller, the endpoint, the location by argument, and whether it runs by itself.
    let rows = [
        ("/mcp/l/b01", one.as_str(), None, true),
        ("/mcp", &all, Some("b02"), true),
        ("/mcp/l/b02", OPERATOR, None, true),
        ("/mcp/l/b01", token, None, false),
    ];
    for (path, who, location, runs) in rows {
        for many in [false, true] {
            let alias = location.unwrap_or(&path[path.len() - 3..]);
            let id = contact(agency, OPERATOR, alias).await;
            let mut call = tags(location);
            match many {
                true => {
                    call["items"] = json!([{"contactId": id}, {"contactId": id, "tags": ["y"]}])
                }
                false => call["arguments"]["contactId"] = json!(id),
            }
            let before = agency.writes().await.len();
            let asked = agency.call(path, who, "call_write", call.clone()).await;
            let handle = asked.expect("a question")["confirm"].clone();
            let name = handle.as_str().expect("a handle");
            approvals
                .decide(name, true, "Ada", None)
                .await
                .expect("decided");
            let runs_alone = approvals.get(name).await.expect("read").expect("kept");
            assert_eq!(runs_alone.runs_alone, runs, "{path} {who}");
            let calls = if many { 2 } else { 1 };
            for _ in 0..100 {
                if !runs || agency.writes().await.len() == before + calls {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            let made = agency.writes().await.len() - before;
            assert_eq!(made, if runs { calls } else { 0 }, "{path} {who} {many}");
            call["confirm"] = handle;
            let told = agency.call(path, who, "call_write", call).await;
            let told = told.expect("the outcome");
            assert_eq!(told["done"].as_u64(), many.then_some(2), "{told}");
            assert_eq!(agency.writes().await.len() - before, calls);
        }
    }
}

#[tokio::test]
async fn an_approved_call_is_judged_again_before_it_runs() {
    let rules = "[server]\nconfirm = { write = \"human\" }\n";
    let mut agency = Agency::start(1, rules).await;
    let agency = &mut agency;
    let approvals = Approvals::new(&agency.server.store());
    let key = agency.key("one", Some(&["b01"]), None);
    let id = contact(agency, OPERATOR, "b01").await;
    let path = "/mcp/l/b01";
    for revoked in [false, true] {
        let tags = json!({"contactId": id, "tags": [format!("{revoked}")]});
        let asked = agency.call(path, &key, "contacts_add-tags", tags).await;
        let handle = asked.expect("a question")["confirm"].clone();
        match revoked {
            true => drop(Keys::new(&agency.server.store()).revoke("one").await),
            false => agency.reload("[server]\ndeny = [\"contacts_add-tags\"]\n", &[1]),
        }
        let handle = handle.as_str().expect("a handle");
        approvals
            .decide(handle, true, "Ada", None)
            .await
            .expect("decided");
        tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
        assert_eq!(agency.writes().await.len(), 0, "revoked: {revoked}");
        agency.reload(rules, &[1]);
    }
}

/// A client that waits gets the answer itself.
#[tokio::test]
async fn a_call_waits_for_a_person() {
    let rules = "[server]\nconfirm = { destructive = \"human\" }\n";
    let wait = ("HIGHLEVEL_MCP_APPROVALS_WAIT_MS", "5000");
    let mut agency = Agency::start_with(1, rules, &[wait]).await;
    let id = contact(&mut agency, OPERATOR, "b01").await;
    let approvals = Approvals::new(&agency.server.store());
    for (approve, part) in [(false, "said no: later"), (true, "succeded")] {
        let decide = async {
            loop {
                let open = approvals.list().await.expect("listed");
                let open = open.iter().find(|one| one.state == ApprovalState::Pending);
                if let Some(one) = open {
                    let decided = approvals.decide(&one.handle, approve, "Ada", Some("later"));
                    decided.await.expect("decided");
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        let arguments = json!({"contactId": id});
        let call = agency.call(
            "/mcp/l/b01/x/contacts",
            OPERATOR,
            "contacts_delete-contact",
            arguments,
        );
        let (told, ()) = tokio::join!(call, decide);
        assert_eq!(told.is_ok(), approve, "{told:?}");
        assert!(format!("{told:?}").contains(part), "{told:?}");
    }
    assert_eq!(deleted(&agency).await, 1);
}

/// The result of a call by a client of MCP 2026-07-28 that can show questions.
async fn modern(agency: &Agency, arguments: &Value, rest: Value) -> Value {
    let mut params = json!({
        "name": "contacts_delete-contact",
        "arguments": arguments,
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "modern", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
        },
    });
    for (name, value) in rest.as_object().expect("an object") {
        params[name] = value.clone();
    }
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let reply = agency
        .server
        .post("/mcp/l/b01/x/contacts")
        .header("authorization", OPERATOR)
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "contacts_delete-contact")
        .json(&request);
    let reply: Value = reply
        .send()
        .await
        .expect("a reply")
        .json()
        .await
        .expect("JSON");
    reply["result"].clone()
}

#[tokio::test]
async fn a_client_that_can_asks_its_user() {
    let rules = "[server]\nconfirm = { destructive = \"elicit\" }\n";
    let mut agency = Agency::start(1, rules).await;
    let id = contact(&mut agency, OPERATOR, "b01").await;
    let arguments = json!({"contactId": id});
    // A client that cannot ask is refused.
    let refused = agency
        .call(
            "/mcp/l/b01/x/contacts",
            OPERATOR,
            "contacts_delete-contact",
            arguments.clone(),
        )
        .await
        .expect_err("a refusal");
    assert!(
        refused["error"].to_string().contains("cannot ask"),
        "{refused}"
    );
    let asked = modern(&agency, &arguments, json!({})).await;
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let question = &asked["inputRequests"]["confirm"];
    assert_eq!(question["method"], "elicitation/create", "{asked}");
    let message = question["params"]["message"].as_str().expect("a message");
    assert!(
        message.contains("Branch 01") && message.contains(&id),
        "{message}"
    );
    let state = &asked["requestState"];
    let answer = |action: &str, state: &Value| json!({"requestState": state, "inputResponses": {"confirm": {"action": action, "content": {}}}});
    let no = modern(&agency, &arguments, answer("decline", state)).await;
    assert_eq!(no["isError"], true, "{no}");
    let other = modern(
        &agency,
        &json!({"contactId": "another"}),
        answer("accept", state),
    )
    .await;
    assert_eq!(other["isError"], true, "{other}");
    assert_eq!(deleted(&agency).await, 0);
    let yes = modern(&agency, &arguments, answer("accept", state)).await;
    assert_ne!(yes["isError"], true, "{yes}");
    assert_eq!(deleted(&agency).await, 1);
    modern(&agency, &arguments, answer("accept", state)).await;
    assert_eq!(deleted(&agency).await, 1, "once");
}

/// The other ways of confirming, and a rule, for a client of the newest protocol: as for any other client.
#[tokio::test]
async fn newer_clients_confirm_the_same_way() {
    let cases = [
        ("", "confirm"),
        ("[server]\nconfirm = { destructive = \"human\" }\n", "apr_"),
    ];
    for (rules, part) in cases {
        let mut agency = Agency::start(1, rules).await;
        let id = contact(&mut agency, OPERATOR, "b01").await;
        let asked = modern(&agency, &json!({"contactId": id}), json!({})).await;
        assert_ne!(asked["isError"], true, "{asked}");
        let text = asked["content"][0]["text"].as_str().expect("text");
        assert!(text.contains(part), "{text}");
        let told: Value = serde_json::from_str(text).expect("JSON");
        let confirm = told["confirm"].as_str().expect("a confirm");
        if part == "apr_" {
            let approvals = Approvals::new(&agency.server.store());
            approvals
                .decide(confirm, true, "Ada", None)
                .await
                .expect("decided");
        }
        let arguments = json!({"contactId": id, "confirm": confirm});
        let done = modern(&agency, &arguments, json!({})).await;
        assert_ne!(done["isError"], true, "{done}");
        assert_eq!(deleted(&agency).await, 1);
    }
    let agency = Agency::start(1, "[server]\nread_only = true\n").await;
    let refused = modern(&agency, &json!({"contactId": "c1"}), json!({})).await;
    let text = refused["content"][0]["text"].as_str().expect("text");
    assert!(text.contains("[server] read_only"), "{text}");
}

#[tokio::test]
async fn the_confirmation_refuse_applies_to_all_callers() {
    let rules = "[locations.b01]\nconfirm = { destructive = \"refuse\" }\n";
    let mut agency = Agency::start(1, rules).await;
    let given = json!({"contactId": "c1"});
    let refused = agency
        .call(
            "/mcp/l/b01/x/contacts",
            OPERATOR,
            "contacts_delete-contact",
            given,
        )
        .await
        .expect_err("a refusal");
    assert!(
        refused["remedy"]
            .to_string()
            .contains("[locations.b01] confirm"),
        "{refused}"
    );
    assert_eq!(deleted(&agency).await, 0);
}
