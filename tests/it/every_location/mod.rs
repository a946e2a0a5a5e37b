//! One read of many locations, an agency's own token, and ids that the server knows.

mod ids;
mod read;
mod tokens;

use ::sandbox::SandboxOptions;
use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use test_support::server::TestServer;

/// A server without an account of its own in front of a sandbox, for clients with their own tokens.
pub(crate) struct Visitors {
    pub sandbox: Sandbox,
    pub server: TestServer,
}

impl Visitors {
    pub(crate) async fn start() -> Self {
        let sandbox = Sandbox::start(SandboxOptions::default()).await;
        let server = TestServer::start_with(&sandbox.url, &[]).await;
        Self { sandbox, server }
    }

    /// A call at this endpoint with this token. `Err` if the tool reports an error.
    pub(crate) async fn call(
        &mut self,
        path: &'static str,
        token: &str,
        tool: &str,
        arguments: Value,
    ) -> Result<Value, Value> {
        self.server.path = path;
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let (text, is_error) = self.server.call_with(&headers, tool, arguments).await;
        let value = serde_json::from_str(&text).unwrap_or_else(|_| json!(text));
        if is_error { Err(value) } else { Ok(value) }
    }

    /// The number of requests for this path that the sandbox saw.
    pub(crate) async fn seen(&self, path: &str) -> usize {
        let requests = self.sandbox.requests().await;
        requests.iter().filter(|one| one["path"] == path).count()
    }
}
