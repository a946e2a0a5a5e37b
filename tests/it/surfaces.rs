//! Each surface over the protocol: the arguments it accepts, its answers, and that its texts mention only its own
//! tools.

mod compat;
mod short;
mod texts;

use serde_json::Value;
use test_support::recording::{Recording, json};
use test_support::server::{TestServer, UNCONFIRMED, VOUCHED};

/// A server at `path` whose caller is known and confirms nothing, in front of a HighLevel that always answers `body`.
async fn stack(path: &'static str, body: &Value) -> (Recording, TestServer) {
    stack_with(path, 200, body).await
}

async fn stack_with(path: &'static str, status: u16, body: &Value) -> (Recording, TestServer) {
    let highlevel = answering(status, body).await;
    let mut server = TestServer::start_with(&highlevel.url, &[UNCONFIRMED, VOUCHED]).await;
    server.vouched = true;
    server.path = path;
    (highlevel, server)
}

async fn answering(status: u16, body: &Value) -> Recording {
    let body = body.to_string();
    Recording::start(move |_| json(status, body.clone())).await
}

/// A call's text as JSON, and whether it is an error.
async fn call(server: &TestServer, tool: &str, arguments: Value) -> (Value, bool) {
    let (text, is_error) = server.call(tool, arguments).await;
    (serde_json::from_str(&text).expect("JSON"), is_error)
}
