//! The one place where generated code enters.

use crate::runtime::tool::Tool;

/// Every tool, sorted by name.
pub static TOOLS: &[Tool] = &[];
