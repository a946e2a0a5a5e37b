//! Turns checked arguments into the transport's request, by a generated handler.

use tool::{Arguments, Tool, UnusableArgument};

use crate::catalog::generated::HANDLERS;

/// A generated handler: it builds the request and sends nothing.
pub type Prepare = fn(&RequestBase, &Arguments) -> Result<reqwest::Request, PrepareError>;

/// The target of requests.
#[derive(Clone)]
pub struct RequestBase {
    /// Base URL without a trailing slash.
    pub base_url: String,
    pub http: reqwest::Client,
}

/// Checked arguments that still gave no request: a fault of this program, not of the caller.
#[derive(Debug, thiserror::Error)]
#[error("the request could not be built: {0}")]
pub struct PrepareError(pub String);

impl From<progenitor_client::Error<()>> for PrepareError {
    fn from(error: progenitor_client::Error<()>) -> Self {
        Self(error.to_string())
    }
}

impl From<UnusableArgument> for PrepareError {
    fn from(error: UnusableArgument) -> Self {
        Self(error.to_string())
    }
}

/// The request of one call of `tool`.
pub fn prepare(
    tool: &Tool,
    upstream: &RequestBase,
    arguments: &Arguments,
) -> Result<reqwest::Request, PrepareError> {
    let missing = || PrepareError(format!("{} has no handler", tool.name));
    let handler = HANDLERS.get(tool.handler).ok_or_else(missing)?;
    handler(upstream, arguments)
}
