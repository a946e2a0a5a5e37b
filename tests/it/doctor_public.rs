//! `doctor --public`: it names each fault that a proxy can add to a server, and reports none for a healthy one.

mod own_server;

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::stdio::program;
use test_support::recording::{RecordedRequest, Recording, json as answer};

/// A proxy: turns a request and the server's answer into the client's answer.
type Proxy = fn(&RecordedRequest, Response) -> Response;

struct Case {
    proxy: Proxy,
    /// Lines of the report, tabs written as spaces. All of them are in it.
    lines: &'static [&'static str],
}

/// A server without anything in front of it. `origin` is its address for the client.
fn healthy(request: &RecordedRequest) -> Response {
    let origin = format!("http://{}", request.header("host").unwrap_or_default());
    let path = request.path();
    let well_known = "/.well-known/oauth-protected-resource";
    if let Some(below) = path.strip_prefix(well_known) {
        let resource = format!("{origin}{below}");
        let document = json!({"resource": resource, "authorization_servers": [origin]});
        return answer(200, document.to_string());
    }
    if path.contains("/.well-known/o") {
        let endpoint = |name: &str| format!("{origin}/{name}");
        let document = json!({
            "issuer": origin,
            "authorization_endpoint": endpoint("authorize"),
            "token_endpoint": endpoint("token"),
            "revocation_endpoint": endpoint("revoke"),
            "registration_endpoint": endpoint("register"),
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_post"],
            "client_id_metadata_document_supported": true,
        });
        return answer(200, document.to_string());
    }
    let page = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    match path {
        "/authorize" => (StatusCode::BAD_REQUEST, page, "<p>No client</p>").into_response(),
        "/console" => {
            (StatusCode::SEE_OTHER, [(header::LOCATION, "/console/join")]).into_response()
        }
        "/streamz" => {
            let pauses = [Duration::ZERO, Duration::from_millis(700)];
            let events = stream::iter(pauses).then(async |pause| {
                tokio::time::sleep(pause).await;
                Ok::<_, Infallible>("data: event\n\n")
            });
            Body::from_stream(events).into_response()
        }
        "/token" | "/revoke" | "/register" => answer(400, r#"{"error":"invalid_request"}"#),
        _ => mcp(request, &origin),
    }
}

/// The challenge, and the headers that web pages need to see it.
fn mcp(request: &RecordedRequest, origin: &str) -> Response {
    let mut response = if request.method == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        answer(401, r#"{"error":"invalid_token"}"#)
    };
    let error = if request.token().is_empty() {
        ""
    } else {
        "error=\"invalid_token\", "
    };
    let path = request.path().trim_end_matches('/');
    let challenge = format!(
        "Bearer {error}resource_metadata=\"{origin}/.well-known/oauth-protected-resource{path}\", scope=\"read write\""
    );
    for (name, value) in [
        ("www-authenticate", challenge.as_str()),
        ("access-control-allow-origin", "*"),
        (
            "access-control-allow-headers",
            "authorization, content-type",
        ),
        ("access-control-expose-headers", "WWW-Authenticate"),
    ] {
        let value = HeaderValue::from_str(value).expect("a value");
        response.headers_mut().insert(name, value);
    }
    response
}

async fn report(proxy: Proxy, more: &[&str]) -> (Option<i32>, String, Recording) {
    let server = Recording::start(move |request| proxy(request, healthy(request))).await;
    let arguments = [&["doctor", "--public", &server.url], more].concat();
    let done = program(&arguments, &[]).output().await.expect("run");
    let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    (done.status.code(), text.replace('\t', " "), server)
}

async fn check(case: Case) {
    let (code, report, _server) = report(case.proxy, &[]).await;
    assert_eq!(code, Some(1), "{report}");
    for line in case.lines {
        assert!(report.contains(line), "no {line:?} in {report}");
    }
}

fn is_mcp(request: &RecordedRequest) -> bool {
    request.path().starts_with("/mcp") && !request.path().contains("well-known")
}

fn redirect(to: &str) -> Response {
    (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, to)]).into_response()
}

fn status(code: u16) -> Response {
    let code = StatusCode::from_u16(code).expect("a status");
    (code, "<html>proxy</html>").into_response()
}

/// The same document with one member changed.
async fn changed(response: Response, member: &str, value: Value) -> Response {
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await;
    let mut document: Value = serde_json::from_slice(&bytes.expect("bytes")).expect("JSON");
    document[member] = value;
    answer(200, document.to_string())
}

fn with(response: Response, member: &str, value: Value) -> Response {
    at_once(changed(response, member, value))
}

fn at_once<T>(work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match work.as_mut().poll(&mut context) {
        std::task::Poll::Ready(done) => done,
        std::task::Poll::Pending => panic!("not there at once"),
    }
}

fn without(mut response: Response, header: &str) -> Response {
    response.headers_mut().remove(header);
    response
}

