//! Arguments over the protocol: ours follow the same rules as those of operations, and the request is what was meant.

mod clearing;
mod documents;
mod numbers;
mod own;

use serde_json::Value;
use test_support::recording::{RecordedRequest, Recording};
use test_support::server::{TestServer, UNCONFIRMED, VOUCHED};

/// A server whose caller is known and confirms nothing, and the HighLevel that it sends to.
async fn stack() -> (Recording, TestServer) {
    let highlevel = Recording::always(200, r#"{"contact":{"id":"c"}}"#).await;
    let mut server = TestServer::start_with(&highlevel.url, &[UNCONFIRMED, VOUCHED]).await;
    server.vouched = true;
    (highlevel, server)
}

/// The only request among `recorded` that is not the trial of a token.
#[track_caller]
fn only(recorded: Vec<RecordedRequest>, what: &str) -> RecordedRequest {
    let [one] = <[RecordedRequest; 1]>::try_from(recorded)
        .unwrap_or_else(|all| panic!("{what}: {} requests", all.len()));
    one
}

fn body(request: &RecordedRequest) -> Value {
    serde_json::from_slice(&request.body).expect("JSON")
}
