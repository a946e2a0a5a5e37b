//! The console of a server that is reachable only from its own machine, without OAuth; and what browsers see at the
//! addresses of programs.

use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response};
use secrecy::ExposeSecret;
use serde_json::json;
use state::keys::{KeyLocations, Keys};
use state::links::{FIRST_LASTS, Links, Offer};
use test_support::recording::Recording;
use test_support::server::{KEY, TestServer, client};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

const NOBODY: &str = "http://127.0.0.1:9";

fn browser() -> Client {
    // It installs the TLS provider.
    drop(client());
    let http = Client::builder().redirect(Policy::none());
    http.build().expect("a client")
}

async fn ask(
    server: &TestServer,
    (method, path): (Method, &str),
    headers: &[(&str, &str)],
    body: String,
) -> Response {
    let url = format!("{}{path}", server.url);
    let mut request = browser().request(method, url).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("a reply")
}

async fn get(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> Response {
    let headers = [&[("accept", BROWSER)], headers].concat();
    ask(server, (Method::GET, path), &headers, String::new()).await
}

async fn first_link(server: &TestServer) -> String {
    let made = Links::new(&server.store()).make(Offer::First, FIRST_LASTS, 1, None);
    let (_, secret) = made.await.expect("a link");
    secret.expose_secret().to_owned()
}

/// Sends the form of the first page from a page of `origin`.
async fn join(server: &TestServer, link: &str, origin: &str) -> Response {
    let body = format!("link={link}&name=Olga");
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", origin),
    ];
    ask(server, (Method::POST, "/console/first"), &headers, body).await
}

#[tokio::test]
async fn the_holder_of_the_link_signs_in_and_no_oauth_path_exists() {
    let server = TestServer::start(NOBODY).await;
    let link = first_link(&server).await;
    let port = server.url.rsplit(':').next().expect("a port");
    for origin in [
        "http://127.0.0.1:1",
        "https://evil.example",
        "null",
        "http://localhost:1",
    ] {
        assert_eq!(join(&server, &link, origin).await.status(), 403, "{origin}");
    }
    let joined = join(&server, &link, &server.url).await;
    assert_eq!(joined.status(), 303);
    assert_eq!(joined.headers()["location"], "/console");
    let cookie = joined.headers()["set-cookie"].to_str().expect("text");
    assert!(cookie.starts_with("hl_session=hls_"), "{cookie}");
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    assert!(!cookie.contains("Secure"), "{cookie}");
    let session = cookie.split(';').next().expect("a pair");
    let home = get(&server, "/console", &[("cookie", session)]).await;
    assert_eq!(home.status(), 200);
    let home = home.text().await.expect("text");
    assert!(home.contains(&format!("{}/mcp", server.url)), "{home}");
    assert!(
        home.contains("href=\"/console/pause\""),
        "an operator's menu: {home}"
    );
    assert_eq!(get(&server, "/console", &[]).await.status(), 401);
    // A name that was rebound to this machine and a proxied request do not count as local.
    for (name, value, status) in [
        ("host", "evil.example", 403),
        ("x-forwarded-for", "203.0.113.7", 404),
        ("via", "1.1 proxy", 404),
        ("forwarded", "for=203.0.113.7", 404),
    ] {
        let headers = [("cookie", session), (name, value)];
        let reply = get(&server, "/console", &headers).await;
        assert_eq!(reply.status(), status, "{name}");
    }
    let localhost = format!("localhost:{port}");
    let other_name = get(&server, "/console/signin", &[("host", &localhost)]).await;
    assert_eq!(other_name.status(), 200);
    for path in [
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
        "/authorize",
        "/token",
        "/register",
        "/revoke",
        "/connect",
        "/connect/crm",
    ] {
        for method in [Method::GET, Method::POST] {
            let headers = [("accept", "*/*")];
            let reply = ask(&server, (method, path), &headers, String::new()).await;
            assert_eq!(reply.status(), 404, "{path}");
        }
    }
    let challenge = ask(&server, (Method::POST, "/mcp"), &[], String::new()).await;
    assert_eq!(challenge.status(), 401);
    let challenge = challenge.headers()["www-authenticate"]
        .to_str()
        .expect("text");
    assert!(!challenge.contains("resource_metadata"), "{challenge}");
}

