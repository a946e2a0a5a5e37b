//! `login`, `stdio --url` and `logout` against a remote server: their requests, and that no login is lost.

mod highlevel;

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::{HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use crate::stdio::{Piped, program};
use test_support::recording::{RecordedRequest, Recording, json as answer};
use test_support::server::client;

/// The state of the remote server.
#[derive(Default)]
pub(crate) struct Elsewhere {
    /// Only the newest access token that it issued is valid.
    generation: AtomicUsize,
    /// The stated lifetime of its tokens, in seconds.
    lasts: i64,
    is_static: bool,
    /// The status with which it refuses refresh tokens.
    refuses: AtomicUsize,
    other_issuer: bool,
}

impl Elsewhere {
    pub(crate) async fn start(self) -> (Recording, Arc<Self>) {
        let elsewhere = Arc::new(self);
        let shared = Arc::clone(&elsewhere);
        let server = Recording::start(move |request| shared.respond(request)).await;
        (server, elsewhere)
    }

    fn token(&self) -> String {
        format!("hla_{}", self.generation.load(Ordering::SeqCst))
    }

    fn respond(&self, request: &RecordedRequest) -> Response {
        let origin = format!("http://{}", request.header("host").unwrap_or_default());
        let issuer = if self.other_issuer {
            "https://evil.example.com"
        } else {
            &origin
        };
        match request.path() {
            "/.well-known/oauth-protected-resource/mcp" => {
                let document =
                    json!({"resource": format!("{origin}/mcp"), "authorization_servers": [issuer]});
                answer(200, document.to_string())
            }
            "/.well-known/oauth-authorization-server" => {
                let mut document = json!({"issuer": issuer});
                for (name, path) in [
                    ("authorization", "authorize"),
                    ("token", "token"),
                    ("revocation", "revoke"),
                    ("registration", "register"),
                ] {
                    if name != "registration" || !self.is_static {
                        document[format!("{name}_endpoint")] = json!(format!("{origin}/{path}"));
                    }
                }
                answer(200, document.to_string())
            }
            "/register" => answer(201, r#"{"client_id": "client-1"}"#),
            "/revoke" => answer(200, "{}"),
            "/token" => self.give(&request.form()),
            _ => self.mcp(request, &origin),
        }
    }

    fn give(&self, form: &Value) -> Response {
        let refuses = self.refuses.load(Ordering::SeqCst);
        if form["grant_type"] == "refresh_token" && refuses > 0 {
            let status = u16::try_from(refuses).expect("a status");
            return answer(
                status,
                r#"{"error":"invalid_grant","error_description":"ended by its owner"}"#,
            );
        }
        self.generation.fetch_add(1, Ordering::SeqCst);
        let generation = self.generation.load(Ordering::SeqCst);
        let tokens = json!({
            "access_token": self.token(), "refresh_token": format!("hlr_{generation}"), "token_type": "Bearer",
            "expires_in": self.lasts,
        });
        answer(200, tokens.to_string())
    }

    fn mcp(&self, request: &RecordedRequest, origin: &str) -> Response {
        if request.token() != self.token() {
            let mut response = answer(401, r#"{"error":"invalid_token"}"#);
            let challenge = format!(
                "Bearer resource_metadata=\"{origin}/.well-known/oauth-protected-resource/mcp\""
            );
            let challenge = HeaderValue::from_str(&challenge).expect("a value");
            response.headers_mut().insert("www-authenticate", challenge);
            return response;
        }
        let frame: Value = serde_json::from_slice(&request.body).expect("a frame");
        if frame["id"].is_null() {
            return axum::http::StatusCode::ACCEPTED.into_response();
        }
        let result = match frame["method"].as_str() {
            Some("initialize") => {
                json!({"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "e", "version": "1"}})
            }
            Some("tools/list") => json!({"tools": []}),
            _ => json!({"content": [{"type": "text", "text": "Ada"}]}),
        };
        let reply = json!({"jsonrpc": "2.0", "id": frame["id"], "result": result});
        if frame["params"]["name"] == "streams" {
            let first = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {}});
            let stream = format!(": a sign of life\n\ndata: {first}\n\nid: 1\ndata: {reply}\n\n");
            return ([("content-type", "text/event-stream")], stream).into_response();
        }
        let mut response = answer(200, reply.to_string());
        let session = HeaderValue::from_static("session-1");
        response.headers_mut().insert("mcp-session-id", session);
        response
    }
}

/// The program with its own state folder.
fn own(state: &tempfile::TempDir, arguments: &[&str]) -> Command {
    let folder = state.path().to_str().expect("UTF-8");
    program(arguments, &[("HIGHLEVEL_MCP_STATE_FOLDER", folder)])
}

/// The address that it prints. The program keeps running.
async fn page(child: &mut Child) -> (reqwest::Url, Vec<String>) {
    let stderr = child.stderr.take().expect("stderr");
    let mut lines = BufReader::new(stderr).lines();
    let mut before = Vec::new();
    while let Some(line) = lines.next_line().await.expect("a line") {
        if line.starts_with("http") {
            let page = line.parse().expect("an address");
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return (page, before);
        }
        before.push(line);
    }
    panic!("no address in {before:?}")
}

fn query(page: &reqwest::Url, name: &str) -> String {
    let found = page.query_pairs().find(|(key, _)| key == name);
    found.expect("a parameter").1.into_owned()
}

/// Signs in; the person allows it at once.
async fn sign_in(state: &tempfile::TempDir, server: &Recording) {
    let mut command = own(state, &["login", "--url", &server.url, "--no-browser"]);
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("started");
    let (page, _) = page(&mut child).await;
    let (redirect, asked) = (query(&page, "redirect_uri"), query(&page, "state"));
    // A page of another site asks first, and does not count as the answer.
    let foreign = client()
        .get(format!("{redirect}?code=hlc_evil&state=other"))
        .send()
        .await;
    assert_eq!(foreign.expect("a reply").status(), 404);
    let end = format!("{redirect}?code=hlc_1&state={asked}&iss={}", server.url);
    let shown = client().get(end).send().await.expect("a reply");
    assert!(
        shown
            .text()
            .await
            .expect("a page")
            .contains("You are signed in")
    );
    let done = child.wait_with_output().await.expect("ended");
    assert!(done.status.success());
    assert!(String::from_utf8_lossy(&done.stdout).contains("stdio --url"));
}

fn forms(server: &Recording, path: &str) -> Vec<Value> {
    let seen = server.seen();
    let at = seen.iter().filter(|one| one.path() == path);
    at.map(RecordedRequest::fields).collect()
}

#[tokio::test]
async fn a_login_is_by_pkce_and_for_this_server_alone() {
    let state = tempfile::tempdir().expect("a folder");
    let (server, _) = Elsewhere {
        lasts: 86_400,
        ..Elsewhere::default()
    }
    .start()
    .await;
    sign_in(&state, &server).await;
    let [registered] = <[Value; 1]>::try_from(forms(&server, "/register")).expect("one");
    assert_eq!(registered["token_endpoint_auth_method"], "none");
    let [form] = <[Value; 1]>::try_from(forms(&server, "/token")).expect("one");
    assert_eq!(form["code"], "hlc_1");
    assert_eq!(form["client_id"], "client-1");
    assert_eq!(form["resource"], format!("{}/mcp", server.url));
    assert!(
        form["redirect_uri"]
            .as_str()
            .expect("text")
            .starts_with("http://127.0.0.1:")
    );
    // The store contains none of it in plain text.
    for entry in std::fs::read_dir(state.path()).expect("a folder") {
        let bytes = std::fs::read(entry.expect("an entry").path()).unwrap_or_default();
        let has = |text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
        assert!(!has(b"hla_1") && !has(b"hlr_1"));
    }
}

#[tokio::test]
async fn the_code_is_bound_to_a_secret_of_the_program() {
    let state = tempfile::tempdir().expect("a folder");
    let (server, _) = Elsewhere {
        lasts: 86_400,
        ..Elsewhere::default()
    }
    .start()
    .await;
    let mut command = own(&state, &["login", "--url", &server.url, "--paste"]);
    let piped = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = piped.spawn().expect("started");
    let mut stdin = child.stdin.take().expect("stdin");
    let (page, _) = page(&mut child).await;
    assert_eq!(query(&page, "code_challenge_method"), "S256");
    assert_eq!(query(&page, "redirect_uri"), "http://127.0.0.1:1/callback");
    let end = format!(
        "http://127.0.0.1:1/callback?code=hlc_2&state={}\n",
        query(&page, "state")
    );
    stdin.write_all(end.as_bytes()).await.expect("written");
    let done = child.wait_with_output().await.expect("ended");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let [form] = <[Value; 1]>::try_from(forms(&server, "/token")).expect("one");
    let verifier = form["code_verifier"].as_str().expect("text");
    let hash = digest(&SHA256, verifier.as_bytes());
    assert_eq!(query(&page, "code_challenge"), URL_SAFE_NO_PAD.encode(hash));
}

#[tokio::test]
async fn answers_to_other_sign_ins_store_nothing() {
    for (end, part) in [
        ("code=hlc_1&state=other", "belongs to another sign-in"),
        (
            "code=hlc_1&state=STATE&iss=https://evil.example.com",
            "another server than",
        ),
        ("error=access_denied&state=STATE", "you did not allow it"),
        (
            "error=server_error&error_description=away%1b[2J&state=STATE",
            "sign in: away\\u{1b}[2J",
        ),
        ("nothing", "belongs to another sign-in"),
    ] {
        let state = tempfile::tempdir().expect("a folder");
        let (server, _) = Elsewhere::default().start().await;
        let mut command = own(&state, &["login", "--url", &server.url, "--paste"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let mut stdin = child.stdin.take().expect("stdin");
        let stderr = child.stderr.take().expect("stderr");
        let mut lines = BufReader::new(stderr).lines();
        let mut text = String::new();
        while let Some(line) = lines.next_line().await.expect("a line") {
            if let Ok(page) = line.parse::<reqwest::Url>() {
                let end = end.replace("STATE", &query(&page, "state"));
                let end = format!("http://127.0.0.1:1/callback?{end}\n");
                stdin.write_all(end.as_bytes()).await.expect("written");
            }
            text += &line;
        }
        assert_eq!(child.wait().await.expect("ended").code(), Some(2), "{text}");
        assert!(text.contains(part), "no {part:?} in {text}");
        assert_eq!(forms(&server, "/token"), Vec::<Value>::new());
    }
}

#[tokio::test]
async fn servers_without_a_usable_sign_in_are_refused_with_their_reason() {
    let (foreign, _) = Elsewhere {
        other_issuer: true,
        ..Elsewhere::default()
    }
    .start()
    .await;
    let (fixed, _) = Elsewhere {
        is_static: true,
        ..Elsewhere::default()
    }
    .start()
    .await;
    let open = Recording::always(200, "{}").await;
    for (url, part) in [
        (foreign.url.as_str(), "it sends clients to another server"),
        (fixed.url.as_str(), "clients add login"),
        (open.url.as_str(), "doctor --public"),
        ("http://mcp.example.com", "is not encrypted"),
        ("mcp.example.com", "is not the address of a server"),
    ] {
        let state = tempfile::tempdir().expect("a folder");
        let done = own(&state, &["login", "--url", url, "--no-browser"])
            .output()
            .await;
        let done = done.expect("run");
        let text = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{text}");
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[tokio::test]
async fn stdio_carries_frames_both_ways() {
    let state = tempfile::tempdir().expect("a folder");
    let (server, _) = Elsewhere {
        lasts: 86_400,
        ..Elsewhere::default()
    }
    .start()
    .await;
    sign_in(&state, &server).await;
    server.take();
    let mut client = Piped::start(own(&state, &["stdio", "--url", &server.url])).await;
    let found = client
        .call("contacts_get-contact", json!({"contactId": "c1"}))
        .await;
    assert_eq!(found["content"][0]["text"], "Ada");
    client
        .send("tools/call", json!({"name": "streams", "arguments": {}}))
        .await;
    assert_eq!(client.next().await["method"], "notifications/message");
    assert_eq!(client.next().await["result"]["content"][0]["text"], "Ada");
    client
        .send(
            "tools/list",
            json!({"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}),
        )
        .await;
    client.next().await;
    let seen = server.take();
    for request in &seen {
        assert_eq!((&request.method, request.path()), (&Method::POST, "/mcp"));
        assert_eq!(request.token(), "hla_1");
    }
    let header = |index: usize, name: &str| seen[index].header(name).map(str::to_owned);
    assert_eq!(header(0, "mcp-protocol-version"), None);
    assert_eq!(
        header(2, "mcp-protocol-version").as_deref(),
        Some("2025-06-18")
    );
    assert_eq!(header(2, "mcp-session-id").as_deref(), Some("session-1"));
    let last = seen.len() - 1;
    assert_eq!(
        header(last, "mcp-protocol-version").as_deref(),
        Some("2026-07-28")
    );
    assert_eq!(header(last, "mcp-method").as_deref(), Some("tools/list"));
}

#[tokio::test]
async fn a_token_that_the_server_takes_no_more_is_renewed_once_by_all_processes() {
    let state = tempfile::tempdir().expect("a folder");
    let (server, elsewhere) = Elsewhere {
        lasts: 86_400,
        ..Elsewhere::default()
    }
    .start()
    .await;
    sign_in(&state, &server).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Piped::start(own(&state, &["stdio", "--url", &server.url])).await);
    }
    // The server forgets the access token; the refresh token is still valid.
    elsewhere.generation.fetch_add(1, Ordering::SeqCst);
    server.take();
    for client in &mut clients {
        client
            .send(
                "tools/call",
                json!({"name": "contacts_get-contact", "arguments": {}}),
            )
            .await;
    }
    for client in &mut clients {
        assert_eq!(client.next().await["result"]["content"][0]["text"], "Ada");
    }
    let forms = forms(&server, "/token");
    assert_eq!(forms.len(), 1, "{forms:?}");
    assert_eq!(forms[0]["refresh_token"], "hlr_1");
}

#[tokio::test]
async fn a_token_near_its_end_is_renewed_before_it_is_used() {
    let state = tempfile::tempdir().expect("a folder");
    let (server, elsewhere) = Elsewhere {
        lasts: 30,
        ..Elsewhere::default()
    }
    .start()
    .await;
    sign_in(&state, &server).await;
    // A token that is still valid is used while the server issues no other.
    elsewhere.refuses.store(503, Ordering::SeqCst);
    let mut client = Piped::start(own(&state, &["stdio", "--url", &server.url])).await;
    let found = client.call("contacts_get-contact", json!({})).await;
    assert_eq!(found["content"][0]["text"], "Ada");
    elsewhere.refuses.store(0, Ordering::SeqCst);
    server.take();
    client.call("contacts_get-contact", json!({})).await;
    let seen = server.take();
    assert_eq!(seen[0].path(), "/token");
    assert_eq!(seen[1].token(), "hla_2");
}

#[tokio::test]
async fn an_ended_connection_is_reported_with_a_remedy() {
    let state = tempfile::tempdir().expect("a folder");
    let (server, elsewhere) = Elsewhere {
        lasts: 86_400,
        ..Elsewhere::default()
    }
    .start()
    .await;
    sign_in(&state, &server).await;
    let mut client = Piped::start(own(&state, &["stdio", "--url", &server.url])).await;
    elsewhere.generation.fetch_add(1, Ordering::SeqCst);
    elsewhere.refuses.store(400, Ordering::SeqCst);
    client
        .send(
            "tools/call",
            json!({"name": "contacts_get-contact", "arguments": {}}),
        )
        .await;
    let error = client.next().await["error"]["message"].take();
    let error = error.as_str().expect("words");
    assert!(
        error.contains("ended by its owner") && error.contains("login --url"),
        "{error}"
    );
    // Signing in again repairs it while the program runs.
    elsewhere.refuses.store(0, Ordering::SeqCst);
    sign_in(&state, &server).await;
    let found = client.call("contacts_get-contact", json!({})).await;
    assert_eq!(found["content"][0]["text"], "Ada");
}

#[tokio::test]
async fn logout_tells_the_server_and_forgets() {
    let state = tempfile::tempdir().expect("a folder");
    let (server, _) = Elsewhere {
        lasts: 86_400,
        ..Elsewhere::default()
    }
    .start()
    .await;
    sign_in(&state, &server).await;
    let done = own(&state, &["logout", "--url", &server.url])
        .output()
        .await
        .expect("run");
    assert!(done.status.success());
    let [form] = <[Value; 1]>::try_from(forms(&server, "/revoke")).expect("one");
    assert_eq!(
        (form["token"].as_str(), form["client_id"].as_str()),
        (Some("hlr_1"), Some("client-1"))
    );
    for arguments in [
        &["logout", "--url", &server.url][..],
        &["stdio", "--url", &server.url],
    ] {
        let done = own(&state, arguments).output().await.expect("run");
        let text = String::from_utf8_lossy(&done.stderr).to_lowercase();
        assert!(
            !done.status.success() && text.contains("you are not signed in at"),
            "{text}"
        );
    }
}
