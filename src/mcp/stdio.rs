//! A handler over stdin and stdout, which carry only MCP frames.

use std::time::Duration;

use rmcp::ServiceExt;
use rmcp::service::ServerInitializeError;

use crate::mcp::Handler;
pub(crate) use lines::{BoundedLine, BoundedLines};
use transport::StdioTransport;

mod lines;
mod transport;

/// The reason that serving over stdio ended early.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StdioError(String);

/// The limits of a client over stdio.
#[derive(Clone, Copy, Debug)]
pub struct StdioLimits {
    /// Largest frame.
    pub frame_bytes: usize,
    /// Bytes of unanswered frames. The next frame is read when there is room.
    pub bytes_in_flight: usize,
    /// Longest wait for running calls after stdin has ended.
    pub grace: Duration,
}

/// Serves until stdin ends and every request is answered.
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
            // The library stops waiting for a handshake after a frame that is not one, or after refusing one. The
            // client may still continue.
            Err(
                ServerInitializeError::ExpectedInitializeRequest(_)
                | ServerInitializeError::InitializeFailed(_),
            ) => {}
            Err(error) => return Err(failed(error.to_string())),
        }
    }
}
