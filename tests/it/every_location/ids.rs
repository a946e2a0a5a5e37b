//! Locations and companies without an argument: taken from the token, or requested from HighLevel.

use ::sandbox::{COMPANY, LOCATION};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Visitors;
use test_support::recording::{Recording, json as reply};
use test_support::server::TestServer;

#[tokio::test]
async fn the_location_of_a_token_of_one_location_is_filled_in_on_every_surface() {
    let mut visitors = Visitors::start().await;
    let read = json!({
        "operation": "contacts_get-contacts", "arguments": {"limit": 1},
        "output": {"fields": ["locationId"]},
    });
    let compat = json!({"operationId": "contacts_get-contacts", "params": {"query": {"limit": 1}}});
    for (path, tool, arguments) in [
        (
            "/mcp/official",
            "contacts_get-contacts",
            json!({"limit": 1}),
        ),
        ("/mcp/orchestrator", "call_read", read),
        (
            "/mcp/legacy",
            "contacts_get-contacts",
            json!({"query_limit": 1}),
        ),
        (
            "/mcp/x/contacts",
            "contacts_get-contacts",
            json!({"limit": 1}),
        ),
        ("/mcp/compat", "execute_operation", compat),
    ] {
        let answer = visitors
            .call(path, "pit-sandbox-harbor", tool, arguments)
            .await;
        let answer = answer.unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(answer.to_string().contains(LOCATION), "{path}: {answer}");
    }
    // HighLevel was asked once for the list of locations.
    assert_eq!(visitors.seen("/locations/search").await, 1);
}

#[tokio::test]
async fn of_several_locations_none_is_guessed_and_all_are_named() {
    let highlevel = Recording::start(|request| match request.path() {
        "/locations/search" => reply(
            200,
            r#"{"locations":[{"id":"L1","name":"Harbor"},{"id":"L2","name":"Summit"},{"id":"L3"}]}"#,
        ),
        _ => reply(200, "{}"),
    })
    .await;
    let server = TestServer::start_with(&highlevel.url, &[]).await;
    let company = jwt(&json!({"authClass": "Company", "authClassId": "C1"}));
    let headers = [("authorization", company.as_str())];
    for _ in 0..2 {
        let (text, is_error) = server
            .call_with(&headers, "contacts_get-contacts", json!({}))
            .await;
        assert!(is_error && text.contains("locationId is missing"), "{text}");
        assert!(
            text.contains("reaches 3 locations; give locationId: L1 (Harbor), L2 (Summit), L3."),
            "{text}"
        );
        assert!(!text.contains("header"), "{text}");
    }
    let targets: Vec<String> = highlevel.take().into_iter().map(|one| one.target).collect();
    assert!(
        matches!(targets.as_slice(), [one] if one.starts_with("/locations/search")),
        "{targets:?}"
    );
}

/// Whichever location is given, HighLevel refuses it to a private integration of the agency.
#[tokio::test]
async fn an_agencys_private_integration_is_not_asked_for_a_location() {
    let mut visitors = Visitors::start().await;
    for _ in 0..2 {
        let refused = visitors
            .call(
                "/mcp/official",
                "pit-sandbox-agency",
                "contacts_get-contacts",
                json!({}),
            )
            .await
            .expect_err("three locations");
        let remedy = refused["remedy"].as_str().unwrap_or_default();
        assert!(
            remedy.contains("An agency's token reaches no location's data"),
            "{remedy}"
        );
    }
    assert_eq!(visitors.seen("/locations/search").await, 1);
    assert_eq!(visitors.seen("/contacts/").await, 0);
}

#[tokio::test]
async fn the_agencys_own_id_is_filled_in() {
    let mut visitors = Visitors::start().await;
    let asked = json!({
        "operation": "locations_create-location", "dryRun": true,
        "arguments": {"name": "Lakeside Dental"},
    });
    let shown = visitors
        .call("/mcp", "pit-sandbox-agency", "call_destructive", asked)
        .await;
    let shown = shown.expect("a preview");
    assert_eq!(shown["request"]["body"]["companyId"], COMPANY, "{shown}");
}

/// A token with these claims.
fn jwt(claims: &Value) -> String {
    format!(
        "Bearer e30.{}.x",
        URL_SAFE_NO_PAD.encode(claims.to_string())
    )
}

