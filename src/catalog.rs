//! The catalogue of calls: the generated tools, their requests, and the parsing and masking of their texts.

pub(crate) mod body;
pub(crate) mod custom_field;
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

/// The tool for `GET` of this path of HighLevel's API.
pub fn get(path: &str) -> Option<&'static Tool> {
    TOOLS
        .iter()
        .find(|tool| tool.method == "GET" && tool.path == path)
}
