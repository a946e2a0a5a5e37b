//! Every value that an OAuth client sends and receives, right and wrong.

use reqwest::{Method, RequestBuilder};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use state::grants::{GrantHolder, GrantScope, NewGrant};
use state::keys::{KeyLocations, Keys};
use test_support::server::TestServer;

#[expect(dead_code, reason = "other tests of the pages need more of it")]
#[path = "../it/sign_in/browser.rs"]
mod browser;
#[path = "pages.rs"]
mod pages;

pub(crate) use pages::use_pages;

const URL: &str = "https://mcp.example.test";
const HOST: &str = "mcp.example.test";
const REDIRECT: &str = "https://client.example/cb";

/// The values of RFC 7636.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Uses all of them. Returns the texts that no log may contain.
pub(crate) async fn use_tokens(highlevel: &str) -> Vec<String> {
    let settings = [("HIGHLEVEL_MCP_OAUTH_URL", URL)];
    let server = TestServer::start_with(highlevel, &settings).await;
    let registration = json!({
        "redirect_uris": [REDIRECT],
        "token_endpoint_auth_method": "client_secret_post",
    });
    let registration = request(&server, "/register").json(&registration);
    let client = send(registration).await;
    let (id, secret) = (field(&client, "client_id"), field(&client, "client_secret"));
    let code = allow(&server, &id).await;
    let post = async |path: &str, password: &str, fields: &[(&str, &str)]| {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .extend_pairs([("client_id", id.as_str()), ("client_secret", password)])
            .finish();
        let form = "application/x-www-form-urlencoded";
        send(
            request(&server, path)
                .header("content-type", form)
                .body(body),
        )
        .await
    };
    let redeem = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("code_verifier", VERIFIER),
        ("redirect_uri", REDIRECT),
    ];
    // Refused first: by its secret, then by its verifier.
    post("/token", &format!("{secret}x"), &redeem).await;
    let mut wrong = redeem;
    wrong[2].1 = CHALLENGE;
    post("/token", &secret, &wrong).await;
    let first = post("/token", &secret, &redeem).await;
    let (access, refresh) = (
        field(&first, "access_token"),
        field(&first, "refresh_token"),
    );
    let mut all = vec![secret.clone(), code.clone(), VERIFIER.to_owned()];
    let again = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.as_str()),
    ];
    for _ in 0..2 {
        let next = post("/token", &secret, &again).await;
        all.extend([field(&next, "access_token"), field(&next, "refresh_token")]);
    }
    for token in [&access, &refresh, &code, &secret] {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "contacts_get-contact", "arguments": {"contactId": "c1"}}});
        for path in ["/mcp", &format!("/mcp?access_token={token}")] {
            let call = request(&server, path).bearer_auth(token).json(&call);
            send(call.header("accept", "application/json, text/event-stream")).await;
        }
    }
    post("/revoke", &secret, &[("token", refresh.as_str())]).await;
    // The code again, and the token that has ended.
    post("/token", &secret, &redeem).await;
    post("/token", &secret, &again).await;
    all.extend([access, refresh]);
    server.stop().await;
    all
}

async fn allow(server: &TestServer, client: &str) -> String {
    let key = Keys::new(&server.store()).create("all", KeyLocations::All, None, None);
    let sign_in = server.pipeline.controls().sign_in.clone();
    let allowed = sign_in.expect("people sign in").grants.allow(NewGrant {
        holder: GrantHolder::Key(key.await.expect("made").0.id),
        client: client.to_owned(),
        client_name: "A client".to_owned(),
        redirect: REDIRECT.to_owned(),
        resource: format!("https://{HOST}/mcp"),
        scope: GrantScope::Write,
        rules: "everything".to_owned(),
        locations: vec!["*".to_owned()],
        challenge: CHALLENGE.to_owned(),
        form: "form".to_owned(),
    });
    let (_, code) = allowed.await.expect("written").expect("new");
    code.expose_secret().to_owned()
}

fn request(server: &TestServer, path: &str) -> RequestBuilder {
    let request = server
        .http
        .request(Method::POST, format!("{}{path}", server.url));
    request.header("host", HOST)
}

/// The answer, which this test does not check.
async fn send(request: RequestBuilder) -> Value {
    let reply = request.send().await.expect("a reply");
    let text = reply.text().await.expect("a body");
    serde_json::from_str(&text).unwrap_or_default()
}

fn field(body: &Value, name: &str) -> String {
    let text = body[name].as_str();
    text.unwrap_or_else(|| panic!("no {name} in {body}"))
        .to_owned()
}
