//! The search index over operations: made at build time, read by the server, judged by `search-eval`.
//!
//! `words`, `query` and `rank` are compiled into the server too, so that index and query are cut into the same words.

pub mod evaluate;
pub mod glossary;
pub mod index;
pub mod query;
pub mod rank;
pub mod words;
