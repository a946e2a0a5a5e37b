//! What an access token opens: the resource that it was asked for, and what is below; and what tokens cost that nobody gave.

use futures_util::future::join_all;
use reqwest::Method;

use super::program::{
    Form, Program, allow, field, new_grant, ping, post, register, request, send, start,
};
use super::{Reply, URL};
use state::grants::NewGrant;
use test_support::server::TestServer;

const LOCATIONS: (&str, &str) = (
    "HIGHLEVEL_MCP_LOCATIONS",
    r#"{"acme":{"location_id":"L1","token":{"env":"ACME_TOKEN"}},"globex":{"location_id":"L2","token":{"env":"ACME_TOKEN"}}}"#,
);

async fn ping_at(server: &TestServer, path: &str, token: &str) -> Reply {
    let request = request(server, Method::POST, path)
        .bearer_auth(token)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    send(request).await
}

/// An access token for this resource, which its client asked for.
async fn token_for(server: &TestServer, resource: &str) -> String {
    let (id, _) = register(server, "none").await;
    let new = NewGrant {
        resource: resource.to_owned(),
        ..new_grant(server, &id)
    };
    let code = allow(server, new).await;
    let form = Form::code(&id, &code).without("resource");
    let reply = post(server, "/token", &[], &form).await;
    field(&reply.json(), "access_token")
}

/// A resource, and the paths that a token for it opens, and does not.
struct Row {
    resource: &'static str,
    opens: &'static [&'static str],
    refuses: &'static [&'static str],
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row { resource: "", opens: &["/", "/mcp", "/mcp/", "/mcp/orchestrator", "/mcp/l/acme/readonly"], refuses: &[] },
    // What is asked for by clients that name no resource.
    Row { resource: "/mcp", opens: &["/mcp", "/mcp/", "/", "/mcp/orchestrator", "/mcp/x/contacts", "/mcp/l/acme", "/mcp/l/globex/official"], refuses: &[] },
    Row { resource: "/mcp/", opens: &["/mcp", "/mcp/orchestrator"], refuses: &[] },
    Row { resource: "/mcp/orchestrator", opens: &["/mcp/orchestrator", "/mcp/orchestrator/", "/mcp/orchestrator/readonly"],
        refuses: &["/mcp", "/mcp/", "/", "/mcp/official", "/mcp/x/contacts", "/mcp/l/acme/orchestrator"] },
    // Some clients encode the `+`.
    Row { resource: "/mcp/x/contacts+calendars", opens: &["/mcp/x/contacts+calendars", "/mcp/x/contacts%2Bcalendars/readonly"],
        refuses: &["/mcp/x/contacts", "/mcp/x/contacts+calendars+payments", "/mcp/x/all"] },
    Row { resource: "/mcp/official/readonly", opens: &["/mcp/official/readonly/"], refuses: &["/mcp/official", "/mcp/official-36/readonly"] },
    Row { resource: "/mcp/l/acme", opens: &["/mcp/l/acme", "/mcp/l/acme/orchestrator/readonly", "/mcp/%6C/acme"],
        refuses: &["/mcp", "/mcp/l/globex", "/mcp/l/acme2", "/mcp/%6c/globex", "/mcp/l/globex/acme"] },
];

#[tokio::test]
async fn a_token_opens_its_resource_and_what_is_below() {
    let server = start(&[LOCATIONS, ("ACME_TOKEN", "pit-acme")]).await;
    for row in ROWS {
        let resource = format!("{URL}{}", row.resource);
        let token = token_for(&server, &resource).await;
        for path in row.opens {
            let reply = ping_at(&server, path, &token).await;
            let place = format!("{resource} at {path}: {}", reply.text());
            assert_eq!(reply.status, 200, "{place}");
        }
        for path in row.refuses {
            let reply = ping_at(&server, path, &token).await;
            let place = format!("{resource} at {path}: {}", reply.text());
            assert_eq!(reply.status, 401, "{place}");
            assert_eq!(reply.json()["error"], "invalid_token", "{place}");
            // Its client may sign in for that one: the challenge names it.
            let challenge = reply.header("www-authenticate");
            let asked = path.trim_end_matches('/');
            let named = format!("/.well-known/oauth-protected-resource{asked}");
            assert!(challenge.contains(&named), "{place}: {challenge}");
            assert!(!reply.text().contains(&token), "{place}");
        }
    }
    let elsewhere = token_for(&server, "https://old.example.test/mcp").await;
    assert_eq!(
        ping(&server, &elsewhere).await.status,
        401,
        "of the server's former address"
    );
}

/// Who makes tokens up waits; whoever comes from elsewhere does not, and neither does a token that is known here.
#[tokio::test]
async fn look_ups_of_unknown_tokens_are_limited_by_address() {
    let proxy = ("HIGHLEVEL_MCP_SERVER_TRUSTED_PROXIES", "127.0.0.1");
    let server = start(&[proxy]).await;
    let ping_from = async |address: &str, token: &str| {
        let request = request(&server, Method::POST, "/mcp")
            .bearer_auth(token)
            .header("x-forwarded-for", address)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
        send(request).await
    };
    let (bad, good) = ("192.0.2.1", "192.0.2.2");
    let known = Program::connect(&server).await;
    assert_eq!(ping_from(bad, &known.access).await.status, 200);
    let made_up = || format!("hla_{:032x}", fastrand::u128(..));
    assert_eq!(ping_from(bad, &made_up()).await.status, 401);
    let mut waves = 0;
    let waits = loop {
        let wave = (0..200).map(|_| async { ping_from(bad, &made_up()).await });
        let replies = join_all(wave).await;
        if let Some(waits) = replies.into_iter().find(|reply| reply.status == 429) {
            break waits;
        }
        waves += 1;
        assert!(waves < 20, "4,000 tokens and no end");
    };
    assert_eq!(waits.json()["error"], "temporarily_unavailable");
    assert_ne!(waits.header("retry-after"), "");
    assert_eq!(
        ping_from(bad, &known.access).await.status,
        200,
        "looked up before"
    );
    let fresh = Program::connect(&server).await;
    assert_eq!(
        ping_from(good, &fresh.access).await.status,
        200,
        "from elsewhere"
    );
    assert_eq!(
        ping_from(good, &made_up()).await.status,
        401,
        "one guess from elsewhere"
    );
}
