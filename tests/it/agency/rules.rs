//! Each kind of rule over MCP. A denied operation is in no list, found by no search, and called by no surface.

use serde_json::{Value, json};

use super::{Agency, contact};

const OPERATOR: &str = "Bearer operator-of-this-agency-1";

#[tokio::test]
async fn denied_tools_are_not_listed_found_or_called() {
    let rules = "[server]\ndeny = [\"toolset:payments\"]\n\
                 [locations.b01]\ndeny = [\"contacts_add-tags\", \"effect:send\"]\n\
                 [policies.reader]\nread_only = true\n";
    let mut agency = Agency::start(2, rules).await;
    let agency = &mut agency;
    let reader = agency.key("reader", None, Some("reader"));
    let gone = agency.key("gone", None, Some("no-such-policy"));
    let id = contact(agency, OPERATOR, "b01").await;
    let tags = json!({"contactId": id, "tags": ["x"]});
    // The caller, the endpoint, the tool, its arguments, whether it is listed there, and the rule that denies it.
    let cases: [(&str, &str, &'static str, &str, Value, &str); 5] = [
        (
            OPERATOR,
            "b01",
            "/mcp/l/b01",
            "payments_list-transactions",
            json!({}),
            "[server] deny",
        ),
        (
            OPERATOR,
            "b01",
            "/mcp/l/b01",
            "contacts_add-tags",
            tags.clone(),
            "[locations.b01] deny",
        ),
        (
            OPERATOR,
            "b01",
            "/mcp/l/b01",
            "conversations_send-a-new-message",
            json!({"contactId": id, "type": "SMS", "message": "x"}),
            "[locations.b01] deny",
        ),
        (
            &reader,
            "b02",
            "/mcp/l/b02",
            "contacts_add-tags",
            tags.clone(),
            "[policies.reader] read_only",
        ),
        (
            &gone,
            "b02",
            "/mcp/l/b02",
            "contacts_get-contacts",
            json!({}),
            "[policies]",
        ),
    ];
    for (key, location, path, tool, arguments, rule) in cases {
        let place = format!("{tool} in {location}");
        let (names, scope) = agency.listed(path, key).await;
        assert!(!names.iter().any(|name| name == tool), "{place}");
        assert_eq!(scope, "private");
        let searched = json!({"queries": [tool.replace(['_', '-'], " ")], "limit": 20});
        let found = agency.call(path, key, "search_operations", searched).await;
        let found = found.expect("a search").to_string();
        assert!(!found.contains(&format!("\"{tool}\"")), "{place}: {found}");
        let before = agency.sandbox.requests().await.len();
        let refused = agency.call(path, key, tool, arguments.clone()).await;
        let refused = refused.expect_err("a refusal").to_string();
        assert!(
            refused.contains("\"refused\"") && refused.contains(rule),
            "{place}: {refused}"
        );
        // Every call tool names the rule, and none suggests another tool.
        let mut rules = 0;
        for call in ["call_read", "call_write", "call_send", "call_destructive"] {
            for dry_run in [false, true] {
                let given = json!({"operation": tool, "arguments": arguments, "dryRun": dry_run});
                let told = agency.call(path, key, call, given).await;
                rules += usize::from(told.expect_err("a refusal").to_string().contains(rule));
            }
        }
        assert_eq!(rules, 8, "{place}");
        let params =
            json!({"operationId": tool, "idempotencyKey": "k", "params": {"body": arguments}});
        let compat = if location == "b01" {
            "/mcp/l/b01/compat"
        } else {
            "/mcp/l/b02/compat"
        };
        agency
            .call(compat, key, "execute_operation", params)
            .await
            .expect_err("a refusal");
        assert_eq!(agency.sandbox.requests().await.len(), before, "{place}");
    }
    // Other locations are unchanged.
    let other = contact(agency, OPERATOR, "b02").await;
    let tags = json!({"contactId": other, "tags": ["x"]});
    let told = agency
        .call("/mcp/l/b02", OPERATOR, "contacts_add-tags", tags)
        .await;
    told.expect("tagged");
    let (names, _) = agency.listed("/mcp/l/b02/orchestrator", &reader).await;
    assert_eq!(names, ["search_operations", "call_read", "list_locations"]);
}

#[tokio::test]
async fn arguments_caps_and_quiet_hours_hold_over_the_wire() {
    let hour = |hours: i64| {
        let time = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
        time.strftime("%H:%M").to_string()
    };
    let rules = format!(
        "[server]\ncaps = {{ write = {{ hour = 2 }} }}\n\
         [[server.arguments]]\ntools = [\"contacts_*\"]\nargument = \"tags\"\none_of = [\"vip\", \"lead\"]\n\
         [locations.b02]\nquiet = {{ from = \"{}\", to = \"{}\", zone = \"UTC\" }}\n",
        hour(-2),
        hour(2)
    );
    let mut agency = Agency::start(2, &rules).await;
    let agency = &mut agency;
    let id = contact(agency, OPERATOR, "b01").await;
    let tag = |tag: &str| json!({"contactId": id, "tags": [tag]});
    let refused = agency
        .call("/mcp/l/b01", OPERATOR, "contacts_add-tags", tag("other"))
        .await;
    let refused = refused.expect_err("a tag that is not allowed");
    assert!(refused["error"].to_string().contains("tags"), "{refused}");
    for _ in 0..2 {
        agency
            .call("/mcp/l/b01", OPERATOR, "contacts_add-tags", tag("vip"))
            .await
            .expect("tagged");
    }
    let refused = agency
        .call("/mcp/l/b01", OPERATOR, "contacts_add-tags", tag("vip"))
        .await;
    let refused = refused.expect_err("one too many");
    assert!(refused["remedy"].to_string().contains("caps"), "{refused}");
    assert!(
        refused["retryAfterMs"]
            .as_u64()
            .is_some_and(|wait| wait > 3_000_000),
        "{refused}"
    );
    assert_eq!(agency.writes().await.len(), 2);
    // Another location has its own count. A call that is never sent is not counted.
    let other = contact(agency, OPERATOR, "b02").await;
    for _ in 0..3 {
        agency
            .call(
                "/mcp/l/b02",
                OPERATOR,
                "contacts_add-tags",
                json!({"contactId": "a b", "tags": ["vip"]}),
            )
            .await
            .expect_err("no id");
    }
    for _ in 0..2 {
        agency
            .call(
                "/mcp/l/b02",
                OPERATOR,
                "contacts_add-tags",
                json!({"contactId": other, "tags": ["vip"]}),
            )
            .await
            .expect("tagged");
    }
    let message = json!({"contactId": other, "type": "SMS", "message": "hello"});
    let refused = agency
        .call(
            "/mcp/l/b02",
            OPERATOR,
            "conversations_send-a-new-message",
            message,
        )
        .await;
    let refused = refused.expect_err("quiet hours");
    assert!(
        refused["remedy"]
            .to_string()
            .contains("[locations.b02] quiet"),
        "{refused}"
    );
    assert_eq!(agency.writes().await.len(), 4);
}

/// Every operation, on each surface that reaches all of them, while nothing is allowed.
#[tokio::test]
async fn no_surface_calls_what_is_not_allowed() {
    let mut agency = Agency::start(1, "[server]\nallow = []\n").await;
    let agency = &mut agency;
    let mut told = 0;
    for tool in highlevel_mcp::catalog::TOOLS {
        let name = tool.name;
        let by_id = json!({"operationId": name, "idempotencyKey": "k"});
        let calls = [
            ("/mcp/l/b01/x/all", name, json!({})),
            ("/mcp/l/b01", "call_read", json!({"operation": name})),
            ("/mcp/l/b01", "call_write", json!({"operation": name})),
            ("/mcp/l/b01", "call_send", json!({"operation": name})),
            (
                "/mcp/l/b01",
                "call_destructive",
                json!({"operation": name, "confirm": "x"}),
            ),
            ("/mcp/l/b01/compat", "execute_operation", by_id),
        ];
        for (path, call, arguments) in calls {
            let refused = agency.call(path, OPERATOR, call, arguments).await;
            assert!(refused.is_err(), "{path} {call} {name}: {refused:?}");
            told += 1;
        }
    }
    let (names, _) = agency.listed("/mcp/l/b01/x/all", OPERATOR).await;
    assert_eq!(names, Vec::<String>::new());
    assert!(agency.sandbox.requests().await.is_empty(), "{told} calls");
}
