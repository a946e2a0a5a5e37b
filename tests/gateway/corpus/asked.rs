//! Invariants for every request of a client.

use std::sync::LazyLock;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use highlevel_mcp::budget::Budget;
use highlevel_mcp::config::{Config, Flags};
use highlevel_mcp::http;
use highlevel_mcp::upstream::{Sender, Target};
use reqwest::Url;
use serde_json::Value;
use tokio::runtime::{self, Runtime};
use tokio::time::timeout;
use tool::{Place, Tool};
use tower::ServiceExt;

use super::input::{headers, parted, some, tool};
use crate::injection::{PIPELINE, check, dry_run, fits, pipeline};
use test_support::recording::Recording;

const HIGHLEVEL: &str = "https://services.leadconnectorhq.com";

/// Longest refusal, in bytes, without the arguments that it repeats.
const LONGEST_REFUSAL: usize = 16_000;

/// The whole server except its sockets, in front of a HighLevel that answers every request.
struct Gateway {
    runtime: Runtime,
    router: Router,
    highlevel: Recording,
}

static GATEWAY: LazyLock<Gateway> = LazyLock::new(|| {
    let mut builder = runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let highlevel = runtime.block_on(Recording::always(200, "{}"));
    let flags = Flags {
        base_url: Some(highlevel.url.clone()),
        ..Flags::default()
    };
    let unlimited = ["PER_INTERVAL", "PER_DAY"].map(|most| {
        let name = format!("HIGHLEVEL_MCP_LIMITS_CALLS_{most}");
        (name.into(), "1000000000".into())
    });
    let config = Config::from_sources(&flags, unlimited).expect("settings");
    let access = http::Access::new(&config.server, &config.account, None);
    let router = http::router(
        &pipeline(&config),
        access.expect("no account"),
        None,
        &http::Stopping::default(),
        &config,
    );
    Gateway {
        runtime,
        router,
        highlevel,
    }
});

/// `METHOD TARGET`, header lines, an empty line, the body. It is answered soon, in JSON if there is a body, and reaches
/// HighLevel only as a call that succeeds, under the request's own token.
pub(super) fn router(input: &[u8]) {
    let (lines, body) = parted(input);
    let Some((first, lines)) = lines.split_first() else {
        return;
    };
    let space = first.iter().position(|byte| *byte == b' ');
    let (method, target) = first.split_at(space.unwrap_or(first.len()));
    let request = Request::builder()
        .method(method)
        .uri(target.trim_ascii())
        .body(Body::from(body.to_vec()));
    let Ok(mut request) = request else {
        // hyper rejects such a request.
        return;
    };
    *request.headers_mut() = headers(lines);
    let is_probe = matches!(request.uri().path(), "/livez" | "/readyz");
    let method = request.method().clone();
    let given = credential(request.headers());
    let gateway = &*GATEWAY;
    let (status, answer) = gateway.runtime.block_on(async {
        let answered = timeout(Duration::from_secs(20), async {
            let response = gateway.router.clone().oneshot(request).await;
            let (parts, body) = response.expect("never fails").into_parts();
            (
                parts.status,
                to_bytes(body, usize::MAX).await.expect("a body"),
            )
        });
        answered.await.expect("an answer in time")
    });
    let json = serde_json::from_slice::<Value>(&answer);
    let text = String::from_utf8_lossy(&answer);
    assert!(status.as_u16() < 500, "{status}: {text}");
    assert!(
        answer.is_empty() || is_probe || json.is_ok(),
        "{status}: {text}"
    );
    let sent = gateway.highlevel.take();
    if sent.is_empty() {
        return;
    }
    let call: Value = serde_json::from_slice(body).expect("a call");
    let reply = json.expect("JSON");
    assert_eq!((method, status), (Method::POST, StatusCode::OK));
    assert!(
        call["method"] == "tools/call" && reply["result"].is_object(),
        "{text}"
    );
    for request in sent {
        assert_eq!(credential(&request.headers), given);
    }
}

fn credential(headers: &HeaderMap) -> Option<String> {
    let bearer = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    Some(bearer.split_whitespace().last()?.to_owned())
}

/// `params` of a `tools/call`. An unknown name is mapped to some tool. The call is refused, or the request fits the
/// tool.
pub(super) fn arguments(input: &[u8]) {
    let Ok(mut call) = serde_json::from_slice::<Value>(input) else {
        return;
    };
    let Some(Value::Object(arguments)) = call.get_mut("arguments").map(Value::take) else {
        return;
    };
    let tool = tool(call["name"].as_str().unwrap_or_default());
    match dry_run(tool, arguments) {
        Ok(request) => drop(fits(tool, &request)),
        Err(failure) => assert!(failure.len() < LONGEST_REFUSAL + input.len(), "{failure}"),
    }
}

/// `tool argument`, and its value from the next line on. The value is refused, or is exactly one value of the request.
/// If it is written into the path as it is, it makes no other path either.
pub(super) fn urls(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (which, value) = text.split_once('\n').unwrap_or((&text, ""));
    let (name, argument) = which.split_once(' ').unwrap_or((which, ""));
    let tool = tool(name);
    let named = tool.arguments.iter().find(|one| one.name == argument);
    let Some(argument) = named.or_else(|| some(tool.arguments, argument)) else {
        return;
    };
    check(tool, argument, value);
    if argument.place == Place::Path {
        written_as_it_is(tool, &format!("{{{}}}", argument.wire_name), value);
    }
}

fn written_as_it_is(tool: &'static Tool, hole: &str, value: &str) {
    let path = tool.path.replace(hole, value).replace(['{', '}'], "");
    let Ok(url) = Url::parse(&format!("{HIGHLEVEL}{path}")) else {
        return;
    };
    let (pipeline, caller) = &*PIPELINE;
    let target = Target {
        tool,
        version: tool.version,
        location: None,
        names_location: false,
    };
    let sender = Sender {
        caller: caller.clone(),
        known: true,
        agency: false,
        address: None,
        budget: Budget::default(),
    };
    let request = reqwest::Request::new(reqwest::Method::GET, url);
    let Ok(outgoing) = pipeline.transport().outgoing(target, sender, request) else {
        return;
    };
    let url = outgoing.url();
    assert_eq!(url.origin().ascii_serialization(), HIGHLEVEL, "{url}");
    let segments: Vec<&str> = url.path().split('/').collect();
    let wanted: Vec<&str> = tool.path.split('/').collect();
    assert_eq!(segments.len(), wanted.len(), "{url}");
    for (segment, wanted) in segments.iter().zip(wanted) {
        assert!(wanted.starts_with('{') || *segment == wanted, "{url}");
        assert!(!matches!(*segment, "." | ".."), "{url}");
    }
}
