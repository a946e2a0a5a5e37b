//! Sends prepared requests to HighLevel.

use crate::config;
use crate::highlevel::failure::Failure;
use crate::runtime::prepare::Upstream;

/// The one path to the network. Cheap to clone; one connection pool for the whole process.
#[derive(Clone)]
pub struct Transport {
    upstream: Upstream,
}

impl Transport {
    /// Fails where the base URL is no http(s) URL or the TLS client cannot be made.
    pub fn new(settings: &config::Upstream) -> Result<Self, Failure> {
        let _ = settings;
        Err(Failure {})
    }

    /// What the generated handlers build requests for.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }
}
