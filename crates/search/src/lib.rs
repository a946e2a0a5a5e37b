//! Finds operations by what people say. The generator cuts texts into words by this code, the server queries, so that
//! both have the same words.

mod index;
mod meaning;
mod query;
mod rank;
mod verdict;
mod words;

pub use index::{Index, Lacking, PHRASE_SCALE};
pub use verdict::{Lack, Ranking};
pub use words::{Word, cut};
