//! Finds operations by what people say. The generator cuts texts into words by this code, the server queries, so that
//! both have the same words.

mod query;
mod rank;
mod words;

pub use rank::Index;
pub use words::{Word, cut};
