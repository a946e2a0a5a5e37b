//! The token and the location of each request.

use serde_json::json;

use test_support::recording::Recording;
use test_support::server::TestServer;

const PIT: (&str, &str) = ("authorization", "Bearer pit-a");
const KEY: (&str, &str) = ("x-access-key", "k3y-of-the-tests-of-tenants");

/// Tool, headers and arguments, then the request target or part of the refusal.
type Row = (
    &'static str,
    &'static [(&'static str, &'static str)],
    serde_json::Value,
    Result<&'static str, &'static str>,
);

async fn check(variables: &[(&str, &str)], rows: &[Row], token: &str) {
    let highlevel = Recording::always(200, "{}").await;
    let server = TestServer::start_with(&highlevel.url, variables).await;
    for (tool, headers, arguments, expected) in rows {
        let (text, is_error) = server.call_with(headers, tool, arguments.clone()).await;
        let mut requests = highlevel.take();
        // Without a location, HighLevel is asked for the locations of the token.
        requests.retain(|request| request.path() != "/locations/search");
        match expected {
            Ok(target) => {
                let [request] = requests.as_slice() else {
                    panic!("{tool} {arguments}: {text}");
                };
                assert_eq!(request.target, *target);
                assert_eq!(
                    request.header("authorization"),
                    Some(format!("Bearer {token}").as_str())
                );
                assert_eq!(request.header("x-access-key"), None);
            }
            Err(part) => {
                assert!(
                    is_error && text.contains(part),
                    "{tool} {arguments}: {text}"
                );
                assert!(requests.is_empty(), "{tool} {arguments} was sent");
            }
        }
    }
}

#[tokio::test]
async fn the_location_comes_from_header_argument_neither_or_both() {
    let pinned: &[_] = &[PIT, ("locationid", "L1")];
    let open: &[_] = &[PIT];
    let contacts = "contacts_get-contacts";
    let order = "payments_get-order-by-id";
    let bound = "bound to location L1";
    check(
        &[],
        &[
            (contacts, pinned, json!({}), Ok("/contacts/?locationId=L1")),
            (
                contacts,
                open,
                json!({"locationId": "L2"}),
                Ok("/contacts/?locationId=L2"),
            ),
            (
                contacts,
                open,
                json!({"query_locationId": "L2"}),
                Ok("/contacts/?locationId=L2"),
            ),
            (contacts, open, json!({}), Err("locationId is missing")),
            (
                contacts,
                pinned,
                json!({"locationId": "L1"}),
                Ok("/contacts/?locationId=L1"),
            ),
            (contacts, pinned, json!({"locationId": "L2"}), Err(bound)),
            (
                "locations_get-location",
                pinned,
                json!({}),
                Ok("/locations/L1"),
            ),
            (
                "locations_get-location",
                pinned,
                json!({"locationId": "L2"}),
                Err(bound),
            ),
            (
                "opportunities_search-opportunity",
                pinned,
                json!({"location_id": "L2"}),
                Err(bound),
            ),
            (
                order,
                pinned,
                json!({"orderId": "o"}),
                Ok("/payments/orders/o?altId=L1&altType=location"),
            ),
            (
                order,
                pinned,
                json!({"orderId": "o", "locationId": "L2"}),
                Err(bound),
            ),
            (
                order,
                open,
                json!({"orderId": "o", "altId": "L2"}),
                Ok("/payments/orders/o?altId=L2&altType=location"),
            ),
            (
                "contacts_get-contact",
                pinned,
                json!({"contactId": "c"}),
                Ok("/contacts/c"),
            ),
            (
                "contacts_get-contact",
                open,
                json!({"contactId": "../locations/L9"}),
                Err("must be an id"),
            ),
            (
                "contacts_get-contact",
                open,
                json!({"contactId": "%2e%2e"}),
                Err("must be an id"),
            ),
        ],
        "pit-a",
    )
    .await;
}

#[tokio::test]
async fn a_default_lets_arguments_name_another_location() {
    let headers: &[_] = &[PIT, ("locationid", "L1")];
    check(
        &[("HIGHLEVEL_MCP_SERVER_LOCATION_HEADER", "default")],
        &[
            (
                "contacts_get-contacts",
                headers,
                json!({}),
                Ok("/contacts/?locationId=L1"),
            ),
            (
                "contacts_get-contacts",
                headers,
                json!({"locationId": "L2"}),
                Ok("/contacts/?locationId=L2"),
            ),
        ],
        "pit-a",
    )
    .await;
}

#[tokio::test]
async fn the_servers_account_is_used_with_the_key_and_the_key_stays_here() {
    let bearer: &[_] = &[("authorization", "Bearer k3y-of-the-tests-of-tenants")];
    let variables = [
        ("HIGHLEVEL_TOKEN", "pit-own"),
        ("HIGHLEVEL_LOCATION_ID", "OWN"),
        (
            "HIGHLEVEL_MCP_SERVER_ACCESS_KEY",
            "k3y-of-the-tests-of-tenants",
        ),
        ("HIGHLEVEL_MCP_SERVER_LISTEN", "0.0.0.0:0"),
    ];
    check(
        &variables,
        &[
            (
                "contacts_get-contacts",
                &[KEY],
                json!({}),
                Ok("/contacts/?locationId=OWN"),
            ),
            (
                "contacts_get-contacts",
                bearer,
                json!({}),
                Ok("/contacts/?locationId=OWN"),
            ),
            (
                "contacts_get-contacts",
                &[KEY],
                json!({"locationId": "L2"}),
                Err("bound to location OWN"),
            ),
        ],
        "pit-own",
    )
    .await;
}
