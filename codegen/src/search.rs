//! The search index over operations: made at build time, read by the server, measured by `search-eval`.

pub mod evaluate;
pub(crate) mod glossary;
pub(crate) mod index;
pub mod lacking;
