//! A handler over stdin and stdout, which carries MCP frames and nothing else.

use std::time::Duration;

use rmcp::ServiceExt;
use rmcp::service::ServerInitializeError;

use crate::mcp::Handler;
pub(crate) use lines::{BoundedLine, BoundedLines};
use transport::StdioTransport;

mod lines;
mod transport;

/// Why serving over stdio ended early.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StdioError(String);

/// What a client over stdio may hold.
#[derive(Clone, Copy, Debug)]
pub struct StdioLimits {
    /// Of one frame.
    pub frame_bytes: usize,
    /// Of frames that are not answered yet; the next one is read when there is room.
    pub bytes_in_flight: usize,
    /// Longest wait for calls under way after stdin has ended.
    pub grace: Duration,
}

/// Serves until stdin ends, and every request of it is answered.
pub async fn serve(handler: Handler, limits: StdioLimits) -> Result<(), StdioError> {
    let failed = |what: String| StdioError(format!("serving over stdio failed: {what}"));
    let transport = StdioTransport::new(tokio::io::stdin(), tokio::io::stdout(), limits);
    loop {
        match handler.clone().serve(transport.clone()).await {
            Ok(running) => {
                let ended = running.waiting().await;
                return ended.map(drop).map_err(|error| failed(error.to_string()));
            }
            Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
            // What comes before the handshake and is no request ends the library's wait for one, and so does a
            // handshake that it has refused; the client may go on.
            Err(
                ServerInitializeError::ExpectedInitializeRequest(_)
                | ServerInitializeError::InitializeFailed(_),
            ) => {}
            Err(error) => return Err(failed(error.to_string())),
        }
    }
}
