//! A handler over Streamable HTTP, without sessions.

use std::sync::Arc;

use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use crate::mcp::Handler;

/// The tower service of one endpoint.
pub type Service = StreamableHttpService<Handler, NeverSessionManager>;

/// Stateless, JSON answers. Host and Origin are checked before, in `host`, with errors that say
/// which setting would allow them.
pub fn service(handler: &Handler, largest_request: usize) -> Service {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .disable_allowed_hosts()
        .with_max_request_body_bytes(largest_request);
    let handler = handler.clone();
    StreamableHttpService::new(
        move || Ok(handler.clone()),
        Arc::new(NeverSessionManager::default()),
        config,
    )
}
