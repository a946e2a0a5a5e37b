//! A handler over Streamable HTTP, without sessions.

use std::sync::Arc;

use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use crate::mcp::Handler;

/// The tower service of one endpoint.
pub type Service = StreamableHttpService<Handler, NeverSessionManager>;

/// Stateless, with JSON answers. Host and Origin are checked earlier, in `http::origin`, whose errors name the setting
/// that would allow them.
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
