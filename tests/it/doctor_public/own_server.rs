//! Our own server behind a proxy, as `doctor --public` sees it.

use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::http::HeaderValue;
use axum::response::Response;

use crate::stdio::program;
use test_support::recording::{RecordedRequest, Recording};
use test_support::server::{TestServer, client};

/// Our own server behind a proxy. A proxy that does not pass on `Host` uses the address by which it knows the server.
async fn behind_a_proxy(passes_host: bool) -> (Recording, TestServer) {
    let upstream = Arc::new(OnceLock::<String>::new());
    let shared = Arc::clone(&upstream);
    let proxy = Recording::start_async(move |request| {
        let upstream = shared.get().expect("started").clone();
        async move { pass_on(request, &upstream, passes_host).await }
    })
    .await;
    let sign_in = ("HIGHLEVEL_MCP_OAUTH_URL", proxy.url.as_str());
    let server = TestServer::start_with("http://127.0.0.1:1", &[sign_in]).await;
    upstream.set(server.url.clone()).expect("once");
    (proxy, server)
}

async fn pass_on(request: RecordedRequest, upstream: &str, passes_host: bool) -> Response {
    let mut headers = request.headers.clone();
    if !passes_host {
        let host = upstream.replace("http://127.0.0.1", "localhost");
        headers.insert("host", HeaderValue::from_str(&host).expect("a host"));
    }
    let url = format!("{upstream}{}", request.target);
    let passed = client().request(request.method, url).headers(headers);
    // A redirect is for the client to follow.
    let answer = passed.body(request.body).send().await.expect("an answer");
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    response.headers_mut().remove("transfer-encoding");
    *response.body_mut() = Body::from_stream(answer.bytes_stream());
    response
}

#[tokio::test]
async fn our_own_server_has_no_fault_behind_a_proxy_that_passes_everything_on() {
    let (proxy, _server) = behind_a_proxy(true).await;
    let done = program(&["doctor", "--public", &proxy.url], &[]).output();
    let done = done.await.expect("run");
    let report = String::from_utf8_lossy(&done.stdout).replace('\t', " ");
    assert_eq!(done.status.code(), Some(0), "{report}");
    // Web pages of other origins may not call a server of this machine.
    let others = report.lines().filter(|line| !line.starts_with("ok "));
    let others: Vec<&str> = others.collect();
    assert!(
        matches!(others[..], [line, "no fault, 1 warning"] if line.starts_with("warning web pages (CORS)")),
        "{report}"
    );
}

#[tokio::test]
async fn a_proxy_that_keeps_the_host_to_itself_is_found() {
    let (proxy, _server) = behind_a_proxy(false).await;
    let done = program(&["doctor", "--public", &proxy.url], &[]).output();
    let done = done.await.expect("run");
    let report = String::from_utf8_lossy(&done.stdout).replace('\t', " ");
    assert_eq!(done.status.code(), Some(1), "{report}");
    for line in [
        "fault POST (claude.ai, ChatGPT)",
        "proxy_set_header Host $host",
        "fault resource (claude.ai)",
    ] {
        assert!(report.contains(line), "no {line:?} in {report}");
    }
}

/// A proxy is not to blame for a server at which nobody signs in.
#[tokio::test]
async fn a_server_without_sign_in_says_so_itself() {
    let server = TestServer::start("http://127.0.0.1:9").await;
    for (arguments, code) in [
        (["doctor", "--public", &server.url, "--json"], 1),
        (["login", "--url", &server.url, "--no-browser"], 2),
    ] {
        let done = program(&arguments, &[]).output().await.expect("run");
        let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{text}");
        let part = "this server has no sign-in, because its settings have no oauth.url";
        assert!(text.contains(part) && !text.contains("proxy"), "{text}");
    }
}