#[tokio::test]
async fn the_console_exists_on_loopback_with_a_store() {
    for (variables, path, status) in [
        (&[][..], "/console", 401),
        (
            &[("HIGHLEVEL_MCP_STATE_FOLDER", "none")][..],
            "/console",
            404,
        ),
        (
            &[
                ("HIGHLEVEL_MCP_SERVER_LISTEN", "0.0.0.0:8100"),
                ("HIGHLEVEL_MCP_SERVER_TLS", "off"),
            ][..],
            "/console",
            404,
        ),
        (
            &[("HIGHLEVEL_MCP_SERVER_TLS", "proxy")][..],
            "/console",
            404,
        ),
    ] {
        let server = TestServer::start_with(NOBODY, variables).await;
        let reply = get(&server, path, &[]).await;
        assert_eq!(reply.status(), status, "{variables:?}");
        if status == 404 {
            let text = reply.text().await.expect("text");
            assert!(text.contains("highlevel-mcp console"), "{text}");
        }
    }
    let variables = [("HIGHLEVEL_MCP_SERVER_ALLOWED_HOSTS", "mcp.example.com")];
    let server = TestServer::start_with(NOBODY, &variables).await;
    let reply = get(&server, "/console", &[("host", "mcp.example.com")]).await;
    assert_eq!(reply.status(), 404);
}

#[tokio::test]
async fn browsers_get_pages_and_programs_get_json_at_the_same_address() {
    let server = TestServer::start(NOBODY).await;
    for (path, status, part) in [
        ("/", 200, "/?client=claude-code"),
        (
            "/?client=codex",
            200,
            "highlevel-mcp connect codex --url http://127.0.0.1",
        ),
        ("/?client=none", 200, "/?client=claude-code"),
        ("/mcp", 200, "not for browsers"),
        ("/mcp/nope", 200, "not for browsers"),
        ("/nope", 404, "There is nothing at /nope"),
        ("/docs", 404, "open / in a browser"),
        ("/sse", 404, "Streamable HTTP"),
        ("/health", 404, "/livez"),
        ("/favicon.ico", 200, "<svg"),
    ] {
        let reply = get(&server, path, &[]).await;
        assert_eq!(reply.status(), status, "{path}");
        let text = reply.text().await.expect("text");
        assert!(text.contains(part), "{path}: {part} is not in {text}");
    }
    for (method, path, status) in [
        (Method::GET, "/", 404),
        (Method::POST, "/", 404),
        (Method::GET, "/docs", 404),
        (Method::GET, "/mcp", 401),
        (Method::GET, "/mcp/x/contacts", 401),
    ] {
        for accept in ["*/*", "application/json", "text/event-stream"] {
            let headers = [("accept", accept)];
            let reply = ask(&server, (method.clone(), path), &headers, String::new()).await;
            assert_eq!(reply.status(), status, "{method} {path}");
            let kind = reply.headers()["content-type"].to_str().expect("text");
            assert_eq!(kind, "application/json", "{method} {path}");
        }
    }
    // A client that sends its token counts as a program, whatever it accepts.
    let bearer = get(&server, "/mcp", &[("authorization", "Bearer pit-test")]).await;
    let kind = bearer.headers().get("content-type");
    assert!(
        kind.is_none_or(|kind| kind != "text/html; charset=utf-8"),
        "{kind:?}"
    );
}

/// What a program may show, each in a header of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    Nothing,
    /// One that the operator made.
    Key,
    SettingsKey,
    Token,
}

impl Proof {
    /// The least first.
    const ALL: [Self; 4] = [Self::Nothing, Self::Key, Self::SettingsKey, Self::Token];

    /// In the steps for a client whose programs have to show it.
    fn sentence(self) -> &'static str {
        match self {
            Self::Nothing => "needs no sign-in and no token",
            Self::Key => "an access key of this server, or a token, with each request",
            Self::SettingsKey => "the access key from the server's settings",
            Self::Token => "no account of its own",
        }
    }
}

