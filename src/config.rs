//! Every setting of the server.

use serde::Deserialize;

/// Where HighLevel is and how long to wait for it: `[upstream]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// Base URL without a trailing slash.
    pub base_url: String,
    pub connect_timeout_ms: u64,
    /// From the first byte sent to the last byte read.
    pub total_timeout_ms: u64,
    /// Largest answer that is read, in bytes after decompression.
    pub max_response_bytes: usize,
}

/// What tools take and give: `[tools]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tools {
    /// Argument names that clients add by themselves, dropped where a tool has no such argument.
    pub ignored_arguments: Vec<String>,
    /// Largest answer that a client gets, in bytes.
    pub max_answer_bytes: usize,
}
