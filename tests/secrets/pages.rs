//! Everything that a person pastes, opens and gets at the pages, right and wrong.

use secrecy::ExposeSecret;
use serde_json::json;
use state::clients::{ClientMethod, Clients, NewClient};
use state::keys::{KeyLocations, Keys};
use state::links::{FIRST_LASTS, Invitation, Links, Offer};
use state::people::PersonRole;
use test_support::server::TestServer;

use super::browser::{Browser, Page, SIGN_IN};
use super::{CHALLENGE, HOST, REDIRECT, VERIFIER, field, request, send};

/// HighLevel knows it in the location whose id has `ok` in it, and answers with the token itself elsewhere.
const TOKEN: &str = "pit-0ca0a417-5f0c-4b2e-9d61-7c1e88a3b550";
const GOOD: &str = "okLocation0000000001";
const BAD: &str = "elsewhere00000000001";

/// The session's cookie at an address with https.
const SESSION: &str = "__Host-hl_session";

/// Goes through them all, as operator, as somebody who was invited, and with a key; gives what may stand in no log.
pub(crate) async fn use_pages(highlevel: &str) -> Vec<String> {
    let server = TestServer::start_with(highlevel, &SIGN_IN).await;
    let mut all = vec![TOKEN.to_owned()];
    let client = Clients::new(&server.store()).add(NewClient {
        name: "A client".to_owned(),
        redirects: vec![REDIRECT.to_owned()],
        method: ClientMethod::None,
    });
    let client = client.await.expect("a client").0.id;
    let operator = Browser::new(&server);
    let invited = Browser::new(&server);
    for (browser, path, offer) in [
        (&operator, "/console/first", Offer::First),
        (&invited, "/console/join", Offer::Invite(invitation())),
    ] {
        let link = link(&server, offer).await;
        let wrong = format!("{link}x");
        for (link, is_right) in [(&wrong, false), (&link, true), (&link, false)] {
            let page = browser
                .post(path, &[("link", link), ("name", "Olga")])
                .await;
            assert_eq!(page.status == 303, is_right, "{}", page.text);
        }
        let session = browser.cookie(SESSION).expect("a session");
        assert!(session.starts_with("hls_"), "{session}");
        all.extend([link, session]);
    }
    for browser in [&operator, &invited] {
        // First where HighLevel does not take it.
        for (location, is_good) in [(BAD, false), (GOOD, true)] {
            let page = browser.get(&asking(&client)).await;
            let pasted = [("location", location), ("token", TOKEN)];
            let pasted = browser.submit("/authorize/check", &page, &pasted).await;
            assert_eq!(pasted.status == 303, is_good, "{}", pasted.text);
        }
        all.extend(connect(&server, &client, browser).await);
        let locations = browser.get("/console/locations").await;
        assert_eq!(locations.status, 200);
    }
    let key = Keys::new(&server.store()).create("all", KeyLocations::All, None, None);
    let key = key.await.expect("made").1.expose_secret().to_owned();
    let stranger = Browser::new(&server);
    let page = stranger.get(&asking(&client)).await;
    for proof in [format!("{key}x"), key.clone()] {
        let proof = [("proof", proof.as_str())];
        let shown = stranger.submit("/authorize/enter", &page, &proof).await;
        assert!(shown.status < 500, "{}", shown.text);
    }
    all.push(key);
    let home = operator.get("/console").await;
    let left = operator.submit("/console/signout", &home, &[]).await;
    assert_eq!(left.status, 303, "{}", left.text);
    // The session that is over, and a token that was made up.
    operator.keep(SESSION, &all[2]);
    assert_eq!(operator.get("/console").await.status, 401);
    server.stop().await;
    all
}

/// Lets the client in, and uses what it gets: its code and tokens.
async fn connect(server: &TestServer, client: &str, browser: &Browser) -> Vec<String> {
    let page = browser.get(&asking(client)).await;
    let choice = [
        ("decision", "allow"),
        ("location", "*"),
        ("rules", "everything"),
    ];
    let allowed: Page = browser.submit("/authorize/decide", &page, &choice).await;
    let code = allowed.answer("code").expect("a code");
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("code_verifier", VERIFIER),
            ("redirect_uri", REDIRECT),
            ("client_id", client),
        ])
        .finish();
    let redeem =
        request(server, "/token").header("content-type", "application/x-www-form-urlencoded");
    let tokens = send(redeem.body(form)).await;
    let access = field(&tokens, "access_token");
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "contacts_get-contact", "arguments": {"contactId": "ok"}}});
    let call = request(server, "/mcp").bearer_auth(&access).json(&call);
    let called = send(call.header("accept", "application/json, text/event-stream")).await;
    assert!(called["result"].is_object(), "{called}");
    vec![code, access, field(&tokens, "refresh_token")]
}

/// Where a client sends a person.
fn asking(client: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([
        ("client_id", client),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("resource", &format!("https://{HOST}/mcp")),
    ]);
    format!("/authorize?{}", query.finish())
}

async fn link(server: &TestServer, offer: Offer) -> String {
    let made = Links::new(&server.store()).make(offer, FIRST_LASTS, 1, None);
    made.await.expect("a link").1.expose_secret().to_owned()
}

fn invitation() -> Invitation {
    Invitation {
        name: "Ada".to_owned(),
        role: PersonRole::Member,
        all_locations: false,
        locations: Vec::new(),
        policy: None,
        may_vault: true,
        may_approve: false,
    }
}
