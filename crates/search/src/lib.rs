//! Finds operations by people's words. The generator's texts and the server's queries are tokenized by the same code,
//! so that both have the same words.

mod index;
mod meaning;
mod query;
mod rank;
mod verdict;
mod words;

pub use index::{Index, Lacking, PHRASE_SCALE};
pub use verdict::{Lack, Ranking};
pub use words::{Word, cut};
