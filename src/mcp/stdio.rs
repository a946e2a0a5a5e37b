//! A handler over stdin and stdout, which carries MCP frames and nothing else.

use rmcp::ServiceExt;

use crate::mcp::Handler;

/// Why serving over stdio ended early.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StdioError(String);

/// Serves until stdin ends.
pub async fn serve(handler: Handler) -> Result<(), StdioError> {
    let failed = |what: String| StdioError(format!("serving over stdio failed: {what}"));
    let running = handler.serve(rmcp::transport::stdio()).await;
    let running = running.map_err(|error| failed(error.to_string()))?;
    running
        .waiting()
        .await
        .map_err(|error| failed(error.to_string()))?;
    Ok(())
}
