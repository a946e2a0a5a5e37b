//! The pipeline from HighLevel's documents to tools: load, repair, describe, lower, prune, emit.

pub mod allowlist;
pub mod annotations;
pub mod build;
mod client_generator;
mod counts;
pub mod diff;
pub mod docs;
pub mod document;
pub mod document_counts;
pub mod draft;
mod emit;
pub mod error;
pub mod generation;
pub mod import;
pub mod model;
pub mod pipeline;
pub mod search;
pub mod strangers;
pub mod unfinished;
mod v3;

pub use generation::{Generation, generate};
