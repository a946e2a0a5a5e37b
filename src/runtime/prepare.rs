//! How a generated handler turns checked arguments into the request that the transport sends.
//!
//! The generated clients type and encode paths and queries, and would send the request themselves.
//! Their hook hands the built request to [`Taken`] instead, so that sending stays in one place.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;

use crate::runtime::arguments::Arguments;

/// A generated handler: builds the request, sends nothing.
pub type Prepare = fn(&Upstream, &Arguments) -> Result<reqwest::Request, PrepareError>;

/// Where requests go.
#[derive(Clone)]
pub struct Upstream {
    /// Base URL without a trailing slash.
    pub base_url: String,
    pub http: reqwest::Client,
}

/// Checked arguments that still made no request: a fault of this program, not of the caller.
#[derive(Debug, thiserror::Error)]
#[error("the request could not be built: {0}")]
pub struct PrepareError(pub String);

/// Takes the request out of a generated client before it is sent.
#[derive(Clone, Default)]
pub struct Taken(Arc<Mutex<Option<reqwest::Request>>>);

impl Taken {
    /// Keeps `request` and gives the error that stops the client from sending.
    pub fn take<E>(&self, request: &mut reqwest::Request) -> progenitor_client::Error<E> {
        let placeholder = reqwest::Request::new(request.method().clone(), request.url().clone());
        let request = std::mem::replace(request, placeholder);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(request);
        progenitor_client::Error::Custom("taken before it was sent".to_owned())
    }
}

/// Shows nothing of the request: it carries a customer's data.
impl fmt::Debug for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Taken")
    }
}

/// Runs a client's function up to its hook, which never waits, and gives the request.
pub fn prepare<T, E: fmt::Debug>(
    call: impl Future<Output = Result<T, progenitor_client::Error<E>>>,
    taken: &Taken,
) -> Result<reqwest::Request, PrepareError> {
    let outcome = call.now_or_never();
    if let Some(request) = taken
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take()
    {
        return Ok(request);
    }
    Err(PrepareError(match outcome {
        Some(Err(error)) => format!("{error:?}"),
        Some(Ok(_)) => "the client answered without its hook".to_owned(),
        None => "the client waited before its hook".to_owned(),
    }))
}
