//! The pipeline from HighLevel's documents to tools: load, repair, describe, lower, prune, emit.

pub mod allowlist;
pub mod build;
mod client_generator;
pub mod counts;
pub mod described;
pub mod diff;
pub mod document;
pub mod editions;
pub mod emit;
pub mod error;
pub mod generation;
pub mod import;
pub mod knowledge;
pub mod model;
pub mod search;

pub use generation::{Generation, generate};
