//! The search index over operations: made at build time, read by the server, judged by `search-eval`.

pub mod evaluate;
pub mod glossary;
pub mod index;