/// Whether a call by a program of this machine comes to HighLevel.
async fn opens(server: &TestServer, proof: Proof) -> bool {
    let bearer = match proof {
        Proof::Nothing => None,
        Proof::Key => {
            let name = format!("key {}", fastrand::u64(..));
            let keys = Keys::new(&server.store());
            let made = keys.create(&name, KeyLocations::All, None, None).await;
            Some(made.expect("a key").1.expose_secret().to_owned())
        }
        Proof::SettingsKey => Some(KEY.to_owned()),
        Proof::Token => Some("pit-mine".to_owned()),
    };
    let bearer = bearer.map(|bearer| format!("Bearer {bearer}"));
    let mut headers = vec![("x-request", "1")];
    headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
    if proof == Proof::Token {
        headers.push(("locationid", "L9"));
    }
    let params = json!({"name": "contacts_get-contact", "arguments": {"contactId": "c1"}});
    let reply = server.rpc_with(&headers, "tools/call", params).await;
    reply["result"].is_object() && reply["result"]["isError"] != true
}

/// The steps for a client say what its programs have to show: that is enough, and less is not.
#[tokio::test]
async fn the_steps_name_the_credential_that_opens_the_server() {
    let highlevel = Recording::always(200, r#"{"contact":{"id":"c1"}}"#).await;
    let account = [
        ("HIGHLEVEL_TOKEN", "pit-own"),
        ("HIGHLEVEL_LOCATION_ID", "L0"),
    ];
    let locations = [
        (
            "HIGHLEVEL_MCP_LOCATIONS",
            r#"{"acme":{"location_id":"L1","token":{"env":"ACME_TOKEN"}}}"#,
        ),
        ("ACME_TOKEN", "pit-acme"),
    ];
    let key = ("HIGHLEVEL_MCP_SERVER_ACCESS_KEY", KEY);
    let own = |value| ("HIGHLEVEL_MCP_SERVER_OWN_ACCOUNT", value);
    let [token, id] = account;
    let [acme, secret] = locations;
    for (variables, expected) in [
        (&[][..], Proof::Token),
        (&[key][..], Proof::Token),
        (&[token, id][..], Proof::Nothing),
        (&[token, id, key][..], Proof::SettingsKey),
        (&[token, id, key, own("key")][..], Proof::SettingsKey),
        (&[token, id, own("key")][..], Proof::Token),
        (&[token, id, key, own("off")][..], Proof::Token),
        (&[acme, secret][..], Proof::Nothing),
        (&[acme, secret, key][..], Proof::Key),
        (&[acme, secret, own("key")][..], Proof::Key),
        (&[acme, secret, own("off")][..], Proof::Key),
        (&[acme, secret, token, id][..], Proof::Nothing),
        (&[acme, secret, token, id, own("off")][..], Proof::Key),
    ] {
        let server = TestServer::start_with(&highlevel.url, variables).await;
        let reply = get(&server, "/?client=claude-code", &[]).await;
        let text = reply.text().await.expect("text");
        assert!(text.contains(expected.sentence()), "{variables:?}: {text}");
        for proof in Proof::ALL {
            let is_enough = opens(&server, proof).await;
            if proof == expected {
                assert!(is_enough, "{variables:?}: {proof:?} is told");
                break;
            }
            assert!(!is_enough, "{variables:?}: {proof:?} is less than is told");
        }
    }
    // A key that is made later closes what was open.
    let server = TestServer::start_with(&highlevel.url, &[acme, secret]).await;
    assert!(opens(&server, Proof::Key).await);
    let text = get(&server, "/?client=claude-code", &[]).await.text();
    let text = text.await.expect("text");
    assert!(text.contains(Proof::Key.sentence()), "{text}");
    assert!(!opens(&server, Proof::Nothing).await);
}

#[tokio::test]
async fn a_mistyped_endpoint_names_the_nearest() {
    let server = TestServer::start(NOBODY).await;
    for (path, near) in [
        ("/mcp/oficial", "did you mean official?"),
        ("/mcp/x/contact", "did you mean contacts?"),
        ("/mcp/orchestrater", "did you mean orchestrator?"),
    ] {
        let request = server.post(path).header("authorization", "Bearer pit-test");
        let request = request.header("locationid", "loc1").body("{}");
        let reply = request.send().await.expect("a reply");
        assert_eq!(reply.status(), 404, "{path}");
        let text = reply.text().await.expect("text");
        assert!(text.contains(near), "{path}: {text}");
    }
}
