//! Many tenants at once: no answer, token or location reaches another caller.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::recording::{Recording, json as answer};
use crate::server::Server;

const TOKENS: usize = 64;
const CALLS_PER_TOKEN: usize = 157;

/// HighLevel answers with the token, the location and the id it was asked with; every caller must get
/// its own three back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_interleaved_calls_of_64_tokens_never_mix() {
    let highlevel = Recording::start(|request| {
        let body = json!({
            "token": request.header("authorization"),
            "target": request.target,
        });
        answer(200, body.to_string())
    })
    .await;
    let no_limit = [("HIGHLEVEL_MCP_LIMITS_CALLS_PER_INTERVAL", "1000000")];
    let server = Arc::new(Server::start_with(&highlevel.url, &no_limit).await);
    let callers = (0..TOKENS).map(|caller| {
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let bearer = format!("Bearer pit-{caller}");
            let location = format!("loc{caller}");
            let headers = [
                ("authorization", bearer.as_str()),
                ("locationid", location.as_str()),
            ];
            for call in 0..CALLS_PER_TOKEN {
                let query = format!("q{caller}-{call}");
                let arguments = json!({"query": query});
                let (text, is_error) = server
                    .call_with(&headers, "contacts_get-contacts", arguments)
                    .await;
                assert!(!is_error, "{text}");
                let echoed: Value = serde_json::from_str(&text).expect("JSON");
                let target = format!("/contacts/?locationId={location}&query={query}");
                assert_eq!(echoed, json!({"token": bearer, "target": target}));
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("no mixed answer");
    }
    assert_eq!(highlevel.take().len(), TOKENS * CALLS_PER_TOKEN);
}
