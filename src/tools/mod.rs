//! What calls are made of: arguments as HighLevel takes them, answers as callers want them, and search.

pub mod arguments;
pub mod output;
pub mod read_back;
pub mod search;
pub mod shape;

use crate::generated::TOOLS;
use crate::runtime::tool::Tool;

/// The tool that is `GET` of this path of HighLevel's API.
pub fn get(path: &str) -> Option<&'static Tool> {
    TOOLS
        .iter()
        .find(|tool| tool.method == "GET" && tool.path == path)
}