#[tokio::test]
async fn a_healthy_server_has_no_fault_and_nothing_is_done_there() {
    let (code, report, server) = report(|_, response| response, &[]).await;
    assert_eq!(code, Some(0), "{report}");
    for line in report.lines().filter(|line| *line != "no fault") {
        assert!(line.starts_with("ok "), "{line}");
    }
    assert!(report.ends_with("no fault\n"), "{report}");
    assert!(report.lines().count() >= 20, "{report}");
    for request in server.take() {
        let is_hello = is_mcp(&request) || request.path() == "/";
        if request.method == Method::POST && is_hello {
            assert_eq!(request.fields()["method"], "initialize");
        }
        if request.path() == "/register" {
            assert_eq!(request.fields(), json!({}), "nobody is registered");
        }
    }
}

#[tokio::test]
async fn findings_are_available_as_json() {
    let (code, report, _server) = report(|_, response| response, &["--json"]).await;
    assert_eq!(code, Some(0), "{report}");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["findings"][0]["mark"], "ok");
    assert_eq!(report["findings"][0]["subject"], "address");
}

#[tokio::test]
async fn each_fault_of_a_proxy_is_found() {
    let cases = [
        Case {
            proxy: |request, _| redirect(&format!("https://mcp.example.com{}", request.path())),
            lines: &["fault address", "redirects to https://mcp.example.com/mcp"],
        },
        Case {
            proxy: |request, response| match request.path() {
                "/mcp/orchestrator" => redirect("/mcp/orchestrator/"),
                _ => response,
            },
            lines: &[
                "fault addresses below /mcp",
                "redirects to /mcp/orchestrator/",
            ],
        },
        Case {
            proxy: |_, _| status(502),
            lines: &[
                "fault POST (claude.ai, ChatGPT)",
                "does not reach the server",
            ],
        },
        // Access, and the challenge to sign in.
        Case {
            proxy: |request, response| match is_mcp(request) {
                true => without(response, "www-authenticate"),
                false => response,
            },
            lines: &[
                "fault POST (claude.ai, ChatGPT)",
                "401 without WWW-Authenticate",
            ],
        },
        Case {
            proxy: |request, mut response| {
                if is_mcp(request) {
                    let own = HeaderValue::from_static("Basic realm=\"staging\"");
                    response.headers_mut().insert("www-authenticate", own);
                }
                response
            },
            lines: &["fault GET (Codex, mcp-remote)", "another login (Basic)"],
        },
        Case {
            proxy: |request, mut response| {
                if is_mcp(request) {
                    let other = HeaderValue::from_static("Bearer realm=\"highlevel-mcp\"");
                    response.headers_mut().insert("www-authenticate", other);
                }
                response
            },
            lines: &["names no metadata", "proxy_set_header Host $host"],
        },
        Case {
            proxy: |request, mut response| {
                if is_mcp(request) {
                    let other = "Bearer resource_metadata=\"http://10.0.0.5:8100/.well-known/oauth-protected-resource/mcp\"";
                    let other = HeaderValue::from_static(other);
                    response.headers_mut().insert("www-authenticate", other);
                }
                response
            },
            lines: &[
                "sends clients to http://10.0.0.5:8100/",
                "oauth.url in the server's settings must be http://127.0.0.1:",
            ],
        },
        Case {
            proxy: |request, response| match is_mcp(request) {
                true => answer(200, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#),
                false => response,
            },
            lines: &["answers 200 without a token"],
        },
        Case {
            proxy: |request, response| match is_mcp(request) {
                true => answer(403, r#"{"error":"forbidden"}"#),
                false => response,
            },
            lines: &["is refused with 403", "must pass Host on"],
        },
        // Methods and paths.
        Case {
            proxy: |request, response| match request.method {
                Method::HEAD => status(405),
                _ => response,
            },
            lines: &["fault HEAD (Gemini CLI)", "must pass every method on"],
        },
        Case {
            proxy: |request, response| match request.method {
                Method::DELETE => status(501),
                _ => response,
            },
            lines: &["fault DELETE (ends of sessions)"],
        },
        Case {
            proxy: |request, response| match request.path() {
                "/mcp/orchestrator" => status(404),
                _ => response,
            },
            lines: &[
                "fault addresses below /mcp",
                "one for everything below /mcp/",
            ],
        },
        Case {
            proxy: |request, response| match request.path() {
                "/" => status(404),
                _ => response,
            },
            lines: &["fault the bare address"],
        },
        Case {
            proxy: |request, response| match request.path() {
                "/authorize" | "/token" | "/register" => status(404),
                _ => response,
            },
            lines: &[
                "fault /authorize",
                "fault /token",
                "fault /register",
                "must pass the whole host on",
            ],
        },
        // Streams.
        Case {
            proxy: |request, response| match request.path() {
                "/streamz" => "data: first\n\ndata: second\n\n".into_response(),
                _ => response,
            },
            lines: &["fault streams", "proxy_buffering off"],
        },
        // Authorization.
        Case {
            proxy: |request, response| {
                let mut bare = request.clone();
                bare.headers.remove("authorization");
                match is_mcp(request) {
                    true => healthy(&bare),
                    false => response,
                }
            },
            lines: &[
                "fault Authorization",
                "tokens do not arrive",
                "CGIPassAuth On",
            ],
        },
        // Metadata.
        Case {
            proxy: |request, response| match request.path().contains("/.well-known/") {
                true => status(404),
                false => response,
            },
            lines: &[
                "fault resource (claude.ai)",
                "fault sign-in (all clients)",
                "a rule for certificates",
            ],
        },
        Case {
            proxy: |request, response| match request.path() {
                "/.well-known/oauth-protected-resource" => status(404),
                _ => response,
            },
            lines: &["fault resource of the bare address (Python)"],
        },
        Case {
            proxy: |request, response| match request.path() {
                "/.well-known/openid-configuration" => status(200),
                _ => response,
            },
            lines: &[
                "fault sign-in at /.well-known/openid-configuration",
                "Something else answers there",
            ],
        },
        Case {
            proxy: |request, response| match request.path() {
                "/.well-known/oauth-authorization-server/mcp" => {
                    with(response, "issuer", json!("https://old.example.com"))
                }
                _ => response,
            },
            lines: &[
                "fault sign-in at /.well-known/oauth-authorization-server/mcp",
                "differs from",
            ],
        },
        Case {
            proxy: |request, response| {
                let slash = request.path().ends_with("/mcp/");
                match slash && request.path().contains("protected-resource") {
                    true => {
                        let host = request.header("host").unwrap_or_default();
                        with(response, "resource", json!(format!("http://{host}/mcp")))
                    }
                    false => response,
                }
            },
            lines: &[
                "fault resource with a slash (Gemini CLI)",
                "compare every character",
            ],
        },
        Case {
            proxy: |request, response| {
                let host = request.header("host").unwrap_or_default();
                let slash = json!(format!("http://{host}/"));
                match request.path() {
                    "/.well-known/oauth-authorization-server" => with(response, "issuer", slash),
                    path if path.contains("protected-resource") => {
                        with(response, "authorization_servers", json!([slash]))
                    }
                    _ => response,
                }
            },
            lines: &[
                "fault resource (claude.ai)",
                "fault sign-in (all clients)",
                "without a slash at the end",
            ],
        },
        Case {
            proxy: |request, response| match request.path() {
                "/.well-known/oauth-authorization-server" => with(
                    response,
                    "token_endpoint",
                    json!("http://10.0.0.5:8100/token"),
                ),
                _ => response,
            },
            lines: &["its token_endpoint is \"http://10.0.0.5:8100/token\""],
        },
        Case {
            proxy: |request, response| match request.path() {
                "/.well-known/oauth-authorization-server" => {
                    with(response, "code_challenge_methods_supported", json!([]))
                }
                _ => response,
            },
            lines: &["does not offer PKCE"],
        },
        Case {
            proxy: |request, response| match request.path() {
                "/.well-known/oauth-authorization-server" => with(
                    response,
                    "token_endpoint_auth_methods_supported",
                    json!(["client_secret_post"]),
                ),
                _ => response,
            },
            lines: &["fault how clients become known"],
        },
    ];
    let mut checks: JoinSet<()> = cases.into_iter().map(check).collect();
    while let Some(checked) = checks.join_next().await {
        checked.expect("no fault of the test");
    }
}

#[tokio::test]
async fn features_that_only_some_clients_need_are_warnings() {
    let cases: [(Proxy, &str); 3] = [
        (
            |request, response| match request.method {
                Method::OPTIONS => status(405),
                _ => response,
            },
            "warning web pages (CORS) the server does not answer preflight requests",
        ),
        (
            |_, response| without(response, "access-control-expose-headers"),
            "warning web pages (CORS) web pages cannot see WWW-Authenticate",
        ),
        (
            |request, response| match request.path() {
                path if path.contains("/.well-known/o")
                    && path.contains("authorization-server")
                    || path.contains("openid") =>
                {
                    with(response, "registration_endpoint", Value::Null)
                }
                _ => response,
            },
            "warning how clients become known only by a document",
        ),
    ];
    for (proxy, line) in cases {
        let (code, report, _server) = report(proxy, &[]).await;
        assert_eq!(code, Some(0), "{report}");
        assert!(report.contains(line), "no {line:?} in {report}");
    }
}

#[tokio::test]
async fn addresses_without_a_server_are_reported() {
    for (url, code, part) in [
        ("mcp.example.com", 2, "not the address"),
        ("ftp://mcp.example.com", 2, "not the address"),
        ("https://user@mcp.example.com", 2, "not the address"),
        ("http://127.0.0.1:1", 1, "cannot be reached"),
    ] {
        let done = program(&["doctor", "--public", url], &[]).output().await;
        let done = done.expect("run");
        let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{text}");
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}
