//! From operations to Rust: clients by progenitor, a handler per tool, the table of tools.

pub mod client;
pub mod format;
pub mod handlers;
pub mod prune;
pub mod registry;
