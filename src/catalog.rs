//! The catalogue of calls: the generated tools, how their requests are made, and how their texts may be read.

pub(crate) mod body;
pub(crate) mod decoding;
#[allow(
    unreachable_pub,
    reason = "the generator knows nothing of who uses what it makes"
)]
mod generated;
pub mod masking;
pub(crate) mod numbers;
pub mod prepare;
pub(crate) mod uploads;

pub use generated::{SEARCH_INDEX, STRANGERS, TOOLS, TOOLSETS};

use tool::Tool;

/// The tool that is `GET` of this path of HighLevel's API.
pub fn get(path: &str) -> Option<&'static Tool> {
    TOOLS
        .iter()
        .find(|tool| tool.method == "GET" && tool.path == path)
}