#[tokio::test]
async fn a_location_that_a_token_names_or_proved_is_enough() {
    let highlevel = Recording::start(|request| match request.path() {
        "/locations/search" => reply(
            401,
            r#"{"statusCode":401,"message":"The token is not authorized for this scope."}"#,
        ),
        _ => reply(200, "{}"),
    })
    .await;
    let server = TestServer::start_with(&highlevel.url, &[]).await;
    let own = jwt(&json!({"authClass": "Location", "authClassId": "L7"}));
    let headers = [("authorization", own.as_str())];
    let (text, is_error) = server
        .call_with(&headers, "contacts_get-contacts", json!({}))
        .await;
    assert!(!is_error, "{text}");
    let targets: Vec<String> = highlevel.take().into_iter().map(|one| one.target).collect();
    assert_eq!(targets, ["/contacts/?locationId=L7"]);
    // A private integration's token has no claims, and this one may not list locations.
    let headers = [("authorization", "Bearer pit-quiet")];
    let call = async |arguments: Value| {
        let answered = server
            .call_with(&headers, "contacts_get-contacts", arguments)
            .await;
        let targets = highlevel.take().into_iter().map(|one| one.target);
        (answered, Vec::from_iter(targets))
    };
    let ((text, is_error), _) = call(json!({})).await;
    assert!(is_error && text.contains("locationId is missing"), "{text}");
    assert!(
        text.contains("Give locationId, the location's id"),
        "{text}"
    );
    let ((_, is_error), _) = call(json!({"locationId": "L8"})).await;
    assert!(!is_error);
    let ((text, is_error), targets) = call(json!({})).await;
    assert!(!is_error, "{text}");
    assert_eq!(targets, ["/contacts/?locationId=L8"]);
    // With access to a second location, the token is no longer of one location alone.
    call(json!({"locationId": "L9"})).await;
    let ((text, is_error), _) = call(json!({})).await;
    assert!(is_error && text.contains("locationId is missing"), "{text}");
}

#[tokio::test]
async fn the_company_of_a_token_of_one_location_is_read_from_its_location_once() {
    let highlevel = Recording::start(|request| {
        let is_known = request.header("authorization") == Some("Bearer pit-shop");
        match request.path() {
            "/locations/L1" if is_known => reply(
                200,
                r#"{"location":{"id":"L1","companyId":"C1","timezone":"Europe/Rome"}}"#,
            ),
            "/users/search" => reply(200, r#"{"users":[],"count":0}"#),
            "/contacts/" => reply(200, r#"{"contacts":[]}"#),
            _ => reply(
                401,
                r#"{"statusCode":401,"message":"The token is not authorized for this scope."}"#,
            ),
        }
    })
    .await;
    let mut server = TestServer::start_with(&highlevel.url, &[]).await;
    let mut call = async |path, token: &str, tool: &str, arguments: Value| {
        server.path = path;
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("locationid", "L1")];
        let answered = server.call_with(&headers, tool, arguments).await;
        let sent = highlevel.take().into_iter().map(|one| {
            let company = one.query("companyId").map(|id| format!(" of {id}"));
            format!("{}{}", one.path(), company.unwrap_or_default())
        });
        (answered, Vec::from_iter(sent))
    };
    // What needs no company asks for none.
    let (_, sent) = call(
        "/mcp/official",
        "pit-shop",
        "contacts_get-contacts",
        json!({}),
    )
    .await;
    assert_eq!(sent, ["/contacts/"]);
    let read = json!({"operation": "users_search-users", "arguments": {}});
    let compat = json!({"operationId": "users_search-users", "params": {}});
    let mut expected = vec!["/locations/L1"];
    for (path, tool, arguments) in [
        ("/mcp/orchestrator", "call_read", read),
        ("/mcp/x/users", "users_search-users", json!({})),
        ("/mcp/compat", "execute_operation", compat),
    ] {
        let ((text, is_error), sent) = call(path, "pit-shop", tool, arguments).await;
        assert!(!is_error, "{path}: {text}");
        expected.push("/users/search of C1");
        assert_eq!(sent, expected, "{path}");
        let source = "companyId was filled in: C1, the company of location L1.";
        assert!(text.contains(source), "{path}: {text}");
        expected.clear();
    }
    // One that is given is not asked for.
    let given = json!({"companyId": "C1"});
    let ((text, is_error), sent) =
        call("/mcp/x/users", "pit-shop", "users_search-users", given).await;
    assert!(!is_error && !text.contains("filled in"), "{text}");
    assert_eq!(sent, ["/users/search of C1"]);
    // Another token learns nothing of what this one was told, and asks once.
    for expected in [&["/locations/L1"][..], &[]] {
        let ((text, is_error), sent) =
            call("/mcp/x/users", "pit-other", "users_search-users", json!({})).await;
        assert!(is_error && text.contains("companyId is missing"), "{text}");
        assert!(text.contains("Give companyId, the agency's id"), "{text}");
        assert!(!text.contains("C1"), "{text}");
        assert_eq!(sent, expected);
    }
}
