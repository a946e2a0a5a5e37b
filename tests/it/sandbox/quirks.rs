//! HighLevel's refusals and their form, and the input that it drops without an error. The sandbox does the same.

use ::sandbox::{COMPANY, LOCATION, SandboxOptions, TOKEN};
use serde_json::{Value, json};

use super::{Sandbox, answer, list, text};
use test_support::server::client;

const AGENCY: &str = "pit-sandbox-agency";
const READER: &str = "pit-sandbox-harbor-readonly";
const SUMMIT: &str = "locSummitFitness0001";

#[tokio::test]
async fn each_refusal_has_the_known_status_and_message() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let mine = format!("GET /contacts/?locationId={LOCATION}");
    let contact = json!({"locationId": LOCATION, "firstName": "A", "nickname": "a", "tags": "vip"});
    let rows: Vec<(&str, &str, Option<Value>, u16, Value)> = vec![
        (&mine, "", None, 401, json!("Invalid JWT")),
        (&mine, "pit-sandbox-gone", None, 401, json!("Invalid JWT")),
        (
            &mine,
            "pit-2f1c6f0e-0000-4000-8000-000000000000",
            None,
            401,
            json!(
                "Invalid JWT: this sandbox accepts no real token; use one of its own, such as pit-sandbox-harbor"
            ),
        ),
        (
            &mine,
            "eyJhbGciOiJ.eyJhdXRoQ2xhc3.c2lnbmF0dXJl",
            None,
            401,
            json!(
                "Invalid JWT: this sandbox accepts no real token; use one of its own, such as pit-sandbox-harbor"
            ),
        ),
        (
            &mine,
            AGENCY,
            None,
            401,
            json!("The token is not authorized for this scope."),
        ),
        (
            "GET /users/?locationId=locHarborDental00001",
            AGENCY,
            None,
            401,
            json!("Token's user type mismatch!"),
        ),
        (
            "GET /contacts/?locationId=locSummitFitness0001",
            TOKEN,
            None,
            403,
            json!("The token does not have access to this location."),
        ),
        (
            "POST /contacts/",
            READER,
            Some(json!({"locationId": LOCATION})),
            401,
            json!("The token is not authorized for this scope."),
        ),
        (
            "POST /contacts/",
            TOKEN,
            Some(contact),
            422,
            json!([
                "property nickname should not exist",
                "tags must be an array"
            ]),
        ),
        (
            "GET /contacts/",
            TOKEN,
            None,
            422,
            json!(["locationId should not be empty"]),
        ),
        (
            "GET /contacts/?startAfter=1&startAfterId=c",
            TOKEN,
            None,
            403,
            json!("The token does not have access to this location."),
        ),
        (
            "GET /contacts/?locationId=locHarborDental00001&limit=many",
            TOKEN,
            None,
            422,
            json!(["limit must be a number string"]),
        ),
        (
            "GET /locations/locHarborDental00001/customFields?locationId=locHarborDental00001",
            TOKEN,
            None,
            422,
            json!(["property locationId should not exist"]),
        ),
        (
            "POST /contacts/search",
            TOKEN,
            Some(json!({"locationId": LOCATION})),
            422,
            json!(["pageLimit must be a number conforming to the specified constraints"]),
        ),
        (
            "GET /contacts/nobody",
            TOKEN,
            None,
            400,
            json!("Contact not found for id:nobody"),
        ),
        (
            "GET /payments/orders/x?altId=locHarborDental00001",
            TOKEN,
            None,
            422,
            json!(["altType should not be empty"]),
        ),
        (
            "GET /oauth/installedLocations?companyId=comBrightside0000001&appId=a",
            AGENCY,
            None,
            401,
            json!("Token's user type mismatch!"),
        ),
        (
            // It stores no campaigns, but contacts.
            "POST /contacts/nobody/campaigns/c1",
            TOKEN,
            Some(json!({})),
            400,
            json!("Contact not found for id:nobody"),
        ),
        (
            "PATCH /contacts/nobody",
            TOKEN,
            None,
            401,
            json!("This route is not yet supported by the IAM Service."),
        ),
        (
            // A v3 path.
            "POST /oauth/location-token",
            AGENCY,
            None,
            404,
            json!("Cannot POST /oauth/location-token"),
        ),
        (
            "GET /nowhere",
            TOKEN,
            None,
            404,
            json!("Cannot GET /nowhere"),
        ),
    ];
    for (request, token, body, status, message) in rows {
        let (got, headers, answer) = sandbox.send(request, token, body).await;
        assert_eq!(
            (got, &answer["message"]),
            (status, &message),
            "{request} with {token}"
        );
        assert_eq!(
            answer["traceId"],
            headers["x-trace-id"].to_str().expect("text")
        );
    }
}

