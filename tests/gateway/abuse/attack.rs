//! Generators of the attacks that exhaust resources. Each sends its calls until told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::agency::bearer;
use test_support::server::client;

/// Concurrent clients of an attack.
const ATTACKERS: usize = 32;

#[derive(Clone, Copy, Debug)]
pub(super) enum Attack {
    Toolsets,
    LongNames,
    DryRuns,
    Keys,
    Bodies,
    WaitingBatches,
    MadeUpTokens,
    Approvals,
    Domains,
}

pub(super) const ATTACKS: [Attack; 9] = [
    Attack::Toolsets,
    Attack::LongNames,
    Attack::DryRuns,
    Attack::Keys,
    Attack::Bodies,
    Attack::WaitingBatches,
    Attack::MadeUpTokens,
    Attack::Approvals,
    Attack::Domains,
];

impl Attack {
    /// Path, token and request of one call of the attack.
    fn call(self, number: usize) -> (String, String, Value) {
        const SETS: [&str; 8] = [
            "contacts",
            "calendars",
            "invoices",
            "payments",
            "users",
            "locations",
            "links",
            "funnels",
        ];
        let own = bearer("pit-of-A");
        let call = |tool: &str, arguments: Value| json!({"name": tool, "arguments": arguments});
        let usual = "/mcp".to_owned();
        let large = || "x".repeat(1_000_000);
        let items = |many: usize| vec![json!({"contactId": "c1"}); many];
        let (path, token, params) = match self {
            Self::Toolsets => {
                let set: Vec<&str> = (0..SETS.len())
                    .filter(|bit| (number % 255 + 1) >> bit & 1 == 1)
                    .map(|bit| SETS[bit])
                    .collect();
                (
                    format!("/mcp/x/{}", set.join("+")),
                    own,
                    call("nothing", json!({})),
                )
            }
            Self::LongNames => (usual, own, call(&"contacts_".repeat(40_000), json!({}))),
            Self::DryRuns => {
                let arguments = json!({"operation": "contacts_update-contact", "dryRun": true, "items": items(100),
                    "arguments": {"firstName": large()}});
                (usual, own, call("call_write", arguments))
            }
            Self::Keys => {
                let arguments = json!({"operation": "contacts_add-tags", "idempotencyKey": number.to_string(),
                    "arguments": {"contactId": "c1", "tags": [large()]}});
                (usual, own, call("call_write", arguments))
            }
            Self::WaitingBatches => {
                let arguments = json!({"operation": "contacts_get-contact", "items": items(100)});
                (usual, own, call("call_read", arguments))
            }
            Self::Bodies | Self::MadeUpTokens => {
                let token = bearer(&format!("pit-made-up-{number}"));
                (usual, token, call("contacts_get-contacts", json!({})))
            }
            Self::Approvals => {
                let arguments = json!({"contactId": format!("c{number}")});
                (
                    "/mcp/x/contacts".to_owned(),
                    own,
                    call("contacts_delete-contact", arguments),
                )
            }
            Self::Domains => {
                let arguments = json!({"query": "contacts", "domains": vec!["contacts"; 15_000]});
                (
                    "/mcp/compat".to_owned(),
                    own,
                    call("search_operations", arguments),
                )
            }
        };
        (
            path,
            token,
            json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}),
        )
    }

    /// Attacks the server at this address until told to stop.
    pub(super) fn start(
        self,
        url: &str,
        stop: &Arc<AtomicBool>,
        runtime: &Handle,
    ) -> Vec<JoinHandle<()>> {
        let next = Arc::new(AtomicUsize::new(0));
        let attackers = (0..ATTACKERS).map(|_| {
            let (url, stop, next, http) = (
                url.to_owned(),
                Arc::clone(stop),
                Arc::clone(&next),
                client(),
            );
            runtime.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let (path, token, request) = self.call(next.fetch_add(1, Ordering::Relaxed));
                    let post = http
                        .post(format!("{url}{path}"))
                        .header("accept", "application/json, text/event-stream")
                        .header("authorization", token)
                        .header("locationid", "A")
                        .json(&request);
                    // Clients that give up and come back.
                    let _ = timeout(Duration::from_secs(2), async {
                        post.send().await?.bytes().await
                    })
                    .await;
                }
            })
        });
        attackers.collect()
    }
}
