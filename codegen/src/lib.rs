//! The pipeline from HighLevel's documents to tools: load, repair, describe, prune, lower, emit.

pub mod allowlist;
pub mod document;
pub mod emit;
pub mod error;
pub mod generation;
pub mod knowledge;
pub mod model;

pub use generation::{Generation, generate};