#[tokio::test]
async fn an_unknown_provider_is_an_error_of_highlevels_own() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let conversations = format!("GET /conversations/search?locationId={LOCATION}&limit=1");
    let (_, _, found) = sandbox.send(&conversations, TOKEN, None).await;
    let id = text(&found, "/conversations/0/id");
    let contact = text(&found, "/conversations/0/contactId");
    let message = json!({
        "type": "SMS", "conversationId": id, "contactId": contact, "message": "Hi", "conversationProviderId": "gone",
    });
    let request = "POST /conversations/messages/inbound";
    let (status, _, answer) = sandbox.send(request, TOKEN, Some(message)).await;
    assert_eq!(
        (status, &answer["message"]),
        (500, &json!("Internal server error"))
    );
}

#[tokio::test]
async fn an_agent_that_cloudflare_bans_gets_a_page() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let request = client().get(format!("{}/locations/{LOCATION}", sandbox.url));
    let request = request.header("user-agent", "Python-urllib/3.12");
    let reply = request.send().await.expect("a reply");
    assert_eq!(reply.status(), 403);
    assert!(reply.text().await.expect("text").contains("1010"));
}

#[tokio::test]
async fn the_version_is_demanded() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let ask = async |version: Option<&str>| {
        let url = format!("{}/locations/{LOCATION}", sandbox.url);
        let request = client().get(url).bearer_auth(TOKEN);
        let request = version.into_iter().fold(request, |request, version| {
            request.header("version", version)
        });
        let (status, _, answer) = answer(request).await;
        (status, answer["message"].clone())
    };
    assert_eq!(
        ask(None).await,
        (401, json!("version header was not found."))
    );
    assert_eq!(
        ask(Some("bogus-version")).await,
        (
            400,
            json!("Invalid API version segment 'bogus-version' at position 0")
        )
    );
    for version in ["2021-07-28", "2023-02-21", "v3"] {
        assert_eq!(ask(Some(version)).await.0, 200, "{version}");
    }
}

#[tokio::test]
async fn values_that_a_picklist_does_not_offer_are_dropped_in_silence() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let fields = [
        json!({"key": "interest", "field_value": "Family - 4+"}),
        json!({"key": "contact.preferred_day", "value": "Friday"}),
        json!({"key": "budget", "fieldValue": 100.5}),
    ];
    let person = json!({"locationId": LOCATION, "firstName": "A", "customFields": fields});
    let (status, _, made) = sandbox.send("POST /contacts/", TOKEN, Some(person)).await;
    assert_eq!(status, 201, "{made}");
    let values: Vec<&Value> = list(&made, "/contact/customFields")
        .iter()
        .map(|field| &field["value"])
        .collect();
    assert_eq!(values, [&json!("Friday"), &json!(100.5)]);
}

