//! The location of a call, by endpoint, key and argument.

use serde_json::json;

use super::{Agency, alias, branch};

const OPERATOR: &str = "Bearer operator-of-this-agency-1";

/// The location that the sandbox saw last, or the class of the refusal.
async fn check(
    agency: &mut Agency,
    (path, key): (&'static str, &str),
    arguments: serde_json::Value,
    expected: Result<usize, &str>,
) {
    let before = agency.sandbox.requests().await.len();
    let told = agency
        .call(path, key, "contacts_get-contacts", arguments.clone())
        .await;
    let seen = agency.sandbox.requests().await;
    let place = format!("{path} {arguments}: {told:?}");
    match expected {
        Ok(number) => {
            assert!(told.is_ok(), "{place}");
            let query = seen[before]["query"].as_str().expect("a query");
            assert!(
                query.contains(&format!("locationId={}", branch(number))),
                "{place} {query}"
            );
        }
        Err(class) => {
            assert_eq!(told.expect_err("a refusal")["class"], class, "{arguments}");
            assert_eq!(seen.len(), before, "{arguments}");
        }
    }
}

/// No location makes an operation of the whole agency possible. The error says so at once, not after a question for a
/// location.
#[tokio::test]
async fn an_operation_of_the_agency_asks_for_no_location() {
    let mut agency = Agency::start(3, "").await;
    for location in [json!(null), json!(alias(1))] {
        let call = json!({
            "operation": "locations_create-location", "location": location,
            "arguments": {"name": "Spa", "companyId": "comBrightside0000001"},
        });
        let told = agency
            .call("/mcp", OPERATOR, "call_destructive", call)
            .await;
        assert_eq!(
            told.expect_err("a refusal")["class"],
            "token_class",
            "{location}"
        );
    }
    assert!(agency.sandbox.requests().await.is_empty());
}

#[tokio::test]
async fn a_call_acts_in_the_location_of_its_connection() {
    let mut agency = Agency::start(3, "").await;
    let one = agency.key("one", Some(&["b01"]), None);
    let two = agency.key("two", Some(&["b01", "b02"]), None);
    let all = agency.key("all", None, None);
    let agency = &mut agency;
    let of = |number| json!({"location": alias(number)});
    let by_id = |number| json!({"location": branch(number)});
    let argument = |number| json!({"locationId": branch(number)});
    // A key of one location needs no location argument, and accepts no other one.
    check(agency, ("/mcp", &one), json!({}), Ok(1)).await;
    check(agency, ("/mcp", &one), of(1), Ok(1)).await;
    check(agency, ("/mcp", &one), of(2), Err("location")).await;
    check(agency, ("/mcp", &one), argument(2), Err("location")).await;
    check(agency, ("/mcp/l/b01", &one), json!({}), Ok(1)).await;
    // With several locations, the call or the endpoint names one.
    check(agency, ("/mcp", &two), json!({}), Err("location")).await;
    check(agency, ("/mcp", &two), of(2), Ok(2)).await;
    check(agency, ("/mcp", &two), by_id(2), Ok(2)).await;
    check(agency, ("/mcp", &two), argument(2), Ok(2)).await;
    check(agency, ("/mcp", &two), json!({"locationId": "b02"}), Ok(2)).await;
    check(agency, ("/mcp", &two), of(3), Err("location")).await;
    check(agency, ("/mcp", &two), argument(3), Err("location")).await;
    check(agency, ("/mcp/l/b02/official", &two), json!({}), Ok(2)).await;
    check(
        agency,
        ("/mcp/l/b02/official", &two),
        of(1),
        Err("location"),
    )
    .await;
    check(
        agency,
        ("/mcp/l/b02/official", &two),
        argument(1),
        Err("location"),
    )
    .await;
    // An argument may not contradict `location`.
    let both = json!({"location": "b01", "locationId": branch(2)});
    check(agency, ("/mcp", &two), both, Err("location")).await;
    for key in [&all, OPERATOR] {
        check(agency, ("/mcp", key), of(3), Ok(3)).await;
        check(agency, ("/mcp/l/b03", key), json!({}), Ok(3)).await;
        check(
            agency,
            ("/mcp", key),
            json!({"location": "b04"}),
            Err("location"),
        )
        .await;
        check(
            agency,
            ("/mcp", key),
            json!({"location": ["b01"]}),
            Err("location"),
        )
        .await;
    }
    // A client's own token is bound by the endpoint, and does not know the server's locations.
    let own = "Bearer pit-sandbox-branch-02";
    check(agency, ("/mcp/l/b02", own), json!({}), Ok(2)).await;
    check(agency, ("/mcp/l/b02", own), argument(1), Err("location")).await;
    let told = agency
        .call("/mcp", own, "list_locations", json!({}))
        .await
        .unwrap_or_else(|error| error);
    assert!(!told.to_string().contains("b01"), "{told}");
}

/// The rules for such a location are unknown, whatever token a call brings. The others go on.
#[tokio::test]
async fn a_location_that_the_settings_have_twice_is_refused() {
    let twin =
        json!({"twin": {"location_id": branch(1), "token": {"env": "NOT_HERE"}}}).to_string();
    let further = [("HIGHLEVEL_MCP_LOCATIONS", twin.as_str())];
    let mut agency = Agency::start_with(2, "", &further).await;
    let all = agency.key("all", None, None);
    let agency = &mut agency;
    for alias in ["b01", "twin"] {
        let named = json!({"location": alias});
        check(agency, ("/mcp", &all), named, Err("location")).await;
    }
    let argument = json!({"locationId": branch(1)});
    let own = "Bearer pit-sandbox-branch-01";
    check(agency, ("/mcp", own), argument, Err("location")).await;
    for named in ["b02", "Branch 02", "branch 02 "] {
        check(agency, ("/mcp", &all), json!({"location": named}), Ok(2)).await;
    }
}

#[tokio::test]
async fn endpoints_of_others_are_closed() {
    let agency = Agency::start(2, "").await;
    let one = agency.key("one", Some(&["b01"]), None);
    let forged = format!("{}x", &one[..one.len() - 1]);
    let check = async |path: &str, key: &str, status: u16| {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
        let reply = agency
            .server
            .post(path)
            .header("authorization", key)
            .json(&request);
        let reply = reply.send().await.expect("a reply");
        assert_eq!(reply.status().as_u16(), status, "{path} {key}");
    };
    check("/mcp/l/b01", &one, 200).await;
    check("/mcp/l/b02", &one, 403).await;
    check("/mcp/l/b09", &one, 403).await;
    check("/mcp/l/b09", OPERATOR, 404).await;
    check("/mcp/l/b01", &forged, 401).await;
    check("/mcp/l/b01", "Bearer hlk_abcdefgh_x", 401).await;
    check("/mcp/l/b09", "Bearer nothing", 401).await;
    let keys = state::keys::Keys::new(&agency.server.store());
    keys.revoke("one").wait().expect("revoked");
    // Another process's revocation is seen within this time.
    tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    check("/mcp/l/b01", &one, 401).await;
}

#[tokio::test]
async fn locations_are_listed_and_every_write_names_its_own() {
    let mut agency = Agency::start(3, "").await;
    let two = agency.key("two", Some(&["b01", "b03"]), None);
    let told = agency.call("/mcp", &two, "list_locations", json!({})).await;
    let expected = json!({"locations": [
        {"alias": "b01", "id": branch(1), "name": "Branch 01"},
        {"alias": "b03", "id": branch(3), "name": "Branch 03"},
    ]});
    assert_eq!(told, Ok(expected));
    let place = json!({"alias": "b03", "name": "Branch 03", "id": branch(3)});
    let id = super::contact(&mut agency, &two, "b03").await;
    let arguments = json!({"contactId": id, "tags": ["x"]});
    let mut direct = arguments.clone();
    direct["location"] = json!("b03");
    let told = agency.call("/mcp", &two, "contacts_add-tags", direct).await;
    assert_eq!(told.expect("tagged")["_location"], place);
    let call = json!({"operation": "contacts_add-tags", "location": "b03", "arguments": arguments});
    let told = agency
        .call("/mcp/orchestrator", &two, "call_write", call)
        .await;
    assert_eq!(told.expect("tagged")["_location"], place);
    let items = json!({"operation": "contacts_add-tags", "location": "b03", "items": [arguments]});
    let told = agency
        .call("/mcp/orchestrator", &two, "call_write", items)
        .await;
    assert_eq!(
        told.expect("tagged")["outcomes"][0]["answer"]["_location"],
        place
    );
    let params = json!({"path": {"contactId": id}, "body": {"tags": ["y"]}, "locationId": "b03"});
    let call = json!({"operationId": "add-tags", "idempotencyKey": "1", "params": params});
    let told = agency
        .call("/mcp/compat", &two, "execute_operation", call)
        .await;
    assert_eq!(told.expect("tagged")["_location"], place);
}

#[tokio::test]
async fn locations_and_rules_are_read_again_while_calls_go_on() {
    let mut agency = Agency::start(2, "").await;
    let all = agency.key("all", None, None);
    check(&mut agency, ("/mcp/l/b02", &all), json!({}), Ok(2)).await;
    let (names, scope) = agency.listed("/mcp/l/b01", &all).await;
    assert!(names.iter().any(|name| name == "contacts_add-tags"));
    assert_eq!(scope, "public");
    agency.reload("[locations.b01]\nread_only = true\n", &[1]);
    let (names, scope) = agency.listed("/mcp/l/b01", &all).await;
    assert!(!names.iter().any(|name| name == "contacts_add-tags"));
    assert_eq!(scope, "private");
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let reply = agency
        .server
        .post("/mcp/l/b02")
        .header("authorization", &all)
        .json(&request);
    assert_eq!(reply.send().await.expect("a reply").status().as_u16(), 403);
    // An invalid file changes nothing.
    let broken = agency.try_reload("[locations.b09]\nread_only = true\n", &[1, 2]);
    assert!(broken.expect_err("an unknown alias").contains("b09"));
    let (names, _) = agency.listed("/mcp/l/b01", &all).await;
    assert!(!names.iter().any(|name| name == "contacts_add-tags"));
}
