//! Parts that HighLevel's documents describe in two ways, as they are sent.

use serde_json::{Value, json};
use test_support::recording::Recording;
use test_support::server::{TestServer, UNCONFIRMED, VOUCHED};

use super::{body, only};

const V3: (&str, &str) = ("HIGHLEVEL_MCP_UPSTREAM_PREFER_VERSION", "v3");

struct Row {
    tool: &'static str,
    given: Value,
    target: &'static str,
    /// Null if there is none.
    body: Value,
}

async fn check(variables: &[(&str, &str)], rows: Vec<Row>) {
    let highlevel = Recording::always(200, "{}").await;
    let mut server = TestServer::start_with(&highlevel.url, variables).await;
    server.vouched = true;
    server.path = "/mcp/x/all";
    for row in rows {
        let Row {
            tool,
            given,
            target,
            body: expected,
        } = row;
        let (text, is_error) = server.call(tool, given.clone()).await;
        assert!(!is_error, "{tool} {given}: {text}");
        let sent = only(highlevel.take(), tool);
        assert_eq!(sent.target, target, "{tool} {given}");
        let left = if sent.body.is_empty() {
            Value::Null
        } else {
            body(&sent)
        };
        assert_eq!(left, expected, "{tool} {given}");
    }
}

#[tokio::test]
async fn a_filter_beside_a_path_of_the_same_name_and_types_that_disagree() {
    let coupon = |config: Value| {
        json!({
            "name": "n", "code": "c", "discountType": "amount", "discountValue": 5,
            "startDate": "2026-12-01T00:00:00Z", "applyToFuturePaymentsConfig": config,
        })
    };
    let coupon_body = |config: Value| {
        let mut body = coupon(config);
        body["altId"] = json!("L0");
        body["altType"] = json!("location");
        body
    };
    let list = json!([{"type": "fixed"}]);
    let object = json!({"type": "fixed", "duration": 2, "durationType": "months"});
    let ages = json!([{"minAge": 18, "maxAge": 24}]);
    check(
        &[UNCONFIRMED, VOUCHED],
        vec![
            Row {
                tool: "ad-manager_li-get-campaign-group-reporting",
                given: json!({"campaignGroupId": "g", "query_campaignGroupId": "h", "startDate": "2026-12-01", "endDate": "2026-12-02"}),
                target: "/ad-publishing/linkedin/reporting/campaign-group/g?campaignGroupId=h&endDate=2026-12-02&locationId=L0&startDate=2026-12-01",
                body: Value::Null,
            },
            Row {
                tool: "ad-manager_fb-pause-adset",
                given: json!({"adSetId": "s"}),
                target: "/ad-publishing/facebook/adsets/s/pause",
                body: json!({"locationId": "L0"}),
            },
            Row {
                tool: "payments_create-coupon",
                given: coupon(list.clone()),
                target: "/payments/coupon",
                body: coupon_body(list),
            },
            Row {
                tool: "payments_create-coupon",
                given: coupon(object.clone()),
                target: "/payments/coupon",
                body: coupon_body(object),
            },
            Row {
                tool: "payments_get-coupon",
                given: json!({"code": "SPRING"}),
                target: "/payments/coupon?altId=L0&altType=location&code=SPRING",
                body: Value::Null,
            },
            Row {
                tool: "payments_get-coupon",
                given: json!({"id": "c1"}),
                target: "/payments/coupon?altId=L0&altType=location&id=c1",
                body: Value::Null,
            },
            Row {
                tool: "social-media-posting_create-post",
                given: json!({"accountIds": ["a"], "userId": "u", "summary": "hello", "media": [{"url": "https://example.com/a.png", "type": "image/png"}]}),
                target: "/social-media-posting/L0/posts",
                body: json!({
                    "accountIds": ["a"], "userId": "u", "summary": "hello", "type": "post",
                    "media": [{"url": "https://example.com/a.png", "type": "image/png"}],
                }),
            },
            Row {
                tool: "social-media-posting_get-posts",
                given: json!({"type": "scheduled", "limit": 20, "fromDate": "2026-11-01T00:00:00Z", "toDate": "2026-12-01T00:00:00Z"}),
                target: "/social-media-posting/L0/posts/list",
                body: json!({
                    "type": "scheduled", "limit": "20", "skip": "0", "includeUsers": "false",
                    "fromDate": "2026-11-01T00:00:00Z", "toDate": "2026-12-01T00:00:00Z",
                }),
            },
            Row {
                tool: "ad-manager_google-upsert-audience",
                given: json!({"name": "n", "resourceName": "r", "dimensions": {"ageRanges": ages}}),
                target: "/ad-publishing/google/audiences",
                body: json!({"name": "n", "resourceName": "r", "dimensions": {"ageRanges": ages}, "locationId": "L0"}),
            },
        ],
    )
    .await;
}

#[tokio::test]
async fn the_argument_names_of_v3_are_accepted_under_v3() {
    let businesses = |given: Value| Row {
        tool: "contacts_get-contacts-by-businessId",
        given: json!({"businessId": "b", "startAfter": given}),
        target: "/contacts/business/b?locationId=L0&startAfter=Eleanor+Sakai%2CxurJ",
        body: Value::Null,
    };
    let adset = |name: &str| Row {
        tool: "ad-manager_fb-pause-adset",
        given: json!({name: "s"}),
        target: "/ad-publishing/facebook/adsets/s/pause",
        body: json!({"locationId": "L0"}),
    };
    check(
        &[UNCONFIRMED, VOUCHED, V3],
        vec![
            businesses(json!(["Eleanor Sakai", "xurJ"])),
            businesses(json!("Eleanor Sakai,xurJ")),
            adset("adSetId"),
            adset("adsetId"),
            adset("path_adsetId"),
        ],
    )
    .await;
}