#[tokio::test]
async fn contacts_with_do_not_disturb_get_no_text() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let settings = json!({"SMS": {"status": "active"}});
    let person = json!({"locationId": LOCATION, "phone": "+15557000002", "email": "q@example.org", "dndSettings": settings});
    let (_, _, made) = sandbox.send("POST /contacts/", TOKEN, Some(person)).await;
    let id = text(&made, "/contact/id");
    let text_message = json!({"type": "SMS", "contactId": id, "message": "Hi"});
    let (status, _, refused) = sandbox
        .send("POST /conversations/messages", TOKEN, Some(text_message))
        .await;
    assert_eq!(status, 400);
    assert!(text(&refused, "/message").contains("has dnd enabled, not starting campaign"));
    let email = json!({"type": "Email", "contactId": id, "html": "Hi"});
    assert_eq!(
        sandbox
            .send("POST /conversations/messages", TOKEN, Some(email))
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn rate_limits_are_announced_and_enforced() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    // Maple Realty is one of HighLevel's own sandbox accounts: 25 calls in ten seconds.
    let request = "GET /locations/locMapleRealty000001/tags";
    let mut let_in = 0;
    let mut least = 25;
    loop {
        let (status, headers, _) = sandbox.send(request, "pit-sandbox-maple", None).await;
        assert_eq!(headers["x-ratelimit-max"], "25");
        assert_eq!(headers["x-ratelimit-interval-milliseconds"], "10000");
        let left = headers["x-ratelimit-remaining"].to_str().expect("text");
        least = least.min(left.parse::<u32>().expect("a number"));
        if status == 429 {
            break;
        }
        assert_eq!(status, 200);
        let_in += 1;
    }
    // The interval may have ended once during the loop.
    assert!((25..=50).contains(&let_in), "{let_in} were let in");
    assert_eq!(least, 0);
    let request = format!("GET /locations/{LOCATION}/tags");
    let (status, headers, _) = sandbox.send(&request, TOKEN, None).await;
    assert_eq!(
        (status, headers["x-ratelimit-max"].to_str().expect("text")),
        (200, "100")
    );
}

#[tokio::test]
async fn oauth_tokens_rotate_and_are_exchanged() {
    let sandbox = Sandbox::start(SandboxOptions::default()).await;
    let http = client();
    let token = async |fields: &[(&str, &str)]| {
        let body = serde_json::to_value(
            fields
                .iter()
                .copied()
                .collect::<std::collections::BTreeMap<_, _>>(),
        )
        .expect("JSON");
        let form: Vec<String> = body
            .as_object()
            .expect("fields")
            .iter()
            .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
            .collect();
        let request = http
            .post(format!("{}/oauth/token", sandbox.url))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.join("&"));
        let (status, _, answer) = answer(request).await;
        (status, answer)
    };
    let client_of = [
        ("client_id", "sandbox-client"),
        ("client_secret", "sandbox-secret"),
    ];
    let with = |more: &[(&'static str, &'static str)]| [&client_of, more].concat();
    let (status, refused) = token(&with(&[
        ("grant_type", "authorization_code"),
        ("code", "none"),
    ]))
    .await;
    assert_eq!(
        (status, &refused["error_description"]),
        (401, &json!("Authorization code not found"))
    );
    let (_, company) = token(&with(&[
        ("grant_type", "authorization_code"),
        ("code", "sandbox-code-company"),
    ]))
    .await;
    let access = text(&company, "/access_token");
    assert_eq!(company["userType"], "Company");
    let refresh = text(&company, "/refresh_token");
    let renewal = [
        ("client_id", "sandbox-client"),
        ("client_secret", "sandbox-secret"),
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh),
    ];
    let (_, first) = token(&renewal).await;
    let (_, second) = token(&renewal).await;
    assert_ne!(first["refresh_token"], company["refresh_token"]);
    assert_eq!(
        first, second,
        "within 30 s a used refresh token gives the same pair"
    );

    let contacts = format!("GET /contacts/?locationId={SUMMIT}");
    let (status, _, refused) = sandbox.send(&contacts, access, None).await;
    assert_eq!(
        (status, &refused["message"]),
        (
            401,
            &json!("This authClass type is not allowed to access this scope.")
        )
    );
    let exchange = http
        .post(format!("{}/oauth/locationToken", sandbox.url))
        .header("version", "2021-07-28")
        .bearer_auth(access)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("companyId={COMPANY}&locationId={SUMMIT}"));
    let (status, _, location) = answer(exchange).await;
    assert_eq!(status, 200, "{location}");
    let (status, _, found) = sandbox
        .send(&contacts, text(&location, "/access_token"), None)
        .await;
    assert_eq!((status, found["count"].as_u64()), (200, Some(120)));
    let installed = format!("GET /oauth/installedLocations?companyId={COMPANY}&appId=a");
    let (_, _, installed) = sandbox.send(&installed, access, None).await;
    assert_eq!(list(&installed, "/locations").len(), 3);
}
