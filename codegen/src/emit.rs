//! From operations to Rust: clients by progenitor, a handler per tool, the table of tools.

pub(crate) mod client;
pub(crate) mod format;
pub(crate) mod handlers;
pub(crate) mod prune;
pub(crate) mod registry;
